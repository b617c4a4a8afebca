/* repository_nodes.c - nodes: which ones are in use, and what they report. */
#include "jobs/repository_int.h"

int ta_repository_used_nodes(struct ta_repository *r, int64_t before_s, ta_node_each each,
                             void *self, struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int e = repo_statement(r, REPO_USED_NODES, &s, err);

    if (e < 0)
        return e;
    (void)sqlite3_bind_int64(s, 1, before_s);
    while ((e = repo_step(r, s, err)) > 0) {
        e = each(self, repo_text(s, 0), repo_text(s, 1), err);
        if (e < 0)
            break;
    }
    repo_reset(s);
    return e < 0 ? e : TA_OK;
}

static int make_node(struct ta_repository *r, struct ta_str cluster,
                     const struct ta_node_report *node, struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int e = repo_statement(r, REPO_NODE_MAKE, &s, err);

    if (e < 0)
        return e;
    repo_bind(s, 1, node->host);
    repo_bind(s, 2, cluster);
    repo_bind(s, 3, node->subcluster);
    return repo_finish(r, s, err);
}

static int report_node(struct ta_repository *r, struct ta_str cluster, int64_t at_s,
                       const struct ta_node_report *node, struct ta_err *err)
{
    sqlite3_stmt *s = NULL;
    int e = repo_statement(r, REPO_NODE_REPORT, &s, err);

    if (e < 0)
        return e;
    repo_bind(s, 1, node->host);
    repo_bind(s, 2, cluster);
    (void)sqlite3_bind_int64(s, 3, at_s);
    (void)sqlite3_bind_int64(s, 4, node->jobs);
    (void)sqlite3_bind_int64(s, 5, node->cpus);
    (void)sqlite3_bind_int64(s, 6, node->memory_mb);
    (void)sqlite3_bind_int64(s, 7, node->gpus);
    repo_bind(s, 8, ta_str(node->state));
    repo_bind(s, 9, ta_str(node->health));
    repo_bind(s, 10, node->health_metrics);
    return repo_finish(r, s, err);
}

int ta_repository_report_nodes(struct ta_repository *r, struct ta_str cluster, int64_t at_s,
                               const struct ta_node_report *nodes, size_t n, struct ta_err *err)
{
    int e = ta_sql_begin(&r->sql, err);

    if (e < 0)
        return e;
    for (size_t i = 0; i < n && e >= 0; i++) {
        e = make_node(r, cluster, &nodes[i], err);
        if (e >= 0)
            e = report_node(r, cluster, at_s, &nodes[i], err);
    }
    return repo_end(r, e, err);
}
