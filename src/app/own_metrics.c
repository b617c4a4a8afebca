#include "app/own_metrics.h"

#include "app/exposition.h"

#include <math.h>
#include <stdio.h>

/* ---- totals --------------------------------------------------------------------------------- */

void ta_ingest_totals_init(struct ta_ingest_totals *t)
{
    *t = (struct ta_ingest_totals){0};
    pthread_mutex_init(&t->lock, NULL);
}

void ta_ingest_totals_done(struct ta_ingest_totals *t)
{
    pthread_mutex_destroy(&t->lock);
}

void ta_ingest_totals_add(struct ta_ingest_totals *t, const struct ta_ingest_counts *c)
{
    pthread_mutex_lock(&t->lock);
    ta_ingest_counts_add(&t->counts, c);
    pthread_mutex_unlock(&t->lock);
}

/* ---- store ---------------------------------------------------------------------------------- */

static void put_store(struct ta_exposition *e, struct ta_store *store)
{
    struct ta_store_counts c;

    ta_store_counts_quick(store, &c);
    ta_expo_gauge(e, "tarn_hosts", "Hosts with samples in memory.", (double)c.hosts);
    ta_expo_gauge(e, "tarn_series", "Series in memory.", (double)c.series);
    ta_expo_gauge(e, "tarn_buffers", "Buffers of up to 512 slots in memory.", (double)c.buffers);
    ta_expo_gauge(e, "tarn_slots", "Slots of all buffers.", (double)c.slots);
    ta_expo_gauge(e, "tarn_store_bytes", "Memory that samples and their index take.",
                  (double)c.bytes);
    ta_expo_gauge(e, "tarn_store_peak_bytes", "Most memory that samples and index took.",
                  (double)c.bytes_peak);
    ta_expo_gauge(e, "tarn_store_cap_bytes", "Cap of that memory; 0: none.", (double)c.bytes_cap);
    ta_expo_gauge(e, "tarn_store_open_bytes", "Memory of the newest slots, not compressed yet.",
                  (double)c.bytes_open);
    ta_expo_gauge(e, "tarn_store_sealed_bytes", "Memory of compressed slots.",
                  (double)c.bytes_sealed);
    ta_expo_counter(e, "tarn_samples_stored_total", "Samples accepted since the start.", c.stored);
    ta_expo_counter(e, "tarn_samples_late_total",
                    "Of those: older than the newest buffer of their series.", c.stored_late);
    ta_expo_counter(e, "tarn_samples_restored_total", "Samples read back from disk at the start.",
                    c.restored);
    ta_expo_family(e, "tarn_samples_refused_total", "counter", "Samples the store did not take.");
    ta_expo_u64(e, "", "reason", "old", c.refused_old);
    ta_expo_u64(e, "", "reason", "memory", c.refused_memory);
    ta_expo_u64(e, "", "reason", "columns", c.refused_columns);
    ta_expo_counter(e, "tarn_buffers_freed_total", "Buffers freed by retention or on request.",
                    c.freed_buffers);
    ta_expo_counter(e, "tarn_buffers_freed_early_total",
                    "Buffers freed before their time to stay below the memory cap.",
                    c.freed_early_buffers);
}

/* ---- ingest ---------------------------------------------------------------------------------- */

static void put_lines(struct ta_exposition *e, const struct ta_own_metrics *m)
{
    struct ta_ingest_counts http = {0};
    struct ta_ingest_counts nats = {0};

    if (m->http_lines) {
        pthread_mutex_lock(&m->http_lines->lock);
        http = m->http_lines->counts;
        pthread_mutex_unlock(&m->http_lines->lock);
    }
    for (size_t i = 0; m->nats && i < m->nats->n; i++) {
        struct ta_nats_in_counts c;
        ta_nats_in_counts(m->nats->at[i], &c);
        ta_ingest_counts_add(&nats, &c.lines);
    }
    ta_expo_family(e, "tarn_ingest_samples_total", "counter",
                   "Samples stored, by the way they came in.");
    ta_expo_u64(e, "", "source", "http", http.stored);
    ta_expo_u64(e, "", "source", "nats", nats.stored);
    ta_expo_family(e, "tarn_ingest_lines_refused_total", "counter",
                   "Lines that made the answer 400, by reason.");
    for (int i = 0; i < TA_INGEST_N_REASONS; i++)
        if (ta_ingest_is_refusal((enum ta_ingest_reason)i))
            ta_expo_u64(e, "", "reason", ta_ingest_reason_name((enum ta_ingest_reason)i),
                        http.bad[i] + nats.bad[i]);
    ta_expo_family(e, "tarn_ingest_lines_skipped_total", "counter",
                   "Lines passed over because a retry would never succeed, by reason.");
    for (int i = 0; i < TA_INGEST_N_REASONS; i++)
        if (!ta_ingest_is_refusal((enum ta_ingest_reason)i))
            ta_expo_u64(e, "", "reason", ta_ingest_reason_name((enum ta_ingest_reason)i),
                        http.bad[i] + nats.bad[i]);
    ta_expo_counter(e, "tarn_ingest_lines_predicted_total",
                    "Lines that equalled the expected form (ingest's fast way).",
                    http.predicted + nats.predicted);
}

/* ---- log and checkpoints ------------------------------------------------------------------------ */

static void put_log(struct ta_exposition *e, const struct ta_wal_counts *w)
{
    double bounds[TA_COUNT(w->sync_ns_bucket)];

    for (size_t i = 0; i < TA_COUNT(bounds); i++)
        bounds[i] = ldexp(64e-6, (int)i);
    ta_expo_counter(e, "tarn_log_samples_total", "Samples written to the log.", w->samples);
    ta_expo_counter(e, "tarn_log_bytes_total", "Bytes written to the log.", w->bytes);
    ta_expo_counter(e, "tarn_log_records_total", "Records written to the log.", w->records);
    ta_expo_gauge(e, "tarn_log_segment_bytes", "Size of the log's segments on disk.",
                  (double)w->segment_bytes);
    ta_expo_gauge(e, "tarn_log_segments", "Segments of the log on disk.", (double)w->segments);
    ta_expo_gauge(e, "tarn_log_buffered_bytes", "Bytes that wait for the next sync.",
                  (double)w->buffered);
    ta_expo_histogram(e, "tarn_log_sync_seconds", "Time of a sync of the log.", bounds,
                      w->sync_ns_bucket, TA_COUNT(bounds), (double)w->sync_ns_total / 1e9);
    ta_expo_counter(e, "tarn_log_failures_total", "Times the log began to fail.", w->failures);
    ta_expo_gauge(e, "tarn_log_failing",
                  "1 while the log cannot be written and writes are refused.", w->is_failing);
}

struct recovery_row {
    const char *name, *help;
    size_t offset;
};

#define RECOVERED(member) offsetof(struct ta_recover_counts, member)

/* What the start found on disk, by kind of file. */
static void put_recovery(struct ta_exposition *e, struct ta_safe *d)
{
    static const struct recovery_row rows[] = {
        {"tarn_recovery_files", "Files read at the start.", RECOVERED(files)},
        {"tarn_recovery_files_damaged", "Of those: damaged.", RECOVERED(files_damaged)},
        {"tarn_recovery_samples", "Samples read back at the start.", RECOVERED(samples)},
        {"tarn_recovery_samples_skipped",
         "Samples not taken at the start: unknown metric, too old or nameless.",
         RECOVERED(skipped)},
        {"tarn_recovery_damaged_places", "Unreadable places with good data behind them.",
         RECOVERED(damaged)},
        {"tarn_recovery_torn_ends", "Unreadable ends, as a crash leaves them.", RECOVERED(torn)},
        {"tarn_recovery_lost_records", "Records of the log that are missing.",
         RECOVERED(lost_records)},
    };
    const struct ta_recover_report *report = ta_recover_report(d->vault.recover);
    const struct ta_recover_counts *log = &report->kind[TA_RECOVER_LOG];

    /* A clean stop leaves a log without samples. */
    ta_expo_gauge(e, "tarn_unclean_shutdown", "1 when the last life did not end cleanly.",
                  log->samples + log->skipped + log->damaged + log->torn + log->lost_records > 0);
    ta_expo_gauge(e, "tarn_recovery_seconds", "Time the start took to load.",
                  (double)report->elapsed_ns / 1e9);
    for (size_t i = 0; i < TA_COUNT(rows); i++) {
        ta_expo_family(e, rows[i].name, "gauge", rows[i].help);
        for (enum ta_recover_kind k = 0; k < TA_RECOVER_KINDS; k++) {
            uint64_t v;
            memcpy(&v, (const char *)&report->kind[k] + rows[i].offset, sizeof(v));
            ta_expo_u64(e, "", "kind", ta_recover_kind_name(k), v);
        }
    }
}

static void put_safe(struct ta_exposition *e, struct ta_safe *d)
{
    struct ta_safe_state s;

    ta_safe_state(d, &s);
    ta_expo_gauge(e, "tarn_ready", "1 once everything is loaded and queries are answered.",
                  ta_safe_is_ready(d));
    if (ta_safe_is_ready(d)) /* the report is complete, and changes no more */
        put_recovery(e, d);
    put_log(e, &s.log);
    ta_expo_counter(e, "tarn_checkpoints_total", "Checkpoints completed.", s.checkpoints);
    ta_expo_counter(e, "tarn_checkpoints_failed_total", "Checkpoints that failed.",
                    s.checkpoints_failed);
    ta_expo_gauge(e, "tarn_checkpoint_running", "1 while a checkpoint is written.",
                  s.is_checkpointing);
    ta_expo_gauge(e, "tarn_checkpoint_last_time_seconds",
                  "Unix time of the last complete checkpoint; 0: none since the start.",
                  (double)s.last_checkpoint_s);
    ta_expo_gauge(e, "tarn_checkpoint_last_duration_seconds", "How long it took.",
                  (double)s.last_checkpoint_ms / 1000);
    ta_expo_gauge(e, "tarn_checkpoint_last_files", "Files it wrote.", (double)s.last.files);
    ta_expo_gauge(e, "tarn_checkpoint_last_bytes", "Bytes it wrote.", (double)s.last.bytes);
}

/* ---- old checkpoints ------------------------------------------------------------------------------ */

static void put_cleanup(struct ta_exposition *e, struct ta_cleanup_task *t)
{
    struct ta_cleanup_state s;

    ta_cleanup_task_state(t, &s);
    ta_expo_counter(e, "tarn_cleanup_runs_total", "Clean-ups of old checkpoint files.", s.runs);
    ta_expo_counter(e, "tarn_cleanup_failed_total",
                    "Of those: something could not be archived or deleted.", s.failed);
    ta_expo_gauge(e, "tarn_cleanup_running", "1 while a clean-up runs.", s.is_running);
    ta_expo_counter(e, "tarn_cleanup_files_total",
                    "Checkpoint files that were archived or deleted.", s.files);
    ta_expo_counter(e, "tarn_cleanup_damaged_total", "Checkpoint files set aside as unreadable.",
                    s.damaged);
    ta_expo_counter(e, "tarn_archive_rows_total", "Rows written into Parquet files.", s.rows);
    ta_expo_counter(e, "tarn_archive_bytes_total", "Bytes of those Parquet files.", s.bytes);
    ta_expo_gauge(e, "tarn_cleanup_last_time_seconds",
                  "Unix time of the end of the last clean-up; 0: none since the start.",
                  (double)s.last_s);
    ta_expo_gauge(e, "tarn_cleanup_last_duration_seconds", "How long it took.",
                  (double)s.last_ms / 1000);
}

/* ---- nodes with jobs ---------------------------------------------------------------------------- */

static void put_protector(struct ta_exposition *e, struct ta_protector *p)
{
    struct ta_protector_counts c;

    ta_protector_counts(p, &c);
    ta_expo_gauge(e, "tarn_used_nodes", "Hosts with running jobs, kept beyond the retention.",
                  (double)c.nodes);
    ta_expo_counter(e, "tarn_used_nodes_asked_total", "Questions to main.db or main.backend-url.",
                    c.asked);
    ta_expo_counter(e, "tarn_used_nodes_failed_total", "Of those: without a usable answer.",
                    c.failed);
    ta_expo_gauge(e, "tarn_used_nodes_answer_time_seconds",
                  "Unix time of the last good answer; 0: none since the start.",
                  (double)c.answered_s);
}

/* ---- NATS ------------------------------------------------------------------------------------ */

static void put_nats_family(struct ta_exposition *e, const struct ta_nats_inputs *n,
                            const char *name, const char *type, const char *help, size_t offset)
{
    ta_expo_family(e, name, type, help);
    for (size_t i = 0; i < n->n; i++) {
        struct ta_nats_in_counts c;
        const struct ta_nats_source *s = &n->source[i];
        ta_nats_in_counts(n->at[i], &c);
        uint64_t v;
        memcpy(&v, (const char *)&c + offset, sizeof(v));
        ta_expo_u64_2(e, "", "subject", s->subject, "durable", s->stream ? s->durable : "", v);
    }
}

#define COUNT(member) offsetof(struct ta_nats_in_counts, member)

static void put_nats(struct ta_exposition *e, struct ta_nats_inputs *n)
{
    struct ta_nats_state state;

    ta_nats_state(n->nats, &state);
    ta_expo_gauge(e, "tarn_nats_connected", "1 while the NATS server is connected.",
                  state.is_connected);
    ta_expo_counter(e, "tarn_nats_connects_total", "Connections made to a NATS server.",
                    state.connects);
    put_nats_family(e, n, "tarn_nats_messages_total", "counter", "Messages taken.",
                    COUNT(messages));
    put_nats_family(e, n, "tarn_nats_dropped_total", "counter",
                    "Messages lost because the queue was full (core NATS).", COUNT(dropped));
    put_nats_family(e, n, "tarn_nats_acked_total", "counter", "Messages acknowledged (JetStream).",
                    COUNT(acked));
    put_nats_family(e, n, "tarn_nats_redelivered_total", "counter",
                    "Messages that came again (JetStream).", COUNT(redelivered));
    put_nats_family(e, n, "tarn_nats_lag_messages", "gauge",
                    "Messages in the stream that were not delivered yet.", COUNT(pending));
    put_nats_family(e, n, "tarn_nats_ack_pending", "gauge",
                    "Messages delivered and not acknowledged.", COUNT(ack_pending));
    ta_expo_counter(e, "tarn_nats_poison_total", "Messages put aside because of bad lines.",
                    n->poison.messages);
    ta_expo_counter(e, "tarn_nats_poison_unkept_total", "Of those: not kept, the file is full.",
                    n->poison.unkept);
}

/* ---- HTTP ------------------------------------------------------------------------------------ */

static void put_routes(struct ta_exposition *e, const struct ta_own_metrics *m,
                       const struct ta_http_route_stats *stats)
{
    ta_expo_family(e, "tarn_http_requests_total", "counter",
                   "Requests answered, by route and status.");
    for (size_t i = 0; i <= m->n_routes; i++) {
        const char *path = i < m->n_routes ? m->routes[i].path : "other";
        for (size_t k = 0; k < TA_HTTP_STATUSES; k++) {
            char code[16] = "other";
            if (stats[i].by_status[k] == 0)
                continue;
            if (ta_http_status_of(k))
                snprintf(code, sizeof(code), "%d", ta_http_status_of(k));
            ta_expo_u64_2(e, "", "route", path, "code", code, stats[i].by_status[k]);
        }
    }
    ta_expo_family(e, "tarn_http_route_seconds_total", "counter",
                   "Time of all requests from their first line to the end, by route.");
    for (size_t i = 0; i <= m->n_routes; i++)
        ta_expo_f64(e, "", "route", i < m->n_routes ? m->routes[i].path : "other",
                    (double)stats[i].latency_sum_us / 1e6);
}

static void put_latency(struct ta_exposition *e, const struct ta_http_route_stats *stats, size_t n)
{
    double bounds[TA_HTTP_BUCKETS];
    uint64_t counts[TA_HTTP_BUCKETS] = {0};
    uint64_t sum_us = 0;

    for (size_t b = 0; b < TA_HTTP_BUCKETS; b++) {
        bounds[b] = b + 1 < TA_HTTP_BUCKETS ? ta_http_bucket_us[b] / 1e6 : 0;
        for (size_t i = 0; i < n; i++)
            counts[b] += stats[i].latency[b];
    }
    for (size_t i = 0; i < n; i++)
        sum_us += stats[i].latency_sum_us;
    ta_expo_histogram(e, "tarn_http_request_duration_seconds", "Time of a request, all routes.",
                      bounds, counts, TA_HTTP_BUCKETS, (double)sum_us / 1e6);
}

static int put_http(struct ta_exposition *e, const struct ta_own_metrics *m)
{
    size_t bytes = (m->n_routes + 1) * sizeof(struct ta_http_route_stats);
    struct ta_http_route_stats *routes = ta_alloc(&ta_heap, bytes);
    struct ta_http_stats s;

    if (!routes)
        return TA_ENOMEM;
    ta_http_server_stats(m->http, &s, routes);
    put_routes(e, m, routes);
    put_latency(e, routes, m->n_routes + 1);
    ta_release(&ta_heap, routes, bytes);
    ta_expo_counter(e, "tarn_http_connections_accepted_total", "Connections accepted.", s.accepted);
    ta_expo_counter(e, "tarn_http_connections_refused_total", "Connections over a limit.",
                    s.refused);
    ta_expo_gauge(e, "tarn_http_connections", "Connections open.", (double)s.connections);
    ta_expo_gauge(e, "tarn_http_requests_running", "Requests under way.",
                  (double)s.requests_running);
    ta_expo_counter(e, "tarn_http_timed_out_total", "Requests and connections cut for slowness.",
                    s.timed_out);
    ta_expo_counter(e, "tarn_http_truncated_total", "Bodies that ended early.", s.truncated);
    ta_expo_counter(e, "tarn_http_auth_refused_total", "Requests without a usable token.",
                    s.auth_refused);
    ta_expo_gauge(e, "tarn_http_memory_bytes", "Memory that requests hold.",
                  (double)s.memory_bytes);
    ta_expo_counter(e, "tarn_http_memory_refused_total", "Requests refused for lack of memory.",
                    s.memory_refused);
    return TA_OK;
}

/* ---- all ------------------------------------------------------------------------------------- */

int ta_own_metrics_put(const struct ta_own_metrics *m, struct ta_buf *out)
{
    struct ta_exposition e = {.out = out};
    int r = TA_OK;

    ta_expo_family(&e, "tarn_build_info", "gauge", "Version of this program.");
    ta_expo_u64(&e, "", "version", TARN_VERSION, 1);
    ta_expo_gauge(&e, "tarn_start_time_seconds", "Unix time of the start.", (double)m->started_s);
    ta_expo_gauge(&e, "tarn_auth_required",
                  "0 when everybody may do anything: no key is configured.", m->has_auth);
    ta_expo_counter(&e, "tarn_log_lines_suppressed_total", "Log lines left out by the rate limit.",
                    m->log_suppressed ? *m->log_suppressed : 0);
    put_store(&e, m->store);
    put_lines(&e, m);
    if (m->safe)
        put_safe(&e, m->safe);
    if (m->cleanup)
        put_cleanup(&e, m->cleanup);
    if (m->jobs)
        ta_job_desk_put(m->jobs, &e);
    if (m->archiving && m->archiving->archiver)
        ta_archiving_put(m->archiving, &e);
    if (m->retention)
        ta_retention_task_put(m->retention, &e);
    if (m->protector && m->protector->is_on)
        put_protector(&e, m->protector);
    if (m->nats && m->nats->nats)
        put_nats(&e, m->nats);
    if (m->http)
        r = put_http(&e, m);
    return e.error < 0 ? e.error : r;
}
