/* vfs_mem.c - the calls of the file system in memory; vfs_mem_state.c has the crashes. */
#include "base/str.h"
#include "io/vfs_mem_int.h"

#include <errno.h>
#include <stdio.h>

struct mem_file {
    struct ta_file file; /* must stay first */
    struct ta_vfs_mem *m;
    size_t inode;
    unsigned life, flags;
};

static struct ta_vfs_mem *as_mem(struct ta_vfs *v)
{
    return TA_CONTAINER(v, struct ta_vfs_mem, vfs);
}

static int refuse(struct ta_err *err, int sys, const char *what, const char *path)
{
    errno = sys;
    return ta_fail_sys(err, "%s %s", what, path);
}

/* The directory and the last name of a path; 0 or an errno. "" and "." are passed over; the root
 * itself has the empty name. */
static int resolve(struct ta_vfs_mem *m, const char *path, size_t *dir, char name[MEM_NAME])
{
    *dir = MEM_ROOT;
    name[0] = 0;
    for (const char *p = path; *p;) {
        size_t n = strcspn(p, "/");
        const char *part = p;
        p += n + (p[n] == '/');
        if (n == 0 || (n == 1 && *part == '.'))
            continue;
        if (n >= MEM_NAME)
            return ENAMETOOLONG;
        if (name[0]) { /* one more level: what was the last name is a directory */
            size_t at = ta_mem_find(&m->live, *dir, name);
            if (at == m->live.n)
                return ENOENT;
            *dir = m->live.at[at].inode;
            if (m->inodes[*dir].kind != TA_KIND_DIR)
                return ENOTDIR;
        }
        memcpy(name, part, n);
        name[n] = 0;
    }
    return 0;
}

static int lookup(struct ta_vfs_mem *m, const char *path, size_t *inode)
{
    char name[MEM_NAME];
    size_t dir;
    int sys = resolve(m, path, &dir, name);

    if (sys)
        return sys;
    size_t at = ta_mem_find(&m->live, dir, name);
    if (name[0] && at == m->live.n)
        return ENOENT;
    *inode = name[0] ? m->live.at[at].inode : MEM_ROOT;
    return 0;
}

/* Room was reserved. `group` ties the two names of a rename together. */
static void change(struct ta_vfs_mem *m, uint64_t group, size_t dir, const char *name, size_t inode)
{
    struct ta_mem_entry *e = &m->pending.at[m->pending.n++];

    *e = (struct ta_mem_entry){.dir = dir, .inode = inode, .group = group};
    snprintf(e->name, sizeof(e->name), "%s", name);
    ta_mem_set(&m->live, dir, name, inode);
    m->inodes[dir].mtime_ns = ++m->ticks;
}

/* What every file call begins with: 0 or an errno. */
static int check_file(const struct mem_file *f, bool writes)
{
    if (f->life != f->m->life)
        return EIO;
    if (writes && !(f->flags & TA_OPEN_WRITE))
        return EBADF;
    return writes && f->m->read_only ? EROFS : 0;
}

static struct mem_file *enter(struct ta_file *file)
{
    struct mem_file *f = TA_CONTAINER(file, struct mem_file, file);

    pthread_mutex_lock(&f->m->lock);
    return f;
}

static int leave(struct mem_file *f, int sys, const char *what, struct ta_err *err)
{
    pthread_mutex_unlock(&f->m->lock);
    return sys ? refuse(err, sys, what, "a file in memory") : TA_OK;
}

static int64_t mem_pread(struct ta_file *file, void *buf, size_t n, uint64_t at, struct ta_err *err)
{
    struct mem_file *f = enter(file);
    int sys = check_file(f, false);
    const struct ta_mem_bytes *b = &f->m->inodes[f->inode].now;

    if (sys == 0 && !(f->flags & TA_OPEN_READ))
        sys = EBADF;
    if (sys || at >= b->size)
        n = 0;
    else if (n > b->size - at)
        n = b->size - (size_t)at;
    if (n)
        memcpy(buf, b->at + at, n);
    int r = leave(f, sys, "reading", err);
    return r < 0 ? r : (int64_t)n;
}

/* 0 or an errno. */
static int set_size(struct mem_file *f, uint64_t size)
{
    struct ta_mem_inode *i = &f->m->inodes[f->inode];

    if (size > i->now.size && f->m->capacity &&
        ta_mem_used(f->m) + (size - i->now.size) > f->m->capacity)
        return ENOSPC;
    size_t from = size < i->now.size ? (size_t)size : i->now.size;
    size_t to = size < i->now.size ? i->now.size : (size_t)size;
    if (ta_mem_resize_file(f->m, i, (size_t)size) < 0)
        return ENOMEM;
    if (i->dirty_to == 0 || from < i->dirty_from)
        i->dirty_from = from;
    if (to > i->dirty_to)
        i->dirty_to = to;
    i->mtime_ns = ++f->m->ticks;
    return 0;
}

static int64_t mem_pwrite(struct ta_file *file, const void *buf, size_t n, uint64_t at,
                          struct ta_err *err)
{
    struct mem_file *f = enter(file);
    struct ta_mem_inode *i = &f->m->inodes[f->inode];
    int sys = check_file(f, true);

    if (sys == 0 && n > SIZE_MAX / 4 - at)
        sys = EFBIG;
    if (sys == 0)
        sys = set_size(f, at + n > i->now.size ? at + n : i->now.size);
    if (sys == 0) {
        memcpy(i->now.at + at, buf, n);
        i->dirty_from = at < i->dirty_from ? (size_t)at : i->dirty_from;
        i->dirty_to = at + n > i->dirty_to ? (size_t)at + n : i->dirty_to;
    }
    int r = leave(f, sys, "writing", err);
    return r < 0 ? r : (int64_t)n;
}

static int mem_sync(struct ta_file *file, struct ta_err *err)
{
    struct mem_file *f = enter(file);
    int sys = check_file(f, false);

    if (sys == 0)
        ta_mem_sync_file(&f->m->inodes[f->inode]);
    return leave(f, sys, "syncing", err);
}

static int mem_truncate(struct ta_file *file, uint64_t size, struct ta_err *err)
{
    struct mem_file *f = enter(file);
    int sys = check_file(f, true);

    if (sys == 0)
        sys = size > SIZE_MAX / 4 ? EFBIG : set_size(f, size);
    return leave(f, sys, "truncating", err);
}

static int mem_reserve(struct ta_file *file, uint64_t size, struct ta_err *err)
{
    struct mem_file *f = enter(file);
    int sys = check_file(f, true);
    uint64_t has = f->m->inodes[f->inode].now.size;

    if (sys == 0 && size > has && f->m->capacity &&
        ta_mem_used(f->m) + (size - has) > f->m->capacity)
        sys = ENOSPC;
    return leave(f, sys, "reserving space for", err);
}

static int mem_size(struct ta_file *file, uint64_t *out, struct ta_err *err)
{
    struct mem_file *f = enter(file);
    int sys = check_file(f, false);

    if (sys == 0)
        *out = f->m->inodes[f->inode].now.size;
    return leave(f, sys, "asking the size of", err);
}

static int mem_lock(struct ta_file *file, struct ta_err *err)
{
    struct mem_file *f = enter(file);
    int sys = check_file(f, false);
    const void **owner = &f->m->inodes[f->inode].lock_owner;
    bool taken = sys == 0 && *owner && *owner != f;

    if (sys == 0 && !taken)
        *owner = f;
    int r = leave(f, sys, "locking", err);
    return taken ? ta_fail(err, TA_ESTATE, "the file is locked by another process") : r;
}

static int mem_close(struct ta_file *file, struct ta_err *err)
{
    struct mem_file *f = enter(file);
    struct ta_vfs_mem *m = f->m;
    struct ta_mem_inode *i = &m->inodes[f->inode];

    (void)err; /* nothing is written at close, so nothing can fail */
    if (i->lock_owner == f)
        i->lock_owner = NULL;
    i->opens--;
    ta_mem_collect(m);
    pthread_mutex_unlock(&m->lock);
    ta_release(m->alloc, f, sizeof(*f));
    return TA_OK;
}

static const struct ta_file_ops file_ops = {mem_pread,   mem_pwrite, mem_sync, mem_truncate,
                                            mem_reserve, mem_size,   mem_lock, mem_close};

/* A new inode under a name; 0 or an errno. */
static int make(struct ta_vfs_mem *m, size_t dir, const char *name, enum ta_file_kind kind,
                size_t *out)
{
    if (m->read_only)
        return EROFS;
    if (m->inodes_max && ta_mem_inodes_used(m) >= m->inodes_max)
        return ENOSPC;
    if (ta_mem_reserve_change(m) < 0 || ta_mem_new_inode(m, kind, out) < 0)
        return ENOMEM;
    change(m, ++m->groups, dir, name, *out);
    return 0;
}

static int open_inode(struct ta_vfs_mem *m, const char *path, unsigned flags, size_t *inode)
{
    char name[MEM_NAME];
    size_t dir;
    int sys = resolve(m, path, &dir, name);

    if (sys)
        return sys;
    size_t at = ta_mem_find(&m->live, dir, name);
    if (!name[0])
        return EISDIR;
    if (at == m->live.n)
        return flags & TA_OPEN_CREATE ? make(m, dir, name, TA_KIND_FILE, inode) : ENOENT;
    *inode = m->live.at[at].inode;
    if (flags & TA_OPEN_CREATE && flags & TA_OPEN_EXCLUSIVE)
        return EEXIST;
    if (m->inodes[*inode].kind != TA_KIND_FILE)
        return EISDIR;
    return flags & TA_OPEN_WRITE && m->read_only ? EROFS : 0;
}

static int mem_open(struct ta_vfs *v, const char *path, unsigned flags, unsigned mode,
                    struct ta_file **out, struct ta_err *err)
{
    struct ta_vfs_mem *m = as_mem(v);
    struct mem_file *f = ta_alloc(m->alloc, sizeof(*f));

    (void)mode;
    if (!f)
        return ta_fail(err, TA_ENOMEM, "opening %s: out of memory", path);
    pthread_mutex_lock(&m->lock);
    *f = (struct mem_file){.file = {&file_ops}, .m = m, .life = m->life, .flags = flags};
    if (!(flags & TA_OPEN_WRITE))
        f->flags |= TA_OPEN_READ;
    int sys = open_inode(m, path, flags, &f->inode);
    if (sys == 0 && flags & TA_OPEN_TRUNCATE)
        sys = set_size(f, 0);
    if (sys == 0)
        m->inodes[f->inode].opens++;
    pthread_mutex_unlock(&m->lock);
    if (sys) {
        ta_release(m->alloc, f, sizeof(*f));
        return refuse(err, sys, "opening", path);
    }
    *out = &f->file;
    return TA_OK;
}

struct mem_dir {
    struct ta_dir dir; /* must stay first */
    struct ta_vfs_mem *m;
    size_t inode, at;
    uint64_t serial; /* of the last entry given */
    char name[MEM_NAME];
};

static int mem_dir_next(struct ta_dir *dir, struct ta_dirent *out, struct ta_err *err)
{
    struct mem_dir *d = TA_CONTAINER(dir, struct mem_dir, dir);
    struct ta_vfs_mem *m = d->m;
    int r = 0;

    (void)err;
    pthread_mutex_lock(&m->lock);
    size_t i = d->at < m->live.n ? d->at : m->live.n;
    while (i > 0 && m->live.at[i - 1].serial > d->serial) /* some were removed meanwhile */
        i--;
    while (i < m->live.n && (m->live.at[i].dir != d->inode || m->live.at[i].serial <= d->serial))
        i++;
    d->at = i;
    if (i < m->live.n) {
        const struct ta_mem_entry *e = &m->live.at[i];

        d->serial = e->serial;
        memcpy(d->name, e->name, sizeof(d->name));
        *out = (struct ta_dirent){d->name, m->inodes[e->inode].kind};
        r = 1;
    }
    pthread_mutex_unlock(&m->lock);
    return r;
}

static void mem_dir_close(struct ta_dir *dir)
{
    struct mem_dir *d = TA_CONTAINER(dir, struct mem_dir, dir);

    pthread_mutex_lock(&d->m->lock);
    d->m->inodes[d->inode].opens--;
    pthread_mutex_unlock(&d->m->lock);
    ta_release(d->m->alloc, d, sizeof(*d));
}

static const struct ta_dir_ops dir_ops = {mem_dir_next, mem_dir_close};

static int lookup_dir(struct ta_vfs_mem *m, const char *path, size_t *inode)
{
    int sys = lookup(m, path, inode);

    return sys ? sys : m->inodes[*inode].kind == TA_KIND_DIR ? 0 : ENOTDIR;
}

static int mem_open_dir(struct ta_vfs *v, const char *path, struct ta_dir **out, struct ta_err *err)
{
    struct ta_vfs_mem *m = as_mem(v);
    struct mem_dir *d = ta_alloc(m->alloc, sizeof(*d));

    if (!d)
        return ta_fail(err, TA_ENOMEM, "opening %s: out of memory", path);
    *d = (struct mem_dir){.dir = {&dir_ops}, .m = m};
    pthread_mutex_lock(&m->lock);
    int sys = lookup_dir(m, path, &d->inode);
    if (sys == 0)
        m->inodes[d->inode].opens++;
    pthread_mutex_unlock(&m->lock);
    if (sys) {
        ta_release(m->alloc, d, sizeof(*d));
        return refuse(err, sys, "opening directory", path);
    }
    *out = &d->dir;
    return TA_OK;
}

static int mem_stat(struct ta_vfs *v, const char *path, struct ta_stat *out, struct ta_err *err)
{
    struct ta_vfs_mem *m = as_mem(v);
    size_t inode;

    pthread_mutex_lock(&m->lock);
    int sys = lookup(m, path, &inode);
    if (sys == 0)
        *out = (struct ta_stat){m->inodes[inode].kind, m->inodes[inode].now.size,
                                m->inodes[inode].mtime_ns};
    pthread_mutex_unlock(&m->lock);
    return sys ? refuse(err, sys, "looking at", path) : TA_OK;
}

static bool is_empty(const struct ta_vfs_mem *m, size_t dir)
{
    for (size_t i = 0; i < m->live.n; i++)
        if (m->live.at[i].dir == dir)
            return false;
    return true;
}

static int move(struct ta_vfs_mem *m, const char *from, const char *to, bool replace)
{
    char old_name[MEM_NAME], new_name[MEM_NAME];
    size_t old_dir, new_dir;
    int sys = resolve(m, from, &old_dir, old_name);

    if (sys == 0)
        sys = resolve(m, to, &new_dir, new_name);
    if (sys)
        return sys;
    if (m->read_only)
        return EROFS;
    size_t at = ta_mem_find(&m->live, old_dir, old_name);
    size_t taken = ta_mem_find(&m->live, new_dir, new_name);
    if (at == m->live.n)
        return ENOENT;
    if (!new_name[0])
        return EBUSY;
    size_t inode = m->live.at[at].inode;
    if (taken < m->live.n) {
        size_t other = m->live.at[taken].inode;
        if (!replace)
            return EEXIST;
        if (other == inode)
            return 0;
        if (m->inodes[other].kind != m->inodes[inode].kind)
            return m->inodes[other].kind == TA_KIND_DIR ? EISDIR : ENOTDIR;
        if (!is_empty(m, other))
            return ENOTEMPTY;
    }
    if (ta_mem_reserve_change(m) < 0)
        return ENOMEM;
    change(m, ++m->groups, new_dir, new_name, inode);
    change(m, m->groups, old_dir, old_name, MEM_NONE);
    return 0;
}

static int mem_rename(struct ta_vfs *v, const char *from, const char *to, struct ta_err *err)
{
    struct ta_vfs_mem *m = as_mem(v);

    pthread_mutex_lock(&m->lock);
    int sys = move(m, from, to, true);
    pthread_mutex_unlock(&m->lock);
    return sys ? refuse(err, sys, "renaming to", to) : TA_OK;
}

static int mem_rename_new(struct ta_vfs *v, const char *from, const char *to, struct ta_err *err)
{
    struct ta_vfs_mem *m = as_mem(v);

    pthread_mutex_lock(&m->lock);
    int sys = move(m, from, to, false);
    pthread_mutex_unlock(&m->lock);
    return sys ? refuse(err, sys, "renaming to", to) : TA_OK;
}

static int take_away(struct ta_vfs *v, const char *path, enum ta_file_kind kind)
{
    struct ta_vfs_mem *m = as_mem(v);
    char name[MEM_NAME];
    size_t dir;

    pthread_mutex_lock(&m->lock);
    int sys = resolve(m, path, &dir, name);
    size_t at = sys ? m->live.n : ta_mem_find(&m->live, dir, name);
    if (sys == 0 && m->read_only)
        sys = EROFS;
    else if (sys == 0 && at == m->live.n)
        sys = name[0] ? ENOENT : EBUSY;
    else if (sys == 0 && m->inodes[m->live.at[at].inode].kind != kind)
        sys = kind == TA_KIND_DIR ? ENOTDIR : EISDIR;
    else if (sys == 0 && !is_empty(m, m->live.at[at].inode))
        sys = ENOTEMPTY;
    if (sys == 0 && ta_mem_reserve_change(m) < 0)
        sys = ENOMEM;
    if (sys == 0)
        change(m, ++m->groups, dir, name, MEM_NONE);
    pthread_mutex_unlock(&m->lock);
    return sys;
}

static int mem_unlink(struct ta_vfs *v, const char *path, struct ta_err *err)
{
    int sys = take_away(v, path, TA_KIND_FILE);

    return sys ? refuse(err, sys, "removing", path) : TA_OK;
}

static int mem_rmdir(struct ta_vfs *v, const char *path, struct ta_err *err)
{
    int sys = take_away(v, path, TA_KIND_DIR);

    return sys ? refuse(err, sys, "removing directory", path) : TA_OK;
}

static int mem_mkdir(struct ta_vfs *v, const char *path, unsigned mode, struct ta_err *err)
{
    struct ta_vfs_mem *m = as_mem(v);
    char name[MEM_NAME];
    size_t dir, inode;

    (void)mode;
    pthread_mutex_lock(&m->lock);
    int sys = resolve(m, path, &dir, name);
    if (sys == 0 && (!name[0] || ta_mem_find(&m->live, dir, name) < m->live.n))
        sys = EEXIST;
    if (sys == 0)
        sys = make(m, dir, name, TA_KIND_DIR, &inode);
    pthread_mutex_unlock(&m->lock);
    return sys ? refuse(err, sys, "creating directory", path) : TA_OK;
}

static int mem_sync_dir(struct ta_vfs *v, const char *path, struct ta_err *err)
{
    struct ta_vfs_mem *m = as_mem(v);
    size_t inode;

    pthread_mutex_lock(&m->lock);
    int sys = lookup_dir(m, path, &inode);
    if (sys == 0)
        ta_mem_sync_dir(m, inode);
    pthread_mutex_unlock(&m->lock);
    return sys ? refuse(err, sys, "syncing directory", path) : TA_OK;
}

static int mem_space(struct ta_vfs *v, const char *path, struct ta_space *out, struct ta_err *err)
{
    struct ta_vfs_mem *m = as_mem(v);
    size_t inode;

    pthread_mutex_lock(&m->lock);
    int sys = lookup(m, path, &inode);
    uint64_t used = ta_mem_used(m), inodes = ta_mem_inodes_used(m);
    uint64_t total = m->capacity ? m->capacity : UINT64_C(1) << 50;
    if (sys == 0)
        *out = (struct ta_space){
            .total_bytes = total,
            .free_bytes = used < total ? total - used : 0,
            .free_inodes = !m->inodes_max           ? UINT64_MAX
                           : inodes < m->inodes_max ? m->inodes_max - inodes
                                                    : 0,
        };
    pthread_mutex_unlock(&m->lock);
    return sys ? refuse(err, sys, "asking the free space of", path) : TA_OK;
}

int ta_vfs_mem_init(struct ta_vfs_mem *m, struct ta_alloc *alloc)
{
    size_t root;

    *m = (struct ta_vfs_mem){
        .vfs = {mem_open, mem_open_dir, mem_stat, mem_rename, mem_rename_new, mem_unlink, mem_mkdir,
                mem_rmdir, mem_sync_dir, mem_space},
        .alloc = alloc,
    };
    pthread_mutex_init(&m->lock, NULL);
    if (ta_mem_new_inode(m, TA_KIND_DIR, &root) < 0) {
        ta_vfs_mem_done(m);
        return TA_ENOMEM;
    }
    return TA_OK;
}
