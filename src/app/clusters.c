#include "app/clusters.h"

static int load_one(struct ta_clusters *c, const char *path, struct ta_vfs *vfs, struct ta_err *err)
{
    struct ta_cluster *cluster = NULL;
    struct ta_file_source src;
    struct ta_file *file = NULL;
    int r = ta_open(vfs, path, TA_OPEN_READ, 0, &file, err);

    if (r < 0)
        return ta_fail_context(err, r, "tarn.cluster-files: ");
    ta_file_source_init(&src, file);
    r = ta_cluster_new(&cluster, &src.source, c->alloc, err);
    (void)ta_close(&file, NULL); /* only read */
    if (r < 0)
        return ta_fail_context(err, r, "tarn.cluster-files: %.200s: ", path);
    c->at[c->n++] = cluster;
    return TA_OK;
}

int ta_clusters_load(struct ta_clusters *c, const struct ta_config *config, struct ta_vfs *vfs,
                     struct ta_alloc *alloc, struct ta_err *err)
{
    const struct ta_conf_strings *files = &config->tarn.cluster_files;
    int r = TA_OK;

    *c = (struct ta_clusters){.alloc = alloc};
    if (files->n == 0)
        return TA_OK;
    c->at = ta_alloc_zero(alloc, files->n, sizeof(*c->at));
    if (!c->at)
        return ta_fail(err, TA_ENOMEM, "no memory for the cluster files");
    c->cap = files->n;
    for (size_t i = 0; r == TA_OK && i < files->n; i++)
        r = load_one(c, files->at[i], vfs, err);
    return r;
}

void ta_clusters_done(struct ta_clusters *c)
{
    if (!c->alloc)
        return;
    for (size_t i = 0; i < c->n; i++)
        ta_cluster_free((struct ta_cluster *)(uintptr_t)c->at[i]); /* ours alone until now */
    ta_release(c->alloc, (void *)c->at, c->cap * sizeof(*c->at));
    *c = (struct ta_clusters){0};
}
