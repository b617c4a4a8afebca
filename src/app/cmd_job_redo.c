/* cmd_job_redo.c - `tarn job-archive redo`: jobs of the job database are put back on the archiver's list.
 *
 * Only the database is changed, one transaction for each ID, so it works beside a server as well as without
 * one: the archiver of the next server, or of the running one, finds them there. An ID that cannot be had is told
 * on stderr, and the others are done all the same. (spec: archiver 1, 2)
 */
#include "app/command.h"
#include "app/conf.h"
#include "base/clock.h"
#include "base/number.h"
#include "io/json_write.h"
#include "jobs/archive_queue.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct values {
    const char *config;
    bool failed, json;
};

#define AT(member) offsetof(struct values, member)

static const struct ta_option rows[] = {
    {.name = "config",
     .kind = TA_OPT_TEXT,
     .offset = AT(config),
     .arg = "FILE",
     .default_ = "./config.json",
     .help = "configuration of the server; main.db names the job database"},
    {.name = "failed",
     .kind = TA_OPT_SWITCH,
     .offset = AT(failed),
     .help = "all jobs whose archiving was given up"},
    {.name = "json",
     .kind = TA_OPT_SWITCH,
     .offset = AT(json),
     .help = "print the result as one JSON object"},
};
static const struct ta_option_table options = {rows, TA_COUNT(rows), false};

/* IDs are all read before anything is changed. */
static int read_ids(const struct ta_operands *operands, int64_t *ids, struct ta_err *err)
{
    for (size_t i = 0; i < operands->n; i++)
        if (ta_parse_i64(ta_str(operands->word[i]), &ids[i]) < 0 || ids[i] <= 0)
            return ta_fail(err, TA_EINVAL, "%.100s is not the ID of a job, a number above 0",
                           operands->word[i]);
    return TA_OK;
}

/* A database is not made by asking for a job of it. */
static int open_queue(struct ta_archive_queue **out, const struct ta_config *config,
                      const char *path, struct ta_err *err)
{
    const char *db = config->main.db;
    const struct ta_sql_options sql = {.path = db, .cache_bytes = 1 << 20};

    if (!db[0])
        return ta_fail(err, TA_EINVAL, "%.200s: main.db is not set, there are no jobs", path);
    if (access(db, R_OK | W_OK) < 0)
        return ta_fail(err, TA_EIO, "main.db: %.300s: %s", db, strerror(errno));
    int r = ta_archive_queue_open(out, &sql, &ta_heap, err);
    return r < 0 ? ta_fail_context(err, r, "main.db: ") : TA_OK;
}

/* What the store has dropped cannot be archived anew. */
static int64_t oldest_start_s(const struct ta_config *config)
{
    int64_t retention_s = config->store.retention_ns / 1000000000;

    return retention_s > 0 ? ta_now_s(&ta_clock_system) - retention_s : 0;
}

static void print_result(bool json, int64_t n, int64_t refused)
{
    struct ta_json_writer w;
    struct ta_buf line;

    if (!json) {
        printf("%" PRId64 " jobs to archive, %" PRId64 " refused\n", n, refused);
        return;
    }
    ta_buf_init(&line, &ta_heap, 1024);
    ta_json_writer_init(&w, &line);
    ta_json_put_object(&w);
    ta_json_member_i64(&w, "toArchive", n);
    ta_json_member_i64(&w, "refused", refused);
    ta_json_put_object_end(&w);
    printf("%.*s\n", (int)line.len, line.at ? line.at : "");
    ta_buf_done(&line);
}

/* TA_OK with the counts, or what ended the run. */
static int redo(struct ta_archive_queue *q, const int64_t *ids, size_t n, int64_t from_s,
                int64_t *done, int64_t *refused, struct ta_err *err)
{
    for (size_t i = 0; i < n; i++) {
        struct ta_err why = {0};
        int r = ta_archive_queue_again(q, ids[i], from_s, &why);

        if (r == TA_ENOTFOUND || r == TA_ESTATE) {
            fprintf(stderr, "%s\n", why.text);
            ++*refused;
        } else if (r < 0) {
            return ta_fail(err, r, "job %" PRId64 ": %s", ids[i], why.text);
        } else {
            ++*done;
        }
    }
    return TA_OK;
}

static int run(const struct ta_command *self, int argc, char **argv)
{
    struct values v = {0};
    struct ta_operands operands = {0};
    struct ta_config config = {0};
    struct ta_archive_queue *q = NULL;
    struct ta_err err = {0};
    int64_t ids[TA_COUNT(operands.word)], done = 0, refused = 0;
    int status;

    if (!ta_command_parse(self, argc, argv, &v, &operands, &status))
        return status;
    if (v.failed == (operands.n > 0))
        return ta_command_usage(self, "expected the IDs of jobs, or --failed");
    if (read_ids(&operands, ids, &err) < 0)
        return ta_command_usage(self, err.text);
    int r = ta_config_load(&config, &ta_vfs_posix, v.config, &ta_heap, NULL, &err);
    if (r >= 0)
        r = open_queue(&q, &config, v.config, &err);
    if (r >= 0 && v.failed) {
        done = ta_archive_queue_again_failed(q, &err);
        r = done < 0 ? (int)done : TA_OK;
    } else if (r >= 0) {
        r = redo(q, ids, operands.n, oldest_start_s(&config), &done, &refused, &err);
    }
    if (r >= 0)
        print_result(v.json, done, refused);
    ta_archive_queue_close(q);
    ta_config_done(&config);
    return r < 0 ? ta_command_fail(self, &err) : refused ? TA_EXIT_FAILED : TA_EXIT_OK;
}

const struct ta_command ta_cmd_job_archive_redo = {
    .name = "job-archive redo",
    .operands = "[ID...]",
    .summary = "archive jobs of the job database once more: these, or all that failed",
    .notes = "ID is the number of a job's row in the database, as the REST interface gives it. A "
             "job that runs\n"
             "is refused, and one that is archived when the store no longer has all of its data.\n",
    .options = &options,
    .run = run,
};
