/* backend_s3.c - a job archive in a bucket: the keys are the paths of the tree of files, without a root.
 *
 * (spec: job-archive 6) Data go through a local file, because a request is signed with the hash of what it
 * sends and may have to be sent again. An object is old or new; the compressed form of the data counts
 * when both are there, as in a tree.
 */
#include "jobs/backend_int.h"

#include <inttypes.h>
#include <stdio.h>

#include "rest/s3.h"

enum { PIECE = 64 * 1024, KEY_MAX = 512, PAGE_MAX = 512 * 1024, NUMBER_MAX = 64 };

static const char *const data_names[] = {"data.json", "data.json.gz"}; /* by is_gzip */

struct bucket {
    struct ta_backend backend;
    struct ta_alloc *alloc;
    struct ta_vfs *vfs;
    struct ta_s3 *s3;
    char name[300], spool[TA_BACKEND_PATH_MAX / 2];
    char folder[KEY_MAX], key[KEY_MAX + 32]; /* of the call under way */
    unsigned char piece[PIECE];
};

static struct bucket *of(struct ta_backend *b)
{
    return TA_CONTAINER(b, struct bucket, backend);
}

static int job_folder(struct bucket *s, const struct ta_job_address *job, struct ta_err *err)
{
    return ta_backend_job_path(job, s->folder, sizeof(s->folder)) < 0
               ? ta_fail(err, TA_ERANGE, "%s: a key becomes too long", s->name)
               : TA_OK;
}

static const char *in_folder(struct bucket *s, const char *name)
{
    snprintf(s->key, sizeof(s->key), "%s/%s", s->folder, name);
    return s->key;
}

static int put_text(struct bucket *s, const char *key, struct ta_str text, struct ta_err *err)
{
    return ta_s3_replace(s->s3, key, NULL, 0, text, err);
}

static int read_object(struct bucket *s, const char *key, struct ta_buf *out, struct ta_err *err)
{
    struct ta_source *src;
    uint64_t bytes;
    int64_t n = 0;
    int r = ta_s3_get(s->s3, key, &src, &bytes, err);

    while (r >= 0 && (n = src->read(src, s->piece, PIECE, err)) > 0)
        if ((r = ta_buf_add(out, s->piece, (size_t)n)) < 0)
            (void)ta_fail(err, r, "%s: %s: %s", s->name, key, ta_strerror(r));
    ta_s3_get_end(s->s3);
    return r < 0 ? r : (int)n;
}

/* ---- jobs --------------------------------------------------------------------------------------- */

static int exists(struct ta_backend *b, const struct ta_job_address *job, struct ta_err *err)
{
    struct ta_s3_object object;
    int r = job_folder(of(b), job, err);

    return r < 0 ? r : ta_s3_head(of(b)->s3, in_folder(of(b), "meta.json"), &object, err);
}

static int read_meta(struct ta_backend *b, const struct ta_job_address *job, struct ta_buf *out,
                     struct ta_err *err)
{
    int r = job_folder(of(b), job, err);

    return r < 0 ? r : read_object(of(b), in_folder(of(b), "meta.json"), out, err);
}

static int open_data(struct ta_backend *b, const struct ta_job_address *job,
                     struct ta_backend_data *out, struct ta_err *err)
{
    struct bucket *s = of(b);
    struct ta_err why = {0};
    int r = job_folder(s, job, err);

    if (r < 0)
        return r;
    out->is_gzip = true;
    r = ta_s3_get(s->s3, in_folder(s, data_names[1]), &out->source, &out->bytes, &why);
    if (r == TA_ENOTFOUND) {
        out->is_gzip = false;
        return ta_s3_get(s->s3, in_folder(s, data_names[0]), &out->source, &out->bytes, err);
    }
    return r < 0 ? ta_fail(err, r, "%s", why.text) : r;
}

static void close_data(struct ta_backend *b)
{
    ta_s3_get_end(of(b)->s3);
}

/* The data into the spool file, from its beginning. */
static int spool(struct bucket *s, struct ta_file *file, const struct ta_backend_data *data,
                 struct ta_err *err)
{
    uint64_t done = 0;

    for (;;) {
        uint64_t at = done;
        int64_t n = ta_backend_piece(data, &done, s->piece, PIECE, err);

        if (n <= 0)
            return (int)n;
        int r = ta_pwrite_full(file, s->piece, (size_t)n, at, err);
        if (r < 0)
            return r;
    }
}

static int put_data(struct ta_backend *b, const struct ta_job_address *job,
                    const struct ta_backend_data *data, struct ta_err *err)
{
    struct bucket *s = of(b);
    struct ta_file *file;
    int r = job_folder(s, job, err);

    if (r >= 0)
        r = ta_open(s->vfs, s->spool,
                    TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_TRUNCATE |
                        TA_OPEN_NOFOLLOW,
                    0600, &file, err);
    if (r < 0)
        return r;
    r = spool(s, file, data, err);
    if (r >= 0)
        r = ta_s3_replace(s->s3, in_folder(s, data_names[data->is_gzip]), file, data->bytes,
                          TA_STR(""), err);
    if (r >= 0)
        r = ta_s3_delete(s->s3, in_folder(s, data_names[!data->is_gzip]), err);
    (void)ta_close(&file, NULL); /* nobody needs it any more */
    (void)s->vfs->unlink(s->vfs, s->spool, NULL);
    return r;
}

static int put_meta(struct ta_backend *b, const struct ta_job_address *job, struct ta_str meta,
                    struct ta_err *err)
{
    int r = job_folder(of(b), job, err);

    return r < 0 ? r : put_text(of(b), in_folder(of(b), "meta.json"), meta, err);
}

static int put(struct ta_backend *b, const struct ta_job_address *job,
               const struct ta_backend_data *data, struct ta_str meta, struct ta_err *err)
{
    int r = put_data(b, job, data, err);

    return r < 0 ? r : put_meta(b, job, meta, err);
}

static int remove_job(struct ta_backend *b, const struct ta_job_address *job, struct ta_err *err)
{
    static const char *const names[] = {"meta.json", "data.json.gz", "data.json"};
    int r = job_folder(of(b), job, err);

    for (size_t i = 0; r >= 0 && i < TA_COUNT(names); i++)
        r = ta_s3_delete(of(b)->s3, in_folder(of(b), names[i]), err);
    return r;
}

/* ---- listing ------------------------------------------------------------------------------------ */

/* A page of names and where the next one begins. */
struct pages {
    struct bucket *s;
    const char *prefix;
    bool by_folder;
    struct ta_buf names;
    size_t at;
    int more;
    char after[KEY_MAX * 2 + 2];
};

/* 1 = *out is the next name, borrowed until the next call. */
static int next_name(struct pages *p, struct ta_str *out, struct ta_err *err)
{
    while (p->at == p->names.len) {
        if (!p->more)
            return 0;
        p->at = 0;
        p->more = ta_s3_list(p->s->s3, p->prefix, p->by_folder, p->after, &p->names, err);
        if (p->more < 0)
            return p->more;
        if (p->names.len == 0 && p->more)
            return ta_fail(err, TA_EIO, "%s: a page of its list is empty", p->s->name);
    }
    *out = ta_str(p->names.at + p->at);
    p->at += out->len + 1;
    if (out->len + 2 > sizeof(p->after))
        return ta_fail(err, TA_ERANGE, "%s: a key of %zu bytes", p->s->name, out->len);
    memcpy(p->after, out->at, out->len + 1);
    /* Behind a folder is what comes after all that begins with it: '0' follows '/'. */
    if (p->by_folder && out->len && p->after[out->len - 1] == '/')
        p->after[out->len - 1] = '0';
    return 1;
}

static void pages_init(struct pages *p, struct bucket *s, const char *prefix, bool by_folder)
{
    *p = (struct pages){.s = s, .prefix = prefix, .by_folder = by_folder, .more = 1};
    ta_buf_init(&p->names, s->alloc, PAGE_MAX);
}

struct walk {
    struct ta_backend_cursor cursor;
    struct pages pages;
    struct ta_str cluster;
    char prefix[TA_BACKEND_NAME_MAX + 2];
};

/* "<cluster>/1403/244/1608923076/meta.json" */
static bool is_job(struct ta_str key, struct ta_str cluster, struct ta_job_address *out)
{
    static const char end[] = "/meta.json";
    struct ta_str part[3];
    size_t tail = sizeof(end) - 1;

    if (key.len < cluster.len + 1 + tail || memcmp(key.at + key.len - tail, end, tail) != 0)
        return false;
    struct ta_str rest = {key.at + cluster.len + 1, key.len - cluster.len - 1 - tail};
    for (size_t i = 0; i < 3; i++) {
        const char *slash = memchr(rest.at, '/', rest.len);
        size_t n = slash ? (size_t)(slash - rest.at) : rest.len;

        if ((slash == NULL) != (i == 2))
            return false;
        part[i] = (struct ta_str){rest.at, n};
        n += slash != NULL;
        rest = (struct ta_str){rest.at + n, rest.len - n};
    }
    out->cluster = cluster;
    return ta_backend_job_of_path(part[0], part[1], part[2], out) == TA_OK;
}

static int next_job(struct ta_backend_cursor *self, struct ta_job_address *out, struct ta_err *err)
{
    struct walk *w = TA_CONTAINER(self, struct walk, cursor);
    struct ta_str key;
    int r;

    while ((r = next_name(&w->pages, &key, err)) > 0 && !is_job(key, w->cluster, out))
        ;
    return r;
}

static void close_walk(struct ta_backend_cursor *self)
{
    struct walk *w = TA_CONTAINER(self, struct walk, cursor);
    struct ta_alloc *alloc = w->pages.s->alloc;

    ta_buf_done(&w->pages.names);
    ta_release(alloc, w, sizeof(*w));
}

static int list(struct ta_backend *b, struct ta_str cluster, struct ta_backend_cursor **out,
                struct ta_err *err)
{
    struct walk *w = ta_alloc_zero(of(b)->alloc, 1, sizeof(*w));

    if (!w)
        return ta_fail(err, TA_ENOMEM, "no memory to list jobs");
    w->cursor = (struct ta_backend_cursor){next_job, close_walk};
    snprintf(w->prefix, sizeof(w->prefix), "%.*s/", TA_STR_FMT(cluster));
    w->cluster = (struct ta_str){w->prefix, cluster.len};
    pages_init(&w->pages, of(b), w->prefix, false);
    *out = &w->cursor;
    return TA_OK;
}

/* ---- clusters, marks ---------------------------------------------------------------------------- */

static int clusters(struct ta_backend *b, struct ta_arena *arena, struct ta_str_list *out,
                    struct ta_err *err)
{
    struct ta_backend_names names;
    struct pages pages;
    struct ta_str name;
    int r = ta_backend_names_init(&names, arena, err);

    pages_init(&pages, of(b), "", true);
    while (r >= 0 && (r = next_name(&pages, &name, err)) > 0) {
        name.len -= name.len > 0; /* the '/' */
        if (ta_backend_is_name(name))
            r = ta_backend_names_add(&names, name, err);
    }
    ta_buf_done(&pages.names);
    *out = (struct ta_str_list){names.at, names.n, true};
    return r < 0 ? r : TA_OK;
}

static const char *cluster_key(struct bucket *s, struct ta_str cluster)
{
    snprintf(s->key, sizeof(s->key), "%.*s/cluster.json", TA_STR_FMT(cluster));
    return s->key;
}

static int read_cluster(struct ta_backend *b, struct ta_str cluster, struct ta_buf *out,
                        struct ta_err *err)
{
    return read_object(of(b), cluster_key(of(b), cluster), out, err);
}

static int put_cluster(struct ta_backend *b, struct ta_str cluster, struct ta_str text,
                       struct ta_err *err)
{
    return put_text(of(b), cluster_key(of(b), cluster), text, err);
}

static int read_mark(struct ta_backend *b, int64_t *out, struct ta_err *err)
{
    struct ta_buf text;

    ta_buf_init(&text, of(b)->alloc, NUMBER_MAX);
    int r = read_object(of(b), "compress.txt", &text, err);
    if (r >= 0)
        r = ta_backend_mark_of(b->name, ta_buf_view(&text), out, err);
    ta_buf_done(&text);
    return r;
}

static int put_mark(struct ta_backend *b, int64_t at_s, struct ta_err *err)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%" PRId64, at_s);

    return put_text(of(b), "compress.txt", (struct ta_str){text, (size_t)n}, err);
}

static int put_version(struct ta_backend *b, struct ta_err *err)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%d\n", TA_BACKEND_VERSION);

    return put_text(of(b), "version.txt", (struct ta_str){text, (size_t)n}, err);
}

/* ---- opening ------------------------------------------------------------------------------------ */

static void close_bucket(struct ta_backend *b)
{
    struct bucket *s = of(b);

    ta_release(s->alloc, s, sizeof(*s));
}

static const struct ta_backend_ops s3_ops = {
    .exists = exists,
    .read_meta = read_meta,
    .open_data = open_data,
    .close_data = close_data,
    .put = put,
    .put_data = put_data,
    .put_meta = put_meta,
    .remove = remove_job,
    .clusters = clusters,
    .read_cluster = read_cluster,
    .put_cluster = put_cluster,
    .list = list,
    .read_mark = read_mark,
    .put_mark = put_mark,
    .put_version = put_version,
    .close = close_bucket,
};

static int find_version(struct bucket *s, const struct ta_backend_options *options,
                        struct ta_err *err)
{
    struct ta_err why = {0};
    struct ta_buf text;
    int r = ta_s3_check(s->s3, err);

    if (r < 0)
        return r;
    ta_buf_init(&text, s->alloc, NUMBER_MAX);
    r = read_object(s, "version.txt", &text, &why);
    if (r >= 0)
        r = ta_backend_version_of(s->name, ta_buf_view(&text), options, &s->backend.version, err);
    else if (r == TA_ENOTFOUND && options->may_create)
        r = ta_backend_put_version(&s->backend, err);
    else
        r = ta_fail(err, r, "%s: no job archive: %s", s->name, why.text);
    ta_buf_done(&text);
    return r;
}

int ta_backend_open_s3(struct ta_backend **out, struct ta_s3 *s3, const char *bucket,
                       struct ta_vfs *vfs, const char *spool_path,
                       const struct ta_backend_options *options, struct ta_alloc *alloc,
                       struct ta_err *err)
{
    struct bucket *s = ta_alloc_zero(alloc, 1, sizeof(*s));

    if (!s)
        return ta_fail(err, TA_ENOMEM, "no memory for a job archive");
    s->backend = (struct ta_backend){&s3_ops, s->name, TA_BACKEND_VERSION};
    s->alloc = alloc;
    s->vfs = vfs;
    s->s3 = s3;
    snprintf(s->name, sizeof(s->name), "s3://%s", bucket);
    int n = snprintf(s->spool, sizeof(s->spool), "%s", spool_path);
    int r =
        n <= 0 || (size_t)n >= sizeof(s->spool)
            ? ta_fail(err, TA_EINVAL, "the path of a spool file is %s", n ? "too long" : "empty")
            : find_version(s, options, err);
    if (r < 0) {
        close_bucket(&s->backend);
        return r;
    }
    *out = &s->backend;
    return TA_OK;
}
