#include "app/routes.h"

#include "app/generator.h"

enum need {
    NEED_READ,
    NEED_WRITE,
    NEED_INFLUX,
    NEED_ADMIN,
    NEED_METRICS,
    NEED_NOTHING,
    NEED_PAGE,
    NEED_JOBS
};

#define JOB_ROUTE(verb, is_user) (&(const struct ta_job_route){verb, is_user})

static const struct {
    const char *path;
    unsigned methods;
    enum need need;
    const struct ta_http_handler *handler;
    const void *data;
} rows[] = {
    {"/api/query", TA_HTTP_GET | TA_HTTP_POST, NEED_READ, &ta_handle_generator, &ta_generate_query},
    {"/api/load", TA_HTTP_POST, NEED_READ, &ta_handle_generator, &ta_generate_load},
    {"/api/write", TA_HTTP_POST, NEED_WRITE, &ta_handle_write, NULL},
    {"/write", TA_HTTP_POST, NEED_INFLUX, &ta_handle_influx, NULL},
    {"/api/v2/write", TA_HTTP_POST, NEED_INFLUX, &ta_handle_influx, NULL},
    {"/ping", TA_HTTP_GET, NEED_NOTHING, &ta_handle_ping, NULL},
    {"/api/free", TA_HTTP_POST, NEED_ADMIN, &ta_handle_free, NULL},
    {"/api/debug", TA_HTTP_GET, NEED_ADMIN, &ta_handle_debug, NULL},
    {"/api/tree", TA_HTTP_GET, NEED_READ, &ta_handle_tree, NULL},
    {"/api/healthcheck", TA_HTTP_GET, NEED_READ, &ta_handle_generator, &ta_generate_health},
    {"/api/health", TA_HTTP_POST, NEED_READ, &ta_handle_generator, &ta_generate_health},
    {"/api/checkpoint", TA_HTTP_POST, NEED_ADMIN, &ta_handle_checkpoint, NULL},
    {"/readyz", TA_HTTP_GET, NEED_NOTHING, &ta_handle_ready, NULL},
    {"/healthz", TA_HTTP_GET, NEED_NOTHING, &ta_handle_alive, NULL},
    {"/metrics", TA_HTTP_GET, NEED_METRICS, &ta_handle_metrics, NULL},
    {"/openapi.json", TA_HTTP_GET, NEED_NOTHING, &ta_handle_openapi, NULL},
    {"/", TA_HTTP_GET, NEED_PAGE, &ta_handle_page, NULL},
    {"/web", TA_HTTP_GET, NEED_PAGE, &ta_handle_page, NULL},
};
_Static_assert(TA_COUNT(rows) + TA_JOB_ROUTES <= TA_ROUTES_MAX, "room for every route");

static uint32_t role_bits(const struct ta_conf_strings *roles)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < roles->n; i++)
        bits |= ta_conf_role(roles->at[i]);
    return bits;
}

size_t ta_routes_make(struct ta_http_route *routes, const struct ta_config *config)
{
    const struct ta_conf_roles *roles = &config->tarn.roles;
    const uint32_t bits[] = {[NEED_READ] = role_bits(&roles->read),
                             [NEED_WRITE] = role_bits(&roles->write),
                             [NEED_INFLUX] = role_bits(&roles->write),
                             [NEED_ADMIN] = role_bits(&roles->admin),
                             [NEED_METRICS] = role_bits(&roles->read),
                             [NEED_NOTHING] = 0,
                             [NEED_PAGE] = 0};
    size_t n = 0;

    for (size_t i = 0; i < TA_COUNT(rows); i++) {
        enum need need = rows[i].need;
        bool is_page = need == NEED_PAGE;
        bool is_open =
            need == NEED_NOTHING || is_page || (need == NEED_METRICS && config->tarn.open_metrics);

        if (is_page && !config->tarn.page)
            continue;
        routes[n++] = (struct ta_http_route){
            .path = rows[i].path,
            .methods = rows[i].methods,
            .subpaths = is_page
                            ? rows[i].path[1] != '\0'
                            : need != NEED_NOTHING && need != NEED_METRICS && need != NEED_INFLUX,
            .auth = is_open               ? TA_HTTP_OPEN
                    : need == NEED_INFLUX ? TA_HTTP_BEARER_TOKEN
                                          : TA_HTTP_BEARER,
            .roles = bits[need],
            .handler = rows[i].handler,
            .data = (void *)(uintptr_t)rows[i].data, /* only read */
        };
    }
    if (config->main.db[0])
        n += ta_job_routes_make(routes + n, config);
    return n;
}
