/* cmd_archive.c - `tarn archive`: old checkpoint files into Parquet, or away. */
#include "app/bucket.h"
#include "app/command.h"
#include "app/stderr_log.h"
#include "archive/archive.h"
#include "base/clock.h"
#include "base/units.h"
#include "io/json_write.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct values {
    const char *checkpoints, *archive, *cluster, *mode, *encoding, *state;
    const char *endpoint, *region, *ca_file, *layout;
    int64_t before_s, level;
    uint64_t memory;
    bool keep, json, quiet;
};

#define AT(member) offsetof(struct values, member)
static const struct ta_option rows[] = {
    {.name = "checkpoints",
     .kind = TA_OPT_TEXT,
     .offset = AT(checkpoints),
     .arg = "DIR",
     .help = "tree of checkpoint files: DIR/<cluster>/<host>/<from>.bin or .json",
     .is_required = true},
    {.name = "archive",
     .kind = TA_OPT_TEXT,
     .offset = AT(archive),
     .arg = "DIR",
     .help = "where DIR/<cluster>/<before>.parquet goes, or s3://BUCKET/PREFIX; not for delete"},
    {.name = "before",
     .kind = TA_OPT_TIME,
     .offset = AT(before_s),
     .arg = "TIME",
     .help = "only files whose whole range lies before this; default now"},
    {.name = "cluster",
     .kind = TA_OPT_TEXT,
     .offset = AT(cluster),
     .arg = "NAME",
     .help = "only this cluster"},
    {.name = "mode",
     .kind = TA_OPT_CHOICE,
     .offset = AT(mode),
     .rule = "archive|delete",
     .default_ = "archive",
     .help = "delete: away with them, without an archive"},
    {.name = "keep",
     .kind = TA_OPT_SWITCH,
     .offset = AT(keep),
     .help = "leave the checkpoint files (archived again by the next run)"},
    {.name = "layout",
     .kind = TA_OPT_CHOICE,
     .offset = AT(layout),
     .rule = "flat|hive",
     .default_ = "flat",
     .help = "hive: cluster=<c>/date=<d>/<before>.parquet, rows by their day in UTC"},
    {.name = "value-encoding",
     .kind = TA_OPT_CHOICE,
     .offset = AT(encoding),
     .rule = "split|plain",
     .default_ = "split",
     .help = "plain: 10-12 % larger, for readers without BYTE_STREAM_SPLIT, as Spark before 2026"},
    {.name = "level",
     .kind = TA_OPT_INT,
     .offset = AT(level),
     .arg = "N",
     .rule = ">0",
     .help = "of zstd; default 1, for plain values 6"},
    {.name = "memory",
     .kind = TA_OPT_SIZE,
     .offset = AT(memory),
     .arg = "SIZE",
     .default_ = "32MiB",
     .help = "the most the whole process may use for data; at least 16MiB"},
    {.name = "state",
     .kind = TA_OPT_TEXT,
     .offset = AT(state),
     .arg = "DIR",
     .help = "lock, journal and unfinished files; default ARCHIVE/.tarn, S3: "
             "CHECKPOINTS/.tarn/archive"},
    {.name = "s3-endpoint",
     .kind = TA_OPT_TEXT,
     .offset = AT(endpoint),
     .arg = "URL",
     .help = "of the S3 server; default $AWS_ENDPOINT_URL_S3, $AWS_ENDPOINT_URL, else Amazon's"},
    {.name = "s3-region",
     .kind = TA_OPT_TEXT,
     .offset = AT(region),
     .arg = "NAME",
     .help = "default $AWS_REGION, $AWS_DEFAULT_REGION, else us-east-1"},
    {.name = "ca-file",
     .kind = TA_OPT_TEXT,
     .offset = AT(ca_file),
     .arg = "FILE",
     .help = "PEM certificates to trust instead of the system's"},
    {.name = "json",
     .kind = TA_OPT_SWITCH,
     .offset = AT(json),
     .help = "print the result as one JSON object"},
    {.name = "quiet", .kind = TA_OPT_SWITCH, .offset = AT(quiet), .help = "no progress"},
};
static const struct ta_option_table options = {rows, TA_COUNT(rows), false};

static _Atomic bool stop_requested; /* set by the signal handler below */

static void on_signal(int number)
{
    (void)number;
    atomic_store(&stop_requested, true);
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    (void)sigaction(SIGINT, &action, NULL); /* these cannot fail with valid numbers */
    (void)sigaction(SIGTERM, &action, NULL);
}

struct meter {
    int64_t began_ns, shown_ns;
    bool is_shown;
};

static void show_progress(void *data, const struct ta_archive_progress *p)
{
    struct meter *m = data;
    int64_t now_ns = ta_mono_ns(&ta_clock_system);
    char rate[32];

    if (now_ns - m->shown_ns < 200000000 && p->hosts_done != p->hosts)
        return;
    double elapsed_s = (double)(now_ns - m->began_ns) / 1e9;
    double left_s =
        p->hosts_done ? elapsed_s * (double)(p->hosts - p->hosts_done) / (double)p->hosts_done : 0;
    m->shown_ns = now_ns;
    m->is_shown = true;
    ta_format_size(rate, elapsed_s > 0 ? (uint64_t)((double)p->bytes_in / elapsed_s) : 0);
    fprintf(stderr, "\r%" PRIu64 "/%" PRIu64 " hosts  %.1f M rows  %s/s  %.0f s left \033[K",
            p->hosts_done, p->hosts, (double)p->rows / 1e6, rate, left_s);
}

static void print_json(const struct ta_archive_result *r, double seconds)
{
    struct ta_json_writer w;
    struct ta_buf out;

    ta_buf_init(&out, &ta_heap, 8 * KiB);
    ta_json_writer_init(&w, &out);
    ta_json_put_object(&w);
    ta_json_member_i64(&w, "files", (int64_t)r->files);
    ta_json_member_i64(&w, "outputs", (int64_t)r->outputs);
    ta_json_member_i64(&w, "hosts", (int64_t)r->done.hosts_done);
    ta_json_member_i64(&w, "rows", (int64_t)r->done.rows);
    ta_json_member_i64(&w, "bytes_in", (int64_t)r->done.bytes_in);
    ta_json_member_i64(&w, "bytes_out", (int64_t)r->done.bytes_out);
    ta_json_member_i64(&w, "damaged", (int64_t)r->damaged);
    ta_json_member_i64(&w, "hosts_failed", (int64_t)r->hosts_failed);
    ta_json_member_i64(&w, "clusters", (int64_t)r->clusters);
    ta_json_member_i64(&w, "clusters_failed", (int64_t)r->clusters_failed);
    ta_json_member_z(&w, "failed", r->failed);
    ta_json_member_i64(&w, "memory_peak", (int64_t)r->memory_peak);
    ta_json_put_key(&w, "seconds");
    ta_json_put_fixed(&w, seconds, 3);
    ta_json_put_object_end(&w);
    printf("%.*s\n", (int)out.len, out.at ? out.at : "");
    ta_buf_done(&out);
}

static void print_line(const struct ta_archive_result *r, bool deletes, double seconds)
{
    char in[32];
    char out[32];

    ta_format_size(in, r->done.bytes_in);
    ta_format_size(out, r->done.bytes_out);
    if (deletes)
        printf("deleted %" PRIu64 " checkpoint files", r->files);
    else
        printf("archived %" PRIu64 " rows of %" PRIu64 " hosts (%s) into %" PRIu64
               " Parquet files (%s), removed %" PRIu64 " checkpoint files",
               r->done.rows, r->done.hosts_done, in, r->outputs, out, r->files);
    printf(", %.1f s", seconds);
    if (r->damaged)
        printf("; %" PRIu64 " damaged files set aside", r->damaged);
    if (r->hosts_failed)
        printf("; %" PRIu64 " hosts failed", r->hosts_failed);
    if (r->clusters_failed)
        printf("; archiving failed for clusters: %s", r->failed);
    printf("\n");
}

static int run(const struct ta_command *self, int argc, char **argv)
{
    struct values v = {0};
    struct ta_stderr_log log;
    struct ta_archive_result result = {0};
    struct ta_err err = {0};
    struct meter meter = {.began_ns = ta_mono_ns(&ta_clock_system)};
    struct ta_bucket bucket = {0};
    int r = TA_OK;
    int status;

    if (!ta_command_parse(self, argc, argv, &v, NULL, &status))
        return status;
    bool deletes = strcmp(v.mode, "delete") == 0;
    if (!deletes && !v.archive)
        return ta_command_usage(self, "--archive is required");
    if (v.memory < 16 * MiB)
        return ta_command_usage(self, "--memory: at least 16MiB");
    if (v.level > 19)
        return ta_command_usage(self, "--level: at most 19");
    ta_stderr_log_init(&log, STDERR_FILENO, &ta_clock_system);
    catch_signals();
    bool to_bucket = !deletes && ta_bucket_is_address(v.archive);
    if (to_bucket)
        r = ta_bucket_open(&bucket,
                           &(struct ta_bucket_conf){.address = v.archive,
                                                    .endpoint = v.endpoint,
                                                    .region = v.region,
                                                    .ca_file = v.ca_file,
                                                    .checkpoints = v.checkpoints,
                                                    .stop = &stop_requested},
                           &err);
    if (r == TA_EINVAL)
        return ta_command_usage(self, err.text);
    const struct ta_archive_conf conf = {
        .vfs = &ta_vfs_posix,
        .checkpoints = v.checkpoints,
        .archive = to_bucket ? NULL : v.archive,
        .place = to_bucket ? &bucket.place.place : NULL,
        .state = v.state     ? v.state
                 : to_bucket ? bucket.state
                             : NULL,
        .layout = strcmp(v.layout, "hive") == 0 ? TA_ARCHIVE_HIVE : TA_ARCHIVE_FLAT,
        .mode = deletes ? TA_ARCHIVE_DELETE : TA_ARCHIVE_PARQUET,
        .before_s = v.before_s ? v.before_s : ta_now_s(&ta_clock_system),
        .cluster = v.cluster,
        .keep = v.keep,
        .plain = strcmp(v.encoding, "plain") == 0,
        .zstd_level = (int)v.level,
        .memory = (size_t)v.memory - v.memory / 4, /* the rest is the process's own */
        .alloc = &ta_heap,
        .log = &log.log,
        .stop = &stop_requested,
        .on_progress = !v.quiet && !v.json && isatty(STDERR_FILENO) ? show_progress : NULL,
        .progress_data = &meter,
    };
    if (r >= 0)
        r = ta_archive_run(&conf, &result, &err);
    ta_bucket_close(&bucket);
    double seconds = (double)(ta_mono_ns(&ta_clock_system) - meter.began_ns) / 1e9;
    if (meter.is_shown)
        fprintf(stderr, "\r\033[K");
    if (v.json)
        print_json(&result, seconds);
    else if (r >= 0 || result.files)
        print_line(&result, deletes, seconds);
    ta_stderr_log_done(&log);
    if (r < 0)
        return ta_command_fail(self, &err);
    return result.clusters_failed || result.hosts_failed || result.damaged ? TA_EXIT_FAILED
                                                                           : TA_EXIT_OK;
}

const struct ta_command ta_cmd_archive = {
    .name = "archive",
    .operands = "",
    .summary = "move old checkpoint files into Parquet files",
    .notes =
        "A checkpoint file is removed only after its rows were read back from a synced Parquet\n"
        "file. After a crash the next run finishes what was begun: no row is lost or doubled.\n",
    .options = &options,
    .run = run,
};
