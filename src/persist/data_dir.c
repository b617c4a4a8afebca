#include "persist/data_dir.h"

#include "io/json_write.h"

#include <inttypes.h>
#include <stdio.h>

enum { DIR_MODE = 0750, FILE_MODE = 0640, COPY = 64 * 1024, NOTE_MAX = 8 * 1024, TRIES = 1000 };

static int join(char out[static TA_PATH_MAX], const char *dir, const char *name, const char *suffix,
                struct ta_err *err)
{
    int n = snprintf(out, TA_PATH_MAX, "%s%s%s%s", dir, name[0] ? "/" : "", name, suffix);

    return n < TA_PATH_MAX ? TA_OK : ta_fail(err, TA_ERANGE, "path too long below %.200s", dir);
}

/* ---- the directory itself ----------------------------------------------------------------------- */

int ta_data_dir_open(struct ta_data_dir *d, struct ta_vfs *vfs, const char *root,
                     struct ta_err *err)
{
    char path[TA_PATH_MAX];

    *d = (struct ta_data_dir){.vfs = vfs};
    int r = join(d->root, root, "", "", err);
    if (r == TA_OK)
        r = join(d->log, root, ".tarn/log", "", err);
    if (r == TA_OK)
        r = join(d->lost, root, ".tarn/lost+found", "", err);
    if (r == TA_OK)
        r = join(path, d->log, "lock", "", err);
    if (r == TA_OK)
        r = ta_mkdir_all(vfs, d->log, DIR_MODE, err);
    if (r == TA_OK)
        r = ta_mkdir_all(vfs, d->lost, DIR_MODE, err);
    if (r == TA_OK)
        r = ta_open(vfs, path, TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_NOFOLLOW,
                    FILE_MODE, &d->lock, err);
    if (r == TA_OK)
        r = d->lock->ops->lock(d->lock, err);
    if (r < 0)
        ta_data_dir_close(d);
    return r == TA_ESTATE ? ta_fail_context(err, r, "%.200s is in use: ", root) : r;
}

void ta_data_dir_close(struct ta_data_dir *d)
{
    (void)ta_close(&d->lock, NULL); /* nothing was written */
}

/* ---- notes --------------------------------------------------------------------------------------- */

void ta_damage_add(struct ta_damage *d, uint64_t at, uint64_t bytes, const char *why)
{
    if (d->n < TA_DAMAGE_PLACES) {
        d->place[d->n].at = at;
        d->place[d->n].bytes = bytes;
        d->place[d->n].why = why;
    }
    d->n++;
}

static int put_note(struct ta_buf *b, const char *path, const struct ta_damage *d, int64_t now_s)
{
    const char *slash = strrchr(path, '/');
    int r = ta_buf_z(b, "{\"file\":");

    if (r == TA_OK)
        r = ta_json_escape(b, ta_str(slash ? slash + 1 : path));
    if (r == TA_OK)
        r = ta_buf_printf(b, ",\"time\":%" PRId64 ",\"places\":%zu,\"damage\":[", now_s, d->n);
    for (size_t i = 0; r == TA_OK && i < d->n && i < TA_DAMAGE_PLACES; i++)
        r = ta_buf_printf(b, "%s{\"at\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"why\":\"%s\"}",
                          i ? "," : "", d->place[i].at, d->place[i].bytes, d->place[i].why);
    return r < 0 ? r : ta_buf_z(b, "]}\n");
}

static int write_note(struct ta_vfs *vfs, const char *path, const char *of,
                      const struct ta_damage *d, int64_t now_s, struct ta_err *err)
{
    char room[NOTE_MAX];
    struct ta_buf b = {.at = room, .cap = sizeof(room), .max = sizeof(room)};
    struct ta_file *f = NULL;
    int r = put_note(&b, of, d, now_s);

    if (r < 0)
        return ta_fail(err, r, "note on a damaged file");
    r = ta_open(vfs, path, TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_TRUNCATE, FILE_MODE, &f, err);
    if (r < 0)
        return r;
    r = ta_pwrite_full(f, b.at, b.len, 0, err);
    if (r == TA_OK)
        r = ta_sync(f, err);
    int c = ta_close(&f, r < 0 ? NULL : err);
    return r < 0 ? r : c;
}

static int sync_parent(struct ta_vfs *vfs, const char *path, struct ta_err *err)
{
    char dir[TA_PATH_MAX];
    int r = join(dir, path, "", "", err);
    char *slash = strrchr(dir, '/');

    if (r < 0 || !slash)
        return r;
    *slash = 0;
    return vfs->sync_dir(vfs, dir, err);
}

int ta_note_damage(struct ta_vfs *vfs, const char *path, const struct ta_damage *d, int64_t now_s,
                   struct ta_err *err)
{
    char note[TA_PATH_MAX];
    int r = join(note, path, "", ".note", err);

    if (r == TA_OK)
        r = write_note(vfs, note, path, d, now_s, err);
    return r < 0 ? r : sync_parent(vfs, path, err);
}

/* ---- setting aside --------------------------------------------------------------------------------- */

/* Renames to the first of <to><word>, <to><word>.2 ... that is free; its name goes to `out`. */
static int rename_free(struct ta_vfs *vfs, const char *from, const char *to, const char *word,
                       char out[static TA_PATH_MAX], struct ta_err *err)
{
    int r = TA_EEXIST;

    for (int i = 1; i <= TRIES && r == TA_EEXIST; i++) {
        struct ta_err why = {0};
        char suffix[32];
        snprintf(suffix, sizeof(suffix), i == 1 ? "%s" : "%s.%d", word, i);
        r = join(out, to, "", suffix, err);
        if (r == TA_OK)
            r = vfs->rename_new(vfs, from, out, &why);
        if (r < 0 && r != TA_EEXIST)
            return ta_fail(err, r, "%s", why.text[0] ? why.text : ta_strerror(r));
    }
    return r < 0 ? ta_fail(err, r, "no free name for %.200s", from) : r;
}

int ta_set_aside(struct ta_vfs *vfs, const char *path, const struct ta_damage *d, int64_t now_s,
                 struct ta_err *err)
{
    char aside[TA_PATH_MAX];
    char note[TA_PATH_MAX];
    int r = rename_free(vfs, path, path, ".corrupt", aside, err);

    if (r == TA_OK)
        r = join(note, aside, "", ".note", err);
    if (r == TA_OK)
        r = write_note(vfs, note, path, d, now_s, err);
    return r < 0 ? r : sync_parent(vfs, path, err);
}

static int copy_bytes(struct ta_file *from, struct ta_file *to, struct ta_err *err)
{
    unsigned char block[COPY];
    uint64_t at = 0;
    int64_t got;

    while ((got = ta_pread_full(from, block, sizeof(block), at, err)) > 0) {
        int r = ta_pwrite_full(to, block, (size_t)got, at, err);
        if (r < 0)
            return r;
        at += (uint64_t)got;
    }
    return got < 0 ? (int)got : ta_sync(to, err);
}

static int copy_file(struct ta_vfs *vfs, const char *path, const char *aside, struct ta_err *err)
{
    struct ta_file *from = NULL;
    struct ta_file *to = NULL;
    int r = ta_open(vfs, path, TA_OPEN_READ | TA_OPEN_NOFOLLOW, 0, &from, err);

    if (r == TA_OK)
        r = ta_open(vfs, aside, TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_TRUNCATE, FILE_MODE, &to,
                    err);
    if (r == TA_OK)
        r = copy_bytes(from, to, err);
    (void)ta_close(&from, NULL); /* only read */
    int c = ta_close(&to, r < 0 ? NULL : err);
    return r < 0 ? r : c;
}

int ta_set_aside_copy(struct ta_vfs *vfs, const char *path, const struct ta_damage *d,
                      int64_t now_s, struct ta_err *err)
{
    char aside[TA_PATH_MAX];
    char note[TA_PATH_MAX];
    struct ta_stat was = {0};
    struct ta_stat is = {0};
    int r = join(aside, path, "", ".corrupt", err);

    if (r == TA_OK)
        r = vfs->stat(vfs, path, &is, err);
    if (r < 0 || (vfs->stat(vfs, aside, &was, NULL) == TA_OK && was.size == is.size))
        return r;
    r = copy_file(vfs, path, aside, err);
    if (r == TA_OK)
        r = join(note, aside, "", ".note", err);
    if (r == TA_OK)
        r = write_note(vfs, note, path, d, now_s, err);
    return r < 0 ? r : sync_parent(vfs, path, err);
}

int ta_retire(struct ta_vfs *vfs, const char *path, struct ta_err *err)
{
    char note[TA_PATH_MAX];
    char aside[TA_PATH_MAX];
    char beside[TA_PATH_MAX];
    struct ta_stat st;
    int r = join(note, path, "", ".note", err);

    if (r < 0)
        return r;
    if (vfs->stat(vfs, note, &st, NULL) == TA_ENOTFOUND)
        return vfs->unlink(vfs, path, err);
    r = rename_free(vfs, path, path, ".corrupt", aside, err);
    if (r == TA_OK)
        r = join(beside, aside, "", ".note", err);
    return r < 0 ? r : vfs->rename(vfs, note, beside, err);
}

int ta_set_aside_stray(const struct ta_data_dir *d, const char *path, const char *name,
                       struct ta_err *err)
{
    char to[TA_PATH_MAX];
    char out[TA_PATH_MAX];
    int r = join(to, d->lost, name, "", err);

    if (r == TA_OK)
        r = rename_free(d->vfs, path, to, ".stray", out, err);
    if (r == TA_OK)
        r = sync_parent(d->vfs, out, err);
    return r < 0 ? r : sync_parent(d->vfs, path, err);
}
