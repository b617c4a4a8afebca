/* backend_reencoded.h - another backend's jobs, each document as the reference would write it anew.
 *
 * (spec: job-archive 3, 4, 5, 12.1) What the reference's import stores is not what it read but what it made of it: known
 * members in its order, data with two decimals, metadata with what may not be missing. Reading through this
 * backend gives those documents, whatever program wrote the archive. It only reads: writing is TA_ESTATE.
 *
 * Memory: a metadata document and its model (2 x TA_BACKEND_META_MAX at most), what data_reencode.h and
 * data_spool.h say; the data go through two files of `vfs`.
 */
#ifndef TARN_JOBS_BACKEND_REENCODED_H
#define TARN_JOBS_BACKEND_REENCODED_H

#include "jobs/backend.h"

/* Borrows inner, vfs and alloc; closing it does not close inner. `path`.plain and `path`.packed are the two files; nobody
 * else may use them, and they are gone after the close. */
int ta_backend_open_reencoded(struct ta_backend **out, struct ta_backend *inner, struct ta_vfs *vfs,
                              const char *path, struct ta_alloc *alloc, struct ta_err *err);

#endif
