/* result_read.h - answers of the form {"result": [...], ...}, read as they arrive.
 *
 * The layout of CMS web services (spec: rule-cleaner 4.1): one object with a member `result`, an
 * array; other members are passed over. An answer whose JSON does not end at its closing brace, or
 * is followed by anything, is an error (TA_EFORMAT).
 */
#ifndef TARN_REST_RESULT_READ_H
#define TARN_REST_RESULT_READ_H

#include "io/json_read.h"

/* A reader for answers: 16 KiB of buffer, texts up to 8 KiB, NaN and the infinities accepted. */
int ta_result_reader_new(struct ta_json_reader **out, struct ta_source *body,
                         struct ta_alloc *alloc, struct ta_err *err);

/* Passes to behind the `[` of the result. TA_EFORMAT when there is none. */
int ta_result_open(struct ta_json_reader *j, struct ta_err *err);
/* After the `]` of the result: the rest of the object, and nothing behind it. */
int ta_result_close(struct ta_json_reader *j, struct ta_err *err);

/* Takes one name; < 0 ends the reading with that code. Borrowed for the call. */
typedef int (*ta_name_taker)(void *self, struct ta_str name, struct ta_err *err);

/* Inside an array: every string of it, nested arrays flattened, null and "" left out, up to its
 * end. Anything else in it is TA_EFORMAT. */
int ta_result_strings(struct ta_json_reader *j, ta_name_taker take, void *self, struct ta_err *err);
/* A whole answer whose result is a list of names. */
int ta_result_names(struct ta_source *body, ta_name_taker take, void *self, struct ta_alloc *alloc,
                    struct ta_err *err);

#endif
