#include "jobs/archive_configuration.h"

enum { PIECE = 16 * 1024 };

static int read_file(struct ta_vfs *vfs, const char *path, struct ta_buf *out, struct ta_err *err)
{
    struct ta_file_source src;
    struct ta_file *file = NULL;
    char piece[PIECE];
    int64_t n = 0;
    int r = ta_open(vfs, path, TA_OPEN_READ, 0, &file, err);

    if (r < 0)
        return r;
    ta_buf_reset(out);
    ta_file_source_init(&src, file);
    while (r == TA_OK && (n = src.source.read(&src.source, piece, sizeof(piece), err)) > 0)
        r = ta_buf_add(out, piece, (size_t)n);
    (void)ta_close(&file, NULL); /* only read */
    return n < 0 ? (int)n : r < 0 ? ta_fail(err, r, "%.200s: %s", path, ta_strerror(r)) : TA_OK;
}

static int put_missing(const struct ta_archive_configurations *c, size_t i, struct ta_backend *b,
                       struct ta_str cluster, struct ta_alloc *alloc, struct ta_err *err)
{
    struct ta_buf text;

    ta_buf_init(&text, alloc, TA_BACKEND_CLUSTER_MAX);
    int r = ta_backend_read_cluster(b, cluster, &text, err);
    if (r == TA_ENOTFOUND) {
        r = read_file(c->vfs, c->paths[i], &text, err);
        if (r >= 0)
            r = ta_backend_put_cluster(b, cluster, ta_buf_view(&text), err);
    }
    ta_buf_done(&text);
    return r < 0 ? ta_fail_context(err, r, "configuration of cluster %.*s: ", TA_STR_FMT(cluster))
                 : TA_OK;
}

int ta_archive_put_configuration(const struct ta_archive_configurations *c, size_t i,
                                 struct ta_backend *b, struct ta_str cluster,
                                 struct ta_alloc *alloc, struct ta_err *err)
{
    int r = TA_OK;

    if (!c->paths)
        return TA_OK;
    pthread_mutex_lock(c->lock);
    if (!c->is_there[i]) {
        r = put_missing(c, i, b, cluster, alloc, err);
        c->is_there[i] = r == TA_OK;
    }
    pthread_mutex_unlock(c->lock);
    return r;
}
