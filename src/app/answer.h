/* answer.h - reading the answer of a query, one series at a time (spec: http-api 4.4).
 *
 * Memory: the values of one series (limited by `max_values`), and the JSON reader's buffer.
 */
#ifndef TARN_APP_ANSWER_H
#define TARN_APP_ANSWER_H

#include "base/alloc.h"
#include "base/err.h"
#include "io/stream.h"

#include <stddef.h>
#include <stdint.h>

struct ta_answer_series {
    size_t query; /* index of the query it answers */
    double *values;
    size_t n;
    int64_t from_s, to_s, step_s;
    double avg, min, max; /* NaN: none */
    char error[200];      /* "" when there is none */
};

struct ta_answer;

/* Borrows src and alloc. */
int ta_answer_new(struct ta_answer **out, struct ta_source *src, size_t max_values,
                  struct ta_alloc *alloc, struct ta_err *err);
void ta_answer_free(struct ta_answer *a); /* NULL is fine */

/* 1 = *out filled, valid until the next call; 0 = the answer is complete; TA_EFORMAT, TA_ERANGE
 * (a series longer than max_values), or the source's error. */
int ta_answer_next(struct ta_answer *a, struct ta_answer_series *out, struct ta_err *err);

#endif
