/* sweep.h - one cycle of the rule cleaner: list, lock, fetch, decide, report.
 *
 * Names are listed per status into a spool; chunks of their documents are fetched `chunks_in_flight`
 * at a time and handed as small records to `workers`, each of which takes a workflow from its first
 * call to its last. The next chunk of a slot is fetched only when all workflows of its last one are
 * through: that is the back-pressure (spec: rule-cleaner 6).
 *
 * Memory: rule-cleaner 6.4. No term grows with the size of documents, and only the filter against
 * doubled names and the set of locks grow with numbers of names.
 */
#ifndef TARN_SWEEP_SWEEP_H
#define TARN_SWEEP_SWEEP_H

#include "rest/chunk_fetch.h"
#include "sweep/locks.h"
#include "sweep/report.h"
#include "sweep/workflow.h"

struct ta_sweep_conf {
    struct ta_policy policy;
    size_t chunk_size;
    unsigned chunks_in_flight, workers, fetch_retries;
    int64_t locks_max_age_s;
    size_t max_workflow_bytes;
    uint64_t memory_limit; /* bytes of resident memory from which on chunks in flight are halved */
    struct ta_caller *caller;
    struct ta_services *services;
    struct ta_locks *locks;
    struct ta_clock *clock;
    struct ta_log *log;
    struct ta_vfs *vfs;
    const char *temp_dir;
    uint64_t seed; /* of the filter; secret */
    struct ta_alloc *alloc;
    /* No new chunk is begun once it is true. (The caller's own stop ends running calls.) */
    const _Atomic bool *stop;
    /* Told of every workflow and of every name without a document, one at a time; may be NULL. */
    void (*watch)(void *self, const struct ta_record *record, struct ta_outcome *outcome);
    void (*watch_name)(void *self, struct ta_str name, enum ta_chunk_state state);
    void *watcher;
};

/* Running figures, for metrics. Any thread. */
struct ta_sweep_gauges {
    _Atomic unsigned chunks_in_flight;
    _Atomic uint64_t cycles, workflows, documents_failed;
};

/* One cycle over everything that is listed under the swept statuses. The report is filled in any
 * case. TA_OK: it ran, perhaps with failures the report counts. TA_EAGAIN: it was skipped. */
int ta_sweep_cycle(const struct ta_sweep_conf *conf, struct ta_sweep_gauges *gauges,
                   struct ta_sweep_report *report, struct ta_err *err);
/* The same for the names in a spool. */
int ta_sweep_names(const struct ta_sweep_conf *conf, struct ta_id_spool *names,
                   struct ta_sweep_gauges *gauges, struct ta_sweep_report *report,
                   struct ta_err *err);

/* Is it a name that a listing may hold: 1..512 letters, digits and -_. */
bool ta_is_workflow_name(struct ta_str name);

#endif
