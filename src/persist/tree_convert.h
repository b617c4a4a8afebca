/* tree_convert.h - one checkpoint file into another format, as a stream.
 *
 * The source is read twice: the first pass counts the values of each series (a binary file states the
 * number before the values, a JSON file does not), finds the range and refuses what the target cannot hold. Memory: a
 * reader, a write buffer and 4 bytes a series.
 */
#ifndef TARN_PERSIST_TREE_CONVERT_H
#define TARN_PERSIST_TREE_CONVERT_H

#include "persist/tree_read.h"
#include "persist/tree_write.h"

struct ta_tree_convert_counts {
    uint64_t series, samples; /* written; samples without the missing ones */
    uint64_t damaged;         /* unreadable places of the source: what they held is missing */
};

/* Into an open, empty file; does not sync. TA_EFORMAT: the source has no range, or metrics behind the
 * children of their level (no writer does that, but JSON allows it). Adds to *counts. */
int ta_tree_convert(struct ta_file *from, enum ta_tree_format from_format, struct ta_file *to,
                    enum ta_tree_format to_format, struct ta_alloc *alloc,
                    struct ta_tree_convert_counts *counts, struct ta_err *err);

/* Appends the samples as records of a reference's log at offset *at of `to`, which moves on; at offset 0 the
 * file's head comes first. Levels deeper than two are counted as damaged: the log cannot name them. */
int ta_tree_convert_wal(struct ta_file *from, enum ta_tree_format from_format, struct ta_file *to,
                        uint64_t *at, struct ta_alloc *alloc, struct ta_tree_convert_counts *counts,
                        struct ta_err *err);

#endif
