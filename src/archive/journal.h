/* journal.h - the commit record of an archive run: what is finished, and which files it was made of.
 *
 *   STATE/journal := {"sources":[[cluster, host, file, bytes, mtime_ns], ...],
 *                     "outputs":[[temporary file, name], ...]}
 *
 * The outputs are complete, verified and synced under their temporary names before the record is; its
 * appearance is the one moment that decides. From then on publishing the outputs and deleting the sources can be
 * done again from the beginning as often as needed, after any crash: an output whose temporary file is gone
 * was published, a source that is gone was deleted, one that has changed since is left alone. Without a
 * record, temporary files are leftovers and go.
 */
#ifndef TARN_ARCHIVE_JOURNAL_H
#define TARN_ARCHIVE_JOURNAL_H

#include "archive/host_index.h"
#include "archive/place.h"
#include "base/log.h"

#include <stdint.h>

struct ta_arc_journal {
    struct ta_vfs *vfs;
    struct ta_alloc *alloc;
    const char *state; /* directory; exists */
    struct ta_file *file;
    struct ta_file_sink sink;
    struct ta_buf line, outputs;
    uint64_t n_sources;
    bool is_first;
};

/* Begins a record. Borrows all. */
int ta_arc_journal_begin(struct ta_arc_journal *j, struct ta_vfs *vfs, const char *state,
                         struct ta_alloc *alloc, struct ta_err *err);
int ta_arc_journal_source(struct ta_arc_journal *j, struct ta_str cluster, struct ta_str host,
                          const struct ta_arc_file *file, struct ta_err *err);
int ta_arc_journal_output(struct ta_arc_journal *j, const char *temporary, const char *name,
                          struct ta_err *err);
/* Makes the record durable under its name. */
int ta_arc_journal_commit(struct ta_arc_journal *j, struct ta_err *err);
/* Gives a record up that was not committed. Fine on a zeroed struct. */
void ta_arc_journal_done(struct ta_arc_journal *j);

struct ta_arc_effects {
    uint64_t published, deleted, kept; /* kept: sources that had changed */
};

/* Does what a committed record says, if there is one, and removes it; adds to *effects. */
int ta_arc_journal_execute(struct ta_vfs *vfs, const char *state, const char *root,
                           struct ta_arc_place *place, struct ta_alloc *alloc, struct ta_log *log,
                           struct ta_arc_effects *effects, struct ta_err *err);

#endif
