/* load_plan.h - at which scopes the metrics of a finished job are archived.
 *
 * (spec: archiver 2.2, 2.3) Node scope always; core scope for jobs of few nodes; accelerators for
 * jobs that had any. A metric measured coarser than that comes at its own scope.
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

#endif
