/* routes.h - the paths of the server and what their handlers work with.
 *
 *     GET, POST  /api/query        generator.c          (POST is ours: proxies drop bodies of GET)
 *     POST       /api/load         generator.c          (ours: doc/load-api.md)
 *     POST       /api/write        handle_write.c
 *     POST       /write            handle_influx.c      (ours, as the next two: doc/influx.md)
 *     POST       /api/v2/write     handle_influx.c
 *     GET        /ping             handle_influx.c
 *     POST       /api/free         handle_free.c
 *     GET        /api/debug        handle_debug.c
 *     GET        /api/tree         handle_tree.c        (ours: doc/page.md)
 *     various    /api/jobs/...     handle_jobs.c        (with main.db, as the next four: doc/jobs.md)
 *     DELETE     /api/tags         handle_jobs.c
 *     GET        /api/clusters     handle_jobs.c
 *     POST, PUT  /api/nodestate    handle_jobs.c        (POST /api/healthcheck is the same)
 *     various    /api/machine_state handle_jobs.c       (with main.machine-state-dir)
 *     GET        /userapi/jobs     handle_jobs.c
 *     GET        /api/healthcheck  generator.c
 *     POST       /api/health       generator.c          (ours: the same for browsers)
 *     POST       /api/checkpoint   handle_checkpoint.c  (ours)
 *     GET        /readyz           handle_health.c      (ours: loaded, and writes are taken?)
 *     GET        /healthz          handle_health.c      (ours: is the process there?)
 *     GET        /metrics          handle_metrics.c     (ours: Prometheus text)
 *     GET        /, /web/...       handle_page.c        (ours: doc/page.md)
 *
 * Those under /api also answer below their path, as the reference does. (spec: http-api 1)
 */
#ifndef TARN_APP_ROUTES_H
#define TARN_APP_ROUTES_H

#include "app/conf.h"
#include "app/job_call.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/http.h"
#include "query/request.h"
#include "store/store.h"

enum { TA_ROUTES_MAX = 40, TA_JOB_ROUTES = 17, TA_WORKERS_MAX = 64 };

struct ta_archiving;
struct ta_clusters;
struct ta_line_tag;
struct ta_safe;
struct ta_ingest;
struct ta_ingest_totals;
struct ta_own_metrics;
struct ta_job_desk;

/* One per server; ta_http_app() of every handler. Immutable while requests run. */
struct ta_app {
    struct ta_store *store;
    struct ta_safe *safe;                      /* NULL: samples are in memory only */
    const struct ta_clusters *clusters;        /* never NULL */
    struct ta_ingest_totals *lines;            /* of all writes over HTTP */
    struct ta_archiving *archiving;            /* NULL: jobs are not archived */
    const struct ta_own_metrics *own;          /* what /metrics shows */
    struct ta_ingest *ingests[TA_WORKERS_MAX]; /* one per HTTP worker, used by it alone */
    struct ta_clock *clock;
    struct ta_log *log;
    struct ta_alloc *alloc; /* a budget for what requests hold beside their arena */
    struct ta_query_limits query_limits;
    size_t line_bytes_max;
    struct ta_job_desk *jobs;                  /* used by its routes alone */
    bool has_jobs;                             /* main.db: those routes are there */
    const struct ta_conf_strings *api_allowed; /* addresses that may use them */
    const struct ta_line_tag *influx_tags;     /* of the configuration */
    size_t n_influx_tags;
};

extern const struct ta_http_handler ta_handle_write;
extern const struct ta_http_handler ta_handle_influx;
extern const struct ta_http_handler ta_handle_ping;
extern const struct ta_http_handler ta_handle_free;
extern const struct ta_http_handler ta_handle_debug;
extern const struct ta_http_handler ta_handle_alive;
extern const struct ta_http_handler ta_handle_ready;
extern const struct ta_http_handler ta_handle_checkpoint;
extern const struct ta_http_handler ta_handle_metrics;
extern const struct ta_http_handler ta_handle_tree;
extern const struct ta_http_handler ta_handle_page;
extern const struct ta_http_handler ta_handle_jobs;

/* The data of a route about jobs. */
struct ta_job_route {
    const char *path;
    unsigned methods;
    enum ta_job_verb
        verb;     /* LIST with a path below is GET, DATA or SELECT, TAG by DELETE is UNTAG */
    bool is_user; /* /userapi: the token's user's jobs alone */
};

/* Those rows, at most TA_JOB_ROUTES; returns how many. (job_routes.c) */
size_t ta_job_routes_make(struct ta_http_route *routes, const struct ta_config *config);
extern const struct ta_http_handler ta_handle_openapi;

/* For handlers that need all that is stored: TA_OK, or, while it is being loaded, TA_ECANCELED (the server's
 * 503) with how far it is. */
int ta_app_ready(struct ta_http_req *req, struct ta_err *err);

/* Fills the table with the roles of the configuration; returns the number of rows. */
size_t ta_routes_make(struct ta_http_route *routes, const struct ta_config *config);

#endif
