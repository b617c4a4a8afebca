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
    int64_t began_ns; /* time of the state directory's file system when the run began */
    struct ta_arc_index index;
    struct ta_arc_output_conf output_conf;
    struct ta_arc_output output;
    struct ta_arc_journal journal;
    unsigned n_outputs;
    bool is_output_spoilt; /* rows of a host that failed stand in the open output */
    bool is_output_broken; /* the output itself failed: the cluster's run ends */
    bool is_stuck;         /* a committed record could not be carried out: the whole run ends */
};

/* Rows with from_s <= time < to_s. */
struct ta_archive_window {
    int64_t from_s, to_s;
};

/* A file's values lie at most this far outside the range it declares; beyond, it counts as damaged when rows are
 * sorted by days. */
enum { TA_ARCHIVE_SLACK_S = 86400 };

/* Appends one host's old checkpoints to the open output and its sources to the journal. *has_sources
 * becomes true when there were any. With a window: only rows and files of it, each file becoming a source in the
 * last window that it reaches into. */
int ta_archive_host(struct ta_archive_run *run, struct ta_str host,
                    const struct ta_archive_window *window, bool *has_sources, struct ta_err *err);
/* Widens *range over the old files of a host. */
int ta_archive_range(struct ta_archive_run *run, struct ta_str host,
                     struct ta_archive_window *range, struct ta_err *err);

/* archive_days.c: all hosts of a cluster, day by day. skip[i] becomes true for hosts that failed. */
int ta_archive_by_days(struct ta_archive_run *run, const struct ta_str *hosts, size_t n_hosts,
                       bool *skip, struct ta_err *err);

/* Shared by both layouts (archive.c). */
void ta_archive_note_host(struct ta_archive_run *run, struct ta_str host, const struct ta_err *why);
void ta_archive_tell(struct ta_archive_run *run);
/* First free name: "<folder>/<before>.parquet", "-2", ... from number *next on, which moves past it. */
int ta_archive_name(struct ta_archive_run *run, const char *folder, unsigned *next,
                    char out[static TA_PATH_MAX], struct ta_err *err);
/* Commits the journal and carries it out. */
int ta_archive_commit(struct ta_archive_run *run, struct ta_err *err);
/* Deletes one host's old checkpoints. */
int ta_archive_delete(struct ta_archive_run *run, struct ta_str host, struct ta_err *err);

#endif
