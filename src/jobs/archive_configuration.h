/* archive_configuration.h - a cluster's configuration goes into the archive before its first job does.
 *
 * (spec: job-archive 2) An archive with jobs of a cluster and without its cluster.json is one that the reference
 * does not start on.
 */
#ifndef TARN_JOBS_ARCHIVE_CONFIGURATION_H
#define TARN_JOBS_ARCHIVE_CONFIGURATION_H

#include "jobs/backend.h"

#include <pthread.h>

/* The configuration files of some clusters, in their order, for the workers of one archive. */
struct ta_archive_configurations {
    const char *const *paths; /* NULL: the archive is where the clusters came from */
    struct ta_vfs *vfs;
    pthread_mutex_t *lock; /* held while one is looked for and put */
    bool *is_there;        /* of each, whether it is known to be in the archive */
};

/* Puts file i into an archive that has no configuration of the cluster; one that is there stays as it is whatever
 * the file says. The archive is asked once: nobody takes it out meanwhile. Memory: the document. Errors name the
 * cluster. */
int ta_archive_put_configuration(const struct ta_archive_configurations *c, size_t i,
                                 struct ta_backend *b, struct ta_str cluster,
                                 struct ta_alloc *alloc, struct ta_err *err);

#endif
