/* write.h - samples into the store.
 *
 *     r = ta_writer_begin(&w, store, cluster, host, now_s, err);     locks the host's shard
 *     for each sample of that host (a bounded batch, say 256):
 *         col = what the caller's template for (w.shape_id, column) says, or ta_writer_column(&w, &key)
 *         r = ta_writer_append(&w, col, ts, value)
 *         if (r == 0) encode (w.host_id, col, ts, value) into the log of this shard
 *     ta_writer_end(&w)                                                unlocks
 *
 * Column numbers belong to a shape, are dense and never change their meaning while the shape lives;
 * a shape only ever gets more columns (w.n_columns) and its id is never used again. So templates can be
 * kept outside by (shape id, column). A host may be moved to another shape between two begins: always
 * look at w.shape_id. Shapes belong to one shard: what is kept per shape needs the shard's guard only
 * (w.shard is its number).
 *
 * The log and cursors name a host by `host_id`, never used again, and a series by (host id, shape id,
 * column).
 */
#ifndef TARN_STORE_WRITE_H
#define TARN_STORE_WRITE_H

#include "store/run.h"
#include "store/store.h"

/* Which series of a host. Elements are the concatenation of tag and id ("hwthread12"), empty for the
 * host level; stype is empty unless type is set. */
struct ta_column_key {
    uint32_t metric; /* id in the store's table */
    struct ta_str type, stype;
};

/* Not for callers: what the inline append needs to see. */
struct ta_row_cache {
    int64_t ts_s;  /* the time stamp whose row `cells` is; TA_ROW_NONE: none */
    double *cells; /* one per position in the group */
};
struct ta_col_state {
    uint32_t open;  /* index in the host's table of open groups; 0 = no buffer */
    uint32_t pos;   /* position in that group's rows */
    uint32_t first; /* no buffer of the column begins before: seconds since host->base_s */
    struct ta_run_hint hint;
};
#define TA_ROW_NONE INT64_MIN

struct ta_writer {
    uint64_t host_id;   /* unique for the life of the process */
    uint32_t shape_id;  /* unique for the life of the process */
    uint32_t n_columns; /* columns the shape has now; ta_writer_column may raise it */
    uint32_t shard;
    uint64_t n_stored; /* by this writer since begin */

    /* private */
    uint32_t n_states;
    struct ta_col_state *states;
    struct ta_row_cache **open;
    int64_t now_s;
    struct ta_store *store;
    struct ta_shard *locked;
    struct ta_host *host;
};

/* Locks the shard of (cluster, host) and finds or makes the host. When the store is near its cap, room
 * is made first (before the lock). TA_EINVAL for an empty or overlong name, TA_ENOMEM; nothing is
 * locked then. Between begin and end the thread must not block, nor call the store otherwise. */
int ta_writer_begin(struct ta_writer *w, struct ta_store *s, struct ta_str cluster,
                    struct ta_str host, int64_t now_s, struct ta_err *err);

/* Unlocks. A host that got no sample and has none is gone again. */
void ta_writer_end(struct ta_writer *w);

/* The column number of `key`, added when it is new (one hash, about 50 ns). A host that needs more columns
 * than a shared shape takes is moved to a private shape: w->shape_id changes, and with it the numbers of
 * all columns. TA_ERANGE: TA_HOST_COLUMNS_MAX is reached; TA_EINVAL: no such metric, an overlong element,
 * a subtype without type; TA_ENOMEM. */
int64_t ta_writer_column(struct ta_writer *w, const struct ta_column_key *key);

/* The key of a column < n_columns; its slices are borrowed until end. */
void ta_writer_key(const struct ta_writer *w, uint32_t col, struct ta_column_key *out);

/* The table of metrics in force, borrowed until end. Takes no lock: ta_store_metrics does, and must not be called
 * between begin and end. */
const struct ta_metrics *ta_writer_metrics(const struct ta_writer *w);

/* The whole way of a sample that is not simply the next in its row. */
int ta_writer_append_slow(struct ta_writer *w, uint32_t col, int64_t ts_s, double v);

/* Hints for a caller with a batch: `far` some 64 samples before a column's append, `near` some 16. With
 * thousands of hosts each tick finds their rows out of the cache. */
static inline void ta_writer_prefetch_far(const struct ta_writer *w, uint32_t col)
{
    if (col < w->n_states)
        __builtin_prefetch(&w->states[col]);
}

static inline void ta_writer_prefetch_near(const struct ta_writer *w, uint32_t col)
{
    if (col < w->n_states) {
        struct ta_col_state st = w->states[col];
        /* An address only: there may be no row. */
        __builtin_prefetch((void *)((uintptr_t)w->open[st.open]->cells + st.pos * sizeof(double)),
                           1);
    }
}

/* Stores v (not NaN) at ts_s (|ts_s| <= 2^53). 0 = stored; TA_ERANGE = older than every buffer of its
 * series and than now - retention: refused and counted, to be skipped; TA_ENOMEM: end the writer, begin
 * again (which makes room) and retry once; TA_EINVAL: NaN, a time or a column out of range.
 * col < w->n_columns. About 2 ns when the sample has the time stamp of the row last written. */
static inline int ta_writer_append(struct ta_writer *w, uint32_t col, int64_t ts_s, double v)
{
    if (col < w->n_states) {
        struct ta_col_state st = w->states[col];
        struct ta_row_cache *row = w->open[st.open];

        if (row->ts_s == ts_s && v == v) {
            row->cells[st.pos] = v;
            w->n_stored++;
            return TA_OK;
        }
    }
    return ta_writer_append_slow(w, col, ts_s, v);
}

/* The same for a row: value i, a binary64 in little-endian bytes at values + 8 i, of column columns[i] - 1; 0: not known
 * to the caller. Stops at the first that is not simply the next in its row and returns how many were stored:
 * that one takes ta_writer_append, and the rest may come again. */
uint32_t ta_writer_append_row(struct ta_writer *w, const uint32_t *columns, uint32_t n,
                              int64_t ts_s, const void *values);

#endif
