/* api_int.h - what the files of the public library share. */
#ifndef TARN_API_API_INT_H
#define TARN_API_API_INT_H

#include "base/err.h"
#include "ingest/ingest.h"
#include "store/read.h"
#include "store/store.h"

#include <pthread.h>
#include <tarn/tarn.h>

struct tarn_store {
    struct ta_store *store;
    int64_t retention_s;
    struct ta_ingest *ingest; /* guarded by lines_lock: an ingest is one thread's */
    pthread_mutex_t lines_lock;
};

/* Copies words out and returns the code. */
int api_fail(struct tarn_error *out, int code, const struct ta_err *err);

/* The elements of a path before its first NULL: 0 to 4 in `out`. */
size_t api_path(const struct tarn_path *path, struct ta_str out[4]);

/* The metric's id, or TA_ENOTFOUND with its name in *err. freq_s and agg may be NULL. */
int api_metric(struct tarn_store *s, const char *name, uint32_t *id, int64_t *freq_s,
               enum ta_agg *agg, struct tarn_error *err);

#endif
