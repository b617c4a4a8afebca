#include "app/cleanup.h"

#include "archive/archive.h"

#include <stdio.h>
#include <string.h>

int ta_cleanup_run(const struct ta_config *config, struct ta_clock *clock, struct ta_log *log,
                   uint64_t *out_files, struct ta_err *err)
{
    const struct ta_conf_store *c = &config->store;
    bool archives = strcmp(c->cleanup_mode, "archive") == 0;
    struct ta_archive_result result = {0};
    char state[4096];

    *out_files = 0;
    if (c->retention_ns <= 0)
        return TA_OK;
    if ((size_t)snprintf(state, sizeof(state), "%s/.tarn",
                         archives ? c->cleanup_dir : c->checkpoint_dir) >= sizeof(state))
        return ta_fail(err, TA_EINVAL, "the path of the directory is too long");
    struct ta_archive_conf conf = {
        .vfs = &ta_vfs_posix,
        .checkpoints = c->checkpoint_dir,
        .archive = archives ? c->cleanup_dir : NULL,
        .state = state,
        .mode = archives ? TA_ARCHIVE_PARQUET : TA_ARCHIVE_DELETE,
        .before_s = ta_now_s(clock) - c->retention_ns / 1000000000,
        .alloc = &ta_heap,
        .log = log,
    };
    int r = ta_archive_run(&conf, &result, err);
    *out_files = result.files;
    if (r == TA_OK && result.clusters_failed)
        return ta_fail(err, TA_ESTATE, "archiving failed for clusters: %s", result.failed);
    if (r == TA_OK && result.hosts_failed)
        return ta_fail(err, TA_ESTATE, "archiving failed for %llu hosts",
                       (unsigned long long)result.hosts_failed);
    return r;
}
