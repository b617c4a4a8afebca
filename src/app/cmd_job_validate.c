/* cmd_job_validate.c - `tarn job-archive validate`: is a job archive sound, does it keep the schemas' rules?
 *
 *     fritz 1403244 1608923076: data: line 1:83: expected a number or null, found string
 *     fritz 1403244 1608923076: fritz/1403/244/1608923076/meta.json: /energyFootprint: is null, must be an object
 *     fritz: fritz/cluster.json: /metricConfig/0/unit/base: is "load", must be one of "B", ...
 *
 * One walk that holds one document at a time. Whatever is wrong is told on stdout and counted, the rest is read
 * all the same. Broken rules of the schemas are told and are faults only with --strict: sound archives break some.
 */
#include "app/command.h"
#include "app/job_archives.h"
#include "io/json_write.h"
#include "jobs/archive_check.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

struct values {
    const char *cluster;
    bool strict, json;
};

#define AT(member) offsetof(struct values, member)

static const struct ta_option rows[] = {
    {.name = "cluster",
     .kind = TA_OPT_TEXT,
     .offset = AT(cluster),
     .arg = "NAME",
     .help = "only this cluster and its jobs"},
    {.name = "strict",
     .kind = TA_OPT_SWITCH,
     .offset = AT(strict),
     .help = "a broken rule of the published schemas is a fault, too"},
    {.name = "json", .kind = TA_OPT_SWITCH, .offset = AT(json), .help = "lines of JSON"},
};
static const struct ta_option_table options = {rows, TA_COUNT(rows), false};

static volatile _Atomic bool stop_requested; /* set by the signal handler below */

static void on_signal(int number)
{
    (void)number;
    stop_requested = true;
}

enum { RULES_MAX = 64 * 1024, LINE_MAX_BYTES = 128 * 1024 };

struct judging {
    struct values v;
    struct ta_job_archive archive;
    struct ta_data_spool spool;
    struct ta_archive_work work;
    struct ta_buf rules, line;
    uint64_t jobs, sound, failed, break_rules;
    uint64_t clusters_failed, clusters_break_rules;
};

/* ---- telling ------------------------------------------------------------------------------------ */

/* `job` NULL: of the cluster itself. */
static void say(struct judging *g, struct ta_str cluster, const struct ta_job_address *job,
                const char *what, struct ta_str text)
{
    struct ta_json_writer w;

    if (!g->v.json) {
        printf("%.*s", TA_STR_FMT(cluster));
        if (job)
            printf(" %" PRId64 " %" PRId64, job->job_id, job->start_time);
        printf(": %.*s\n", (int)text.len, text.at);
        return;
    }
    ta_buf_reset(&g->line);
    ta_json_writer_init(&w, &g->line);
    ta_json_put_object(&w);
    ta_json_member_str(&w, "cluster", cluster);
    if (job) {
        ta_json_member_i64(&w, "jobId", job->job_id);
        ta_json_member_i64(&w, "startTime", job->start_time);
    }
    ta_json_member_str(&w, what, text);
    ta_json_put_object_end(&w);
    printf("%.*s\n", (int)g->line.len, g->line.at ? g->line.at : "");
}

static void say_rules(struct judging *g, struct ta_str cluster, const struct ta_job_address *job,
                      uint64_t n)
{
    struct ta_str left = ta_buf_view(&g->rules);
    char more[64];
    uint64_t told = 0;

    for (; left.len; told++) {
        const char *end = memchr(left.at, '\n', left.len); /* each line ends with one */
        struct ta_str line = {left.at, (size_t)(end - left.at)};

        say(g, cluster, job, "rule", line);
        left = (struct ta_str){end + 1, left.len - line.len - 1};
    }
    if (told < n) {
        snprintf(more, sizeof(more), "%" PRIu64 " more rules are broken", n - told);
        say(g, cluster, job, "rule", ta_str(more));
    }
}

static void print_totals(struct judging *g)
{
    struct ta_json_writer w;

    if (!g->v.json) {
        printf("%" PRIu64 " jobs, %" PRIu64 " sound, %" PRIu64 " failed", g->jobs, g->sound,
               g->failed);
        if (g->clusters_failed)
            printf("; %" PRIu64 " configurations of clusters failed", g->clusters_failed);
        if (g->break_rules || g->clusters_break_rules)
            printf("; %" PRIu64 " jobs and %" PRIu64 " clusters break rules of the schemas",
                   g->break_rules, g->clusters_break_rules);
        printf("\n");
        return;
    }
    ta_buf_reset(&g->line);
    ta_json_writer_init(&w, &g->line);
    ta_json_put_object(&w);
    ta_json_member_i64(&w, "jobs", (int64_t)g->jobs);
    ta_json_member_i64(&w, "sound", (int64_t)g->sound);
    ta_json_member_i64(&w, "failed", (int64_t)g->failed);
    ta_json_member_i64(&w, "breakRules", (int64_t)g->break_rules);
    ta_json_member_i64(&w, "clustersFailed", (int64_t)g->clusters_failed);
    ta_json_member_i64(&w, "clustersBreakRules", (int64_t)g->clusters_break_rules);
    ta_json_put_object_end(&w);
    printf("%.*s\n", (int)g->line.len, g->line.at ? g->line.at : "");
}

/* ---- judging ------------------------------------------------------------------------------------ */

/* What is wrong with one job or cluster: `check` and `held` are what its check and its rules came to. */
static int judge(struct judging *g, struct ta_str cluster, const struct ta_job_address *job,
                 int check, const struct ta_err *why, uint64_t n_rules, struct ta_err *err)
{
    if (check == TA_ENOMEM || check == TA_ECANCELED)
        return ta_fail(err, check, "%s", why->text); /* nothing can go on */
    if (n_rules && g->v.strict)
        say_rules(g, cluster, job, n_rules);
    if (check < 0)
        say(g, cluster, job, "fault", ta_str(why->text));
    return check >= 0 && !(n_rules && g->v.strict);
}

static int validate_job(void *data, const struct ta_job_address *job, struct ta_err *err)
{
    struct judging *g = data;
    struct ta_data_counts counts;
    struct ta_err why = {0};
    struct ta_err no_json = {0};
    uint64_t n_rules = 0;

    ta_buf_reset(&g->rules);
    int held = ta_archive_rules(&g->work, g->archive.backend, job, &g->rules, &n_rules, &no_json);
    int check = ta_archive_check(&g->work, g->archive.backend, job, &counts, &why);
    if (check >= 0 && held < 0)
        check = ta_fail(&why, held, "%s", no_json.text);
    int r = judge(g, job->cluster, job, check, &why, n_rules, err);
    g->jobs++;
    g->sound += r > 0;
    g->failed += r == 0;
    g->break_rules += n_rules > 0;
    return r < 0 ? r : TA_OK;
}

static int validate_cluster(void *data, struct ta_str cluster, struct ta_err *err)
{
    struct judging *g = data;
    struct ta_err why = {0};
    struct ta_err no_json = {0};
    uint64_t n_rules = 0;

    ta_buf_reset(&g->rules);
    int held = ta_archive_cluster_rules(&g->work, g->archive.backend, cluster, &g->rules, &n_rules,
                                        &no_json);
    int check = ta_archive_check_cluster(&g->work, g->archive.backend, cluster, &why);
    if (check >= 0 && held < 0)
        check = ta_fail(&why, held, "%s", no_json.text);
    else if (check < 0 && check != TA_ENOMEM)
        check = ta_fail_context(&why, check, "configuration: ");
    int r = judge(g, cluster, NULL, check, &why, n_rules, err);
    g->clusters_failed += r == 0;
    g->clusters_break_rules += n_rules > 0;
    return r < 0 ? r : TA_OK;
}

static int validate(struct judging *g, const char *address, struct ta_err *err)
{
    struct sigaction action = {.sa_handler = on_signal};
    const struct ta_job_walk all = {.cluster = g->v.cluster,
                                    .stop = &stop_requested,
                                    .visit = validate_job,
                                    .data = g,
                                    .enter = validate_cluster};
    int r = ta_job_archive_open(&g->archive, address, 1, &(struct ta_backend_options){0}, err);

    (void)sigaction(SIGINT, &action, NULL); /* these cannot fail with valid numbers */
    (void)sigaction(SIGTERM, &action, NULL);
    if (r >= 0)
        r = ta_job_archive_spool(&g->spool, err);
    ta_buf_init(&g->rules, &ta_heap, RULES_MAX);
    ta_buf_init(&g->line, &ta_heap, LINE_MAX_BYTES);
    ta_archive_work_init(&g->work, &g->spool, &ta_heap);
    if (r >= 0)
        r = ta_job_archive_walk(g->archive.backend, &all, err);
    ta_archive_work_done(&g->work);
    ta_data_spool_done(&g->spool);
    if (r >= 0)
        print_totals(g);
    ta_buf_done(&g->rules);
    ta_buf_done(&g->line);
    ta_job_archive_close(&g->archive);
    return r;
}

static int run(const struct ta_command *self, int argc, char **argv)
{
    struct judging g = {0};
    struct ta_operands operands = {0};
    struct ta_err err = {0};
    int status;

    if (!ta_command_parse(self, argc, argv, &g.v, &operands, &status))
        return status;
    if (operands.n != 1)
        return ta_command_usage(self, "expected one ARCHIVE");
    if (validate(&g, operands.word[0], &err) < 0)
        return ta_command_fail(self, &err);
    return g.failed || g.clusters_failed ? TA_EXIT_FAILED : TA_EXIT_OK;
}

const struct ta_command ta_cmd_job_archive_validate = {
    .name = "job-archive validate",
    .operands = "ARCHIVE",
    .summary = "read all of a job archive; 1 when something in it is damaged",
    .notes = "ARCHIVE is a directory, FILE.db or sqlite:FILE, or s3://BUCKET.\n",
    .options = &options,
    .run = run,
};
