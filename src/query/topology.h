/* topology.h - the hardware threads, cores, memory domains and sockets of a node, and who holds
 * whom.
 *
 * Ids are 0 to 65,535; the id of a core, domain or socket is its place in the list. Lookups give
 * ids in ascending order, each once. Lists are borrowed from whoever made the topology (cluster.h);
 * results live in the caller's arena. (spec: scope-queries 1)
 */
#ifndef TARN_QUERY_TOPOLOGY_H
#define TARN_QUERY_TOPOLOGY_H

#include "base/arena.h"
#include "query/decode.h"

/* Threads of each core, domain or socket. */
struct ta_groups {
    const struct ta_int_list *at;
    size_t n;
};

struct ta_topology {
    struct ta_int_list node; /* all threads */
    struct ta_groups cores, domains, sockets;
    struct ta_str_list accelerators; /* their ids, in the order of the file */
};

/* The groups that hold at least one of the threads. TA_ENOMEM. */
int ta_topology_groups_of(const struct ta_groups *groups, const struct ta_int_list *threads,
                          struct ta_arena *arena, struct ta_int_list *out);

#endif
