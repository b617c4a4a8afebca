/* scope.c - see scope.h. */
#include "query/scope.h"

static const char *const names[] = {[TA_SCOPE_INVALID] = "invalid",
                                    [TA_SCOPE_ACCELERATOR] = "accelerator",
                                    [TA_SCOPE_HWTHREAD] = "hwthread",
                                    [TA_SCOPE_CORE] = "core",
                                    [TA_SCOPE_MEMORY_DOMAIN] = "memoryDomain",
                                    [TA_SCOPE_SOCKET] = "socket",
                                    [TA_SCOPE_NODE] = "node"};

enum ta_scope ta_scope_parse(struct ta_str word)
{
    for (size_t i = TA_SCOPE_INVALID + 1; i < TA_COUNT(names); i++)
        if (ta_str_is(word, names[i]))
            return (enum ta_scope)i;
    return TA_SCOPE_INVALID;
}

const char *ta_scope_name(enum ta_scope s)
{
    return names[s];
}
