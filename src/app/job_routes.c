/* job_routes.c - the paths about jobs, which are there with main.db (spec: archiver 3.1). */
#include "app/routes.h"

static const struct ta_job_route rows[TA_JOB_ROUTES] = {
    {"/api/jobs", TA_HTTP_GET | TA_HTTP_POST, TA_JOB_LIST, false},
    {"/userapi/jobs", TA_HTTP_GET | TA_HTTP_POST, TA_JOB_LIST, true},
    {"/api/jobs/metrics", TA_HTTP_GET, TA_JOB_METRICS, false},
    {"/userapi/jobs/metrics", TA_HTTP_GET, TA_JOB_METRICS, true},
    {"/api/jobs/start_job", TA_HTTP_POST | TA_HTTP_PUT, TA_JOB_START, false},
    {"/api/jobs/stop_job", TA_HTTP_POST | TA_HTTP_PUT, TA_JOB_STOP, false},
    {"/api/jobs/used_nodes", TA_HTTP_GET, TA_JOB_USED_NODES, false},
    {"/api/jobs/edit_meta", TA_HTTP_PATCH, TA_JOB_EDIT_META, false},
    {"/api/jobs/tag_job", TA_HTTP_POST | TA_HTTP_PATCH | TA_HTTP_DELETE, TA_JOB_TAG, false},
    {"/api/clusters", TA_HTTP_GET, TA_JOB_CLUSTERS, false},
    {"/api/tags", TA_HTTP_DELETE, TA_JOB_DROP_TAGS, false},
    {"/api/jobs/delete_job", TA_HTTP_DELETE, TA_JOB_DELETE, false},
    {"/api/jobs/delete_job_before", TA_HTTP_DELETE, TA_JOB_DELETE_BEFORE, false},
    {"/api/jobs/archive_job", TA_HTTP_POST, TA_JOB_ARCHIVE, false},
    {"/api/machine_state", TA_HTTP_GET | TA_HTTP_PUT | TA_HTTP_POST, TA_JOB_MACHINE, false},
    {"/api/nodestate", TA_HTTP_POST | TA_HTTP_PUT, TA_JOB_NODE_STATES, false},
    {"/api/healthcheck", TA_HTTP_POST, TA_JOB_NODE_STATES, false},
};

/* Where jobs come over NATS, that is the only way in, as in the reference. */
static bool is_left_out(enum ta_job_verb verb, const struct ta_config *config)
{
    if (verb == TA_JOB_MACHINE)
        return !config->main.machine_state_dir[0];
    return (verb == TA_JOB_START || verb == TA_JOB_STOP) && config->main.job_subject[0];
}

size_t ta_job_routes_make(struct ta_http_route *routes, const struct ta_config *config)
{
    size_t n = 0;

    for (size_t i = 0; i < TA_JOB_ROUTES; i++) {
        if (is_left_out(rows[i].verb, config))
            continue;
        routes[n++] = (struct ta_http_route){
            .path = rows[i].path,
            .methods = rows[i].methods,
            .subpaths = true,
            .auth = TA_HTTP_AUTH_TOKEN,
            .handler = &ta_handle_jobs,
            .data = (void *)(uintptr_t)&rows[i], /* only read */
        };
    }
    return n;
}
