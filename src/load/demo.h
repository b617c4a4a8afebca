/* demo.h - a small cluster that looks alive: 32 nodes, jobs that come and go, quiet nights.
 *
 * Deterministic and random access by (host, time), as fleet.h. Nodes d001-d024 have two sockets and 32
 * hardware threads, d025-d032 have four accelerators besides. Jobs run on blocks of 1 to 8 nodes; what a
 * node measures follows from the job on it: its kind, its nodes, how long it has been running.
 */
#ifndef TARN_LOAD_DEMO_H
#define TARN_LOAD_DEMO_H

#include "load/layout.h"

#include <stdbool.h>

enum { TA_DEMO_HOSTS = 32, TA_DEMO_CPU_HOSTS = 24 };

/* What a job does with a node. */
enum ta_demo_profile {
    TA_DEMO_COMPUTE,  /* steady floating point */
    TA_DEMO_MEMORY,   /* bandwidth-bound */
    TA_DEMO_PERIODIC, /* phases of some minutes */
    TA_DEMO_IO,       /* writes a checkpoint every half hour */
    TA_DEMO_LEAK,     /* takes more and more memory */
    TA_DEMO_ONE_CORE, /* uses one thread of each node: the job that support wants to find */
    TA_DEMO_N_PROFILES
};

struct ta_demo_job {
    uint64_t id; /* unique, grows with time */
    int64_t start_s, end_s;
    uint32_t first_host, n_hosts;
    enum ta_demo_profile profile;
};

struct ta_demo {
    struct ta_load_layout cpu, accelerated;
    const char *cluster;
    uint64_t seed;
};

/* `cluster` NULL = "demo"; borrowed for the demo's life. */
int ta_demo_init(struct ta_demo *d, struct ta_alloc *alloc, const char *cluster, uint64_t seed,
                 struct ta_err *err);
void ta_demo_done(struct ta_demo *d); /* fine on a zeroed struct */

/* "d001" for host 0; room for 16 bytes. host < TA_DEMO_HOSTS. */
struct ta_str ta_demo_host(uint32_t host, char *room);
const struct ta_load_layout *ta_demo_layout(const struct ta_demo *d, uint32_t host);

/* The job on that node at that time; false: idle. */
bool ta_demo_job_at(const struct ta_demo *d, uint32_t host, int64_t t_s, struct ta_demo_job *out);

/* out[i] = what column i of the host's layout measures at t_s. */
void ta_demo_values(const struct ta_demo *d, uint32_t host, int64_t t_s, double *out);
/* The batch that the host posts at t_s, added to `out`; `values` is scratch for 300 numbers. */
enum { TA_DEMO_COLUMNS_MAX = 300 };
int ta_demo_post(const struct ta_demo *d, uint32_t host, int64_t t_s, double *values,
                 struct ta_buf *out);

/* The store's metric table: {"cpu_load":{"frequency":60,"aggregation":"avg"},...}. */
int ta_demo_metrics_json(const struct ta_demo *d, int64_t frequency_s, struct ta_buf *out);
/* The cluster's description in the form of the job archive's cluster.json, topology included. */
int ta_demo_cluster_json(const struct ta_demo *d, int64_t frequency_s, struct ta_buf *out);

#endif
