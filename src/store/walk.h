/* walk.h - through the store host by host, series by series, buffer by buffer; and back in.
 *
 * For checkpoints, listings and tools. A walk is a cursor by name: each call finds the next thing after it
 * in bytewise order, so whatever comes or goes meanwhile, nothing is visited twice and nothing that stayed is
 * left out. All results are copies.
 */
#ifndef TARN_STORE_WALK_H
#define TARN_STORE_WALK_H

#include "store/store.h"
#include "store/write.h"

/* A name with room for itself. */
struct ta_name {
    uint8_t len;
    char at[TA_NAME_MAX];
};

static inline struct ta_str ta_name_str(const struct ta_name *n)
{
    return (struct ta_str){n->at, n->len};
}

/* ---- hosts ---------------------------------------------------------------------------------- */

struct ta_host_name {
    struct ta_name cluster, host;
    uint64_t host_id;
};

/* Up to `max` hosts after (*after) in the order of (cluster, host); `after` NULL: from the first. `cluster`
 * non-empty: of that cluster alone. Returns how many; 0 = no more. Cost: O(max log hosts). */
size_t ta_walk_hosts(struct ta_store *s, struct ta_str cluster, const struct ta_host_name *after,
                     struct ta_host_name *out, size_t max);

/* The same for clusters. */
size_t ta_walk_clusters(struct ta_store *s, const struct ta_name *after, struct ta_name *out,
                        size_t max);

/* 1 = the host is there, 0 = not. *out_id may be NULL. */
int ta_walk_find_host(struct ta_store *s, struct ta_str cluster, struct ta_str host,
                      uint64_t *out_id);

/* ---- changes since the last checkpoint -------------------------------------------------------- */

struct ta_host_cut {
    uint64_t host_id;
    bool is_changed;        /* samples were written since the last cut */
    int64_t touched_from_s; /* oldest time stamp among them; INT64_MAX when unchanged */
};

/* Takes the marks of a host and clears them (a moment of the shard's write lock). What is appended later
 * counts for the next cut. TA_ENOTFOUND. */
int ta_walk_cut(struct ta_store *s, struct ta_str cluster, struct ta_str host,
                struct ta_host_cut *out);
/* Puts marks back: the checkpoint of this cut failed. A host that has gone is fine. */
void ta_walk_uncut(struct ta_store *s, struct ta_str cluster, struct ta_str host,
                   const struct ta_host_cut *cut);

/* ---- series and buffers of one host ------------------------------------------------------------ */

/* One series of a host. Order: type, then subtype (empty first), then metric name: so all metrics of a level
 * come together, a level before its children, and children in order. */
struct ta_walk_series {
    struct ta_name type, stype;
    uint32_t metric;
    int64_t freq_s;

    /* Not for callers: where it was found, which is looked at first the next time. */
    uint32_t shape_id, index, col;
};

/* Next series after *at that has samples (`is_first`: the first), into *at. 1, or 0 at the end (the host
 * gone counts as the end). */
int ta_walk_series_next(struct ta_store *s, struct ta_str cluster, struct ta_str host,
                        bool is_first, struct ta_walk_series *at);

struct ta_buffer_info {
    int64_t start_s; /* left edge of slot 0; the first sample stood at start_s + freq_s / 2 */
    int64_t freq_s;
    uint32_t len;      /* slots in use; end = start_s + freq_s / 2 + len * freq_s */
    uint32_t capacity; /* slots it can grow to */
    bool is_restored;  /* "archived" of the reference */
};

/* Up to `max` buffers of a series with start_s > after_s (INT64_MIN: from the oldest), oldest first. */
size_t ta_walk_buffers(struct ta_store *s, struct ta_str cluster, struct ta_str host,
                       const struct ta_column_key *key, int64_t after_s, struct ta_buffer_info *out,
                       size_t max);

/* out[i] = slot slot0 + i of the buffer that starts at start_s; NaN = missing. Returns the slots copied,
 * bounded by n and by the buffer's length; TA_ENOTFOUND: no such buffer (any more). */
int ta_walk_slots(struct ta_store *s, struct ta_str cluster, struct ta_str host,
                  const struct ta_column_key *key, int64_t start_s, uint32_t slot0, double *out,
                  size_t n);

/* ---- series on their grids, for checkpoints --------------------------------------------------------- */

/* Slots [first, end) of a buffer, whose centres lie in a range. */
struct ta_buffer_part {
    int64_t centre_s; /* of slot 0 */
    uint32_t first, end;
};

/* false: none of its slots has its centre in [from, to). */
bool ta_buffer_part_of(const struct ta_buffer_info *b, int64_t from_s, int64_t to_s,
                       struct ta_buffer_part *out);

/* First and last centre of slots in a range, up to where a grid first changes its phase or goes on after a gap of
 * more than so many slots. */
struct ta_walk_extent {
    int64_t first_s, last_s, change_s; /* INT64_MAX, INT64_MIN, INT64_MAX when there is none */
};

/* Over all series of a host, with at most 1,024 of them per lock hold; each is followed up to its first change. */
void ta_walk_extents(struct ta_store *s, struct ta_str cluster, struct ta_str host, int64_t from_s,
                     int64_t to_s, uint32_t gap_slots, struct ta_walk_extent *out);

/* ta_walk_series_next, with the extent of that series, which may be empty. */
int ta_walk_extent_next(struct ta_store *s, struct ta_str cluster, struct ta_str host,
                        bool is_first, int64_t from_s, int64_t to_s, uint32_t gap_slots,
                        struct ta_walk_series *at, struct ta_walk_extent *out);

/* out[i] = what the series holds at first_s + (slot0 + i) * at->freq_s, of slots with their centres in [from, to):
 * NaN where that is nothing, or lies on a grid of another phase. Where buffers overlap, the older one counts.
 * first_s is the first centre of an extent; n <= 4096, one lock hold. */
void ta_walk_grid(struct ta_store *s, struct ta_str cluster, struct ta_str host,
                  const struct ta_walk_series *at, int64_t from_s, int64_t to_s, int64_t first_s,
                  uint64_t slot0, double *out, size_t n);

/* ---- restoring ---------------------------------------------------------------------------------- */

/* Puts arrays read from checkpoint files into one host after the other: collects the runs of many series of a host
 * and stores them in few blocks. What it learned of metrics, and up to 2 MiB of memory (the store's), stay for the
 * next host. Not for use from two threads; other threads may write meanwhile. */
struct ta_restore;

/* Borrows the store. TA_ENOMEM. */
int ta_restore_new(struct ta_restore **out, struct ta_store *s, struct ta_err *err);
void ta_restore_free(
    struct ta_restore *r); /* NULL is fine; a host that was begun must have ended */

/* Arrays of this host come next. TA_EINVAL for a bad name. */
int ta_restore_begin(struct ta_restore *r, struct ta_str cluster, struct ta_str host,
                     struct ta_err *err);

/* Puts v[0..n) (NaN = missing) on the grid: v[k] is the sample of centre start_s + freq_s / 2 + k * freq_s,
 * start_s the left edge (reference files carry the centre of value 0: subtract freq / 2, weakness 3). Becomes
 * buffers of at most 512 slots with capacity = length, marked as restored, when the series has nothing there
 * yet; where it has, and when freq_s is not the metric's (weakness 11), values are written sample by sample
 * on the series' own grid, the last writer winning. Arrays of a series should come oldest first.
 * Trailing NaNs count as slots. On TA_ENOMEM a part of the array may be stored, or its buffer without values.
 * TA_EINVAL for a bad key or time. */
int ta_restore_add(struct ta_restore *r, const struct ta_column_key *key, int64_t start_s,
                   int64_t freq_s, const double *v, size_t n, struct ta_err *err);

/* Stores what is still collected. Restored data leave no marks of change (ta_walk_cut). TA_ENOMEM: some of the
 * host's buffers stay without values. */
int ta_restore_end(struct ta_restore *r, struct ta_err *err);

#endif
