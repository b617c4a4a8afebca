/* document_check.h - holds a JSON document against rules (document_rules.h) while it is read.
 *
 * Each broken rule is told as a line "<document>: <path>: <rule>", the path as a JSON pointer (RFC 6901) with
 * long names cut short: "meta.json: /statistics/mem_bw/unit/base: is "load", must be one of "B", ...". The
 * checking goes on behind it. This judges what a document says; whether a reader can use it is another question (job.h, data_check.h).
 *
 * Memory: the reader's 1.5 x `buffer`, and 10 KiB of stack; documents of any size.
 */
#ifndef TARN_JOBS_DOCUMENT_CHECK_H
#define TARN_JOBS_DOCUMENT_CHECK_H

#include "io/stream.h"
#include "jobs/document_rules.h"

enum {
    TA_DOCUMENT_LINES_MAX = 20, /* further broken rules are counted only */
    TA_DOCUMENT_SET_MAX =
        1000 /* items of a list, from its first, that are compared with each other */
};

/* Adds lines to `lines`, each with `name` in front, and says in *n how many rules are broken. `buffer`: bytes, twice the longest
 * string; 0 = 64 KiB. TA_EFORMAT: it is no JSON; TA_ERANGE: a string is too long, `lines` is full; TA_ENOMEM; the
 * source's. */
int ta_document_check(struct ta_source *json, size_t buffer, const char *name,
                      const struct ta_rule *rule, struct ta_buf *lines, uint64_t *n,
                      struct ta_alloc *alloc, struct ta_err *err);

#endif
