/* vfs_mem_int.h - what vfs_mem.c (calls) and vfs_mem_state.c (bytes, entries, crashes) share. */
#ifndef TARN_IO_VFS_MEM_INT_H
#define TARN_IO_VFS_MEM_INT_H

#include "io/vfs_mem.h"

enum { MEM_NONE, MEM_ROOT, MEM_NAME = 256 };

struct ta_mem_bytes {
    unsigned char *at; /* zeros from size to cap */
    size_t size, cap;
};

struct ta_mem_inode {
    enum ta_file_kind kind;
    bool in_use;
    unsigned opens;
    const void *lock_owner;
    int64_t mtime_ns;
    struct ta_mem_bytes now, synced; /* of one cap, so that no sync or crash needs memory */
    size_t dirty_from, dirty_to;     /* where the two may differ */
};

struct ta_mem_entry {
    size_t dir, inode; /* inode MEM_NONE, in `pending`: the name is gone */
    uint64_t group;    /* in `pending`: entries of one operation */
    uint64_t serial;   /* in `live`: ascending; a listing goes on behind the last one it gave */
    bool done;         /* in `pending`: durable or overtaken */
    char name[MEM_NAME];
};

/* All return TA_OK or TA_ENOMEM and change nothing on failure. */
int ta_mem_resize_file(struct ta_vfs_mem *m, struct ta_mem_inode *i, size_t size);
int ta_mem_new_inode(struct ta_vfs_mem *m, enum ta_file_kind kind, size_t *out);
/* Room in all lists for one operation on up to two names, and for a crash after it. */
int ta_mem_reserve_change(struct ta_vfs_mem *m);

/* Index in e->at, or e->n. */
size_t ta_mem_find(const struct ta_mem_entries *e, size_t dir, const char *name);
/* Sets or (inode MEM_NONE) removes a name in a list that has room. */
void ta_mem_set(struct ta_mem_entries *e, size_t dir, const char *name, size_t inode);

/* Frees inodes that nothing refers to any more. */
void ta_mem_collect(struct ta_vfs_mem *m);
/* The bytes of files that can still be reached. */
uint64_t ta_mem_used(struct ta_vfs_mem *m);
size_t ta_mem_inodes_used(struct ta_vfs_mem *m);

void ta_mem_sync_file(struct ta_mem_inode *i);
void ta_mem_sync_dir(struct ta_vfs_mem *m, size_t dir);

#endif
