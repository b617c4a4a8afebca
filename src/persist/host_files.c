#include "persist/host_files.h"

#include "base/bytes.h"
#include "base/number.h"
#include "io/json_read.h"
#include "persist/seal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { BIN_HEAD = 20, JSON_TAIL = 64 };
static const uint32_t bin_magic = 0xCC5B0001u;
static const char *const extension[] = {[TA_TREE_BIN] = ".bin", [TA_TREE_JSON] = ".json"};

bool ta_is_path_name(struct ta_str name)
{
    if (name.len == 0 || name.len > 255 || ta_str_is(name, "."))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        if (c == '/' || c == '\\' || c == 0 ||
            (c == '.' && i + 1 < name.len && name.at[i + 1] == '.'))
            return false;
    }
    return true;
}

int ta_host_dir(char out[static TA_PATH_MAX], const char *root, struct ta_str cluster,
                struct ta_str host, struct ta_err *err)
{
    if (!ta_is_path_name(cluster) || !ta_is_path_name(host) || cluster.at[0] == '.')
        return ta_fail(err, TA_EINVAL, "cluster or host name cannot be a path: %.*s / %.*s",
                       TA_STR_FMT(cluster), TA_STR_FMT(host));
    int n = snprintf(out, TA_PATH_MAX, "%s/%.*s/%.*s", root, (int)cluster.len, cluster.at,
                     (int)host.len, host.at);
    return n < TA_PATH_MAX ? TA_OK : ta_fail(err, TA_ERANGE, "path too long below %s", root);
}

int ta_host_file_path(char out[static TA_PATH_MAX], const char *dir, int64_t from_s,
                      enum ta_tree_format format, const char *suffix, struct ta_err *err)
{
    int n =
        snprintf(out, TA_PATH_MAX, "%s/%" PRId64 "%s%s", dir, from_s, extension[format], suffix);

    return n < TA_PATH_MAX ? TA_OK : ta_fail(err, TA_ERANGE, "path too long below %s", dir);
}

int ta_host_file_name(const char *name, int64_t *out_from_s, enum ta_tree_format *out_format)
{
    const char *dot = strchr(name, '.');

    for (enum ta_tree_format f = TA_TREE_BIN; dot && f <= TA_TREE_JSON; f++) {
        if (strcmp(dot, extension[f]) == 0 &&
            ta_parse_i64((struct ta_str){name, (size_t)(dot - name)}, out_from_s) == TA_OK) {
            *out_format = f;
            return 1;
        }
    }
    return 0;
}

static int bin_range(struct ta_file *file, struct ta_host_file *f, struct ta_err *err)
{
    unsigned char head[BIN_HEAD];
    int64_t got = ta_pread_full(file, head, sizeof(head), 0, err);

    if (got < 0)
        return (int)got;
    f->is_damaged = got < BIN_HEAD || ta_get_u32(head) != bin_magic;
    if (!f->is_damaged)
        f->to_s = ta_get_i64(head + 12);
    return TA_OK;
}

/* A key "to" anywhere else than at the end: the whole document has to be walked. */
static int json_range_by_walk(struct ta_file *file, struct ta_host_file *f, struct ta_alloc *alloc,
                              struct ta_err *err)
{
    struct ta_json_reader *r = NULL;
    struct ta_json_token t;
    struct ta_file_source src;
    struct ta_err why = {0};
    bool is_to = false;

    ta_file_source_init(&src, file);
    int e = ta_json_reader_new(&r, &src.source, NULL, alloc);
    f->is_damaged = true;
    while (e == TA_OK && (e = ta_json_next(r, &t, &why)) > 0) {
        e = TA_OK;
        if (t.kind == TA_JSON_KEY) {
            is_to = t.depth == 1 && ta_str_is(t.text, "to");
            if (!is_to)
                e = ta_json_skip(r, &why);
        } else if (is_to && t.kind == TA_JSON_NUMBER) {
            f->is_damaged = ta_json_i64(&t, &f->to_s) < 0;
        }
    }
    ta_json_reader_free(r);
    if (e < 0 && e != TA_EFORMAT && e != TA_ERANGE)
        return ta_fail(err, e, "%s", why.text[0] ? why.text : ta_strerror(e));
    f->is_damaged = f->is_damaged || e < 0;
    return TA_OK;
}

/* Files of the reference and of ours end with ,"from":F,"to":T} and a line feed. */
static int json_range(struct ta_file *file, struct ta_host_file *f, struct ta_alloc *alloc,
                      struct ta_err *err)
{
    char tail[JSON_TAIL + 1] = "";
    uint64_t size = 0;
    int r = file->ops->size(file, &size, err);

    if (r < 0)
        return r;
    uint64_t at = size > JSON_TAIL ? size - JSON_TAIL : 0;
    int64_t got = ta_pread_full(file, tail, JSON_TAIL, at, err);
    if (got < 0)
        return (int)got;
    struct ta_str end = {tail, (size_t)got};
    while (end.len > 0 && (end.at[end.len - 1] == '\n' || end.at[end.len - 1] == ' '))
        end.len--;
    if (end.len > 0 && end.at[end.len - 1] == '}') {
        size_t digits = end.len - 1;
        while (digits > 0 && (strchr("-0123456789", end.at[digits - 1]) && end.at[digits - 1]))
            digits--;
        struct ta_str number = {end.at + digits, end.len - 1 - digits};
        struct ta_str before = {end.at, digits};
        if (before.len >= 5 && memcmp(before.at + before.len - 5, "\"to\":", 5) == 0 &&
            ta_parse_i64(number, &f->to_s) == TA_OK)
            return TA_OK;
    }
    return json_range_by_walk(file, f, alloc, err);
}

static int read_range(struct ta_host_file *f, struct ta_vfs *vfs, const char *dir,
                      struct ta_alloc *alloc, struct ta_err *err)
{
    char path[TA_PATH_MAX];
    struct ta_file *file = NULL;
    int r = ta_host_file_path(path, dir, f->from_s, f->format, "", err);

    if (r == TA_OK)
        r = ta_open(vfs, path, TA_OPEN_READ | TA_OPEN_NOFOLLOW, 0, &file, err);
    if (r < 0)
        return r;
    int64_t from_s; /* that of the name counts */
    r = ta_seal_range(file, f->format, &from_s, &f->to_s, err);
    if (r == 0)
        r = f->format == TA_TREE_BIN ? bin_range(file, f, err) : json_range(file, f, alloc, err);
    (void)ta_close(&file, NULL); /* only read */
    f->is_damaged = f->is_damaged || f->to_s < f->from_s;
    return r < 0 ? r : TA_OK;
}

static int compare_files(const void *a, const void *b)
{
    const struct ta_host_file *x = a;
    const struct ta_host_file *y = b;

    if (x->from_s != y->from_s)
        return x->from_s < y->from_s ? -1 : 1;
    return (int)x->format - (int)y->format;
}

static int add_file(struct ta_host_files *f, struct ta_host_file file)
{
    if (f->n == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 16;
        struct ta_host_file *grown =
            ta_resize(f->alloc, f->at, f->cap * sizeof(*f->at), cap * sizeof(*f->at));
        if (!grown)
            return TA_ENOMEM;
        f->at = grown;
        f->cap = cap;
    }
    f->at[f->n++] = file;
    return TA_OK;
}

static int list(struct ta_host_files *f, struct ta_dir *dir, struct ta_err *err)
{
    struct ta_dirent entry;
    int r;

    while ((r = dir->ops->next(dir, &entry, err)) > 0) {
        struct ta_host_file file = {0};
        if (entry.kind != TA_KIND_FILE)
            continue;
        f->has_wal = f->has_wal || strcmp(entry.name, "current.wal") == 0;
        if (ta_host_file_name(entry.name, &file.from_s, &file.format) && add_file(f, file) < 0)
            return ta_fail(err, TA_ENOMEM, "list of checkpoint files");
    }
    return r;
}

int ta_host_files_read(struct ta_host_files *out, struct ta_vfs *vfs, const char *path,
                       struct ta_alloc *alloc, struct ta_err *err)
{
    struct ta_err why = {0};
    struct ta_dir *dir = NULL;

    *out = (struct ta_host_files){.alloc = alloc};
    int r = vfs->open_dir(vfs, path, &dir, &why);
    if (r == TA_ENOTFOUND)
        return TA_OK;
    if (r < 0)
        return ta_fail(err, r, "%s", why.text);
    r = list(out, dir, err);
    dir->ops->close(dir);
    if (out->n > 1)
        qsort(out->at, out->n, sizeof(*out->at), compare_files);
    for (size_t i = 0; r == TA_OK && i < out->n; i++)
        r = read_range(&out->at[i], vfs, path, alloc, err);
    if (r < 0)
        ta_host_files_done(out);
    return r;
}

void ta_host_files_done(struct ta_host_files *f)
{
    if (f->alloc)
        ta_release(f->alloc, f->at, f->cap * sizeof(*f->at));
    *f = (struct ta_host_files){0};
}
