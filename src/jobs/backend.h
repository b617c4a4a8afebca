/* backend.h - a job archive, whatever holds it: a tree of files, a bucket, a database.
 *
 * (spec: job-archive 1, 2, 6, 7) An archive has clusters, each with a configuration document; and for each
 * job a metadata and a data document. A job is known by its cluster, id and start time; it exists when its
 * metadata do. Data come and go as streams in the form in which they are stored (plain or gzip).
 *
 * Writing: the data first, the metadata last, each in one step and durable when the call returns (a
 * database: both in one transaction). Whatever fails, what was there before can still be read.
 *
 * One backend belongs to one thread at a time; threads open one each on the same archive. While data
 * are open (open_data) nothing else may be asked of that backend. Memory: see the three openers; a
 * metadata document is held by who asks for it.
 */
#ifndef TARN_JOBS_BACKEND_H
#define TARN_JOBS_BACKEND_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "io/stream.h"
#include "io/vfs.h"
#include "jobs/sql.h"
#include "query/decode.h"
#include "rest/s3.h"

#include <stdbool.h>

enum {
    TA_BACKEND_VERSION = 3,
    TA_BACKEND_NAME_MAX = 128,         /* bytes of a cluster's name */
    TA_BACKEND_META_MAX = 64 << 20,    /* a metadata document: a million nodes */
    TA_BACKEND_CLUSTER_MAX = 16 << 20, /* a configuration document */
    TA_BACKEND_PLAIN_MAX = 2000,       /* data longer than this are stored compressed */
    TA_BACKEND_CLUSTERS_MAX = 1024,
    TA_BACKEND_PATH_MAX = 4096
};

struct ta_job_address {
    struct ta_str cluster;
    int64_t job_id, start_time; /* not negative */
};

struct ta_backend_data {
    struct ta_source *source;
    uint64_t bytes; /* exactly what the source gives */
    bool is_gzip;
};

struct ta_backend;

/* The jobs of one cluster, in any order; each once if nothing is written meanwhile. Jobs may be
 * removed and rewritten between two calls. */
struct ta_backend_cursor {
    /* 1 = *out filled (its cluster is the one asked for), 0 = end. */
    int (*next)(struct ta_backend_cursor *self, struct ta_job_address *out, struct ta_err *err);
    void (*close)(struct ta_backend_cursor *self);
};

/* The raw operations; the functions below check names first. */
struct ta_backend_ops {
    int (*exists)(struct ta_backend *b, const struct ta_job_address *job, struct ta_err *err);
    int (*read_meta)(struct ta_backend *b, const struct ta_job_address *job, struct ta_buf *out,
                     struct ta_err *err);
    int (*open_data)(struct ta_backend *b, const struct ta_job_address *job,
                     struct ta_backend_data *out, struct ta_err *err);
    void (*close_data)(struct ta_backend *b);
    int (*put)(struct ta_backend *b, const struct ta_job_address *job,
               const struct ta_backend_data *data, struct ta_str meta, struct ta_err *err);
    int (*put_data)(struct ta_backend *b, const struct ta_job_address *job,
                    const struct ta_backend_data *data, struct ta_err *err);
    int (*put_meta)(struct ta_backend *b, const struct ta_job_address *job, struct ta_str meta,
                    struct ta_err *err);
    int (*remove)(struct ta_backend *b, const struct ta_job_address *job, struct ta_err *err);
    int (*clusters)(struct ta_backend *b, struct ta_arena *arena, struct ta_str_list *out,
                    struct ta_err *err);
    int (*read_cluster)(struct ta_backend *b, struct ta_str cluster, struct ta_buf *out,
                        struct ta_err *err);
    int (*put_cluster)(struct ta_backend *b, struct ta_str cluster, struct ta_str text,
                       struct ta_err *err);
    int (*list)(struct ta_backend *b, struct ta_str cluster, struct ta_backend_cursor **out,
                struct ta_err *err);
    int (*read_mark)(struct ta_backend *b, int64_t *out, struct ta_err *err);
    int (*put_mark)(struct ta_backend *b, int64_t at_s, struct ta_err *err);
    int (*put_version)(struct ta_backend *b, struct ta_err *err);
    void (*close)(struct ta_backend *b);
};

struct ta_backend {
    const struct ta_backend_ops *ops;
    const char *name; /* for messages: the path, "s3://bucket" */
    int64_t
        version; /* what the archive says it is; TA_BACKEND_VERSION unless old ones are accepted */
};

struct ta_backend_options {
    bool may_be_old; /* also versions 1 and 2, for the one who migrates them */
    bool may_create; /* an empty place becomes an archive */
};

/* The directory `root` (which must exist; with may_create it and its parents are made). Borrows vfs,
 * alloc. Memory: 64 KiB and the paths. */
int ta_backend_open_files(struct ta_backend **out, struct ta_vfs *vfs, const char *root,
                          const struct ta_backend_options *options, struct ta_alloc *alloc,
                          struct ta_err *err);

/* One database file. Borrows clock, alloc. Memory: the page cache (sql.h), and twice the stored size of
 * the data of a job while that job is written. At most 1 GB of data a job: TA_ERANGE. */
int ta_backend_open_sqlite(struct ta_backend **out, const struct ta_sql_options *sql,
                           struct ta_clock *clock, const struct ta_backend_options *options,
                           struct ta_alloc *alloc, struct ta_err *err);

/* The bucket of an S3 client (rest/s3.h), which must be there; its name is for messages. What is put is kept
 * in the file `spool_path` meanwhile, which no other backend may use. Borrows s3, which then serves nobody
 * else, vfs and alloc. Memory: 64 KiB, and 1.5 MiB while jobs are listed. */
int ta_backend_open_s3(struct ta_backend **out, struct ta_s3 *s3, const char *bucket,
                       struct ta_vfs *vfs, const char *spool_path,
                       const struct ta_backend_options *options, struct ta_alloc *alloc,
                       struct ta_err *err);

void ta_backend_close(struct ta_backend *b); /* NULL is fine */

/* 1 = there is such a job, 0 = there is not. All these: TA_EINVAL for a name of a cluster that is no
 * name (empty, too long, with '/' or control characters, beginning with '.') or negative numbers. */
int ta_backend_exists(struct ta_backend *b, const struct ta_job_address *job, struct ta_err *err);
/* Replaces the content of `out`. TA_ENOTFOUND; TA_ERANGE beyond the maximum of `out`. */
int ta_backend_read_meta(struct ta_backend *b, const struct ta_job_address *job, struct ta_buf *out,
                         struct ta_err *err);
/* The stored bytes. TA_ENOTFOUND: no data of that job. */
int ta_backend_open_data(struct ta_backend *b, const struct ta_job_address *job,
                         struct ta_backend_data *out, struct ta_err *err);
void ta_backend_close_data(struct ta_backend *b); /* fine when nothing is open */

/* Stores a job. TA_EEXIST when it is there and `may_replace` is false. A source that ends early or is
 * longer than it says is TA_EFORMAT. */
int ta_backend_put(struct ta_backend *b, const struct ta_job_address *job,
                   const struct ta_backend_data *data, struct ta_str meta, bool may_replace,
                   struct ta_err *err);
/* One document of a job that exists: TA_ENOTFOUND else. */
int ta_backend_put_data(struct ta_backend *b, const struct ta_job_address *job,
                        const struct ta_backend_data *data, struct ta_err *err);
int ta_backend_put_meta(struct ta_backend *b, const struct ta_job_address *job, struct ta_str meta,
                        struct ta_err *err);
/* The metadata go first: a job half removed is no job. TA_ENOTFOUND: there was none; what was left of it, as
 * after a removal that failed, is gone nevertheless. */
int ta_backend_remove(struct ta_backend *b, const struct ta_job_address *job, struct ta_err *err);

/* Sorted by name. TA_ERANGE: more than TA_BACKEND_CLUSTERS_MAX. */
int ta_backend_clusters(struct ta_backend *b, struct ta_arena *arena, struct ta_str_list *out,
                        struct ta_err *err);
/* The configuration document of a cluster; TA_ENOTFOUND. */
int ta_backend_read_cluster(struct ta_backend *b, struct ta_str cluster, struct ta_buf *out,
                            struct ta_err *err);
int ta_backend_put_cluster(struct ta_backend *b, struct ta_str cluster, struct ta_str text,
                           struct ta_err *err);
/* Memory does not depend on the number of jobs. */
int ta_backend_list(struct ta_backend *b, struct ta_str cluster, struct ta_backend_cursor **out,
                    struct ta_err *err);

/* When jobs were last compressed, Unix seconds; TA_ENOTFOUND: never. */
int ta_backend_read_mark(struct ta_backend *b, int64_t *out, struct ta_err *err);
int ta_backend_put_mark(struct ta_backend *b, int64_t at_s, struct ta_err *err);
/* Says from now on that the archive is of TA_BACKEND_VERSION. */
int ta_backend_put_version(struct ta_backend *b, struct ta_err *err);

bool ta_backend_is_name(struct ta_str cluster);
/* "<cluster>/<jobId / 1000>/<jobId % 1000, three digits>/<startTime>"; TA_ERANGE when it does not fit. */
int ta_backend_job_path(const struct ta_job_address *job, char *out, size_t room);
/* The same back from its three numbers, as text; TA_EFORMAT when they are no such path. */
int ta_backend_job_of_path(struct ta_str thousands, struct ta_str rest, struct ta_str start,
                           struct ta_job_address *out);

#endif
