/* archive.h - old checkpoint files into Parquet, once and for all; or simply away.
 *
 * ROOT/<cluster>/<host>/<from>.bin|.json  ->  ARCHIVE/<cluster>/<before>.parquet, <before>-2.parquet, ...
 *
 * A checkpoint goes only when its whole range lies before the limit, and only after its rows stand in a
 * file that was synced, read back, compared and published under its name (journal.h). Whatever stops a run,
 * the next one finishes what was decided and begins the rest anew: no row is lost, none comes twice. A
 * checkpoint that cannot be read is set aside as <name>.corrupt and reported; a host that fails does not keep
 * the others from being archived.
 *
 * Memory: one budget (conf.memory) for everything, whatever the number of hosts, files and rows. One run at a
 * time per state directory (a lock is held; TA_ESTATE when another process has it).
 */
#ifndef TARN_ARCHIVE_ARCHIVE_H
#define TARN_ARCHIVE_ARCHIVE_H

#include "archive/place.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "io/vfs.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum ta_archive_mode { TA_ARCHIVE_PARQUET, TA_ARCHIVE_DELETE };

enum ta_archive_layout {
    TA_ARCHIVE_FLAT, /* <cluster>/<before>.parquet, as the reference names them */
    TA_ARCHIVE_HIVE /* cluster=<cluster>/date=<YYYY-MM-DD>/<before>.parquet: rows by their day (UTC). The
                        checkpoints are looked through once for each day; all days of a cluster are
                        published together */
};

enum { TA_ARCHIVE_MEMORY_MIN = 12 << 20, TA_ARCHIVE_MEMORY_DEFAULT = 24 << 20 };

struct ta_archive_progress {
    uint64_t hosts, hosts_done; /* hosts: of all clusters */
    uint64_t rows;              /* written so far */
    uint64_t bytes_in;          /* of checkpoint files read */
    uint64_t bytes_out;         /* of Parquet files that are finished */
};

struct ta_archive_conf {
    struct ta_vfs *vfs;
    const char *checkpoints;    /* ROOT; missing = nothing to do */
    const char *archive;        /* ARCHIVE, created if missing; NULL with `place` or mode delete */
    struct ta_arc_place *place; /* where finished files go instead of `archive` */
    const char *
        state; /* lock, journal, temporary files; NULL = ARCHIVE/.tarn. With the directory target on the
                          same file system as it */
    enum ta_archive_mode mode;
    enum ta_archive_layout layout;
    int64_t before_s; /* a file goes when its range ends at or before this; also names the output */
    const char *cluster; /* only this one; NULL = all */
    /* Hosts whose checkpoints stay for now; NULL = none. */
    bool (*is_kept)(void *data, struct ta_str cluster, struct ta_str host);
    void *kept_data;
    bool keep; /* leave the sources: running again archives them again */
    bool
        plain; /* values PLAIN or by dictionary: 10-12 % larger, for readers without byte-stream-split */
    int zstd_level;               /* 0 = 1, for plain values 6 */
    size_t memory;                /* bytes; 0 = TA_ARCHIVE_MEMORY_DEFAULT */
    unsigned dir_mode, file_mode; /* 0 = 0755, 0644 */
    struct ta_alloc *alloc;
    struct ta_log *log;       /* may be NULL */
    const _Atomic bool *stop; /* may be NULL; TA_ECANCELED soon after it becomes true */
    /* Called after every host, from the caller's thread; may be NULL. */
    void (*on_progress)(void *data, const struct ta_archive_progress *p);
    void *progress_data;
};

struct ta_archive_result {
    struct ta_archive_progress done;
    uint64_t files;        /* checkpoint files archived (or deleted, in that mode) */
    uint64_t outputs;      /* Parquet files published */
    uint64_t damaged;      /* checkpoint files set aside */
    uint64_t hosts_failed; /* left for another time */
    uint64_t clusters, clusters_failed;
    char failed[256];   /* their names, "a, b", cut to fit */
    size_t memory_peak; /* bytes of the budget */
};

/* TA_OK: the run was made; whether all went well says *out (hosts_failed, clusters_failed). Else nothing could
 * be done, or it was stopped; *out then tells what was done before. */
int ta_archive_run(const struct ta_archive_conf *conf, struct ta_archive_result *out,
                   struct ta_err *err);

#endif
