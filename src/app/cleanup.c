#include "app/cleanup.h"

#include "app/bucket.h"

#include <stdio.h>
#include <string.h>

static bool is_kept(void *protector, struct ta_str cluster, struct ta_str host)
{
    return ta_protector_has(protector, cluster, host);
}

static bool to_bucket(const struct ta_conf_store *c)
{
    return c->cleanup_mode[0] == 'a' && ta_bucket_is_address(c->cleanup_dir);
}

static int open_bucket(struct ta_cleanup *c, struct ta_bucket *bucket, struct ta_err *err)
{
    const struct ta_conf_s3 *s3 = &c->config->tarn.s3;
    const struct ta_bucket_conf conf = {.address = c->config->store.cleanup_dir,
                                        .endpoint = s3->endpoint,
                                        .region = s3->region,
                                        .access_key = s3->access_key,
                                        .secret_key = s3->secret_key,
                                        .ca_file = s3->ca_file,
                                        .checkpoints = c->config->store.checkpoint_dir,
                                        .stop = &c->stop};
    int r = ta_bucket_open(bucket, &conf, err);

    return r < 0 ? ta_fail_context(err, r, "metric-store.cleanup.directory: ") : r;
}

static int judge(const struct ta_archive_result *result, struct ta_err *err)
{
    if (result->clusters_failed)
        return ta_fail(err, TA_ESTATE, "archiving failed for clusters: %s", result->failed);
    if (result->hosts_failed)
        return ta_fail(err, TA_ESTATE, "archiving failed for %llu hosts",
                       (unsigned long long)result->hosts_failed);
    return TA_OK;
}

int ta_cleanup_run(struct ta_cleanup *c, struct ta_archive_result *out, struct ta_err *err)
{
    const struct ta_conf_store *store = &c->config->store;
    bool archives = store->cleanup_mode[0] == 'a';
    int64_t retention_ns = c->retention_ns;
    struct ta_bucket bucket = {0};
    char state[4096];

    memset(out, 0, sizeof(*out));
    if (retention_ns <= 0)
        return TA_OK;
    if ((size_t)snprintf(state, sizeof(state), "%s/.tarn",
                         archives ? store->cleanup_dir : store->checkpoint_dir) >= sizeof(state))
        return ta_fail(err, TA_EINVAL, "the path of the directory is too long");
    if (to_bucket(store)) {
        int r = open_bucket(c, &bucket, err);
        if (r < 0)
            return r;
    }
    struct ta_archive_conf conf = {
        .vfs = &ta_vfs_posix,
        .checkpoints = store->checkpoint_dir,
        .archive = archives && !bucket.s3 ? store->cleanup_dir : NULL,
        .place = bucket.s3 ? &bucket.place.place : NULL,
        .state = bucket.s3 ? bucket.state : state,
        .mode = archives ? TA_ARCHIVE_PARQUET : TA_ARCHIVE_DELETE,
        .before_s = ta_now_s(c->clock) - retention_ns / 1000000000,
        .is_kept = c->protector && c->protector->is_on ? is_kept : NULL,
        .kept_data = c->protector,
        .alloc = &ta_heap,
        .log = c->log,
        .stop = &c->stop,
    };
    int r = ta_archive_run(&conf, out, err);
    ta_bucket_close(&bucket);
    return r < 0 ? r : judge(out, err);
}
