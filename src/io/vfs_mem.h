/* vfs_mem.h - a file system in memory that can lose power.
 *
 * What is not synced is at risk, as on a disk: at a power cut every 512-byte sector of a file that
 * differs from its last sync is old or new, each by itself; the size is the old or the new one;
 * every unsynced create, rename, unlink, mkdir and rmdir happened or did not, each by itself (a
 * rename as a whole). A seed decides. sync covers a file's bytes and size, sync_dir the entries of
 * that directory; a file's sync does not make its name durable.
 *
 * For tests: lists are searched from end to end. Any thread may use it. Locks belong to open
 * files and end with them, with a kill and with a power cut.
 */
#ifndef TARN_IO_VFS_MEM_H
#define TARN_IO_VFS_MEM_H

#include "io/vfs.h"

#include <pthread.h>

struct ta_mem_inode;
struct ta_mem_entry;

struct ta_mem_entries {
    struct ta_mem_entry *at;
    size_t n, cap;
    uint64_t last; /* serial number given */
};

struct ta_vfs_mem {
    struct ta_vfs vfs; /* hand &m.vfs to the code under test; must stay first */
    struct ta_alloc *alloc;
    uint64_t capacity; /* bytes of all files; 0 = no limit. May be set at any time */
    size_t inodes_max; /* files and directories; 0 = no limit */
    bool read_only;    /* changes fail with EROFS */

    pthread_mutex_t lock;
    unsigned life; /* files opened in an earlier one are dead */
    int64_t ticks; /* the time of the last change: one nanosecond each */
    uint64_t groups;
    struct ta_mem_inode *inodes;
    size_t n_inodes, cap_inodes;
    struct ta_mem_entries live, durable, pending;
};

/* Borrows alloc. TA_ENOMEM. */
int ta_vfs_mem_init(struct ta_vfs_mem *m, struct ta_alloc *alloc);
/* All files and directories must be closed. Fine on a zeroed struct. */
void ta_vfs_mem_done(struct ta_vfs_mem *m);

/* The process dies, the machine does not: nothing is lost, open files only answer EIO (they must
 * still be closed), locks are free. */
void ta_vfs_mem_kill(struct ta_vfs_mem *m);

/* The machine dies as well: what was not synced is lost, torn and mixed as `seed` says. */
void ta_vfs_mem_power_cut(struct ta_vfs_mem *m, uint64_t seed);

/* A second file system in the same state (without the open files), so that one moment can be cut
 * with many seeds. `out` is not initialised yet. TA_ENOMEM. */
int ta_vfs_mem_copy(struct ta_vfs_mem *out, struct ta_vfs_mem *from);

#endif
