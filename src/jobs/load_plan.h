/* load_plan.h - at which scopes the metrics of a job are read.
 *
 * (spec: archiver 2.2, 2.3) For the archive: node scope always; core scope for jobs of few nodes;
 * accelerators for jobs that had any. For somebody who asks: the scopes asked for. A metric measured
 * coarser than that comes at its own scope.
 */
#ifndef TARN_JOBS_LOAD_PLAN_H
#define TARN_JOBS_LOAD_PLAN_H

#include "query/cluster.h"

enum { TA_LOAD_SCOPES_MAX = 6 };

struct ta_load_rules {
    int64_t core_nodes_max; /* jobs of at most so many nodes get core scope; the reference's is 8 */
    /* As the reference, where asking for accelerators brings the metrics of processors at their
     * native scope too: threads of any GPU job, and more than node scope for one of many nodes. */
    bool is_compat;
};

/* The scopes of a metric, in the order of their names (as in the archive), into out. Returns how
 * many; 0: the metric has none for this job. */
size_t ta_load_scopes(const struct ta_cluster_metric *metric, struct ta_str subcluster,
                      int64_t n_nodes, int64_t n_accelerators, const struct ta_load_rules *rules,
                      enum ta_scope out[TA_LOAD_SCOPES_MAX]);

/* A set of scopes. */
#define TA_SCOPE_BIT(scope) (1U << (scope))

/* The same for the scopes of the set `asked`. When the metric has none of them: node scope and its own. */
size_t ta_load_asked_scopes(const struct ta_cluster_metric *metric, struct ta_str subcluster,
                            int64_t n_accelerators, unsigned asked,
                            enum ta_scope out[TA_LOAD_SCOPES_MAX]);

/* Job lists need it at node scope: it is given there, whatever is asked for, summed up from a finer one
 * where the node's own cannot be had. */
bool ta_load_is_summed(struct ta_str metric);

/* Adds a scope in the order of names, once; returns how many there are. */
size_t ta_load_add_scope(enum ta_scope *out, size_t n, enum ta_scope scope);

/* The resolution for a metric of that time step when `want_s` is asked for all: 0, as it is stored, where it
 * would be finer or no multiple. */
int64_t ta_load_resolution(int64_t want_s, int64_t timestep_s);

#endif
