/* backend_reencoded.c - see backend_reencoded.h. */
#include "jobs/backend_reencoded.h"

#include <stdio.h>

#include "io/gzip.h"
#include "jobs/archive_work.h"
#include "jobs/cluster_document.h"
#include "jobs/data_reencode.h"

enum { PATH = 512, PIECE = 16 * 1024 };

struct reencoded {
    struct ta_backend backend;
    struct ta_backend *inner;
    struct ta_vfs *vfs;
    struct ta_alloc *alloc;
    struct ta_archive_work work;
    struct ta_data_spool spool;
    struct ta_data_spool_source spooled;
    struct ta_file *plain; /* the data as they were, unpacked */
    char path[PATH];
};

static struct reencoded *of(struct ta_backend *b)
{
    return TA_CONTAINER(b, struct reencoded, backend);
}

/* ---- passed on ---------------------------------------------------------------------------------- */

static int exists(struct ta_backend *b, const struct ta_job_address *job, struct ta_err *err)
{
    return ta_backend_exists(of(b)->inner, job, err);
}

static int clusters(struct ta_backend *b, struct ta_arena *arena, struct ta_str_list *out,
                    struct ta_err *err)
{
    return ta_backend_clusters(of(b)->inner, arena, out, err);
}

static int list(struct ta_backend *b, struct ta_str cluster, struct ta_backend_cursor **out,
                struct ta_err *err)
{
    return ta_backend_list(of(b)->inner, cluster, out, err);
}

static int read_mark(struct ta_backend *b, int64_t *out, struct ta_err *err)
{
    return ta_backend_read_mark(of(b)->inner, out, err);
}

/* ---- written anew ------------------------------------------------------------------------------- */

static int read_meta(struct ta_backend *b, const struct ta_job_address *address, struct ta_buf *out,
                     struct ta_err *err)
{
    struct reencoded *e = of(b);
    struct ta_json_writer w;
    struct ta_job job;
    int r = ta_archive_read(&e->work, e->inner, address, &job, err);

    if (r >= 0)
        r = ta_archive_is_of(&job, address, err);
    if (r < 0)
        return r;
    ta_buf_reset(out);
    ta_json_writer_init(&w, out);
    r = ta_job_write(&w, &job);
    if (r >= 0)
        r = ta_buf_byte(out, '\n');
    return r < 0 ? ta_fail(err, r, "metadata: %s", ta_strerror(r)) : TA_OK;
}

static int unpack(struct reencoded *e, struct ta_source *src, uint64_t *out_bytes,
                  struct ta_err *err)
{
    unsigned char piece[PIECE];
    int64_t n = 0;
    int r = e->plain ? TA_OK
                     : ta_open(e->vfs, e->path,
                               TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_TRUNCATE |
                                   TA_OPEN_NOFOLLOW,
                               0600, &e->plain, err);

    *out_bytes = 0;
    while (r >= 0 && (n = src->read(src, piece, sizeof(piece), err)) > 0) {
        r = ta_pwrite_full(e->plain, piece, (size_t)n, *out_bytes, err);
        *out_bytes += (uint64_t)n;
    }
    return n < 0 ? (int)n : r;
}

static int open_data(struct ta_backend *b, const struct ta_job_address *job,
                     struct ta_backend_data *out, struct ta_err *err)
{
    struct reencoded *e = of(b);
    struct ta_backend_data data;
    struct ta_gzip gzip = {0};
    uint64_t bytes = 0;
    int r = ta_backend_open_data(e->inner, job, &data, err);

    if (r < 0)
        return r;
    if (data.is_gzip)
        r = ta_gzip_unpack(&gzip, data.source, e->alloc, err);
    if (r >= 0)
        r = unpack(e, data.is_gzip ? &gzip.source : data.source, &bytes, err);
    ta_gzip_done(&gzip);
    ta_backend_close_data(e->inner);
    if (r >= 0)
        r = ta_data_spool_begin(&e->spool, err);
    if (r >= 0)
        r = ta_data_reencode(e->plain, bytes, &e->spool.sink, e->alloc, err);
    if (r >= 0)
        r = ta_data_spool_finish(&e->spool, err);
    if (r < 0)
        return ta_fail_context(err, r, "data: ");
    ta_data_spool_read(&e->spool, &e->spooled);
    *out = (struct ta_backend_data){&e->spooled.source, ta_data_spool_bytes(&e->spool),
                                    ta_data_spool_is_gzip(&e->spool)};
    return TA_OK;
}

static void close_data(struct ta_backend *b)
{
    (void)b;
}

static int read_cluster(struct ta_backend *b, struct ta_str cluster, struct ta_buf *out,
                        struct ta_err *err)
{
    struct reencoded *e = of(b);
    struct ta_mem_source source;
    int r = ta_backend_read_cluster(e->inner, cluster, &e->work.other, err);

    if (r < 0)
        return r;
    ta_mem_source_init(&source, e->work.other.at, e->work.other.len, 0);
    r = ta_cluster_document_write(&source.source, out, e->alloc, err);
    return r < 0 ? ta_fail_context(err, r, "%.*s/cluster.json: ", TA_STR_FMT(cluster)) : r;
}

/* ---- refused ------------------------------------------------------------------------------------ */

static int refuse(const struct ta_backend *b, struct ta_err *err)
{
    return ta_fail(err, TA_ESTATE, "%s: this archive is only read", b->name);
}

static int put(struct ta_backend *b, const struct ta_job_address *job,
               const struct ta_backend_data *data, struct ta_str meta, struct ta_err *err)
{
    (void)job, (void)data, (void)meta;
    return refuse(b, err);
}

static int put_data(struct ta_backend *b, const struct ta_job_address *job,
                    const struct ta_backend_data *data, struct ta_err *err)
{
    (void)job, (void)data;
    return refuse(b, err);
}

static int put_text(struct ta_backend *b, const struct ta_job_address *job, struct ta_str text,
                    struct ta_err *err)
{
    (void)job, (void)text;
    return refuse(b, err);
}

static int put_cluster(struct ta_backend *b, struct ta_str cluster, struct ta_str text,
                       struct ta_err *err)
{
    (void)cluster, (void)text;
    return refuse(b, err);
}

static int remove_job(struct ta_backend *b, const struct ta_job_address *job, struct ta_err *err)
{
    (void)job;
    return refuse(b, err);
}

static int put_mark(struct ta_backend *b, int64_t at_s, struct ta_err *err)
{
    (void)at_s;
    return refuse(b, err);
}

static int put_version(struct ta_backend *b, struct ta_err *err)
{
    return refuse(b, err);
}

/* ---- life --------------------------------------------------------------------------------------- */

static void close_all(struct ta_backend *b)
{
    struct reencoded *e = of(b);

    if (e->plain) {
        (void)ta_close(&e->plain, NULL);             /* nobody needs what is in it */
        (void)e->vfs->unlink(e->vfs, e->path, NULL); /* or it is overwritten by the next one */
    }
    ta_archive_work_done(&e->work);
    ta_data_spool_done(&e->spool);
    ta_release(e->alloc, e, sizeof(*e));
}

static const struct ta_backend_ops ops = {
    .exists = exists,
    .read_meta = read_meta,
    .open_data = open_data,
    .close_data = close_data,
    .put = put,
    .put_data = put_data,
    .put_meta = put_text,
    .remove = remove_job,
    .clusters = clusters,
    .read_cluster = read_cluster,
    .put_cluster = put_cluster,
    .list = list,
    .read_mark = read_mark,
    .put_mark = put_mark,
    .put_version = put_version,
    .close = close_all,
};

int ta_backend_open_reencoded(struct ta_backend **out, struct ta_backend *inner, struct ta_vfs *vfs,
                              const char *path, struct ta_alloc *alloc, struct ta_err *err)
{
    struct reencoded *e = ta_alloc_zero(alloc, 1, sizeof(*e));
    char packed[PATH];

    if (!e)
        return ta_fail(err, TA_ENOMEM, "no memory to read an archive");
    e->backend = (struct ta_backend){&ops, inner->name, inner->version};
    e->inner = inner;
    e->vfs = vfs;
    e->alloc = alloc;
    int n = snprintf(e->path, sizeof(e->path), "%s.plain", path);
    int m = snprintf(packed, sizeof(packed), "%s.packed", path);
    int r = n < 0 || m < 0 || (size_t)n >= sizeof(e->path) || (size_t)m >= sizeof(packed)
                ? ta_fail(err, TA_ERANGE, "path too long")
                : ta_data_spool_init(&e->spool, vfs, packed, alloc, err);
    ta_archive_work_init(&e->work, &e->spool, alloc);
    if (r < 0) {
        close_all(&e->backend);
        return r;
    }
    *out = &e->backend;
    return TA_OK;
}
