/* report.h - the figures of one cycle (spec: rule-cleaner 5.6, 8). */
#ifndef TARN_SWEEP_REPORT_H
#define TARN_SWEEP_REPORT_H

#include "io/json_write.h"
#include "sweep/workflow.h"

struct ta_sweep_report {
    int64_t start_s, end_s;
    double seconds;
    char error[600]; /* "" when there is none */
    uint64_t total, clean, normal_archived, force_archived;
    uint64_t block_ok, block_failed, container_ok, container_failed; /* rule updates */
    uint64_t transition_ok, transition_failed;
    uint64_t drifted, missing, failed;
    uint64_t listed; /* names, without doubles */
    bool was_skipped, was_stopped;
    int lists_failed;
};

void ta_report_add(struct ta_sweep_report *r, const struct ta_outcome *o);
/* Adds a sentence to the error. What finds no room is left out. */
void ta_report_error(struct ta_sweep_report *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* "Sat, 06 Dec 2025 05:46:40 UTC"; out has room for 40 bytes. */
void ta_report_time(char *out, int64_t t_s);
/* The members of the report's JSON object, into an object that is open. */
int ta_report_write(const struct ta_sweep_report *r, struct ta_json_writer *w);

#endif
