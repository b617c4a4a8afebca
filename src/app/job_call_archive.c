/* job_call_archive.c - a job is to be archived again, or every one that failed. */
#include "app/archiving.h"
#include "app/job_call_int.h"
#include "jobs/archive_queue.h"

#include <inttypes.h>
#include <stdio.h>

static void reply(struct ta_job_call *c, int64_t n)
{
    char text[64];
    int len = snprintf(text, sizeof(text), "{\"msg\":\"%" PRId64 " jobs to archive\"}\n", n);

    (void)job_reply(c, 200, (struct ta_str){text, (size_t)len});
}

static int put_on_list(struct ta_job_call *c, struct ta_archive_queue *q, int64_t row,
                       struct ta_err *why)
{
    int64_t retention_s = ta_archiving_retention_s(c->place->archiving);

    return ta_archive_queue_again(q, row, retention_s ? ta_now_s(c->place->clock) - retention_s : 0,
                                  why);
}

void job_call_archive(struct ta_job_call *c, struct ta_repository *r)
{
    bool is_all = ta_str_is(c->rest, "failed");
    struct ta_archive_queue *q = NULL;
    struct ta_err why = {0};
    int64_t row = 0, n = 1;

    (void)r; /* the list is the archiver's own connection */
    if (!is_all && !job_read_row(c, &row))
        return;
    if (!c->place->archiving || !c->place->archiving->archiver) {
        job_refuse(c, 503, "no job archive is configured");
        return;
    }
    int e = ta_archiving_open_queue(c->place->archiving, &q, &why);
    if (e >= 0 && is_all) {
        n = ta_archive_queue_again_failed(q, &why);
        e = n < 0 ? (int)n : TA_OK;
    } else if (e >= 0) {
        e = put_on_list(c, q, row, &why);
    }
    ta_archive_queue_close(q);
    if (e == TA_ENOTFOUND) {
        job_refuse(c, 404, "%s", why.text);
    } else if (e == TA_ESTATE) {
        job_refuse(c, 422, "%s", why.text);
    } else if (e < 0) {
        job_fail(c, e, "archiving again failed", &why);
    } else {
        ta_archiving_wake(c->place->archiving);
        reply(c, n);
    }
}
