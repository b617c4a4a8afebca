/* cmd_retention.c - `tarn retention jobs`, `tarn retention nodes`: what is old in the job database goes. */
#include "app/command.h"
#include "app/retention.h"
#include "io/json_write.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

struct values {
    const char *db, *archive, *policy, *format, *tagged, *target, *state;
    const char *endpoint, *region, *ca_file;
    int64_t age_ns, from_s;
    uint64_t file_bytes;
    bool keep_rows, again, json;
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
     .help = "lock, record and unfinished files; default TARGET/.tarn for Parquet files in a "     \
             "directory, else DB.retention"},                                                      \
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
    {.name = "again",
     .kind = TA_OPT_SWITCH,
     .offset = AT(again),
     .help = "copy also what the target has by the list of an earlier copy"},
    {.name = "from",
     .kind = TA_OPT_TIME,
     .offset = AT(from_s),
     .arg = "TIME",
     .help = "leave jobs that began before this"},
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

static struct ta_bucket_conf bucket_of(const struct values *v, const char *address)
{
    return (struct ta_bucket_conf){
        .address = address, .endpoint = v->endpoint, .region = v->region, .ca_file = v->ca_file};
}

/* What both commands give the run. */
static struct ta_retention common_of(const struct values *v)
{
    return (struct ta_retention){.db = v->db,
                                 .state = v->state,
                                 .target = bucket_of(v, v->target),
                                 .file_bytes = v->file_bytes,
                                 .age_s = v->age_ns / 1000000000,
                                 .clock = &ta_clock_system,
                                 .stop = &stop_requested};
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
    struct ta_node_retained done = {0};
    struct ta_err err = {0};
    int status;

    if (!begin(self, argc, argv, &v, &status))
        return status;
    catch_signals();
    const struct ta_retention conf = common_of(&v);
    int e = ta_retention_nodes(&conf, &done, &err);
    const uint64_t counts[] = {done.exported, done.deleted, done.files, done.bytes, done.odd};
    print_counts(&v, names, counts, TA_COUNT(counts), err.text);
    return e < 0 ? ta_command_fail(self, &err) : done.odd ? TA_EXIT_FAILED : TA_EXIT_OK;
}

static int run_jobs(const struct ta_command *self, int argc, char **argv)
{
    static const char *const names[] = {"copied", "removed", "files", "absent", "failed"};
    struct values v = {0};
    struct ta_jobs_retained done = {0};
    struct ta_err err = {0};
    int status;

    if (!begin(self, argc, argv, &v, &status))
        return status;
    bool is_json = v.target && strcmp(v.format, "json") == 0;
    if (is_json && strcmp(v.target, v.archive) == 0)
        return ta_command_usage(self, "--target: is the archive itself");
    catch_signals();
    const struct ta_retention_jobs conf = {.common = common_of(&v),
                                           .archive = bucket_of(&v, v.archive),
                                           .policy = strcmp(v.policy, "move") == 0 ? TA_JOBS_MOVE
                                                     : strcmp(v.policy, "copy") == 0
                                                         ? TA_JOBS_COPY
                                                         : TA_JOBS_DELETE,
                                           .tags = ta_retention_tag_rule(v.tagged),
                                           .to_parquet = v.target && !is_json,
                                           .keep_rows = v.keep_rows,
                                           .from_s = v.from_s,
                                           .again = v.again};
    int e = ta_retention_jobs(&conf, &done, &err);
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
