/* checkpoint.h - what the store holds, into the reference's checkpoint files.
 *
 * Each host's files divide time: a file <from> covers the slots whose centre lies in [from, to). A
 * checkpoint with boundary B writes, host by host, what no file covers up to B into new files, and
 * writes again every file into whose range samples came since the last checkpoint (late and back-filled
 * data). So all a host has with a centre below B stands in its files exactly once, per metric no later
 * file begins before an earlier one, and the reference can be started on the tree (spec: formats 6, 10.5).
 *
 * The format has one start per metric and file, so where the phase of a series' grid changes inside a range,
 * a new file begins there; and after a gap of thousands of slots, which the format would fill with missing values.
 *
 * A file is written under <name>.tmp, synced, renamed; its directory is synced after the last one of the
 * host. A crash at any point leaves old files, new files or both in a state that loads to the same samples.
 *
 * Why a boundary somewhat in the past: samples come a little late as a rule. With B a few minutes back only
 * really late ones make a file be written again; the newest minutes stay covered by the log, whose
 * segments may go once their newest time stamp lies before B (ta_wal_drop_before). The final checkpoint of a
 * clean stop has no boundary and covers everything.
 *
 * Memory: a worker holds one write buffer, one window of slots and the list of one host's files.
 */
#ifndef TARN_PERSIST_CHECKPOINT_H
#define TARN_PERSIST_CHECKPOINT_H

#include "base/alloc.h"
#include "io/vfs.h"
#include "persist/tree_write.h"
#include "store/store.h"

#include <stdatomic.h>
#include <stdbool.h>

#define TA_CHECKPOINT_ALL INT64_MAX /* the boundary of a final checkpoint */

struct ta_checkpoint_conf {
    struct ta_store *store;
    struct ta_vfs *vfs;
    const char *root; /* exists */
    enum ta_tree_format format;
    struct ta_alloc *alloc;
    unsigned dir_mode, file_mode; /* 0: 0750 and 0640 */
};

struct ta_checkpoint_counts {
    uint64_t hosts;         /* looked at */
    uint64_t hosts_written; /* that got a file */
    uint64_t hosts_failed;
    uint64_t files, files_again; /* written; of those: again, with late samples */
    uint64_t samples, bytes;
};

/* One host. Adds to *counts. On failure the host's marks of change are put back, so that the next run
 * covers the same. A host that has gone is fine. Any thread; one call at a time for the same host. */
int ta_checkpoint_host(const struct ta_checkpoint_conf *conf, struct ta_str cluster,
                       struct ta_str host, int64_t boundary_s, struct ta_checkpoint_counts *counts,
                       struct ta_err *err);

/* All hosts, with `n_workers` threads (1: the caller's own). A failing host does not keep the others from
 * being written; the first error is told at the end. `stop` (may be NULL) ends the run early with
 * TA_ECANCELED. Only TA_OK means that all is durable. */
int ta_checkpoint_run(const struct ta_checkpoint_conf *conf, int64_t boundary_s, unsigned n_workers,
                      const _Atomic bool *stop, struct ta_checkpoint_counts *counts,
                      struct ta_err *err);

#endif
