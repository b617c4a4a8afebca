/* server.h - the metric store as a running server: everything wired together.
 *
 *     open     port bound, key and certificate read, store made; nothing runs yet
 *     start    threads run, requests are answered
 *     reload   a new configuration takes effect as far as it can while running
 *     stop     connections drain, threads end
 *
 * Between open and start privileges are dropped: open does what needs root, start what writes files
 * and what the network can see.
 */
#ifndef TARN_APP_SERVER_H
#define TARN_APP_SERVER_H

#include "app/archiving.h"
#include "app/cleanup.h"
#include "app/clusters.h"
#include "app/conf.h"
#include "app/job_desk.h"
#include "app/job_inputs.h"
#include "app/keeper.h"
#include "app/nats_inputs.h"
#include "app/own_metrics.h"
#include "app/protector.h"
#include "app/retention_task.h"
#include "app/routes.h"
#include "app/safe.h"
#include "net/http.h"

#include <stdbool.h>

struct ta_server {
    const struct ta_config *config; /* as started with */
    struct ta_clock *clock;
    struct ta_log *log;
    struct ta_metrics *metrics;
    struct ta_store *store;
    unsigned n_workers;
    struct ta_jwt *jwt; /* NULL: no authentication */
    struct ta_http_server *http;
    struct ta_http_route routes[TA_ROUTES_MAX];
    size_t n_routes;
    struct ta_app app; /* what handlers see */
    struct ta_ingest_totals lines;
    struct ta_own_metrics own;
    struct ta_clusters clusters;
    struct ta_safe safe;
    struct ta_nats_inputs nats;
    struct ta_protector protector;
    struct ta_keeper keeper;
    struct ta_cleanup_task cleanup;
    struct ta_job_desk jobs; /* main.db is set */
    struct ta_archiving archiving;
    struct ta_retention_task retention;
    struct ta_job_inputs job_inputs;
    bool is_tls;
};

/* Borrows config, clock and log until the close. On failure nothing is left. */
int ta_server_open(struct ta_server *s, const struct ta_config *config, struct ta_clock *clock,
                   struct ta_log *log, struct ta_err *err);
int ta_server_start(struct ta_server *s, struct ta_err *err);
/* Takes over from `config`: certificate, key, token key, memory cap, retention, new metrics. What
 * can not be taken is said in the log and stays as it was. Borrows config for the call. */
void ta_server_reload(struct ta_server *s, const struct ta_config *config);
/* Requests that run get up to deadline_ms; *out_cut: how many were cut. Then a checkpoint of everything:
 * < 0 when it failed; nothing is lost then, the log has what it lacks. */
int ta_server_stop(struct ta_server *s, uint32_t deadline_ms, int *out_cut, struct ta_err *err);
void ta_server_close(struct ta_server *s); /* after stop, or when it never started */

#endif
