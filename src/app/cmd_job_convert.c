/* cmd_job_convert.c - `tarn job-archive convert|import`: jobs from one archive, or Parquet files, to another.
 *
 * convert changes the form and keeps every byte of the documents; import writes them anew, as the reference's import
 * does (backend_reencoded.h); flags ask for the other. What was stored is compared with what can be read back. The
 * source is never changed. What is there already is passed over, so a run that was broken off is begun again.
 */
#include "app/command.h"
#include "app/job_parquet_dir.h"
#include "io/json_write.h"
#include "jobs/archive_check.h"
#include "jobs/backend_reencoded.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { RULES_MAX = 64 * 1024 };

struct values {
    const char *cluster;
    uint64_t file_bytes;
    bool overwrite, json, quiet, strict, reencode, as_is;
};

#define AT(member) offsetof(struct values, member)
#define SHARED_ROWS                                                                                \
    {.name = "cluster",                                                                            \
     .kind = TA_OPT_TEXT,                                                                          \
     .offset = AT(cluster),                                                                        \
     .arg = "NAME",                                                                                \
     .help = "only this cluster"},                                                                 \
        {.name = "overwrite",                                                                      \
         .kind = TA_OPT_SWITCH,                                                                    \
         .offset = AT(overwrite),                                                                  \
         .help = "replace jobs that are there already"},                                           \
        {.name = "json",                                                                           \
         .kind = TA_OPT_SWITCH,                                                                    \
         .offset = AT(json),                                                                       \
         .help = "print the result as one JSON object"},                                           \
    {                                                                                              \
        .name = "quiet", .kind = TA_OPT_SWITCH, .offset = AT(quiet), .help = "no progress"         \
    }

static const struct ta_option convert_rows[] = {
    SHARED_ROWS,
    {.name = "max-file-size",
     .kind = TA_OPT_SIZE,
     .offset = AT(file_bytes),
     .arg = "SIZE",
     .default_ = "512MiB",
     .help = "rows, unpacked, in one Parquet file"},
    {.name = "reencode",
     .kind = TA_OPT_SWITCH,
     .offset = AT(reencode),
     .help = "write documents anew, as ClusterCockpit's import does"},
};
static const struct ta_option import_rows[] = {
    SHARED_ROWS,
    {.name = "as-is",
     .kind = TA_OPT_SWITCH,
     .offset = AT(as_is),
     .help = "copy documents byte by byte"},
    {.name = "strict",
     .kind = TA_OPT_SWITCH,
     .offset = AT(strict),
     .help = "refuse jobs and clusters that break rules of the published schemas"},
};
static const struct ta_option_table convert_options = {convert_rows, TA_COUNT(convert_rows), false};
static const struct ta_option_table import_options = {import_rows, TA_COUNT(import_rows), false};

static volatile _Atomic bool stop_requested; /* set by the signal handler below */

static void on_signal(int number)
{
    (void)number;
    stop_requested = true;
}

struct copying {
    struct values v;
    struct ta_job_convert convert;
    struct ta_job_archive from, to;
    struct ta_backend *read;      /* what is copied: from.backend, or the same written anew */
    struct ta_backend *reencoded; /* NULL: documents stay as they are */
    struct ta_data_spool spool;
    struct ta_archive_work work;
    struct ta_buf rules;
    int64_t shown_ns;
    bool has_meter, is_shown;
};

static void told(void *data, const struct ta_job_address *job, int result, const struct ta_err *why)
{
    struct copying *c = data;
    int64_t now_ns = ta_mono_ns(&ta_clock_system);

    if (result < 0 && !(result == TA_EEXIST && !c->v.overwrite))
        fprintf(stderr, "%s%.*s %" PRId64 " %" PRId64 ": %s\n", c->is_shown ? "\r\033[K" : "",
                TA_STR_FMT(job->cluster), job->job_id, job->start_time, why->text);
    if (!c->has_meter || now_ns - c->shown_ns < 200000000)
        return;
    c->shown_ns = now_ns;
    c->is_shown = true;
    fprintf(stderr, "\r%" PRIu64 " jobs copied, %" PRIu64 " there before, %" PRIu64 " failed\033[K",
            c->convert.done, c->convert.passed, c->convert.failed);
}

/* The first broken rule is the error. */
static int refuse(const struct ta_buf *lines, uint64_t n, struct ta_err *err)
{
    struct ta_str text = ta_buf_view(lines);
    size_t end = 0;

    while (end < text.len && text.at[end] != '\n')
        end++;
    return ta_fail(err, TA_EFORMAT, "%.*s%s", (int)end, text.at, n > 1 ? " (and more)" : "");
}

static int hold_job(struct copying *c, const struct ta_job_address *job, struct ta_err *err)
{
    uint64_t n = 0;

    ta_buf_reset(&c->rules);
    int r = ta_archive_rules(&c->work, c->from.backend, job, &c->rules, &n, err);
    return r >= 0 && n ? refuse(&c->rules, n, err) : r;
}

static int hold_cluster(struct copying *c, struct ta_str cluster, struct ta_err *err)
{
    uint64_t n = 0;

    ta_buf_reset(&c->rules);
    int r = ta_archive_cluster_rules(&c->work, c->from.backend, cluster, &c->rules, &n, err);
    return r >= 0 && n ? refuse(&c->rules, n, err) : r;
}

static int copy_job(void *data, const struct ta_job_address *job, struct ta_err *err)
{
    struct copying *c = data;
    struct ta_err why = {0};
    int r = c->v.overwrite ? 0 : ta_backend_exists(c->to.backend, job, &why);

    if (r > 0)
        r = TA_EEXIST;
    else if (r == 0 && c->v.strict)
        r = hold_job(c, job, &why);
    if (r == 0)
        r = ta_archive_copy(&c->work, c->read, c->to.backend, job, c->v.overwrite, &why);
    return ta_job_convert_told(&c->convert, job, r, &why, err);
}

static int copy_configurations(struct copying *c, struct ta_err *err)
{
    struct ta_str_list names = {0};
    struct ta_arena arena;

    ta_arena_init(&arena, &ta_heap, 1 * MiB);
    int r = ta_backend_clusters(c->read, &arena, &names, err);
    for (size_t i = 0; r >= 0 && i < names.n; i++) {
        struct ta_err why = {0};

        if (c->v.cluster && !ta_str_is(names.at[i], c->v.cluster))
            continue;
        r = ta_backend_read_cluster(c->read, names.at[i], &c->work.other, &why);
        if (r == TA_ENOTFOUND)
            r = TA_OK;
        else if (r < 0)
            (void)ta_fail(err, r, "%s", why.text);
        else if (!c->v.strict || (r = hold_cluster(c, names.at[i], err)) >= 0)
            r = ta_backend_put_cluster(c->to.backend, names.at[i], ta_buf_view(&c->work.other),
                                       err);
    }
    ta_arena_done(&arena);
    return r;
}

static bool is_parquet(const char *address)
{
    return strncmp(address, "parquet:", 8) == 0;
}

static int reencode(struct copying *c, struct ta_err *err)
{
    char path[256];
    int r = ta_job_archive_temporary(path, sizeof(path), "reencode", 0, err);

    if (r >= 0)
        r = ta_backend_open_reencoded(&c->reencoded, c->from.backend, &ta_vfs_posix, path, &ta_heap,
                                      err);
    if (r >= 0)
        c->read = c->reencoded;
    return r;
}

static int copy_all(struct copying *c, const char *from, const char *to, struct ta_err *err)
{
    int r = TA_OK;

    if (!is_parquet(from))
        r = ta_job_archive_open(&c->from, from, 1, &(struct ta_backend_options){0}, err);
    if (r >= 0 && !is_parquet(to))
        r = ta_job_archive_open(&c->to, to, 2, &(struct ta_backend_options){.may_create = true},
                                err);
    c->read = c->from.backend;
    if (r >= 0 && c->v.reencode)
        r = reencode(c, err);
    if (r < 0)
        return r;
    if (is_parquet(to))
        return ta_job_archive_to_parquet(&c->convert, c->read, to + 8, err);
    if (is_parquet(from))
        return ta_job_archive_from_parquet(&c->convert, from + 8, &c->to, err);
    r = copy_configurations(c, err);
    const struct ta_job_walk all = {
        .cluster = c->v.cluster, .stop = &stop_requested, .visit = copy_job, .data = c};
    return r < 0 ? r : ta_job_archive_walk(c->read, &all, err);
}

static void print_result(const struct copying *c)
{
    const struct ta_job_convert *r = &c->convert;
    struct ta_json_writer w;
    struct ta_buf out;

    if (!c->v.json) {
        printf("%" PRIu64 " jobs copied, %" PRIu64 " there before, %" PRIu64 " failed\n", r->done,
               r->passed, r->failed);
        return;
    }
    ta_buf_init(&out, &ta_heap, 4 * KiB);
    ta_json_writer_init(&w, &out);
    ta_json_put_object(&w);
    ta_json_member_i64(&w, "copied", (int64_t)r->done);
    ta_json_member_i64(&w, "there", (int64_t)r->passed);
    ta_json_member_i64(&w, "failed", (int64_t)r->failed);
    ta_json_member_i64(&w, "files", (int64_t)r->files);
    ta_json_put_object_end(&w);
    printf("%.*s\n", (int)out.len, out.at ? out.at : "");
    ta_buf_done(&out);
}

static int copy(const struct ta_command *self, struct copying *c, const char *from, const char *to)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct ta_err err = {0};

    (void)sigaction(SIGINT, &action, NULL); /* these cannot fail with valid numbers */
    (void)sigaction(SIGTERM, &action, NULL);
    c->has_meter = !c->v.quiet && !c->v.json && isatty(STDERR_FILENO);
    c->convert = (struct ta_job_convert){.work = &c->work,
                                         .cluster = c->v.cluster,
                                         .may_replace = c->v.overwrite,
                                         .file_bytes = c->v.file_bytes,
                                         .stop = &stop_requested,
                                         .told = told,
                                         .data = c};
    int r = ta_job_archive_spool(&c->spool, &err);
    ta_archive_work_init(&c->work, &c->spool, &ta_heap);
    ta_buf_init(&c->rules, &ta_heap, RULES_MAX);
    if (r >= 0)
        r = copy_all(c, from, to, &err);
    ta_archive_work_done(&c->work);
    ta_buf_done(&c->rules);
    ta_data_spool_done(&c->spool);
    ta_backend_close(c->reencoded);
    ta_job_archive_close(&c->from);
    ta_job_archive_close(&c->to);
    if (c->is_shown)
        fprintf(stderr, "\r\033[K");
    if (r >= 0 || c->convert.done)
        print_result(c);
    if (r < 0)
        return ta_command_fail(self, &err);
    return c->convert.failed ? TA_EXIT_FAILED : TA_EXIT_OK;
}

static int run(const struct ta_command *self, int argc, char **argv, bool takes_parquet)
{
    struct copying c = {0};
    struct ta_operands operands = {0};
    int status;

    if (!ta_command_parse(self, argc, argv, &c.v, &operands, &status))
        return status;
    if (operands.n != 2)
        return ta_command_usage(self, "expected SOURCE and TARGET");
    const char *from = operands.word[0];
    const char *to = operands.word[1];
    if (!takes_parquet)
        c.v.reencode = !c.v.as_is;
    if (!takes_parquet && (is_parquet(from) || is_parquet(to)))
        return ta_command_usage(self, "Parquet files are for 'tarn job-archive convert'");
    if (is_parquet(from) && is_parquet(to))
        return ta_command_usage(self, "SOURCE and TARGET are both Parquet files");
    if (is_parquet(from) && c.v.reencode)
        return ta_command_usage(self, "Parquet files have no documents to write anew: --reencode");
    if (strcmp(from, to) == 0)
        return ta_command_usage(self, "SOURCE and TARGET are the same");
    return copy(self, &c, from, to);
}

static int run_convert(const struct ta_command *self, int argc, char **argv)
{
    return run(self, argc, argv, true);
}

static int run_import(const struct ta_command *self, int argc, char **argv)
{
    return run(self, argc, argv, false);
}

#define ADDRESS "SOURCE and TARGET are a directory, FILE.db or sqlite:FILE, s3://BUCKET"

const struct ta_command ta_cmd_job_archive_convert = {
    .name = "job-archive convert",
    .operands = "SOURCE TARGET",
    .summary = "copy a job archive into another form: files, database, bucket, Parquet",
    .notes = ADDRESS ", or parquet:DIR.\nEach job is read back and compared. The source stays.\n",
    .options = &convert_options,
    .run = run_convert,
};
const struct ta_command ta_cmd_job_archive_import = {
    .name = "job-archive import",
    .operands = "SOURCE TARGET",
    .summary = "copy the jobs of one job archive into another one",
    .notes = ADDRESS
    ".\nDocuments are written anew, with two decimals. Jobs that the target has are passed over.\n",
    .options = &import_options,
    .run = run_import,
};
