/* own_metrics.h - what the store says of itself: the numbers of GET /metrics.
 *
 * Each number is read where it is counted, but for those that need a visit to all buffers: in a large store these
 * are the keeper's of some seconds ago. Takes well under a millisecond and, whatever the number of hosts and
 * series, less than 64 KiB.
 */
#ifndef TARN_APP_OWN_METRICS_H
#define TARN_APP_OWN_METRICS_H

#include "app/archiving.h"
#include "app/cleanup.h"
#include "app/job_desk.h"
#include "app/nats_inputs.h"
#include "app/protector.h"
#include "app/retention_task.h"
#include "app/safe.h"
#include "base/buf.h"
#include "ingest/ingest.h"
#include "net/http.h"
#include "store/store.h"

#include <pthread.h>

enum { TA_OWN_METRICS_MAX = 256 * 1024 };

/* Sums over all writes of one way in. */
struct ta_ingest_totals {
    pthread_mutex_t lock;
    struct ta_ingest_counts counts; /* guarded by lock */
};
void ta_ingest_totals_init(struct ta_ingest_totals *t);
void ta_ingest_totals_done(struct ta_ingest_totals *t);
void ta_ingest_totals_add(struct ta_ingest_totals *t, const struct ta_ingest_counts *c);

/* Where to look; a NULL is left out. */
struct ta_own_metrics {
    struct ta_store *store;
    struct ta_ingest_totals *http_lines;
    struct ta_safe *safe;
    struct ta_nats_inputs *nats;
    struct ta_protector *protector;
    struct ta_cleanup_task *cleanup;
    struct ta_job_desk *jobs;
    struct ta_archiving *archiving;
    struct ta_retention_task *retention;
    struct ta_http_server *http;
    const struct ta_http_route *routes;
    size_t n_routes;
    int64_t started_s;                      /* Unix time of the start */
    bool has_auth;                          /* a token is asked for */
    const _Atomic uint64_t *log_suppressed; /* log lines left out by the rate limit */
};

/* Adds the whole text. TA_ERANGE / TA_ENOMEM of the buffer. */
int ta_own_metrics_put(const struct ta_own_metrics *m, struct ta_buf *out);

#endif
