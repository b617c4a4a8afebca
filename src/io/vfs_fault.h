/* vfs_fault.h - a file system around another one whose n-th call fails.
 *
 * A test runs the same work with n = 0, 1, 2 ... until a run meets no failure. Calls are counted
 * only when their kind is in `kinds`; the hook comes before every call that is counted, so that a
 * test can kill the process or cut the power at each of them. Any thread may call; what a test sets
 * between calls it sets while no other thread calls, or in the hook.
 */
#ifndef TARN_IO_VFS_FAULT_H
#define TARN_IO_VFS_FAULT_H

#include "io/vfs.h"

#include <pthread.h>

enum ta_fault_kind {
    TA_FAULT_OPEN = 1,
    TA_FAULT_READ = 2,
    TA_FAULT_WRITE = 4, /* writes, truncations and reservations */
    TA_FAULT_SYNC = 8,
    TA_FAULT_CLOSE = 16,
    TA_FAULT_LOCK = 32,
    TA_FAULT_NAME = 64, /* rename, unlink, mkdir, rmdir */
    TA_FAULT_SYNC_DIR = 128,
    TA_FAULT_LOOK = 256, /* stat, size, listing, space */
    TA_FAULT_ALL = 511
};

struct ta_vfs_fault {
    struct ta_vfs vfs; /* hand &f.vfs to the code under test; must stay first */
    struct ta_vfs *inner;
    struct ta_alloc *alloc;
    unsigned kinds; /* of enum ta_fault_kind */
    int64_t left;   /* counted calls before the failing one; < 0 = none fails */
    int sys;        /* errno of the failure; 0 = the read or write is cut short (at least 1 byte),
                     * other calls pass */
    bool for_good;  /* all later calls fail as well */
    bool hit;       /* a call failed or was cut */
    uint64_t calls; /* counted so far */
    void (*hook)(struct ta_vfs_fault *f, enum ta_fault_kind kind); /* may be NULL; under the lock */
    void *hook_data;
    pthread_mutex_t lock; /* guards left, sys, for_good, hit and calls while calls are made */
};

/* Fails nothing until `left` and `sys` are set. Borrows both; nothing to free. A failing close
 * closes the inner file all the same. */
void ta_vfs_fault_init(struct ta_vfs_fault *f, struct ta_vfs *inner, struct ta_alloc *alloc);

/* Counts a call that does nothing (of kind TA_FAULT_LOOK): for the hook, the moment between two calls. */
void ta_vfs_fault_pass(struct ta_vfs_fault *f);

#endif
