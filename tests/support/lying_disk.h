/* lying_disk.h - defects to plant in a simulated disk: a test that loses nothing on it proves nothing. */
#ifndef TARN_TESTS_LYING_DISK_H
#define TARN_TESTS_LYING_DISK_H

#include "io/vfs_mem.h"

enum lie {
    LIE_NONE,
    LIE_SYNC,    /* sync of a file does nothing */
    LIE_SYNC_DIR /* sync of a directory does nothing */
};

/* For the whole process: one kind of lie at a time. */
void lying_disk(struct ta_vfs_mem *m, enum lie lie);

#endif
