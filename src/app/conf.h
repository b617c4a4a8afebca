/* conf.h - the configuration of the server: read once, immutable from then on.
 *
 * The file is the reference's (spec: config 2) plus one section "tarn" of our own, which the
 * reference ignores; so one file starts either program. Every key stands in a table
 * (conf_table.c) with its type, default, rule and help; doc/config.md is tested against it.
 *
 * Errors name file, line, column and key: "config.json:12:19: metric-store.memory-cap: ...".
 * They never quote a value of a section that can hold a secret.
 */
#ifndef TARN_APP_CONF_H
#define TARN_APP_CONF_H

#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "io/vfs.h"
#include "jobs/sql.h"
#include "line/line.h"

#include <stdbool.h>
#include <stdint.h>

struct ta_conf_strings {
    const char **at;
    size_t n;
};

struct ta_conf_metric {
    const char *name;
    int64_t frequency_s;
    const char *aggregation; /* "sum", "avg" or "" */
};

struct ta_conf_subscription {
    const char *subject;
    const char *cluster; /* default cluster of its messages; "" = none */
};

/* Where old jobs or states of nodes go; of "s3" all but the path, "" = from the environment. */
struct ta_conf_target {
    const char *kind; /* "file" or "s3" */
    const char *path, *endpoint, *bucket, *access_key, *secret_key, *region;
    int64_t file_mb; /* MiB of rows in a Parquet file */
};

/* main.nodestate-retention */
struct ta_conf_node_retention {
    const char *policy; /* "keep", "delete", "move" */
    int64_t age_hours;
    struct ta_conf_target target;
};

/* archive.retention */
struct ta_conf_job_retention {
    const char *policy;      /* "none", "delete", "copy", "move" */
    const char *format;      /* "json", "parquet" */
    const char *omit_tagged; /* "none" or "", "all", "user" */
    int64_t age_days;
    bool include_db;
    struct ta_conf_target target;
};

struct ta_conf_main {
    const char *addr; /* host:port */
    const char *cert_file, *key_file;
    const char *user, *group;
    const char *backend_url;
    const char *db;      /* of jobs; "" = no job side */
    int64_t db_cache_mb; /* of the connections of requests and archiver together */
    int64_t db_busy_ms;
    const char *machine_state_dir;          /* "": none */
    struct ta_conf_strings api_allowed;     /* addresses; empty = all */
    const char *job_subject, *node_subject; /* api-subjects; "" = none */
    int64_t walltime_grace_s;               /* 0: no job is ended */
    struct ta_conf_node_retention node_retention;
    const char *jwt_public_key; /* base64, verified to be 32 bytes; "" = no authentication */
};

struct ta_conf_store {
    int64_t retention_ns;  /* <= 0: nothing is dropped by age */
    int64_t memory_cap_gb; /* 1e9 bytes; 0 = unlimited */
    int64_t checkpoint_interval_ns;
    int64_t num_workers; /* 0 = choose */
    const char *checkpoint_format, *checkpoint_dir;
    int64_t max_wal_bytes; /* per host; 0 = unlimited */
    const char *cleanup_mode, *cleanup_dir;
    struct ta_conf_subscription *subscriptions;
    size_t n_subscriptions;
};

struct ta_conf_nats {
    const char *address, *username, *password, *creds_file;
};

/* Limits of the network side; each refusal is answered with a status and counted. */
struct ta_conf_limits {
    uint64_t body_bytes, line_bytes, header_bytes, uri_bytes;
    uint64_t request_memory_bytes, total_memory_bytes;
    int64_t connections, connections_per_address;
    int64_t queries;
    int64_t time_range_ns;
    int64_t head_timeout_ns, idle_timeout_ns, total_timeout_ns;
    uint64_t min_rate_bytes; /* per second */
};

/* Where archived jobs go. */
struct ta_conf_archive {
    const char *kind; /* "file", "sqlite" or "s3" */
    const char *path, *db_path;
    const char *endpoint, *access_key, *secret_key, *bucket, *region; /* of "s3" */
    bool use_path_style;      /* addresses are in path style in any case */
    int64_t compression_days; /* <= 0: 7 */
    struct ta_conf_job_retention retention;
};

/* tarn.archiver */
struct ta_conf_archiver {
    int64_t workers, attempts, core_nodes;
    int64_t retry_ns, timeout_ns, stop_timeout_ns, resolution_ns;
    int64_t durations_ns, footprints_ns, hook_timeout_ns;
    bool compat;
    const char *tag_rules, *hook_command, *hook_url; /* "" = none */
};

/* Which roles of a token may do what; empty = any valid token. */
struct ta_conf_roles {
    struct ta_conf_strings read, write, admin;
};

/* tarn.nats */
struct ta_conf_nats_more {
    const char *ca_file, *cert_file, *key_file;
    const char *poison_file; /* "" = below the checkpoint directory */
    uint64_t poison_max_bytes;
};

/* One of tarn.jetstream */
struct ta_conf_jetstream {
    const char *stream, *durable, *subject, *partitions, *cluster; /* "" = not given */
    int64_t batch, max_ack_pending;
    int64_t ack_wait_ns;
};

/* tarn.s3: the server of metric-store.cleanup.directory when that is s3://...; "" = from the environment */
struct ta_conf_s3 {
    const char *endpoint, *region, *access_key, *secret_key, *ca_file;
};

struct ta_conf_tarn {
    const char *durability; /* "sync" or "interval" */
    int64_t sync_interval_ns;
    bool require_auth, open_metrics, page;
    int64_t max_future_ns;
    int64_t workers; /* HTTP workers; 0 = one per core, at most 8 */
    int64_t shards;  /* store shards; 0 = choose */
    const char *log_level;
    int64_t cleanup_interval_ns;   /* 0 = the retention */
    const char *retention_time;    /* "HH:MM" */
    int64_t retention_interval_ns; /* 0 = daily at that time */
    struct ta_conf_s3 s3;
    struct ta_conf_limits limits;
    struct ta_conf_roles roles;
    struct ta_conf_archiver archiver;
    struct ta_conf_strings cluster_files;
    bool all_job_indexes;
    const char *backend_token_file;
    struct ta_conf_nats_more nats;
    struct ta_conf_jetstream *jetstream;
    size_t n_jetstream;
    struct ta_line_tag *influx_tags;
    size_t n_influx_tags;
};

struct ta_config {
    const char *path; /* "" for the built-in one */
    struct ta_conf_main main;
    struct ta_conf_store store;
    struct ta_conf_nats nats;
    struct ta_conf_tarn tarn;
    struct ta_conf_archive archive;
    struct ta_conf_metric *metrics; /* sorted by name */
    size_t n_metrics;
    bool has_main, has_store, has_metrics, has_nats, has_archive; /* which sections were present */
    struct ta_arena arena;                                        /* holds every string above */
};

#define TA_CONF_ADDR "0.0.0.0:8082"

enum {
    TA_CONF_METRICS_MAX = 4096, /* a site has some hundred */
    TA_CONF_BYTES_MAX = 8 << 20 /* strings and metrics of one configuration */
};

enum { TA_CONF_DB_PARTS = 4 }; /* three for requests, one for all of the archiver's workers */

/* How to open main.db. `parts`: into so many its page cache is divided. */
struct ta_sql_options ta_conf_database(const struct ta_conf_main *c, int64_t parts);

/* Reads and checks `path`; a missing file is TA_ENOTFOUND. Things that are odd but usable are
 * said through `log` (may be NULL). On failure *out is empty; free it with ta_config_done. */
int ta_config_load(struct ta_config *out, struct ta_vfs *vfs, const char *path,
                   struct ta_alloc *alloc, struct ta_log *log, struct ta_err *err);

/* The configuration of `tarn serve` without a file: loopback, common metrics. */
int ta_config_builtin(struct ta_config *out, struct ta_alloc *alloc, struct ta_err *err);

/* Same from text in memory; `name` stands in messages. No "-file" sections are followed when
 * vfs is NULL. */
int ta_config_parse(struct ta_config *out, const char *name, struct ta_str text, struct ta_vfs *vfs,
                    struct ta_alloc *alloc, struct ta_log *log, struct ta_err *err);

/* The TA_ROLE_ bit of a role's name in tarn.roles; 0: no such role. */
uint32_t ta_conf_role(const char *word);

void ta_config_done(struct ta_config *c); /* fine on a zeroed struct */

#endif
