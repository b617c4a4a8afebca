/* backend_int.h - what the backends share among themselves. */
#ifndef TARN_JOBS_BACKEND_INT_H
#define TARN_JOBS_BACKEND_INT_H

#include "jobs/backend.h"

/* Names as they come from a listing, copied into an arena; duplicates are passed over. */
struct ta_backend_names {
    struct ta_arena *arena;
    struct ta_str *at;
    size_t n;
};

int ta_backend_names_init(struct ta_backend_names *names, struct ta_arena *arena,
                          struct ta_err *err);
int ta_backend_names_add(struct ta_backend_names *names, struct ta_str name, struct ta_err *err);

/* Text of a version document or row: a decimal, one line feed may follow. */
int ta_backend_version_of(const char *name, struct ta_str text,
                          const struct ta_backend_options *options, int64_t *out,
                          struct ta_err *err);
int ta_backend_mark_of(const char *name, struct ta_str text, int64_t *out, struct ta_err *err);

/* One more piece of data: how many bytes, 0 = all were read. TA_EFORMAT when the source is shorter or
 * longer than it says. `*done` counts, from 0. */
int64_t ta_backend_piece(const struct ta_backend_data *data, uint64_t *done, void *buf, size_t room,
                         struct ta_err *err);

#endif
