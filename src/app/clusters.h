/* clusters.h - the cluster.json files that the configuration names, read at the start. */
#ifndef TARN_APP_CLUSTERS_H
#define TARN_APP_CLUSTERS_H

#include "app/conf.h"
#include "query/cluster.h"

struct ta_clusters {
    const struct ta_cluster **at;
    size_t n, cap;
    struct ta_alloc *alloc;
};

/* A file that cannot be read or used is an error that names it. Free in any case with done. */
int ta_clusters_load(struct ta_clusters *c, const struct ta_config *config, struct ta_vfs *vfs,
                     struct ta_alloc *alloc, struct ta_err *err);
void ta_clusters_done(struct ta_clusters *c); /* fine on a zeroed struct */

#endif
