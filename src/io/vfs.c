/* vfs.c - what every file system has in common: loops over short counts and EINTR. */
#include "io/vfs.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* A raw call that was interrupted is repeated; its words must not stay in the caller's err, so
 * each attempt fills one of its own. */
static bool interrupted(int64_t r, const struct ta_err *tried)
{
    return r < 0 && tried->sys == EINTR;
}

static void report(struct ta_err *err, const struct ta_err *tried)
{
    if (err && !err->code)
        *err = *tried;
}

int64_t ta_pread_some(struct ta_file *f, void *buf, size_t n, uint64_t at, struct ta_err *err)
{
    for (;;) {
        struct ta_err tried;
        tried.code = tried.sys = 0;
        int64_t got = f->ops->pread(f, buf, n, at, &tried);
        if (interrupted(got, &tried))
            continue;
        if (got < 0)
            report(err, &tried);
        return got;
    }
}

int64_t ta_pread_full(struct ta_file *f, void *buf, size_t n, uint64_t at, struct ta_err *err)
{
    size_t done = 0;

    while (done < n) {
        int64_t got = ta_pread_some(f, (unsigned char *)buf + done, n - done, at + done, err);
        if (got < 0)
            return got;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (int64_t)done;
}

int ta_pwrite_full(struct ta_file *f, const void *buf, size_t n, uint64_t at, struct ta_err *err)
{
    size_t done = 0;

    while (done < n) {
        struct ta_err tried;
        tried.code = tried.sys = 0;
        int64_t put =
            f->ops->pwrite(f, (const unsigned char *)buf + done, n - done, at + done, &tried);
        if (interrupted(put, &tried))
            continue;
        if (put < 0) {
            report(err, &tried);
            return (int)put;
        }
        if (put == 0) /* the contract forbids it; looping for ever would be worse */
            return ta_fail(err, TA_EIO, "write made no progress");
        done += (size_t)put;
    }
    return TA_OK;
}

/* An interrupted sync has not failed: nothing was written back yet and the pages stay dirty. */
int ta_sync(struct ta_file *f, struct ta_err *err)
{
    for (;;) {
        struct ta_err tried;
        tried.code = tried.sys = 0;
        int r = f->ops->sync(f, &tried);
        if (interrupted(r, &tried))
            continue;
        if (r < 0)
            report(err, &tried);
        return r;
    }
}

int ta_close(struct ta_file **f, struct ta_err *err)
{
    struct ta_file *file = *f;

    *f = NULL;
    return file ? file->ops->close(file, err) : TA_OK;
}

enum { PATH_LONGEST = 4096 };

/* Syncs the directory that holds `path` (whose last '/' is at `slash`, or none). */
static int sync_parent(struct ta_vfs *v, char *path, char *slash, struct ta_err *err)
{
    if (!slash)
        return v->sync_dir(v, ".", err);
    if (slash == path)
        return v->sync_dir(v, "/", err);
    *slash = 0;
    int r = v->sync_dir(v, path, err);
    *slash = '/';
    return r;
}

static int make_one(struct ta_vfs *v, char *path, unsigned mode, struct ta_err *err)
{
    struct ta_err tried;
    struct ta_stat st;

    tried.code = tried.sys = 0;
    int r = v->mkdir(v, path, mode, &tried);
    if (r == TA_OK)
        return sync_parent(v, path, strrchr(path, '/'), err);
    /* Whatever mkdir says (EEXIST, EROFS, EACCES on "/"), a directory that is there is good. */
    if (v->stat(v, path, &st, NULL) == TA_OK && st.kind == TA_KIND_DIR)
        return TA_OK;
    report(err, &tried);
    return r;
}

int ta_mkdir_all(struct ta_vfs *v, const char *path, unsigned mode, struct ta_err *err)
{
    char part[PATH_LONGEST];
    size_t n = strlen(path);

    if (n == 0 || n >= sizeof(part))
        return ta_fail(err, TA_ERANGE, "path of %zu bytes cannot be a directory", n);
    memcpy(part, path, n + 1);
    while (n > 1 && part[n - 1] == '/')
        part[--n] = 0;
    for (size_t i = 1; i < n; i++) {
        if (part[i] != '/' || part[i - 1] == '/')
            continue;
        part[i] = 0;
        int r = make_one(v, part, mode, err);
        part[i] = '/';
        if (r < 0)
            return r;
    }
    return make_one(v, part, mode, err);
}

static int64_t file_source_read(struct ta_source *self, void *buf, size_t n, struct ta_err *err)
{
    struct ta_file_source *s = TA_CONTAINER(self, struct ta_file_source, source);
    int64_t got = ta_pread_some(s->file, buf, n, s->at, err);

    if (got > 0)
        s->at += (uint64_t)got;
    return got;
}

void ta_file_source_init(struct ta_file_source *s, struct ta_file *f)
{
    *s = (struct ta_file_source){.source = {file_source_read}, .file = f};
}

int ta_file_sink_flush(struct ta_file_sink *s, struct ta_err *err)
{
    int r = ta_pwrite_full(s->file, s->buf, s->len, s->at, err);

    if (r < 0)
        return r;
    s->at += s->len;
    s->len = 0;
    return TA_OK;
}

static int file_sink_write(struct ta_sink *self, const void *p, size_t n, struct ta_err *err)
{
    struct ta_file_sink *s = TA_CONTAINER(self, struct ta_file_sink, sink);
    const unsigned char *from = p;

    while (n) {
        size_t room = s->cap - s->len;
        if (s->len == 0 && n >= s->cap) { /* nothing to gather: past the buffer */
            size_t whole = n - n % s->cap;
            int r = ta_pwrite_full(s->file, from, whole, s->at, err);
            if (r < 0)
                return r;
            s->at += whole;
            from += whole;
            n -= whole;
            continue;
        }
        size_t take = n < room ? n : room;
        memcpy(s->buf + s->len, from, take);
        s->len += take;
        from += take;
        n -= take;
        if (s->len == s->cap) {
            int r = ta_file_sink_flush(s, err);
            if (r < 0)
                return r;
        }
    }
    return TA_OK;
}

void ta_file_sink_init(struct ta_file_sink *s, struct ta_file *f, uint64_t at, void *buf,
                       size_t cap)
{
    assert(cap > 0);
    *s = (struct ta_file_sink){
        .sink = {file_sink_write}, .file = f, .at = at, .buf = buf, .cap = cap};
}
