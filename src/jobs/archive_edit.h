/* archive_edit.h - what was changed of an archived job in the database, into its metadata document.
 *
 * (spec: archiver, weakness 7; job-archive, W3) Tags are what the database says, metadata too; a key of the
 * metadata that only the archive has stays there. Every other member keeps its bytes, also one that this
 * program does not know. The document is replaced in one step (backend.h): a reader sees the old or the new
 * one.
 *
 * Memory: the document twice, its metadata decoded, and 64 KiB; at most TA_BACKEND_META_MAX for each.
 */
#ifndef TARN_JOBS_ARCHIVE_EDIT_H
#define TARN_JOBS_ARCHIVE_EDIT_H

#include "jobs/backend.h"
#include "jobs/job.h"

/* 1 = written, 0 = the archive says so already. Of `job` only its address, tags and metadata count. The arena
 * holds what is decoded. TA_ENOTFOUND: the archive does not have it; TA_EFORMAT: its document is damaged;
 * errors of the backend. */
int ta_archive_edit(struct ta_backend *b, const struct ta_job *job, struct ta_arena *arena,
                    struct ta_alloc *alloc, struct ta_err *err);

#endif
