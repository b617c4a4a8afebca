#include "app/job_counts.h"

#include <stdio.h>

/* What calls about jobs answer; 503: no memory, or a lock of the database that lasted. */
static const int codes[TA_JOB_CODES - 1] = {200, 201, 207, 400, 403, 404, 422, 500, 503};

void ta_job_counts_add(struct ta_job_counts *c, enum ta_job_event_kind kind, enum ta_job_way way,
                       int status)
{
    size_t i = 0;

    while (i < TA_COUNT(codes) && codes[i] != status)
        i++;
    atomic_fetch_add(&c->done[kind][way][i], 1);
}

/* A sum that never came is there as 0 for the status of success alone: rates need a beginning. */
static void put_kind(struct ta_job_counts *c, struct ta_exposition *e, enum ta_job_event_kind kind,
                     const char *name, const char *help)
{
    static const char *const ways[TA_JOB_WAYS] = {"rest", "nats"};
    int good = kind == TA_JOB_STARTS ? 201 : 200;

    ta_expo_family(e, name, "counter", help);
    for (int way = 0; way < TA_JOB_WAYS; way++) {
        for (size_t i = 0; i < TA_JOB_CODES; i++) {
            int status = i < TA_COUNT(codes) ? codes[i] : 0;
            uint64_t n = atomic_load(&c->done[kind][way][i]);
            char code[16] = "other";
            if (status)
                snprintf(code, sizeof(code), "%d", status);
            if (n || status == good)
                ta_expo_u64_2(e, "", "input", ways[way], "code", code, n);
        }
    }
}

void ta_job_counts_put(struct ta_job_counts *c, struct ta_exposition *e)
{
    put_kind(c, e, TA_JOB_STARTS, "tarn_job_starts_total",
             "Starts of jobs, by the way they came and by their status.");
    put_kind(c, e, TA_JOB_STOPS, "tarn_job_stops_total",
             "Ends of jobs, by the way they came and by their status.");
    put_kind(c, e, TA_JOB_REPORTS, "tarn_job_nodestates_total",
             "Reports of states of nodes, by the way they came and by their status.");
    ta_expo_counter(e, "tarn_job_events_unusable_total",
                    "Events about jobs over NATS that are none, or could not be carried out.",
                    atomic_load(&c->unusable));
    ta_expo_counter(e, "tarn_job_events_dropped_total",
                    "Messages about jobs that did not fit the queue of their subject.",
                    atomic_load(&c->dropped));
}
