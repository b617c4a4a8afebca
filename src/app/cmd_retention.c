/* cmd_retention.c - `tarn retention jobs`, `tarn retention nodes`: what is old in the job database goes. */
#include "app/command.h"
#include "app/job_archives.h"
#include "base/clock.h"
#include "io/json_write.h"
#include "jobs/job_retention.h"
#include "jobs/node_retention.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { PATH = 4096 };

struct values {
    const char *db, *archive, *policy, *format, *tagged, *target, *state;
    const char *endpoint, *region, *ca_file;
    int64_t age_ns, from_s;
    uint64_t file_bytes;
    bool keep_rows, json;
};

#define AT(member) offsetof(struct values, member)
#define DATABASE                                                                                   \
    {                                                                                              \
        .name = "db", .kind = TA_OPT_TEXT, .offset = AT(db), .arg = "FILE",                        \
        .help = "the job database (SQLite)", .is_required = true                                   \
    }
#define TARGET                                                                                     \
    {                                                                                              \
        .name = "target", .kind = TA_OPT_TEXT, .offset = AT(target), .arg = "DIR",                 \
        .help = "where it goes: a directory, s3://BUCKET, or s3://BUCKET/PREFIX for Parquet; not " \
                "for delete"                                                                       \
    }
#define FILE_SIZE(most)                                                                            \
    {                                                                                              \
        .name = "max-file-size", .kind = TA_OPT_SIZE, .offset = AT(file_bytes), .arg = "SIZE",     \
        .default_ = most, .help = "of the rows of a Parquet file, before compression"              \
    }
#define COMMON                                                                                     \
    {.name = "state",                                                                              \
     .kind = TA_OPT_TEXT,                                                                          \
     .offset = AT(state),                                                                          \
     .arg = "DIR",                                                                                 \
     .help = "lock, record and unfinished files; default TARGET/.tarn, else DB.retention"},        \
        {.name = "s3-endpoint",                                                                    \
         .kind = TA_OPT_TEXT,                                                                      \
         .offset = AT(endpoint),                                                                   \
         .arg = "URL",                                                                             \
         .help =                                                                                   \
             "of the S3 server; default $AWS_ENDPOINT_URL_S3, $AWS_ENDPOINT_URL, else Amazon's"},  \
        {.name = "s3-region",                                                                      \
         .kind = TA_OPT_TEXT,                                                                      \
         .offset = AT(region),                                                                     \
         .arg = "NAME",                                                                            \
         .help = "default $AWS_REGION, $AWS_DEFAULT_REGION, else us-east-1"},                      \
        {.name = "ca-file",                                                                        \
         .kind = TA_OPT_TEXT,                                                                      \
         .offset = AT(ca_file),                                                                    \
         .arg = "FILE",                                                                            \
         .help = "PEM certificates to trust instead of the system's"},                             \
    {                                                                                              \
        .name = "json", .kind = TA_OPT_SWITCH, .offset = AT(json),                                 \
        .help = "print the result as one JSON object"                                              \
    }

static const struct ta_option job_rows[] = {
    DATABASE,
    {.name = "job-archive",
     .kind = TA_OPT_TEXT,
     .offset = AT(archive),
     .arg = "PATH",
     .help = "the archive they are in: a directory, an SQLite file, or s3://BUCKET",
     .is_required = true},
    {.name = "policy",
     .kind = TA_OPT_CHOICE,
     .offset = AT(policy),
     .rule = "delete|copy|move",
     .help = "what becomes of old jobs",
     .is_required = true},
    {.name = "age",
     .kind = TA_OPT_DURATION,
     .offset = AT(age_ns),
     .arg = "DURATION",
     .rule = ">0",
     .help = "jobs that began longer ago are old",
     .is_required = true},
    TARGET,
    {.name = "format",
     .kind = TA_OPT_CHOICE,
     .offset = AT(format),
     .rule = "json|parquet",
     .default_ = "json",
     .help = "json: another archive; parquet: TARGET/<cluster>/cc-archive-<date>-<NNN>.parquet"},
    {.name = "omit-tagged",
     .kind = TA_OPT_CHOICE,
     .offset = AT(tagged),
     .rule = "none|all|user",
     .default_ = "none",
     .help = "leave jobs with a tag; user: with one that no program gave"},
    {.name = "keep-rows",
     .kind = TA_OPT_SWITCH,
     .offset = AT(keep_rows),
     .help = "leave the jobs in the database"},
    {.name = "from",
     .kind = TA_OPT_TIME,
     .offset = AT(from_s),
     .arg = "TIME",
     .help = "leave jobs that began before this, as an earlier copy has them"},
    FILE_SIZE("512MiB"),
    COMMON,
};
static const struct ta_option_table job_options = {job_rows, TA_COUNT(job_rows), false};

static const struct ta_option node_rows[] = {
    DATABASE,
    {.name = "policy",
     .kind = TA_OPT_CHOICE,
     .offset = AT(policy),
     .rule = "delete|move",
     .help = "what becomes of old states of nodes",
     .is_required = true},
    {.name = "age",
     .kind = TA_OPT_DURATION,
     .offset = AT(age_ns),
     .arg = "DURATION",
     .rule = ">0",
     .default_ = "24h",
     .help = "states before that are old; the newest of each node stays"},
    TARGET,
    FILE_SIZE("128MiB"),
    COMMON,
};
static const struct ta_option_table node_options = {node_rows, TA_COUNT(node_rows), false};

static atomic_bool stop_requested;

static void on_signal(int number)
{
    (void)number;
    atomic_store(&stop_requested, true);
}

/* What both commands open. */
struct run {
    const struct values *v;
    bool to_bucket, has_own_state;
    struct ta_sql sql;
    struct ta_bucket bucket;
    struct ta_arc_place_dir dir;
    struct ta_arc_place *place;
    char state[PATH];
    char date[16];
    int64_t cutoff_s;
};

static int make_state(struct run *r, const char *task, struct ta_err *err)
{
    const struct values *v = r->v;
    struct ta_stat st;
    bool is_file = ta_vfs_posix.stat(&ta_vfs_posix, v->target, &st, NULL) >= 0 &&
                   st.kind == TA_KIND_FILE; /* an archive in SQLite */
    int n = v->state                  ? snprintf(r->state, PATH, "%s", v->state)
            : r->to_bucket || is_file ? snprintf(r->state, PATH, "%s.retention/%s", v->db, task)
                                      : snprintf(r->state, PATH, "%s/.tarn/%s", v->target, task);

    if (n < 0 || n >= PATH)
        return ta_fail(err, TA_ERANGE, "--state: path too long");
    r->has_own_state = !v->state;
    return ta_mkdir_all(&ta_vfs_posix, r->state, 0750, err);
}

/* A target's directory is read by others: what a finished run has no need of does not stay there. */
static void drop_state(struct run *r)
{
    char path[PATH];

    if (!r->has_own_state || snprintf(path, PATH, "%s/lock", r->state) >= PATH)
        return;
    /* Each fails if something else is in the way, which then stays. */
    (void)ta_vfs_posix.unlink(&ta_vfs_posix, path, NULL);
    (void)ta_vfs_posix.rmdir(&ta_vfs_posix, r->state, NULL);
    *strrchr(r->state, '/') = 0;
    (void)ta_vfs_posix.rmdir(&ta_vfs_posix, r->state, NULL);
}

static int open_all(struct run *r, const char *task, struct ta_err *err)
{
    const struct values *v = r->v;
    const struct ta_sql_options sql = {.path = v->db};
    int64_t now_s = ta_now_s(&ta_clock_system);
    time_t now = (time_t)now_s;
    struct ta_stat st;
    struct tm tm;

    /* Opening would make a database where there is none. */
    int e = ta_vfs_posix.stat(&ta_vfs_posix, v->db, &st, err);
    if (e >= 0)
        e = ta_sql_open(&r->sql, &sql, err);
    if (e < 0)
        return e;
    r->cutoff_s = now_s - v->age_ns / 1000000000;
    localtime_r(&now, &tm);
    strftime(r->date, sizeof(r->date), "%Y-%m-%d", &tm);
    if (!v->target)
        return TA_OK;
    r->to_bucket = ta_bucket_is_address(v->target);
    e = make_state(r, task, err);
    if (e < 0)
        return e;
    if (!r->to_bucket) {
        ta_arc_place_dir_init(&r->dir, &ta_vfs_posix, v->target, 0750);
        r->place = &r->dir.place;
        return TA_OK;
    }
    e = ta_bucket_open(&r->bucket,
                       &(struct ta_bucket_conf){.address = v->target,
                                                .endpoint = v->endpoint,
                                                .region = v->region,
                                                .ca_file = v->ca_file,
                                                .checkpoints = r->state,
                                                .stop = &stop_requested},
                       err);
    r->place = &r->bucket.place.place;
    return e;
}

static void close_all(struct run *r)
{
    ta_bucket_close(&r->bucket);
    ta_sql_done(&r->sql);
}

/* "names" and their numbers, as JSON or as words. */
static void print_counts(const struct values *v, const char *const *names, const uint64_t *counts,
                         size_t n, const char *words)
{
    struct ta_json_writer w;
    struct ta_buf out;

    if (!v->json) {
        for (size_t i = 0; i < n; i++)
            printf("%s%" PRIu64 " %s", i ? ", " : "", counts[i], names[i]);
        printf("%s%s\n", words[0] ? "; " : "", words);
        return;
    }
    ta_buf_init(&out, &ta_heap, 8 * KiB);
    ta_json_writer_init(&w, &out);
    ta_json_put_object(&w);
    for (size_t i = 0; i < n; i++)
        ta_json_member_i64(&w, names[i], (int64_t)counts[i]);
    ta_json_member_z(&w, "error", words);
    ta_json_put_object_end(&w);
    printf("%.*s\n", (int)out.len, out.at ? out.at : "");
    ta_buf_done(&out);
}

static bool begin(const struct ta_command *self, int argc, char **argv, struct values *v,
                  int *status)
{
    if (!ta_command_parse(self, argc, argv, v, NULL, status))
        return false;
    if (strcmp(v->policy, "delete") != 0 && !v->target)
        *status = ta_command_usage(self, "--target is required");
    else if (strcmp(v->policy, "delete") == 0 && v->target)
        *status = ta_command_usage(self, "--target: nothing goes anywhere with delete");
    else
        return true;
    return false;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static int run_nodes(const struct ta_command *self, int argc, char **argv)
{
    static const char *const names[] = {"exported", "deleted", "files", "bytes", "odd"};
    struct values v = {0};
    struct run r = {.v = &v};
    struct ta_node_retained done = {0};
    struct ta_err err = {0};
    int status;

    if (!begin(self, argc, argv, &v, &status))
        return status;
    catch_signals();
    int e = open_all(&r, "nodes", &err);
    const struct ta_node_retention conf = {.sql = &r.sql,
                                           .cutoff_s = r.cutoff_s,
                                           .stop = &stop_requested,
                                           .vfs = &ta_vfs_posix,
                                           .alloc = &ta_heap,
                                           .place = r.place,
                                           .state = r.state,
                                           .date = r.date,
                                           .file_bytes = v.file_bytes};
    if (e >= 0)
        e = v.target ? ta_node_states_move(&conf, &done, &err)
                     : ta_node_states_delete(&conf, &done, &err);
    if (e >= 0)
        drop_state(&r);
    close_all(&r);
    const uint64_t counts[] = {done.exported, done.deleted, done.files, done.bytes, done.odd};
    print_counts(&v, names, counts, TA_COUNT(counts), err.text);
    return e < 0 ? ta_command_fail(self, &err) : done.odd ? TA_EXIT_FAILED : TA_EXIT_OK;
}

static int open_bucket(const struct values *v, const char *address, bool may_create,
                       struct ta_job_archive *out, struct ta_err *err)
{
    const struct ta_backend_options options = {.may_create = may_create};
    const struct ta_bucket_conf conf = {.address = address,
                                        .endpoint = v->endpoint,
                                        .region = v->region,
                                        .ca_file = v->ca_file,
                                        .checkpoints = "",
                                        .stop = &stop_requested};
    char spool[128];
    int e = ta_job_archive_temporary(spool, sizeof(spool), "upload", may_create, err);

    return e < 0 ? e : ta_job_archive_open_bucket(out, &conf, spool, &options, err);
}

/* Only the target may be made, and one run has one of each. */
static int open_archive(const struct values *v, const char *path, bool may_create,
                        struct ta_job_archive *out, struct ta_err *err)
{
    const struct ta_backend_options options = {.may_create = may_create};
    const struct ta_sql_options sql = {.path = path};
    struct ta_stat st;

    if (ta_bucket_is_address(path))
        return open_bucket(v, path, may_create, out, err);
    int e = ta_vfs_posix.stat(&ta_vfs_posix, path, &st, NULL);

    return e >= 0 && st.kind == TA_KIND_FILE
               ? ta_backend_open_sqlite(&out->backend, &sql, &ta_clock_system, &options, &ta_heap,
                                        err)
               : ta_backend_open_files(&out->backend, &ta_vfs_posix, path, &options, &ta_heap, err);
}

static enum ta_job_tag_rule rule_of(const char *word)
{
    return strcmp(word, "all") == 0    ? TA_JOBS_UNTAGGED
           : strcmp(word, "user") == 0 ? TA_JOBS_NO_USERS_TAGS
                                       : TA_JOBS_ALL;
}

static int run_jobs(const struct ta_command *self, int argc, char **argv)
{
    static const char *const names[] = {"copied", "removed", "files", "absent", "failed"};
    struct values v = {0};
    struct run r = {.v = &v};
    struct ta_jobs_retained done = {0};
    struct ta_job_archive archive = {0};
    struct ta_job_archive to = {0};
    struct ta_err err = {0};
    int status;

    if (!begin(self, argc, argv, &v, &status))
        return status;
    bool is_json = v.target && strcmp(v.format, "json") == 0;
    if (is_json && strcmp(v.target, v.archive) == 0)
        return ta_command_usage(self, "--target: is the archive itself");
    catch_signals();
    int e = open_archive(&v, v.archive, false, &archive, &err);
    if (e >= 0 && is_json)
        e = open_archive(&v, v.target, true, &to, &err);
    if (e >= 0)
        e = open_all(&r, "jobs", &err);
    const struct ta_job_retention conf = {.sql = &r.sql,
                                          .archive = archive.backend,
                                          .policy = strcmp(v.policy, "move") == 0 ? TA_JOBS_MOVE
                                                    : strcmp(v.policy, "copy") == 0
                                                        ? TA_JOBS_COPY
                                                        : TA_JOBS_DELETE,
                                          .tags = rule_of(v.tagged),
                                          .from_s = v.from_s,
                                          .cutoff_s = r.cutoff_s,
                                          .keep_rows = v.keep_rows,
                                          .stop = &stop_requested,
                                          .alloc = &ta_heap,
                                          .to = to.backend,
                                          .parquet = {.vfs = &ta_vfs_posix,
                                                      .alloc = &ta_heap,
                                                      .place = r.place,
                                                      .state = v.target ? r.state : NULL,
                                                      .date = r.date,
                                                      .file_bytes = v.file_bytes}};
    if (e >= 0)
        e = ta_jobs_retain(&conf, &done, &err);
    if (e >= 0)
        drop_state(&r);
    ta_job_archive_close(&archive);
    ta_job_archive_close(&to);
    close_all(&r);
    const uint64_t counts[] = {done.copied, done.removed, done.files, done.absent, done.failed};
    print_counts(&v, names, counts, TA_COUNT(counts), e < 0 ? err.text : done.first.text);
    return e < 0 ? ta_command_fail(self, &err) : done.failed ? TA_EXIT_FAILED : TA_EXIT_OK;
}

const struct ta_command ta_cmd_retention_jobs = {
    .name = "retention jobs",
    .operands = "",
    .summary = "old jobs out of archive and database: away, or elsewhere",
    .notes =
        "A job leaves only after its copy was read back; one that runs, or waits to be archived,\n"
        "never does. After a crash the next run finishes what was begun.\n",
    .options = &job_options,
    .run = run_jobs,
};

const struct ta_command ta_cmd_retention_nodes = {
    .name = "retention nodes",
    .operands = "",
    .summary = "old states of nodes out of the job database: away, or into Parquet",
    .notes = "Rows are deleted only after their file was read back. After a crash the next run\n"
             "finishes what was begun: no row is lost or doubled.\n",
    .options = &node_options,
    .run = run_nodes,
};
