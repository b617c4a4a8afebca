#include "app/cleaner_metrics.h"

#include <stdio.h>
#include <unistd.h>

static int put(struct ta_buf *out, const char *name, const char *type, const char *help,
               double value)
{
    return ta_buf_printf(out,
                         "# HELP tarn_rulecleaner_%s %s\n# TYPE tarn_rulecleaner_%s %s\n"
                         "tarn_rulecleaner_%s %.17g\n",
                         name, help, name, type, name, value);
}

static double resident_bytes(void)
{
    long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (f) {
        if (fscanf(f, "%ld %ld", &pages, &resident) != 2)
            resident = 0;
        (void)fclose(f); /* it was only read */
    }
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static int put_calls(struct ta_cleaner *c, struct ta_buf *out)
{
    int r = ta_buf_printf(out, "# HELP tarn_rulecleaner_calls_total Calls by upstream and status; "
                               "status 0 is a failed connection.\n"
                               "# TYPE tarn_rulecleaner_calls_total counter\n");

    for (size_t u = 0; u <= TA_UP_ALERT; u++)
        for (size_t i = 0; i < TA_CALL_STATUSES; i++) {
            uint64_t n = atomic_load_explicit(&c->stats.n[u][i], memory_order_relaxed);
            int status = ta_call_status_of(i);
            char word[12];

            snprintf(word, sizeof(word), "%d", status);
            if (n && r == TA_OK)
                r = ta_buf_printf(out,
                                  "tarn_rulecleaner_calls_total{upstream=\"%s\",status=\"%s\"} "
                                  "%llu\n",
                                  ta_upstream_name((enum ta_upstream)u),
                                  status < 0 ? "other" : word, (unsigned long long)n);
        }
    return r;
}

int ta_cleaner_metrics(struct ta_cleaner *c, struct ta_buf *out)
{
    pthread_mutex_lock(&c->lock);
    struct ta_sweep_report r = c->report;
    pthread_mutex_unlock(&c->lock);
    const struct {
        const char *name, *type, *help;
        double value;
    } rows[] = {
        {"cycles_total", "counter", "Cycles ended.", (double)c->gauges.cycles},
        {"workflows_total", "counter", "Workflows dispatched.", (double)c->gauges.workflows},
        {"documents_failed_total", "counter", "Documents not fetched or not understood.",
         (double)c->gauges.documents_failed},
        {"chunks_in_flight", "gauge", "Chunks fetched or unfinished.",
         (double)c->gauges.chunks_in_flight},
        {"resident_bytes", "gauge", "Resident memory.", resident_bytes()},
        {"cycle_seconds", "gauge", "Duration of the last cycle.", r.seconds},
        {"cycle_requests", "gauge", "Workflows of the last cycle.", (double)r.total},
        {"cycle_clean_requests", "gauge", "Of them clean.", (double)r.clean},
        {"cycle_archived_requests", "gauge", "Of them archived.",
         (double)(r.normal_archived + r.force_archived)},
        {"cycle_rules_expired", "gauge", "Rules expired in the last cycle.",
         (double)(r.block_ok + r.container_ok)},
        {"cycle_rules_failed", "gauge", "Updates of rules that failed.",
         (double)(r.block_failed + r.container_failed)},
        {"cycle_transitions_failed", "gauge", "Status changes that failed.",
         (double)r.transition_failed},
        {"cycle_drifted_requests", "gauge", "Names whose document has another status.",
         (double)r.drifted},
        {"cycle_missing_requests", "gauge", "Names without a document.", (double)r.missing},
        {"cycle_failed_requests", "gauge", "Documents that failed.", (double)r.failed},
    };
    int got = TA_OK;

    for (size_t i = 0; got == TA_OK && i < TA_COUNT(rows); i++)
        got = put(out, rows[i].name, rows[i].type, rows[i].help, rows[i].value);
    return got == TA_OK ? put_calls(c, out) : got;
}
