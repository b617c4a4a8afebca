/* moved_rows.h - which rows of the job database stand in an exported file: what may be deleted once the file
 * is published, no more and no less.
 *
 *   STATE/moved.ids     { id int64, time_stamp int64 }*, little endian, in the order of the file's rows
 *   STATE/moved.record  "tarn moved rows 1\n" name "\n" rows "\n" XXH64 of moved.ids, hexadecimal "\n"
 *
 * The record's appearance decides: before it, the export never was; from then on publishing and deleting are done
 * again from the beginning as often as needed, after any crash. Both columns must fit a row that is deleted, since
 * SQLite gives an id anew when its row is gone.
 *
 * Memory: one buffer of 64 KiB.
 */
#ifndef TARN_JOBS_MOVED_ROWS_H
#define TARN_JOBS_MOVED_ROWS_H

#include "io/vfs.h"
#include "jobs/export_file.h"

struct ta_moved_row {
    int64_t id, time_s;
};

struct ta_moved_rows {
    struct ta_vfs *vfs;
    struct ta_alloc *alloc;
    const char *state;
    struct ta_file *file; /* moved.ids */
    struct ta_file_sink sink;
    struct ta_file_source source;
    unsigned char *buf;
    size_t at, len; /* reading: of buf */
    uint64_t rows;  /* writing: so far; reading: all */
    uint64_t given; /* reading: so far */
    uint64_t hash;
    char name[TA_EXPORT_NAME]; /* of the published file */
};

/* Begins an empty list. Borrows all. On failure, and always at the end: done. */
int ta_moved_rows_begin(struct ta_moved_rows *m, struct ta_vfs *vfs, const char *state,
                        struct ta_alloc *alloc, struct ta_err *err);
int ta_moved_rows_add(struct ta_moved_rows *m, struct ta_moved_row row, struct ta_err *err);
/* The list is complete and durable. */
int ta_moved_rows_seal(struct ta_moved_rows *m, struct ta_err *err);
/* Writes the record of a sealed or opened list, in place of one that is there: the file is going to be `name`. */
int ta_moved_rows_commit(struct ta_moved_rows *m, const char *name, struct ta_err *err);

/* Publishes the temporary file of the export under the recorded name. If somebody else has that, the next free one is
 * recorded and taken; *number as in ta_export_name. */
int ta_moved_rows_publish(struct ta_moved_rows *m, const struct ta_export_conf *conf,
                          unsigned *number, struct ta_err *err);

/* Opens what an earlier run left: 1 = there is a record and its list is whole, 0 = there is none. TA_EFORMAT: the
 * list is not the one of the record. */
int ta_moved_rows_open(struct ta_moved_rows *m, struct ta_vfs *vfs, const char *state,
                       struct ta_alloc *alloc, struct ta_err *err);
/* After open: 1 = the file is published, now if not before; the listed rows go. 0 = it was, and is there no more: the
 * rows stay, to be exported again, and the list is to be forgotten. */
int ta_moved_rows_settle(struct ta_moved_rows *m, const struct ta_export_conf *conf,
                         unsigned *number, struct ta_err *err);
/* After open or rewind: 1 = *out filled, 0 = end. */
int ta_moved_rows_next(struct ta_moved_rows *m, struct ta_moved_row *out, struct ta_err *err);
/* From the first row on, also after seal. */
int ta_moved_rows_rewind(struct ta_moved_rows *m);

/* All is done: the record goes, then the list. */
int ta_moved_rows_forget(struct ta_moved_rows *m, struct ta_err *err);
void ta_moved_rows_done(struct ta_moved_rows *m); /* fine on a zeroed struct */

#endif
