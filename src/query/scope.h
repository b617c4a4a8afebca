/* scope.h - the levels of a node at which metrics are measured, and asked for (spec: scope-queries
 * 1). */
#ifndef TARN_QUERY_SCOPE_H
#define TARN_QUERY_SCOPE_H

#include "base/str.h"

/* In order of size: the larger of two is the coarser. */
enum ta_scope {
    TA_SCOPE_INVALID,
    TA_SCOPE_ACCELERATOR,
    TA_SCOPE_HWTHREAD,
    TA_SCOPE_CORE,
    TA_SCOPE_MEMORY_DOMAIN,
    TA_SCOPE_SOCKET,
    TA_SCOPE_NODE
};

/* TA_SCOPE_INVALID for any other word. */
enum ta_scope ta_scope_parse(struct ta_str word);
/* As in requests and files: "memoryDomain". "invalid" for TA_SCOPE_INVALID. */
const char *ta_scope_name(enum ta_scope s);

static inline enum ta_scope ta_scope_max(enum ta_scope a, enum ta_scope b)
{
    return a > b ? a : b;
}

#endif
