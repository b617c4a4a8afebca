/* export_file.h - one Parquet file that leaves the job database or a job archive: written under a temporary
 * name, synced, read back and compared, then published under a name that nobody has.
 *
 *   <under><prefix>-<date>-<NNN>.parquet        (spec: job-archive 8, 9)
 *
 * NNN is the first free number from 001 on: two runs of one day never meet in one file. Until the publication
 * nobody sees the file, and what it was made of must stay.
 *
 * Memory: the Parquet writer's while it is written, the reader's while it is verified, never both.
 */
#ifndef TARN_JOBS_EXPORT_FILE_H
#define TARN_JOBS_EXPORT_FILE_H

#include "archive/place.h"
#include "parquet/writer.h"

enum { TA_EXPORT_PATH = 4096, TA_EXPORT_NAME = 512 };

struct ta_export_conf {
    struct ta_vfs *vfs;
    struct ta_alloc *alloc;
    struct ta_arc_place *place;
    const char
        *state; /* directory of the temporary file; on the file system of a directory's place */
    const char *under;  /* "" or "CLUSTER/": checked to be one component before */
    const char *prefix; /* "cc-archive" */
    const char *date;   /* "2026-11-28": the local day of the run's begin */
    unsigned file_mode; /* 0 = 0640 */
    const struct ta_pq_schema *schema;
    struct ta_pq_options parquet; /* with_digests is set here */
    size_t page_max;              /* largest page when reading back; 0 = the reader's */
};

struct ta_export_file {
    const struct ta_export_conf *conf;
    char path[TA_EXPORT_PATH]; /* of the temporary file */
    struct ta_file *file;
    struct ta_file_sink sink;
    struct ta_pq_writer *writer; /* rows go in here, until finish */
    uint64_t rows, bytes;        /* after finish */
    bool is_there;               /* the temporary file exists */
};

/* Path of the temporary file of this state directory. */
int ta_export_path(char out[static TA_EXPORT_PATH], const char *state, struct ta_err *err);
/* Begins the temporary file; what an earlier run left under its name is gone. Borrows conf. On failure: end. */
int ta_export_begin(struct ta_export_file *f, const struct ta_export_conf *conf,
                    struct ta_err *err);
/* Footer, sync, reading back, comparison. Afterwards the file is closed and complete. */
int ta_export_finish(struct ta_export_file *f, struct ta_err *err);

/* A name that is free now; *number is the last one tried and is counted up. */
int ta_export_name(const struct ta_export_conf *conf, unsigned *number,
                   char out[static TA_EXPORT_NAME], struct ta_err *err);
/* Publishes a finished file under a free name, which out_name tells. */
int ta_export_publish(struct ta_export_file *f, unsigned *number,
                      char out_name[static TA_EXPORT_NAME], struct ta_err *err);
/* Frees everything; a temporary file that was not published is removed. Fine on a zeroed struct. */
void ta_export_end(struct ta_export_file *f);

#endif
