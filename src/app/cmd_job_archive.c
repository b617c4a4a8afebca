/* cmd_job_archive.c - `tarn job-archive list|info|migrate|compress|remove`: work on the jobs of one archive.
 *
 * Each is one walk over the jobs, which holds one job at a time. What fails for a job is told on stderr
 * and counted; the other jobs are done all the same, and the exit status is 1.
 */
#include "app/command.h"
#include "app/job_archives.h"
#include "base/units.h"
#include "io/json_write.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct values {
    const char *cluster;
    int64_t before_s, after_s;
    bool json, dry;
};

#define AT(member) offsetof(struct values, member)

#define CLUSTER                                                                                    \
    {                                                                                              \
        .name = "cluster", .kind = TA_OPT_TEXT, .offset = AT(cluster), .arg = "NAME",              \
        .help = "only the jobs of this cluster"                                                    \
    }
#define JSON                                                                                       \
    {                                                                                              \
        .name = "json", .kind = TA_OPT_SWITCH, .offset = AT(json), .help = "lines of JSON"         \
    }
#define DRY                                                                                        \
    {                                                                                              \
        .name = "dry-run", .kind = TA_OPT_SWITCH, .offset = AT(dry),                               \
        .help = "say what would be done, and change nothing"                                       \
    }

static const struct ta_option list_rows[] = {CLUSTER, JSON};
static const struct ta_option migrate_rows[] = {CLUSTER, DRY, JSON};
static const struct ta_option compress_rows[] = {
    CLUSTER,
    {.name = "before",
     .kind = TA_OPT_TIME,
     .offset = AT(before_s),
     .arg = "TIME",
     .rule = ">0",
     .help = "only jobs that began before"},
    JSON,
};
static const struct ta_option remove_rows[] = {
    CLUSTER,
    {.name = "before",
     .kind = TA_OPT_TIME,
     .offset = AT(before_s),
     .arg = "TIME",
     .rule = ">0",
     .help = "jobs that began before"},
    {.name = "after",
     .kind = TA_OPT_TIME,
     .offset = AT(after_s),
     .arg = "TIME",
     .rule = ">0",
     .help = "jobs that began after"},
    DRY,
    JSON,
};
static const struct ta_option_table list_options = {list_rows, TA_COUNT(list_rows), false};
static const struct ta_option_table migrate_options = {migrate_rows, TA_COUNT(migrate_rows), false};
static const struct ta_option_table compress_options = {compress_rows, TA_COUNT(compress_rows),
                                                        false};
static const struct ta_option_table remove_options = {remove_rows, TA_COUNT(remove_rows), false};

static volatile _Atomic bool stop_requested; /* set by the signal handler below */

static void on_signal(int number)
{
    (void)number;
    stop_requested = true;
}

enum { LINE_MAX_BYTES = 128 * 1024 };

struct totals {
    uint64_t jobs, done, failed;
    int64_t first_s, last_s;
};

struct job_run {
    const struct ta_command *self;
    struct values v;
    struct ta_job_archive archive;
    struct ta_data_spool spool;
    struct ta_archive_work work;
    struct ta_buf line;
    struct ta_json_writer json;
    struct totals all, cluster;
    char cluster_name[TA_BACKEND_NAME_MAX + 1];
};

static void begin_line(struct job_run *r, const struct ta_job_address *job)
{
    ta_buf_reset(&r->line);
    ta_json_writer_init(&r->json, &r->line);
    ta_json_put_object(&r->json);
    if (job) {
        ta_json_member_str(&r->json, "cluster", job->cluster);
        ta_json_member_i64(&r->json, "jobId", job->job_id);
        ta_json_member_i64(&r->json, "startTime", job->start_time);
    }
}

static void end_line(struct job_run *r)
{
    ta_json_put_object_end(&r->json);
    printf("%.*s\n", (int)r->line.len, r->line.at ? r->line.at : "");
}

static void say(struct job_run *r, const struct ta_job_address *job, const char *what,
                const char *text)
{
    if (r->v.json) {
        begin_line(r, job);
        ta_json_member_z(&r->json, what, text);
        end_line(r);
    } else {
        printf("%.*s %" PRId64 " %" PRId64 "%s%s\n", TA_STR_FMT(job->cluster), job->job_id,
               job->start_time, text[0] ? ": " : "", text);
    }
}

static int list_job(void *data, const struct ta_job_address *job, struct ta_err *err)
{
    struct job_run *r = data;

    (void)err;
    r->all.done++;
    if (r->v.json) {
        begin_line(r, job);
        end_line(r);
    } else {
        say(r, job, "", "");
    }
    return TA_OK;
}

static void count_one(struct totals *t, int64_t start_s)
{
    t->first_s = t->jobs == 0 || start_s < t->first_s ? start_s : t->first_s;
    t->last_s = t->jobs == 0 || start_s > t->last_s ? start_s : t->last_s;
    t->jobs++;
}

static void print_cluster(struct job_run *r, const char *name, const struct totals *t)
{
    char first[32];
    char last[32];

    if (r->v.json) {
        begin_line(r, NULL);
        ta_json_member_z(&r->json, "cluster", name);
        ta_json_member_i64(&r->json, "jobs", (int64_t)t->jobs);
        ta_json_member_i64(&r->json, "firstStart", t->first_s);
        ta_json_member_i64(&r->json, "lastStart", t->last_s);
        end_line(r);
        return;
    }
    printf("%-20s %10" PRIu64 "  %-20s  %-20s\n", name, t->jobs,
           t->jobs ? ta_format_time(first, t->first_s) : "-",
           t->jobs ? ta_format_time(last, t->last_s) : "-");
}

static int info_job(void *data, const struct ta_job_address *job, struct ta_err *err)
{
    struct job_run *r = data;
    struct ta_str name = ta_str(r->cluster_name);

    (void)err;
    if (!ta_str_eq(name, job->cluster)) {
        if (name.len)
            print_cluster(r, r->cluster_name, &r->cluster);
        r->cluster = (struct totals){0};
        snprintf(r->cluster_name, sizeof(r->cluster_name), "%.*s", TA_STR_FMT(job->cluster));
    }
    count_one(&r->cluster, job->start_time);
    count_one(&r->all, job->start_time);
    return TA_OK;
}

/* What fails for one job is counted, unless nothing can go on. */
static int judge(struct job_run *r, const struct ta_job_address *job, int result,
                 struct ta_err *why, struct ta_err *err)
{
    if (result >= 0)
        return TA_OK;
    if (result == TA_ENOMEM || result == TA_ECANCELED)
        return ta_fail(err, result, "%s", why->text);
    r->all.failed++;
    say(r, job, "fault", why->text);
    return TA_OK;
}

static int migrate_job(void *data, const struct ta_job_address *job, struct ta_err *err)
{
    struct job_run *r = data;
    struct ta_err why = {0};
    int e = ta_archive_migrate(&r->work, r->archive.backend, job, r->v.dry, &why);

    r->all.jobs++;
    r->all.done += e > 0;
    return judge(r, job, e, &why, err);
}

static int compress_job(void *data, const struct ta_job_address *job, struct ta_err *err)
{
    struct job_run *r = data;
    struct ta_err why = {0};

    r->all.jobs++;
    if (r->v.before_s && job->start_time >= r->v.before_s)
        return TA_OK;
    int e = ta_archive_compress(&r->work, r->archive.backend, job, &why);
    r->all.done += e > 0;
    return judge(r, job, e, &why, err);
}

static int remove_job(void *data, const struct ta_job_address *job, struct ta_err *err)
{
    struct job_run *r = data;
    struct ta_err why = {0};
    int e = TA_OK;

    r->all.jobs++;
    if ((r->v.before_s && job->start_time >= r->v.before_s) ||
        (r->v.after_s && job->start_time <= r->v.after_s))
        return TA_OK;
    if (r->v.dry)
        say(r, job, "action", "would be removed");
    else
        e = ta_backend_remove(r->archive.backend, job, &why);
    r->all.done += e >= 0;
    return judge(r, job, e, &why, err);
}

static void print_totals(struct job_run *r, const char *done)
{
    if (r->v.json) {
        begin_line(r, NULL);
        ta_json_member_i64(&r->json, "jobs", (int64_t)r->all.jobs);
        ta_json_member_i64(&r->json, done, (int64_t)r->all.done);
        ta_json_member_i64(&r->json, "failed", (int64_t)r->all.failed);
        end_line(r);
        return;
    }
    printf("%" PRIu64 " jobs, %" PRIu64 " %s, %" PRIu64 " failed\n", r->all.jobs, r->all.done, done,
           r->all.failed);
}

typedef int visit_fn(void *data, const struct ta_job_address *job, struct ta_err *err);

static int walk(struct job_run *r, const char *address, bool may_be_old, visit_fn *visit,
                struct ta_err *err)
{
    struct sigaction action = {.sa_handler = on_signal};
    int e = ta_job_archive_open(&r->archive, address, 1,
                                &(struct ta_backend_options){.may_be_old = may_be_old}, err);

    (void)sigaction(SIGINT, &action, NULL); /* these cannot fail with valid numbers */
    (void)sigaction(SIGTERM, &action, NULL);
    if (e >= 0)
        e = ta_job_archive_spool(&r->spool, err);
    ta_buf_init(&r->line, &ta_heap, LINE_MAX_BYTES);
    ta_archive_work_init(&r->work, &r->spool, &ta_heap);
    const struct ta_job_walk all = {
        .cluster = r->v.cluster, .stop = &stop_requested, .visit = visit, .data = r};
    return e < 0 ? e : ta_job_archive_walk(r->archive.backend, &all, err);
}

static int end(struct job_run *r, int result, struct ta_err *err)
{
    ta_archive_work_done(&r->work);
    ta_data_spool_done(&r->spool);
    ta_buf_done(&r->line);
    ta_job_archive_close(&r->archive);
    if (result < 0)
        return ta_command_fail(r->self, err);
    return r->all.failed ? TA_EXIT_FAILED : TA_EXIT_OK;
}

static bool parse(struct job_run *r, const struct ta_command *self, int argc, char **argv,
                  const char **address, int *status)
{
    struct ta_operands operands = {0};

    r->self = self;
    if (!ta_command_parse(self, argc, argv, &r->v, &operands, status))
        return false;
    if (operands.n != 1) {
        *status = ta_command_usage(self, "expected one ARCHIVE");
        return false;
    }
    *address = operands.word[0];
    return true;
}

static int run_list(const struct ta_command *self, int argc, char **argv)
{
    struct job_run r = {0};
    struct ta_err err = {0};
    const char *address;
    int status;

    if (!parse(&r, self, argc, argv, &address, &status))
        return status;
    return end(&r, walk(&r, address, true, list_job, &err), &err);
}

static int run_info(const struct ta_command *self, int argc, char **argv)
{
    struct job_run r = {0};
    struct ta_err err = {0};
    const char *address;
    int status;

    if (!parse(&r, self, argc, argv, &address, &status))
        return status;
    int e = walk(&r, address, true, info_job, &err);
    if (e >= 0 && r.cluster.jobs)
        print_cluster(&r, r.cluster_name, &r.cluster);
    if (e >= 0)
        print_cluster(&r, "total", &r.all);
    return end(&r, e, &err);
}

static int run_migrate(const struct ta_command *self, int argc, char **argv)
{
    struct job_run r = {0};
    struct ta_err err = {0};
    const char *address;
    int status;

    if (!parse(&r, self, argc, argv, &address, &status))
        return status;
    int e = walk(&r, address, true, migrate_job, &err);
    if (e >= 0 && r.all.failed == 0 && !r.v.dry && !r.v.cluster &&
        r.archive.backend->version != TA_BACKEND_VERSION)
        e = ta_backend_put_version(r.archive.backend, &err);
    if (e >= 0)
        print_totals(&r, r.v.dry ? "to migrate" : "migrated");
    return end(&r, e, &err);
}

static int run_compress(const struct ta_command *self, int argc, char **argv)
{
    struct job_run r = {0};
    struct ta_err err = {0};
    const char *address;
    int status;

    if (!parse(&r, self, argc, argv, &address, &status))
        return status;
    int e = walk(&r, address, false, compress_job, &err);
    if (e >= 0)
        print_totals(&r, "compressed");
    return end(&r, e, &err);
}

static int run_remove(const struct ta_command *self, int argc, char **argv)
{
    struct job_run r = {0};
    struct ta_err err = {0};
    const char *address;
    int status;

    if (!parse(&r, self, argc, argv, &address, &status))
        return status;
    if (!r.v.before_s && !r.v.after_s)
        return ta_command_usage(self, "--before or --after is required");
    int e = walk(&r, address, false, remove_job, &err);
    if (e >= 0)
        print_totals(&r, r.v.dry ? "to remove" : "removed");
    return end(&r, e, &err);
}

#define ADDRESS "ARCHIVE is a directory, FILE.db or sqlite:FILE, or s3://BUCKET.\n"

const struct ta_command ta_cmd_job_archive_list = {
    .name = "job-archive list",
    .operands = "ARCHIVE",
    .summary = "cluster, id and start of each job of a job archive",
    .notes = ADDRESS,
    .options = &list_options,
    .run = run_list,
};
const struct ta_command ta_cmd_job_archive_info = {
    .name = "job-archive info",
    .operands = "ARCHIVE",
    .summary = "how many jobs a job archive has, first and last, by cluster",
    .notes = ADDRESS,
    .options = &list_options,
    .run = run_info,
};
const struct ta_command ta_cmd_job_archive_migrate = {
    .name = "job-archive migrate",
    .operands = "ARCHIVE",
    .summary = "bring the metadata of an old job archive to version 3, in place",
    .notes = ADDRESS "The archive is marked as version 3 once all its jobs are.\n",
    .options = &migrate_options,
    .run = run_migrate,
};
const struct ta_command ta_cmd_job_archive_compress = {
    .name = "job-archive compress",
    .operands = "ARCHIVE",
    .summary = "compress the data that are stored plain and longer than 2,000 bytes",
    .notes = ADDRESS,
    .options = &compress_options,
    .run = run_compress,
};
const struct ta_command ta_cmd_job_archive_remove = {
    .name = "job-archive remove",
    .operands = "ARCHIVE",
    .summary = "remove the jobs of a time from a job archive",
    .notes = ADDRESS,
    .options = &remove_options,
    .run = run_remove,
};
