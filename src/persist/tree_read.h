/* tree_read.h - a checkpoint file as a stream of events, in either of the reference's formats.
 *
 *     ta_tree_reader_new(&r, format, file, alloc, err)
 *     while ((e = ta_tree_next(r, &event, err)) > 0)
 *         switch (event.kind) ...
 *
 * (Bytes: tree_write.h; spec: formats 3, 4.) A binary file is read through one window, a JSON file in one
 * pass, its keys in any order and unknown ones ignored. Where a metric's data stand before its frequency or
 * start, they are passed over and read a second time behind its end.
 *
 * Damage is an event, not an error: what was good before it has been delivered, and the event says where
 * the file stops making sense. Neither format has checksums of its own (for those that tarn adds see
 * seal.h); a binary file is held against its own size
 * and range: no count larger than what is left, no frequency below 1, no array that cannot lie within the
 * file's range. An array that the end of the file cuts is delivered as far as it goes.
 *
 * Memory: one block of about 310 KiB, for JSON about 130 KiB, twice that for odd orders of keys. Speed: several
 * hundred million values a second out of the page cache (.bin), some ten million (.json).
 */
#ifndef TARN_PERSIST_TREE_READ_H
#define TARN_PERSIST_TREE_READ_H

#include "base/alloc.h"
#include "persist/tree_write.h"

#include <stdint.h>

enum {
    TA_TREE_PIECE =
        4096, /* values of one event at most; all but the last of a metric have as many */
    TA_TREE_NAME_READ_MAX = 255 /* metrics and levels with longer names are passed over as damage */
};

enum ta_tree_event_kind {
    TA_TREE_LEVEL,     /* a child level begins: name, depth */
    TA_TREE_LEVEL_END, /* the level of that depth ends */
    TA_TREE_METRIC,    /* a metric of the level at `depth`: name, freq_s, start_s, count */
    TA_TREE_VALUES,    /* the next n values of that metric */
    TA_TREE_DAMAGE /* [at, at + bytes) is unreadable, up to the end unless another event follows */
};

#define TA_TREE_COUNT_UNKNOWN UINT64_MAX

struct ta_tree_event {
    enum ta_tree_event_kind kind;
    unsigned depth; /* of the level: 0 = the host's own, which has no event, its children are 1 */
    uint64_t
        at; /* file offset: of the level's or metric's name, of the first value, of the damage */
    struct ta_str name;   /* LEVEL, METRIC; borrowed until the next call */
    int64_t freq_s;       /* METRIC; 1 .. 2^30 */
    int64_t start_s;      /* METRIC: time stamp (centre) of value 0 */
    uint64_t count;       /* METRIC: values that follow; in JSON, TA_TREE_COUNT_UNKNOWN */
    uint64_t values_at;   /* METRIC of a binary file: offset of value 0 */
    const double *values; /* VALUES; NaN = missing; borrowed until the next call */
    size_t n;             /* VALUES */
    size_t n_present;     /* VALUES: how many of them are not missing */
    uint64_t bytes;       /* DAMAGE */
    const char *why;      /* DAMAGE: static text */
};

struct ta_tree_reader;

/* Reads from the start of the file. Borrows file and alloc until freed. */
int ta_tree_reader_new(struct ta_tree_reader **out, enum ta_tree_format format,
                       struct ta_file *file, struct ta_alloc *alloc, struct ta_err *err);
void ta_tree_reader_free(struct ta_tree_reader *r); /* NULL is fine */

/* 1 = *out filled, 0 = end, < 0 = the file could not be read, or no memory. */
int ta_tree_next(struct ta_tree_reader *r, struct ta_tree_event *out, struct ta_err *err);

/* After METRIC (or VALUES): the values that are left are passed over. Binary: without reading them. */
void ta_tree_skip_values(struct ta_tree_reader *r);

/* The range in the file's head or, JSON, at its end: false while it is not known. */
bool ta_tree_range(const struct ta_tree_reader *r, int64_t *from_s, int64_t *to_s);

/* Name of the open level at depth 1 .. the newest event's. Borrowed until the next call. */
struct ta_str ta_tree_level_name(const struct ta_tree_reader *r, unsigned depth);

#endif
