/* scope_query.h - "metric M of these threads at scope S" as queries to the store.
 *
 * A metric is measured at its native scope; asked for at a coarser one, the finer series are
 * aggregated by the store; asked for at a finer one, it comes at its native scope. (spec:
 * scope-queries 2)
 *
 * Deviations (weaknesses 1 and 3): core to socket names the cores of the socket, not its threads;
 * hwthread and core to memoryDomain work.
 */
#ifndef TARN_QUERY_SCOPE_QUERY_H
#define TARN_QUERY_SCOPE_QUERY_H

#include "query/scope.h"
#include "query/topology.h"

/* One query. Ids are decimal, or accelerator addresses. */
struct ta_scope_query {
    const char *type; /* NULL: the node itself */
    struct ta_str_list ids;
    bool is_aggregated;
};

struct ta_scope_queries {
    const struct ta_scope_query *at;
    size_t n; /* 0: nothing to ask for, skip */
    enum ta_scope scope;
};

/* `threads` and `accelerators`: those of the job on this node. Results live in the arena. TA_EINVAL
 * for a scope that is invalid, TA_ENOMEM. */
int ta_scope_queries(enum ta_scope native, enum ta_scope wanted, const struct ta_topology *topology,
                     const struct ta_int_list *threads, const struct ta_str_list *accelerators,
                     struct ta_arena *arena, struct ta_scope_queries *out);

#endif
