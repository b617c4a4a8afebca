/* cluster_document.h - the configuration of a cluster, read and written as the reference writes it.
 *
 * (spec: job-archive 5) Members in its order, with the values that are missing: numbers 0, words "", switches
 * false; footprints, overrides and accelerators are left out when there are none. Lists that are missing are empty.
 *
 * Memory: the configuration in an arena of at most 32 MiB.
 */
#ifndef TARN_JOBS_CLUSTER_DOCUMENT_H
#define TARN_JOBS_CLUSTER_DOCUMENT_H

#include "base/alloc.h"
#include "io/stream.h"

/* Replaces the content of `out`. TA_EFORMAT: no configuration; TA_ERANGE past a limit of size; TA_ENOMEM. */
int ta_cluster_document_write(struct ta_source *src, struct ta_buf *out, struct ta_alloc *alloc,
                              struct ta_err *err);

#endif
