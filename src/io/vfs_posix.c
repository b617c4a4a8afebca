/* vfs_posix.c - the real file system.
 *
 * Locks are those of the open file description (OFD): unlike the older record locks they are
 * not lost when some other descriptor of the same file is closed.
 */
#include "base/str.h"
#include "io/vfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

struct posix_file {
    struct ta_file file; /* must stay first */
    int fd;
    size_t size; /* of this struct with its path */
    char path[]; /* for messages */
};

static struct posix_file *as_file(struct ta_file *f)
{
    return TA_CONTAINER(f, struct posix_file, file);
}

static int64_t file_pread(struct ta_file *f, void *buf, size_t n, uint64_t at, struct ta_err *err)
{
    struct posix_file *p = as_file(f);
    ssize_t got = pread(p->fd, buf, n, (off_t)at);

    return got < 0 ? ta_fail_sys(err, "reading %s", p->path) : got;
}

static int64_t file_pwrite(struct ta_file *f, const void *buf, size_t n, uint64_t at,
                           struct ta_err *err)
{
    struct posix_file *p = as_file(f);
    ssize_t put = pwrite(p->fd, buf, n, (off_t)at);

    return put < 0 ? ta_fail_sys(err, "writing %s", p->path) : put;
}

static int file_sync(struct ta_file *f, struct ta_err *err)
{
    struct posix_file *p = as_file(f);

    return fdatasync(p->fd) < 0 ? ta_fail_sys(err, "syncing %s", p->path) : TA_OK;
}

static int file_truncate(struct ta_file *f, uint64_t size, struct ta_err *err)
{
    struct posix_file *p = as_file(f);
    int r;

    do
        r = ftruncate(p->fd, (off_t)size);
    while (r < 0 && errno == EINTR);
    return r < 0 ? ta_fail_sys(err, "truncating %s", p->path) : TA_OK;
}

static int file_reserve(struct ta_file *f, uint64_t size, struct ta_err *err)
{
    struct posix_file *p = as_file(f);
    int r;

    if (size == 0)
        return TA_OK;
    do
        r = fallocate(p->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size);
    while (r < 0 && errno == EINTR);
    if (r < 0 && errno != EOPNOTSUPP && errno != ENOSYS)
        return ta_fail_sys(err, "reserving space for %s", p->path);
    return TA_OK;
}

static int file_size(struct ta_file *f, uint64_t *out, struct ta_err *err)
{
    struct posix_file *p = as_file(f);
    struct stat st;

    if (fstat(p->fd, &st) < 0)
        return ta_fail_sys(err, "asking the size of %s", p->path);
    *out = (uint64_t)st.st_size;
    return TA_OK;
}

static int file_lock(struct ta_file *f, struct ta_err *err)
{
    struct posix_file *p = as_file(f);
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (fcntl(p->fd, F_OFD_SETLK, &whole) == 0)
        return TA_OK;
    if (errno == EAGAIN || errno == EACCES)
        return ta_fail(err, TA_ESTATE, "%s is locked by another process", p->path);
    return ta_fail_sys(err, "locking %s", p->path);
}

static int file_close(struct ta_file *f, struct ta_err *err)
{
    struct posix_file *p = as_file(f);
    /* Not repeated after EINTR: Linux has released the descriptor by then. */
    int r = close(p->fd) < 0 && errno != EINTR ? ta_fail_sys(err, "closing %s", p->path) : TA_OK;

    ta_release(&ta_heap, p, p->size);
    return r;
}

static const struct ta_file_ops file_ops = {file_pread,   file_pwrite, file_sync, file_truncate,
                                            file_reserve, file_size,   file_lock, file_close};

static int flags_of(unsigned flags)
{
    static const struct {
        unsigned ours;
        int theirs;
    } table[] = {{TA_OPEN_CREATE, O_CREAT},
                 {TA_OPEN_EXCLUSIVE, O_EXCL},
                 {TA_OPEN_TRUNCATE, O_TRUNC},
                 {TA_OPEN_NOFOLLOW, O_NOFOLLOW}};
    int out = O_CLOEXEC;

    if (flags & TA_OPEN_WRITE)
        out |= flags & TA_OPEN_READ ? O_RDWR : O_WRONLY;
    else
        out |= O_RDONLY;
    for (size_t i = 0; i < TA_COUNT(table); i++)
        if (flags & table[i].ours)
            out |= table[i].theirs;
    return out;
}

static int posix_open(struct ta_vfs *v, const char *path, unsigned flags, unsigned mode,
                      struct ta_file **out, struct ta_err *err)
{
    size_t path_len = strlen(path);
    size_t size = sizeof(struct posix_file) + path_len + 1;
    struct posix_file *p = ta_alloc(&ta_heap, size);

    (void)v;
    if (!p)
        return ta_fail(err, TA_ENOMEM, "opening %s: out of memory", path);
    p->file.ops = &file_ops;
    p->size = size;
    memcpy(p->path, path, path_len + 1);
    do
        p->fd = open(path, flags_of(flags), (mode_t)mode);
    while (p->fd < 0 && errno == EINTR);
    if (p->fd < 0) {
        int r = ta_fail_sys(err, "opening %s", path);
        ta_release(&ta_heap, p, size);
        return r;
    }
    *out = &p->file;
    return TA_OK;
}

struct posix_dir {
    struct ta_dir dir; /* must stay first */
    DIR *stream;
    size_t size;
    char path[];
};

static enum ta_file_kind kind_of(mode_t mode)
{
    return S_ISREG(mode) ? TA_KIND_FILE : S_ISDIR(mode) ? TA_KIND_DIR : TA_KIND_OTHER;
}

static enum ta_file_kind kind_of_entry(DIR *stream, const struct dirent *e)
{
    struct stat st;

    if (e->d_type == DT_REG)
        return TA_KIND_FILE;
    if (e->d_type == DT_DIR)
        return TA_KIND_DIR;
    /* Some file systems do not tell the type in the entry. */
    if (e->d_type == DT_UNKNOWN && fstatat(dirfd(stream), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return kind_of(st.st_mode);
    return TA_KIND_OTHER;
}

static int dir_next(struct ta_dir *d, struct ta_dirent *out, struct ta_err *err)
{
    struct posix_dir *p = TA_CONTAINER(d, struct posix_dir, dir);

    for (;;) {
        errno = 0;
        struct dirent *e = readdir(p->stream);
        if (!e)
            return errno ? ta_fail_sys(err, "listing %s", p->path) : 0;
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        *out = (struct ta_dirent){e->d_name, kind_of_entry(p->stream, e)};
        return 1;
    }
}

static void dir_close(struct ta_dir *d)
{
    struct posix_dir *p = TA_CONTAINER(d, struct posix_dir, dir);

    closedir(p->stream);
    ta_release(&ta_heap, p, p->size);
}

static const struct ta_dir_ops dir_ops = {dir_next, dir_close};

static int posix_open_dir(struct ta_vfs *v, const char *path, struct ta_dir **out,
                          struct ta_err *err)
{
    size_t path_len = strlen(path);
    size_t size = sizeof(struct posix_dir) + path_len + 1;
    struct posix_dir *p = ta_alloc(&ta_heap, size);

    (void)v;
    if (!p)
        return ta_fail(err, TA_ENOMEM, "opening %s: out of memory", path);
    p->dir.ops = &dir_ops;
    p->size = size;
    memcpy(p->path, path, path_len + 1);
    p->stream = opendir(path);
    if (!p->stream) {
        int r = ta_fail_sys(err, "opening directory %s", path);
        ta_release(&ta_heap, p, size);
        return r;
    }
    *out = &p->dir;
    return TA_OK;
}

static int posix_stat(struct ta_vfs *v, const char *path, struct ta_stat *out, struct ta_err *err)
{
    struct stat st;

    (void)v;
    if (stat(path, &st) < 0)
        return ta_fail_sys(err, "looking at %s", path);
    *out = (struct ta_stat){
        .kind = kind_of(st.st_mode),
        .size = (uint64_t)st.st_size,
        .mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
    };
    return TA_OK;
}

static int posix_rename(struct ta_vfs *v, const char *from, const char *to, struct ta_err *err)
{
    (void)v;
    return rename(from, to) < 0 ? ta_fail_sys(err, "renaming %s to %s", from, to) : TA_OK;
}

static int posix_rename_new(struct ta_vfs *v, const char *from, const char *to, struct ta_err *err)
{
    (void)v;
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return TA_OK;
    if (errno != EINVAL && errno != ENOSYS)
        return ta_fail_sys(err, "renaming %s to %s", from, to);
    /* File systems without the flag (NFS among them): link fails when the name is taken. A crash
     * in between leaves both names of one file, which callers of this must bear anyway. */
    if (link(from, to) < 0 || unlink(from) < 0)
        return ta_fail_sys(err, "renaming %s to %s", from, to);
    return TA_OK;
}

static int posix_unlink(struct ta_vfs *v, const char *path, struct ta_err *err)
{
    (void)v;
    return unlink(path) < 0 ? ta_fail_sys(err, "removing %s", path) : TA_OK;
}

static int posix_mkdir(struct ta_vfs *v, const char *path, unsigned mode, struct ta_err *err)
{
    (void)v;
    return mkdir(path, (mode_t)mode) < 0 ? ta_fail_sys(err, "creating directory %s", path) : TA_OK;
}

static int posix_rmdir(struct ta_vfs *v, const char *path, struct ta_err *err)
{
    (void)v;
    return rmdir(path) < 0 ? ta_fail_sys(err, "removing directory %s", path) : TA_OK;
}

static int posix_sync_dir(struct ta_vfs *v, const char *path, struct ta_err *err)
{
    int fd, r;

    (void)v;
    do
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return ta_fail_sys(err, "opening directory %s", path);
    do
        r = fsync(fd);
    while (r < 0 && errno == EINTR);
    /* EINVAL: the file system has no sync of directories (some network ones), nothing to wait
     * for. */
    int code = r < 0 && errno != EINVAL ? ta_fail_sys(err, "syncing directory %s", path) : TA_OK;
    (void)close(fd); /* read-only: nothing can be lost by it */
    return code;
}

/* statfs(2) f_type of file systems whose storage is on another machine. */
static const uint32_t network_types[] = {
    0x6969,     /* NFS */
    0x517b,     /* SMB */
    0xff534d42, /* CIFS */
    0xfe534d42, /* SMB2 */
    0x0bd00bd0, /* Lustre */
    0x01021997, /* 9P */
    0x00c36400, /* Ceph */
    0x65735546, /* FUSE: what is behind it is unknown (sshfs, GlusterFS) */
    0x47504653, /* GPFS */
    0x19830326, /* BeeGFS */
    0x5346414f, /* AFS */
    0x73757245, /* Coda */
    0x20030528, /* OrangeFS */
};

static int posix_space(struct ta_vfs *v, const char *path, struct ta_space *out, struct ta_err *err)
{
    struct statvfs st;
    struct statfs kind;

    (void)v;
    if (statvfs(path, &st) < 0 || statfs(path, &kind) < 0)
        return ta_fail_sys(err, "asking the free space of %s", path);
    *out = (struct ta_space){
        .free_bytes = (uint64_t)st.f_bavail * st.f_frsize,
        .total_bytes = (uint64_t)st.f_blocks * st.f_frsize,
        /* File systems that make inodes as needed report none at all. */
        .free_inodes = st.f_files ? st.f_favail : UINT64_MAX,
    };
    for (size_t i = 0; i < TA_COUNT(network_types); i++)
        out->is_network |= (uint32_t)kind.f_type == network_types[i];
    return TA_OK;
}

struct ta_vfs ta_vfs_posix = {posix_open,       posix_open_dir, posix_stat,  posix_rename,
                              posix_rename_new, posix_unlink,   posix_mkdir, posix_rmdir,
                              posix_sync_dir,   posix_space};
