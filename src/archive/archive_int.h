/* archive_int.h - the state of a run, shared by archive.c (clusters) and archive_host.c (one host). */
#ifndef TARN_ARCHIVE_ARCHIVE_INT_H
#define TARN_ARCHIVE_ARCHIVE_INT_H

#include "archive/archive.h"
#include "archive/host_index.h"
#include "archive/journal.h"
#include "archive/output.h"

struct ta_archive_run {
    const struct ta_archive_conf *conf;
    struct ta_archive_result *result;
    struct ta_budget budget, index_budget;
    char state[TA_PATH_MAX];
    struct ta_file *lock, *spool;
    struct ta_arc_place_dir directory;
    struct ta_arc_place *place;
    const char *cluster;
    struct ta_arc_index index;
    struct ta_arc_output_conf output_conf;
    struct ta_arc_output output;
    struct ta_arc_journal journal;
    unsigned n_outputs;
    bool is_output_spoilt; /* rows of a host that failed stand in the open output */
    bool is_output_broken; /* the output itself failed: the cluster's run ends */
    bool is_stuck;         /* a committed record could not be carried out: the whole run ends */
};

/* Appends one host's old checkpoints to the open output and its sources to the journal. *has_sources
 * becomes true when there were any. */
int ta_archive_host(struct ta_archive_run *run, struct ta_str host, bool *has_sources,
                    struct ta_err *err);
/* Deletes one host's old checkpoints. */
int ta_archive_delete(struct ta_archive_run *run, struct ta_str host, struct ta_err *err);

#endif
