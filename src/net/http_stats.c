#include "net/http_int.h"

const uint32_t ta_http_bucket_us[TA_HTTP_BUCKETS - 1] = {
    100,   250,    500,    1000,   2500,    5000,    10000,   25000,
    50000, 100000, 250000, 500000, 1000000, 2500000, 10000000};

/* Index 0 is "any other". */
static const uint16_t statuses[] = {0,   200, 201, 202, 204, 304, 307, 400, 401, 403, 404, 405,
                                    408, 409, 413, 414, 415, 422, 429, 431, 500, 501, 503, 504};
_Static_assert(TA_COUNT(statuses) == TA_HTTP_STATUSES, "one counter per status");

int ta_http_status_of(size_t i)
{
    return i < TA_COUNT(statuses) ? statuses[i] : 0;
}

size_t http_status_index(int status)
{
    for (size_t i = 1; i < TA_COUNT(statuses); i++)
        if (statuses[i] == status)
            return i;
    return 0;
}

static size_t bucket_of(uint64_t us)
{
    size_t i = 0;

    while (i < TA_COUNT(ta_http_bucket_us) && us > ta_http_bucket_us[i])
        i++;
    return i;
}

void http_stats_request(struct ta_http_req *req, int64_t now_ns)
{
    struct http_counters *c = &req->worker->counters;
    const struct ta_http_config *config = &req->worker->server->config;
    size_t i = req->route ? (size_t)(req->route - config->routes) : config->n_routes;
    struct http_route_counters *r = &c->routes[i];
    uint64_t us = now_ns > req->start_ns ? (uint64_t)(now_ns - req->start_ns) / 1000 : 0;

    http_count(&r->by_status[http_status_index(req->answer.status)], 1);
    http_count(&r->latency[bucket_of(us)], 1);
    http_count(&r->latency_sum_us, us);
    http_count(&r->body_bytes, req->body_wire);
    http_count(&r->answer_bytes, req->answer_bytes);
    if (req->answer.status == 401 || req->answer.status == 403)
        http_count(&c->auth_refused, 1);
}

static uint64_t get(const _Atomic uint64_t *c)
{
    return atomic_load_explicit((_Atomic uint64_t *)(uintptr_t)c, memory_order_relaxed);
}

static void add_route(struct ta_http_route_stats *to, const struct http_route_counters *from)
{
    for (size_t i = 0; i < TA_HTTP_STATUSES; i++)
        to->by_status[i] += get(&from->by_status[i]);
    for (size_t i = 0; i < TA_HTTP_BUCKETS; i++)
        to->latency[i] += get(&from->latency[i]);
    to->latency_sum_us += get(&from->latency_sum_us);
    to->body_bytes += get(&from->body_bytes);
    to->answer_bytes += get(&from->answer_bytes);
}

void ta_http_server_stats(const struct ta_http_server *s, struct ta_http_stats *out,
                          struct ta_http_route_stats *routes)
{
    size_t n = s->config.n_routes + 1;

    *out = (struct ta_http_stats){.memory_bytes = ta_budget_used(&s->memory)};
    out->memory_peak_bytes = atomic_load((_Atomic size_t *)(uintptr_t)&s->memory.peak);
    out->memory_refused = atomic_load((_Atomic size_t *)(uintptr_t)&s->memory.refused);
    for (size_t i = 0; routes && i < n; i++)
        routes[i] = (struct ta_http_route_stats){0};
    for (unsigned w = 0; w < s->n_workers; w++) {
        const struct http_counters *c = &s->workers[w].counters;
        out->accepted += get(&c->accepted);
        out->refused += get(&c->refused);
        out->connections += get(&c->connections);
        out->requests_running += get(&c->requests_running);
        out->timed_out += get(&c->timed_out);
        out->truncated += get(&c->truncated);
        out->auth_refused += get(&c->auth_refused);
        for (size_t i = 0; routes && i < n; i++)
            add_route(&routes[i], &c->routes[i]);
    }
}
