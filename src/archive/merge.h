/* merge.h - the rows of series that are equal in their columns, in order of time, each once.
 *
 * Values of a series come from as many files as its host has. Files that follow one another are read one
 * after the other; where their ranges overlap they are merged: of one series and one time stamp the value of
 * the latest file counts (as when the store loads them), of different series all stay. Missing values
 * make no row.
 *
 * Memory: a block of TA_ARC_BLOCK rows, 4 bytes per entry of the series; where ranges overlap, 1 KiB for each of
 * those that overlap at once.
 */
#ifndef TARN_ARCHIVE_MERGE_H
#define TARN_ARCHIVE_MERGE_H

#include "archive/host_index.h"

#include <stdbool.h>
#include <stdint.h>

enum { TA_ARC_BLOCK = 8192 };

/* Rows of one frequency. */
struct ta_arc_rows {
    size_t n;
    uint32_t freq_s;
    bool
        is_steps; /* time stamps are times[0], times[0] + freq_s, ...: the others are not filled in */
    const int64_t *times; /* borrowed, as values, until the next call */
    const float *values;
};

struct ta_arc_piece {
    uint32_t entry;
    uint32_t series; /* ties between files are of one series only */
};

struct ta_arc_overlap;

struct ta_arc_merge {
    struct ta_arc_index *index;
    int64_t from_s, to_s; /* rows with from_s <= time < to_s */
    struct ta_arc_piece *pieces;
    uint32_t n_pieces, cap_pieces;
    uint32_t next;        /* first piece not begun */
    uint32_t single_from; /* values of pieces[next - 1] read so far, when it is read alone */
    bool has_single;
    struct ta_arc_overlap *overlap; /* of the pieces read together */
    uint32_t n_overlap;
    int64_t times[TA_ARC_BLOCK];
    float values[TA_ARC_BLOCK];
};

/* Borrows the index; memory from its allocator. */
void ta_arc_merge_init(struct ta_arc_merge *m, struct ta_arc_index *index);
void ta_arc_merge_done(struct ta_arc_merge *m); /* fine on a zeroed struct */

/* Begins with the series order[first .. first + n), which are equal in their columns. */
int ta_arc_merge_begin(struct ta_arc_merge *m, uint32_t first, uint32_t n, int64_t from_s,
                       int64_t to_s, struct ta_err *err);
/* 1 = *out holds at least one row; 0 = end. */
int ta_arc_merge_next(struct ta_arc_merge *m, struct ta_arc_rows *out, struct ta_err *err);

#endif
