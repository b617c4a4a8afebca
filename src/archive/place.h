/* place.h - where finished archive files go: a directory, or a bucket (place_s3.h).
 *
 * A file is finished, synced and verified under a temporary name in the state directory; publishing gives it
 * its name in one step, and never replaces anything.
 */
#ifndef TARN_ARCHIVE_PLACE_H
#define TARN_ARCHIVE_PLACE_H

#include "io/vfs.h"

#include <stdbool.h>

struct ta_arc_place {
    /* 1 = there is something of this name ("<cluster>/<t>.parquet"), 0 = there is not. */
    int (*exists)(struct ta_arc_place *self, const char *name, struct ta_err *err);
    /* The file at `path` becomes durable under `name`; afterwards `path` is gone. TA_EEXIST when the name is
     * taken, `path` is then left as it was. */
    int (*publish)(struct ta_arc_place *self, const char *path, const char *name,
                   struct ta_err *err);
};

/* A directory, on the same file system as the state directory. */
struct ta_arc_place_dir {
    struct ta_arc_place place;
    struct ta_vfs *vfs;
    const char *dir;
    unsigned dir_mode;
};

/* Borrows vfs and dir. */
void ta_arc_place_dir_init(struct ta_arc_place_dir *p, struct ta_vfs *vfs, const char *dir,
                           unsigned dir_mode);

#endif
