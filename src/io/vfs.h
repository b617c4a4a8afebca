/* vfs.h - files as an object.
 *
 * Everything that touches a file system goes through a `struct ta_vfs`. Implementations:
 *   ta_vfs_posix     the real one (vfs_posix.c)
 *   ta_vfs_mem       in memory; can lose, tear and reorder what was not synced, directory
 *                    entries included, as a disk does on power loss (vfs_mem.h)
 *   ta_vfs_fault     around another one: the n-th call fails with a chosen error, once or for
 *                    good, or is cut short (vfs_fault.h)
 *
 * The operations in the struct are the raw ones: a read or write may be short and may fail with
 * EINTR (err->sys == EINTR). Callers use the wrappers below them, which loop. Paths are
 * NUL-terminated, relative to the working directory or absolute. Any thread may use a vfs;
 * one file is used by one thread at a time, except pread, which any number may call at once.
 *
 * Errors: TA_EIO with err->sys = errno; TA_ENOTFOUND for ENOENT, TA_EEXIST for EEXIST,
 * TA_ENOMEM. Texts name the path and the operation.
 */
#ifndef TARN_IO_VFS_H
#define TARN_IO_VFS_H

#include "base/alloc.h"
#include "base/err.h"
#include "io/stream.h"

#include <stdbool.h>
#include <stdint.h>

enum ta_open {
    TA_OPEN_READ = 1,
    TA_OPEN_WRITE = 2,
    TA_OPEN_CREATE = 4,    /* create if missing */
    TA_OPEN_EXCLUSIVE = 8, /* with CREATE: fail with TA_EEXIST if there */
    TA_OPEN_TRUNCATE = 16,
    TA_OPEN_NOFOLLOW = 32 /* refuse a symbolic link as the last component */
};

enum ta_file_kind { TA_KIND_FILE, TA_KIND_DIR, TA_KIND_OTHER };

struct ta_stat {
    enum ta_file_kind kind;
    uint64_t size;    /* bytes */
    int64_t mtime_ns; /* Unix time */
};

struct ta_space {
    uint64_t free_bytes, total_bytes; /* free to an unprivileged writer */
    uint64_t free_inodes;
    bool is_network; /* NFS, CIFS, Lustre, ...: locks and syncs cannot be trusted as on a disk */
};

struct ta_file;

struct ta_file_ops {
    /* Bytes read, 0 at the end of the file. */
    int64_t (*pread)(struct ta_file *f, void *buf, size_t n, uint64_t at, struct ta_err *err);
    /* Bytes written, >= 1 for n >= 1. */
    int64_t (*pwrite)(struct ta_file *f, const void *buf, size_t n, uint64_t at,
                      struct ta_err *err);
    /* Data and the size that is needed to read it back are durable (fdatasync). After a failure
     * never trust a later success on the same file: see architecture, "Durability". */
    int (*sync)(struct ta_file *f, struct ta_err *err);
    int (*truncate)(struct ta_file *f, uint64_t size, struct ta_err *err);
    /* Disk blocks for [0, size) are reserved; the size is unchanged. May be unsupported: then
     * TA_OK and nothing happens. */
    int (*reserve)(struct ta_file *f, uint64_t size, struct ta_err *err);
    int (*size)(struct ta_file *f, uint64_t *out, struct ta_err *err);
    /* Exclusive advisory lock of the whole file, held until close; TA_ESTATE when another
     * process holds it. */
    int (*lock)(struct ta_file *f, struct ta_err *err);
    /* Frees f in any case. */
    int (*close)(struct ta_file *f, struct ta_err *err);
};

struct ta_file {
    const struct ta_file_ops *ops;
};

struct ta_dir;

struct ta_dirent {
    const char *name; /* borrowed until the next call; never "." or ".." */
    enum ta_file_kind kind;
};

struct ta_dir_ops {
    /* 1 = *out filled, 0 = end. Order unspecified. */
    int (*next)(struct ta_dir *d, struct ta_dirent *out, struct ta_err *err);
    void (*close)(struct ta_dir *d);
};

struct ta_dir {
    const struct ta_dir_ops *ops;
};

struct ta_vfs {
    /* `flags` of enum ta_open; `mode` as in open(2), used when created. */
    int (*open)(struct ta_vfs *v, const char *path, unsigned flags, unsigned mode,
                struct ta_file **out, struct ta_err *err);
    int (*open_dir)(struct ta_vfs *v, const char *path, struct ta_dir **out, struct ta_err *err);
    int (*stat)(struct ta_vfs *v, const char *path, struct ta_stat *out, struct ta_err *err);
    /* Replaces `to` atomically if it exists. */
    int (*rename)(struct ta_vfs *v, const char *from, const char *to, struct ta_err *err);
    /* TA_EEXIST if `to` exists; nothing is replaced. */
    int (*rename_new)(struct ta_vfs *v, const char *from, const char *to, struct ta_err *err);
    int (*unlink)(struct ta_vfs *v, const char *path, struct ta_err *err);
    int (*mkdir)(struct ta_vfs *v, const char *path, unsigned mode, struct ta_err *err);
    int (*rmdir)(struct ta_vfs *v, const char *path, struct ta_err *err);
    /* Entries created, renamed and removed in this directory are durable. */
    int (*sync_dir)(struct ta_vfs *v, const char *path, struct ta_err *err);
    int (*space)(struct ta_vfs *v, const char *path, struct ta_space *out, struct ta_err *err);
};

/* The real file system. Stateless, static, any thread. */
extern struct ta_vfs ta_vfs_posix;

/* Wrappers: loop over EINTR and short counts. */

static inline int ta_open(struct ta_vfs *v, const char *path, unsigned flags, unsigned mode,
                          struct ta_file **out, struct ta_err *err)
{
    return v->open(v, path, flags, mode, out, err);
}

/* Reads what comes with one call: 1 .. n bytes, 0 at the end of the file. */
int64_t ta_pread_some(struct ta_file *f, void *buf, size_t n, uint64_t at, struct ta_err *err);
/* Reads until n bytes or the end; returns the count. */
int64_t ta_pread_full(struct ta_file *f, void *buf, size_t n, uint64_t at, struct ta_err *err);
int ta_pwrite_full(struct ta_file *f, const void *buf, size_t n, uint64_t at, struct ta_err *err);
int ta_sync(struct ta_file *f, struct ta_err *err);
/* Closes and sets *f to NULL; fine when it is NULL already. */
int ta_close(struct ta_file **f, struct ta_err *err);
/* `path` and its missing parents. The parents of what was created are synced. */
int ta_mkdir_all(struct ta_vfs *v, const char *path, unsigned mode, struct ta_err *err);

/* A file as a source, from offset 0, unbuffered. Borrows the file. */
struct ta_file_source {
    struct ta_source source;
    struct ta_file *file;
    uint64_t at;
};

void ta_file_source_init(struct ta_file_source *s, struct ta_file *f);

/* A file as a sink from offset `at` on, through one buffer of `cap` bytes. Borrows the file and
 * the buffer. Flush before sync and close. */
struct ta_file_sink {
    struct ta_sink sink;
    struct ta_file *file;
    uint64_t at; /* file offset of the first byte in the buffer */
    unsigned char *buf;
    size_t len, cap;
};

void ta_file_sink_init(struct ta_file_sink *s, struct ta_file *f, uint64_t at, void *buf,
                       size_t cap);
int ta_file_sink_flush(struct ta_file_sink *s, struct ta_err *err);

#endif
