/* inspect.h - the kinds of file that `tarn inspect` knows: one row each, one file each (inspect_<kind>.c). */
#ifndef TARN_APP_INSPECT_H
#define TARN_APP_INSPECT_H

#include "base/alloc.h"
#include "io/json_write.h"
#include "io/vfs.h"

#include <stdbool.h>

enum { TA_INSPECT_HEAD = 64 };

struct ta_inspect_kind {
    const char *name; /* "parquet" */
    /* Could a file with these first n bytes (n <= TA_INSPECT_HEAD) and this name be of the kind? */
    bool (*matches)(const char *path, const unsigned char *head, size_t n);
    /* Describes the file in an object that is open already: only members are put. Damage is a member, too
     * ("damage": text with the offset), and TA_EFORMAT is returned after everything else was told. */
    int (*describe)(struct ta_file *file, struct ta_json_writer *out, struct ta_alloc *alloc,
                    struct ta_err *err);
};

extern const struct ta_inspect_kind ta_inspect_parquet;
extern const struct ta_inspect_kind ta_inspect_snapshot;   /* inspect_persist.c, as those below */
extern const struct ta_inspect_kind ta_inspect_checkpoint; /* .json */
extern const struct ta_inspect_kind ta_inspect_ref_wal;
extern const struct ta_inspect_kind ta_inspect_log;

#endif
