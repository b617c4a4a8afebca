/* load_plan.c - see load_plan.h. */
#include "jobs/load_plan.h"

/* Accelerators have no cores and threads to be asked at. (spec: scope-queries 2) */
static bool can_be_had(enum ta_scope native, enum ta_scope at)
{
    return native != TA_SCOPE_ACCELERATOR || at == TA_SCOPE_ACCELERATOR || at == TA_SCOPE_NODE;
}

size_t ta_load_add_scope(enum ta_scope *out, size_t n, enum ta_scope scope)
{
    size_t at = 0;

    for (; at < n && strcmp(ta_scope_name(out[at]), ta_scope_name(scope)) <= 0; at++)
        if (out[at] == scope)
            return n;
    memmove(out + at + 1, out + at, (n - at) * sizeof(*out));
    out[at] = scope;
    return n + 1;
}

size_t ta_load_scopes(const struct ta_cluster_metric *metric, struct ta_str subcluster,
                      int64_t n_nodes, int64_t n_accelerators, const struct ta_load_rules *rules,
                      enum ta_scope out[TA_LOAD_SCOPES_MAX])
{
    bool is_of_accelerator = metric->scope == TA_SCOPE_ACCELERATOR;
    const struct {
        enum ta_scope scope;
        bool is_wanted;
    } asked[] = {
        {TA_SCOPE_NODE, true},
        {TA_SCOPE_CORE, n_nodes <= rules->core_nodes_max},
        {TA_SCOPE_ACCELERATOR, n_accelerators > 0 && (is_of_accelerator || rules->is_compat)},
    };
    size_t n = 0;

    if (!ta_cluster_has(metric, subcluster) || (is_of_accelerator && n_accelerators == 0))
        return 0;
    for (size_t i = 0; i < TA_COUNT(asked); i++) {
        enum ta_scope at = ta_scope_max(metric->scope, asked[i].scope);

        if (asked[i].is_wanted && can_be_had(metric->scope, at))
            n = ta_load_add_scope(out, n, at);
    }
    return n;
}

bool ta_load_is_summed(struct ta_str metric)
{
    return ta_str_is(metric, "flops_any") || ta_str_is(metric, "mem_bw");
}

size_t ta_load_asked_scopes(const struct ta_cluster_metric *metric, struct ta_str subcluster,
                            int64_t n_accelerators, unsigned asked,
                            enum ta_scope out[TA_LOAD_SCOPES_MAX])
{
    bool is_of_accelerator = metric->scope == TA_SCOPE_ACCELERATOR;
    size_t n = 0;

    if (!ta_cluster_has(metric, subcluster) || (is_of_accelerator && n_accelerators == 0))
        return 0;
    for (enum ta_scope s = TA_SCOPE_ACCELERATOR; s <= TA_SCOPE_NODE; s++) {
        enum ta_scope at = ta_scope_max(metric->scope, s);

        if ((asked & TA_SCOPE_BIT(s)) && can_be_had(metric->scope, at))
            n = ta_load_add_scope(out, n, at);
    }
    bool has_none = n == 0;
    if (has_none)
        n = ta_load_add_scope(out, n, metric->scope);
    return has_none || ta_load_is_summed(metric->name) ? ta_load_add_scope(out, n, TA_SCOPE_NODE)
                                                       : n;
}

int64_t ta_load_resolution(int64_t want_s, int64_t timestep_s)
{
    return timestep_s > 0 && want_s > timestep_s && want_s % timestep_s == 0 ? want_s : 0;
}
