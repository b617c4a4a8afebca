#include "io/vfs_fault.h"

#include "base/str.h"

#include <errno.h>

struct fault_file {
    struct ta_file file; /* must stay first */
    struct ta_file *inner;
    struct ta_vfs_fault *f;
};

static struct fault_file *as_file(struct ta_file *file)
{
    return TA_CONTAINER(file, struct fault_file, file);
}

static struct ta_vfs_fault *as_fault(struct ta_vfs *v)
{
    return TA_CONTAINER(v, struct ta_vfs_fault, vfs);
}

/* What befalls one call. */
struct blow {
    bool strikes; /* it fails; with sys 0 it is cut short */
    int sys;
    uint64_t call; /* its number */
};

static struct blow count_call(struct ta_vfs_fault *f, enum ta_fault_kind kind)
{
    if (!(f->kinds & kind))
        return (struct blow){0};
    pthread_mutex_lock(&f->lock);
    if (f->hook)
        f->hook(f, kind);
    f->calls++;
    struct blow blow = {f->left == 0, f->sys, f->calls};
    if (f->left > 0 || (blow.strikes && !f->for_good))
        f->left--;
    f->hit |= blow.strikes;
    pthread_mutex_unlock(&f->lock);
    return blow;
}

static int fail(const struct blow *blow, struct ta_err *err)
{
    errno = blow->sys;
    return ta_fail_sys(err, "injected failure of call %llu", (unsigned long long)blow->call);
}

static int check(struct ta_vfs_fault *f, enum ta_fault_kind kind, struct ta_err *err)
{
    struct blow blow = count_call(f, kind);

    return blow.strikes && blow.sys ? fail(&blow, err) : TA_OK;
}

/* The same for a transfer of *n bytes. */
static int check_transfer(struct ta_vfs_fault *f, enum ta_fault_kind kind, size_t *n,
                          struct ta_err *err)
{
    struct blow blow = count_call(f, kind);

    if (!blow.strikes)
        return TA_OK;
    if (blow.sys)
        return fail(&blow, err);
    *n = *n > 1 ? *n / 2 : *n;
    return TA_OK;
}

void ta_vfs_fault_pass(struct ta_vfs_fault *f)
{
    (void)count_call(f, TA_FAULT_LOOK);
}

static int64_t fault_pread(struct ta_file *file, void *buf, size_t n, uint64_t at,
                           struct ta_err *err)
{
    struct fault_file *p = as_file(file);
    int r = check_transfer(p->f, TA_FAULT_READ, &n, err);

    return r < 0 ? r : p->inner->ops->pread(p->inner, buf, n, at, err);
}

static int64_t fault_pwrite(struct ta_file *file, const void *buf, size_t n, uint64_t at,
                            struct ta_err *err)
{
    struct fault_file *p = as_file(file);
    int r = check_transfer(p->f, TA_FAULT_WRITE, &n, err);

    return r < 0 ? r : p->inner->ops->pwrite(p->inner, buf, n, at, err);
}

static int fault_sync(struct ta_file *file, struct ta_err *err)
{
    struct fault_file *p = as_file(file);
    int r = check(p->f, TA_FAULT_SYNC, err);

    return r < 0 ? r : p->inner->ops->sync(p->inner, err);
}

static int fault_truncate(struct ta_file *file, uint64_t size, struct ta_err *err)
{
    struct fault_file *p = as_file(file);
    int r = check(p->f, TA_FAULT_WRITE, err);

    return r < 0 ? r : p->inner->ops->truncate(p->inner, size, err);
}

static int fault_reserve(struct ta_file *file, uint64_t size, struct ta_err *err)
{
    struct fault_file *p = as_file(file);
    int r = check(p->f, TA_FAULT_WRITE, err);

    return r < 0 ? r : p->inner->ops->reserve(p->inner, size, err);
}

static int fault_size(struct ta_file *file, uint64_t *out, struct ta_err *err)
{
    struct fault_file *p = as_file(file);
    int r = check(p->f, TA_FAULT_LOOK, err);

    return r < 0 ? r : p->inner->ops->size(p->inner, out, err);
}

static int fault_lock(struct ta_file *file, struct ta_err *err)
{
    struct fault_file *p = as_file(file);
    int r = check(p->f, TA_FAULT_LOCK, err);

    return r < 0 ? r : p->inner->ops->lock(p->inner, err);
}

static int fault_close(struct ta_file *file, struct ta_err *err)
{
    struct fault_file *p = as_file(file);
    int r = check(p->f, TA_FAULT_CLOSE, err);
    int closed = p->inner->ops->close(p->inner, err);

    ta_release(p->f->alloc, p, sizeof(*p));
    return r < 0 ? r : closed;
}

static const struct ta_file_ops file_ops = {fault_pread,   fault_pwrite, fault_sync, fault_truncate,
                                            fault_reserve, fault_size,   fault_lock, fault_close};

static int fault_open(struct ta_vfs *v, const char *path, unsigned flags, unsigned mode,
                      struct ta_file **out, struct ta_err *err)
{
    struct ta_vfs_fault *f = as_fault(v);
    int r = check(f, TA_FAULT_OPEN, err);

    if (r < 0)
        return r;
    struct fault_file *p = ta_alloc(f->alloc, sizeof(*p));
    if (!p)
        return ta_fail(err, TA_ENOMEM, "opening %s: out of memory", path);
    *p = (struct fault_file){.file = {&file_ops}, .f = f};
    r = f->inner->open(f->inner, path, flags, mode, &p->inner, err);
    if (r < 0) {
        ta_release(f->alloc, p, sizeof(*p));
        return r;
    }
    *out = &p->file;
    return TA_OK;
}

/* A listing fails at its opening or not at all: its entries come from the inner file system. */
static int fault_open_dir(struct ta_vfs *v, const char *path, struct ta_dir **out,
                          struct ta_err *err)
{
    struct ta_vfs_fault *f = as_fault(v);
    int r = check(f, TA_FAULT_LOOK, err);

    return r < 0 ? r : f->inner->open_dir(f->inner, path, out, err);
}

static int fault_stat(struct ta_vfs *v, const char *path, struct ta_stat *out, struct ta_err *err)
{
    struct ta_vfs_fault *f = as_fault(v);
    int r = check(f, TA_FAULT_LOOK, err);

    return r < 0 ? r : f->inner->stat(f->inner, path, out, err);
}

static int fault_rename(struct ta_vfs *v, const char *from, const char *to, struct ta_err *err)
{
    struct ta_vfs_fault *f = as_fault(v);
    int r = check(f, TA_FAULT_NAME, err);

    return r < 0 ? r : f->inner->rename(f->inner, from, to, err);
}

static int fault_rename_new(struct ta_vfs *v, const char *from, const char *to, struct ta_err *err)
{
    struct ta_vfs_fault *f = as_fault(v);
    int r = check(f, TA_FAULT_NAME, err);

    return r < 0 ? r : f->inner->rename_new(f->inner, from, to, err);
}

static int fault_unlink(struct ta_vfs *v, const char *path, struct ta_err *err)
{
    struct ta_vfs_fault *f = as_fault(v);
    int r = check(f, TA_FAULT_NAME, err);

    return r < 0 ? r : f->inner->unlink(f->inner, path, err);
}

static int fault_mkdir(struct ta_vfs *v, const char *path, unsigned mode, struct ta_err *err)
{
    struct ta_vfs_fault *f = as_fault(v);
    int r = check(f, TA_FAULT_NAME, err);

    return r < 0 ? r : f->inner->mkdir(f->inner, path, mode, err);
}

static int fault_rmdir(struct ta_vfs *v, const char *path, struct ta_err *err)
{
    struct ta_vfs_fault *f = as_fault(v);
    int r = check(f, TA_FAULT_NAME, err);

    return r < 0 ? r : f->inner->rmdir(f->inner, path, err);
}

static int fault_sync_dir(struct ta_vfs *v, const char *path, struct ta_err *err)
{
    struct ta_vfs_fault *f = as_fault(v);
    int r = check(f, TA_FAULT_SYNC_DIR, err);

    return r < 0 ? r : f->inner->sync_dir(f->inner, path, err);
}

static int fault_space(struct ta_vfs *v, const char *path, struct ta_space *out, struct ta_err *err)
{
    struct ta_vfs_fault *f = as_fault(v);
    int r = check(f, TA_FAULT_LOOK, err);

    return r < 0 ? r : f->inner->space(f->inner, path, out, err);
}

void ta_vfs_fault_init(struct ta_vfs_fault *f, struct ta_vfs *inner, struct ta_alloc *alloc)
{
    *f = (struct ta_vfs_fault){
        .vfs = {fault_open, fault_open_dir, fault_stat, fault_rename, fault_rename_new,
                fault_unlink, fault_mkdir, fault_rmdir, fault_sync_dir, fault_space},
        .inner = inner,
        .alloc = alloc,
        .kinds = TA_FAULT_ALL,
        .left = -1,
        .lock = PTHREAD_MUTEX_INITIALIZER,
    };
}
