#include "sweep/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

void ta_report_add(struct ta_sweep_report *r, const struct ta_outcome *o)
{
    if (o->result == TA_RESULT_DRIFTED) {
        r->drifted++;
        return;
    }
    r->total++;
    r->clean += ta_is_clean(o->started, o->cleaned);
    for (size_t p = 0; p < TA_PIPELINES; p++) {
        *(ta_pipelines[p].is_block ? &r->block_ok : &r->container_ok) += o->n_expired[p];
        *(ta_pipelines[p].is_block ? &r->block_failed : &r->container_failed) += o->n_failed[p];
    }
    if (!o->tried_transition)
        return;
    bool is_done = o->result == TA_RESULT_ARCHIVED;
    r->transition_ok += is_done;
    r->transition_failed += !is_done;
    if (is_done)
        *(o->is_forced ? &r->force_archived : &r->normal_archived) += 1;
}

void ta_report_error(struct ta_sweep_report *r, const char *fmt, ...)
{
    size_t len = strlen(r->error);
    va_list ap;

    if (len + 3 >= sizeof(r->error))
        return;
    if (len) {
        memcpy(r->error + len, "; ", 3);
        len += 2;
    }
    va_start(ap, fmt);
    vsnprintf(r->error + len, sizeof(r->error) - len, fmt, ap);
    va_end(ap);
}

void ta_report_time(char *out, int64_t t_s)
{
    time_t t = (time_t)t_s;
    struct tm tm;

    gmtime_r(&t, &tm);
    strftime(out, 40, "%a, %d %b %Y %H:%M:%S UTC", &tm);
}

int ta_report_write(const struct ta_sweep_report *r, struct ta_json_writer *w)
{
    const struct {
        const char *key;
        uint64_t value;
    } counts[] = {{"total_num_requests", r->total},
                  {"clean_num_requests", r->clean},
                  {"normal_archived_num_requests", r->normal_archived},
                  {"force_archived_num_requests", r->force_archived},
                  {"success_block_rules_deleted", r->block_ok},
                  {"failed_block_rules_deleted", r->block_failed},
                  {"success_container_rules_deleted", r->container_ok},
                  {"failed_container_rules_deleted", r->container_failed},
                  {"success_request_transition", r->transition_ok},
                  {"failed_request_transition", r->transition_failed},
                  {"drifted_num_requests", r->drifted},
                  {"missing_num_requests", r->missing},
                  {"failed_num_requests", r->failed}};
    char start[40], end[40];

    ta_report_time(start, r->start_s);
    ta_report_time(end, r->end_s);
    ta_json_member_z(w, "thread_id", "MainThread");
    ta_json_member_z(w, "start_time", start);
    ta_json_member_z(w, "end_time", end);
    ta_json_put_key(w, "execution_time");
    ta_json_put_f64(w, r->seconds);
    int result = ta_json_member_z(w, "error", r->error);
    for (size_t i = 0; i < TA_COUNT(counts); i++) {
        ta_json_put_key(w, counts[i].key);
        result = ta_json_put_u64(w, counts[i].value);
    }
    return result;
}
