#include "app/server.h"

#include "ingest/ingest.h"
#include "net/jwt.h"
#include "rest/client.h"

#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    PEM_MAX = 1 << 20, /* bytes of a certificate chain or key */
    MS_NS = 1000000
};

/* ---- pieces of the configuration in the words of the modules ---------------------------------- */

static int make_metrics(struct ta_metrics **out, const struct ta_metrics *base,
                        const struct ta_config *c, struct ta_err *err)
{
    size_t bytes = (c->n_metrics ? c->n_metrics : 1) * sizeof(struct ta_metric);
    struct ta_metric *defs = ta_alloc(&ta_heap, bytes);

    if (!defs)
        return ta_fail(err, TA_ENOMEM, "no memory for the metric table");
    for (size_t i = 0; i < c->n_metrics; i++) {
        const struct ta_conf_metric *m = &c->metrics[i];

        defs[i] = (struct ta_metric){.name = ta_str(m->name),
                                     .freq_s = m->frequency_s,
                                     .agg = m->aggregation[0] == 's'   ? TA_AGG_SUM
                                            : m->aggregation[0] == 'a' ? TA_AGG_AVG
                                                                       : TA_AGG_NONE};
    }
    int r = ta_metrics_new(out, &ta_heap, base, defs, c->n_metrics, err);
    ta_release(&ta_heap, defs, bytes);
    return r;
}

static int64_t retention_s(const struct ta_config *c)
{
    return c->store.retention_ns > 0 ? (c->store.retention_ns + 999999999) / 1000000000 : 0;
}

static size_t cap_bytes(const struct ta_config *c)
{
    return (size_t)c->store.memory_cap_gb * 1000000000;
}

static uint32_t as_ms(int64_t ns)
{
    int64_t ms = ns / MS_NS;

    return ms < 1 ? 1 : ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

static uint32_t as_u32(uint64_t v)
{
    return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static struct ta_http_limits http_limits(const struct ta_conf_limits *l)
{
    return (struct ta_http_limits){
        .connections = (uint32_t)l->connections,
        .connections_per_peer = (uint32_t)l->connections_per_address,
        .uri_bytes = as_u32(l->uri_bytes),
        .header_bytes = as_u32(l->header_bytes),
        .body_bytes_max = l->body_bytes,
        .request_bytes_max = l->request_memory_bytes,
        .head_ms = as_ms(l->head_timeout_ns),
        .idle_ms = as_ms(l->idle_timeout_ns),
        .total_ms = as_ms(l->total_timeout_ns),
        .body_rate = as_u32(l->min_rate_bytes),
        .answer_rate = as_u32(l->min_rate_bytes),
    };
}

static struct ta_query_limits query_limits(const struct ta_conf_limits *l)
{
    struct ta_query_limits out = ta_query_limits_default;

    out.arena_bytes = l->request_memory_bytes;
    out.window_bytes = l->request_memory_bytes;
    out.queries_max = (size_t)l->queries;
    out.range_s_max = l->time_range_ns / 1000000000;
    return out;
}

/* ---- files -------------------------------------------------------------------------------------- */

struct pem {
    struct ta_buf cert, key;
};

static int read_file(struct ta_buf *out, const char *key, const char *path, struct ta_err *err)
{
    struct ta_file *file;
    int r = ta_open(&ta_vfs_posix, path, TA_OPEN_READ, 0, &file, err);

    ta_buf_init(out, &ta_heap, PEM_MAX);
    if (r == TA_OK) {
        r = ta_buf_reserve(out, PEM_MAX);
        int64_t n = r < 0 ? r : ta_pread_full(file, out->at, PEM_MAX, 0, err);
        (void)ta_close(&file, NULL); /* it was only read */
        if (n == PEM_MAX)
            n = ta_fail(err, TA_ERANGE, "%.200s: larger than %d bytes", path, PEM_MAX);
        r = n < 0 ? (int)n : TA_OK;
        out->len = n < 0 ? 0 : (size_t)n;
    }
    return r < 0 ? ta_fail_context(err, r, "main.%s: ", key) : TA_OK;
}

/* The key's bytes are wiped before their memory is given back. */
static void pem_done(struct pem *p)
{
    if (p->key.at)
        explicit_bzero(p->key.at, p->key.cap);
    ta_buf_done(&p->key);
    ta_buf_done(&p->cert);
}

static bool has_tls(const struct ta_config *c)
{
    return c->main.cert_file[0] && c->main.key_file[0];
}

static int pem_read(struct pem *p, const struct ta_config *c, struct ta_err *err)
{
    *p = (struct pem){0};
    if (!has_tls(c))
        return TA_OK;
    int r = read_file(&p->cert, "https-cert-file", c->main.cert_file, err);
    if (r == TA_OK)
        r = read_file(&p->key, "https-key-file", c->main.key_file, err);
    if (r < 0)
        pem_done(p);
    return r;
}

/* ---- open --------------------------------------------------------------------------------------- */

static int open_store(struct ta_server *s, struct ta_err *err)
{
    const struct ta_config *c = s->config;
    struct ta_store_conf conf = {.alloc = &ta_heap,
                                 .cap_bytes = cap_bytes(c),
                                 .retention_s = retention_s(c),
                                 .n_shards = (uint32_t)c->tarn.shards};
    int r = make_metrics(&s->metrics, NULL, c, err);

    if (r < 0)
        return r;
    if (getrandom(&conf.hash_seed, sizeof(conf.hash_seed), 0) != sizeof(conf.hash_seed))
        return ta_fail_sys(err, "reading random bytes");
    conf.metrics = s->metrics;
    return ta_store_new(&s->store, &conf, err);
}

/* One per core, at most 8: beyond that the shards' locks and the kernel are the limit. */
static unsigned count_workers(const struct ta_config *c)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (c->tarn.workers > 0)
        return (unsigned)c->tarn.workers;
    return cores < 1 ? 1 : cores > 8 ? 8 : (unsigned)cores;
}

static int open_ingest(struct ta_server *s, struct ta_err *err)
{
    struct ta_ingest_conf conf = {
        .store = s->store,
        .journal = &s->safe.vault.gate.journal, /* open before the first request comes */
        .alloc = &ta_heap,
        .max_future_s = s->config->tarn.max_future_ns / 1000000000,
    };
    int r = TA_OK;

    s->n_workers = count_workers(s->config);
    for (unsigned i = 0; r == TA_OK && i < s->n_workers; i++)
        r = ta_ingest_new(&s->app.ingests[i], &conf, err);
    return r;
}

static int open_http(struct ta_server *s, struct ta_err *err)
{
    const struct ta_config *c = s->config;
    const struct ta_conf_roles *roles = &c->tarn.roles;
    struct pem pem;
    int r = pem_read(&pem, c, err);

    if (r < 0)
        return r;
    s->is_tls = has_tls(c);
    s->n_routes = ta_routes_make(s->routes, c);
    if (c->main.jwt_public_key[0])
        r = ta_jwt_new(&s->jwt, ta_str(c->main.jwt_public_key), &ta_heap, err);
    struct ta_http_config conf = {
        .addr = c->main.addr,
        .n_workers = s->n_workers,
        .cert_pem = ta_buf_view(&pem.cert),
        .key_pem = ta_buf_view(&pem.key),
        .routes = s->routes,
        .n_routes = s->n_routes,
        .jwt = s->jwt,
        .check_roles = roles->read.n || roles->write.n || roles->admin.n,
        .limits = http_limits(&c->tarn.limits),
        .memory_cap = c->tarn.limits.total_memory_bytes,
        .clock = s->clock,
        .log = s->log,
        .app = &s->app,
    };
    if (r == TA_OK)
        r = ta_http_server_open(&s->http, &conf, err);
    if (r == TA_OK)
        s->app.alloc = ta_http_server_memory(s->http);
    pem_done(&pem);
    return r;
}

/* Each open connection is a descriptor: as many as the kernel allows, before it is too late. */
static void raise_descriptors(struct ta_log *log, int64_t connections)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < (rlim_t)connections + 64)
        ta_logf(log, TA_LOG_WARN,
                "the system allows %llu open files: fewer than tarn.limits.connections",
                (unsigned long long)limit.rlim_cur);
}

int ta_server_open(struct ta_server *s, const struct ta_config *config, struct ta_clock *clock,
                   struct ta_log *log, struct ta_err *err)
{
    const struct ta_conf_limits *limits = &config->tarn.limits;

    *s = (struct ta_server){.config = config, .clock = clock, .log = log};
    raise_descriptors(log, limits->connections);
    s->app = (struct ta_app){.clock = clock,
                             .log = log,
                             .query_limits = query_limits(limits),
                             .lines = &s->lines,
                             .own = &s->own,
                             .archiving = &s->archiving,
                             .clusters = &s->clusters,
                             .safe = &s->safe,
                             .jobs = &s->jobs,
                             .has_jobs = config->main.db[0] != '\0',
                             .api_allowed = &config->main.api_allowed,
                             .influx_tags = config->tarn.influx_tags,
                             .n_influx_tags = config->tarn.n_influx_tags,
                             .line_bytes_max = limits->line_bytes};
    ta_ingest_totals_init(&s->lines);
    int r = open_store(s, err);
    s->app.store = s->store;
    if (r == TA_OK)
        r = ta_clusters_load(&s->clusters, config, &ta_vfs_posix, &ta_heap, err);
    if (r == TA_OK)
        r = open_ingest(s, err);
    if (r == TA_OK)
        r = open_http(s, err);
    if (r < 0) {
        ta_server_close(s);
        return r;
    }
    s->own = (struct ta_own_metrics){.store = s->store,
                                     .safe = &s->safe,
                                     .http_lines = &s->lines,
                                     .nats = &s->nats,
                                     .protector = &s->protector,
                                     .cleanup = &s->cleanup,
                                     .jobs = &s->jobs,
                                     .archiving = &s->archiving,
                                     .retention = &s->retention,
                                     .http = s->http,
                                     .routes = s->routes,
                                     .n_routes = s->n_routes,
                                     .started_s = ta_now_s(clock),
                                     .has_auth = s->jwt != NULL};
    return TA_OK;
}

/* Without a server in the configuration nothing runs. Servers that are away are waited for in the background. */
static int start_nats(struct ta_server *s, struct ta_err *err)
{
    struct ta_nats_in_conf common = {.store = s->store,
                                     .journal = &s->safe.vault.gate.journal,
                                     .wal = s->safe.vault.wal,
                                     .alloc = &ta_heap,
                                     .clock = s->clock,
                                     .log = s->log,
                                     .max_future_s = s->config->tarn.max_future_ns / 1000000000};

    return ta_nats_inputs_start(&s->nats, s->config, &common, &ta_vfs_posix, err);
}

/* The database is opened here and not before privileges are dropped: it is written. */
static int start_jobs(struct ta_server *s, struct ta_err *err)
{
    const struct ta_job_place place = {
        .clusters = &s->clusters,
        .store = s->store,
        .archiving = &s->archiving,
        .machine_dir = s->config->main.machine_state_dir,
        .clock = s->clock,
        .log = s->log,
        .alloc = s->app.alloc,
        .bytes_max = s->config->tarn.limits.request_memory_bytes,
    };
    const struct ta_job_schema_options schema = {.has_all_indexes =
                                                     s->config->tarn.all_job_indexes};
    const struct ta_sql_options database = ta_conf_database(&s->config->main, TA_CONF_DB_PARTS);
    int r;

    if (!s->config->main.db[0])
        return TA_OK;
    r = ta_job_desk_open(&s->jobs, &place, &database, &schema, err);
    return r < 0 ? r : ta_job_desk_start(&s->jobs, err);
}

int ta_server_start(struct ta_server *s, struct ta_err *err)
{
    int r = ta_rest_global_init(err); /* the backend and buckets are asked by threads */

    if (r == TA_OK)
        r = start_jobs(s, err); /* who uses which nodes is known from here on */
    if (r == TA_OK)
        r = ta_protector_open(&s->protector, s->config, &ta_vfs_posix, s->clock, s->log, err);

    if (r == TA_OK)
        r = ta_safe_open(&s->safe, s->config, &s->protector, s->store, &ta_vfs_posix, s->clock,
                         s->log, err);
    if (r == TA_OK)
        r = ta_safe_start(&s->safe, err);
    if (r == TA_OK)
        r = ta_keeper_start(&s->keeper, s->store, &s->protector, &s->safe, retention_s(s->config),
                            s->clock, s->log, err);
    if (r == TA_OK)
        r = ta_cleanup_task_start(&s->cleanup, s->config, &s->safe, &s->protector, s->clock, s->log,
                                  err);
    if (r == TA_OK)
        r = start_nats(s, err);
    if (r == TA_OK)
        r = ta_archiving_start(&s->archiving, s->config, s->store, &s->clusters, &s->safe, s->clock,
                               s->log, err);
    if (r == TA_OK)
        r = ta_retention_task_start(&s->retention, s->config, s->clock, s->log, err);
    if (r == TA_OK)
        r = ta_job_inputs_start(&s->job_inputs, s->config, s->nats.nats, &s->jobs, err);
    return r < 0 ? r : ta_http_server_start(s->http, err);
}

/* ---- reload ------------------------------------------------------------------------------------- */

static void reload_tls(struct ta_server *s, const struct ta_config *c)
{
    struct ta_err err = {0};
    struct pem pem;

    if (has_tls(c) != s->is_tls) {
        ta_logf(s->log, TA_LOG_WARN, "reload: between HTTP and HTTPS only a restart changes");
        return;
    }
    if (!s->is_tls)
        return;
    int r = pem_read(&pem, c, &err);
    if (r == TA_OK) {
        r = ta_http_server_reload_tls(s->http, ta_buf_view(&pem.cert), ta_buf_view(&pem.key), &err);
        pem_done(&pem);
    }
    if (r < 0)
        ta_logf(s->log, TA_LOG_ERROR, "reload: the certificate stays as it was: %s", err.text);
}

static void reload_key(struct ta_server *s, const struct ta_config *c)
{
    struct ta_err err = {0};

    if ((s->jwt != NULL) != (c->main.jwt_public_key[0] != 0))
        ta_logf(s->log, TA_LOG_WARN, "reload: authentication is switched only by a restart");
    else if (s->jwt && ta_jwt_set_key(s->jwt, ta_str(c->main.jwt_public_key), &err) < 0)
        ta_logf(s->log, TA_LOG_ERROR, "reload: the token key stays as it was: %s", err.text);
}

static void reload_metrics(struct ta_server *s, const struct ta_config *c)
{
    struct ta_metrics *now = ta_store_metrics(s->store), *next;
    struct ta_err err = {0};
    int r = make_metrics(&next, now, c, &err);

    if (r == TA_OK) {
        r = ta_store_set_metrics(s->store, next, &err);
        if (r == TA_OK && ta_metrics_count(next) != ta_metrics_count(now))
            ta_logf(s->log, TA_LOG_INFO, "reload: %zu metrics added",
                    ta_metrics_count(next) - ta_metrics_count(now));
        ta_metrics_unref(next);
    }
    if (r < 0)
        ta_logf(s->log, TA_LOG_ERROR, "reload: the metrics stay as they were: %s", err.text);
    ta_metrics_unref(now);
}

void ta_server_reload(struct ta_server *s, const struct ta_config *config)
{
    reload_tls(s, config);
    reload_key(s, config);
    reload_metrics(s, config);
    ta_store_set_cap(s->store, cap_bytes(config));
    ta_store_set_retention(s->store, retention_s(config));
    s->keeper.retention_s = retention_s(config);
    s->cleanup.what.retention_ns = config->store.retention_ns;
}

/* ---- stop --------------------------------------------------------------------------------------- */

int ta_server_stop(struct ta_server *s, uint32_t deadline_ms, int *out_cut, struct ta_err *err)
{
    /* First: what comes from now on, somebody else takes or the next life. */
    ta_job_inputs_stop(&s->job_inputs);
    ta_nats_inputs_end(&s->nats);
    *out_cut = ta_http_server_stop(s->http, deadline_ms);
    ta_job_desk_stop(&s->jobs);
    ta_archiving_stop(&s->archiving);
    ta_retention_task_stop(&s->retention);
    ta_cleanup_task_stop(&s->cleanup);
    ta_keeper_stop(&s->keeper);
    return ta_safe_stop(&s->safe, true, err);
}

void ta_server_close(struct ta_server *s)
{
    ta_job_inputs_stop(&s->job_inputs); /* waits for the desk */
    ta_retention_task_stop(&s->retention);
    ta_cleanup_task_stop(&s->cleanup);
    ta_keeper_stop(&s->keeper);
    if (s->http)
        (void)ta_http_server_stop(s->http, 0);
    ta_job_desk_close(&s->jobs); /* wakes requests, which must still be there, and the archiver */
    ta_archiving_stop(&s->archiving);
    ta_http_server_free(s->http);
    ta_nats_inputs_stop(&s->nats);
    (void)ta_safe_stop(&s->safe, false,
                       NULL); /* ended already, or the start failed: the log has all */
    ta_safe_close(&s->safe);
    ta_protector_close(&s->protector);
    ta_jwt_free(s->jwt);
    for (unsigned i = 0; i < s->n_workers; i++)
        ta_ingest_free(s->app.ingests[i]);
    ta_store_free(s->store);
    ta_metrics_unref(s->metrics);
    ta_ingest_totals_done(&s->lines);
    ta_clusters_done(&s->clusters);
    *s = (struct ta_server){0};
}
