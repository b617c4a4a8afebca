/* files.c - checkpoints written and read back, and put into an archive. */
#include "api/api_int.h"
#include "archive/archive.h"
#include "base/clock.h"
#include "persist/checkpoint.h"
#include "persist/recover.h"

#include <inttypes.h>
#include <tarn/files.h>

int tarn_checkpoint(struct tarn_store *s, const char *root, enum tarn_format format,
                    int64_t before_s, struct tarn_files *out, struct tarn_error *err)
{
    struct ta_checkpoint_counts counts = {0};
    struct ta_data_dir dir = {0};
    struct ta_err why = {0};

    int r = ta_data_dir_open(&dir, &ta_vfs_posix, root, &why);
    if (r == TA_OK) {
        const struct ta_checkpoint_conf conf = {.store = s->store,
                                                .vfs = &ta_vfs_posix,
                                                .root = root,
                                                .format = format == TARN_FORMAT_JSON ? TA_TREE_JSON
                                                                                     : TA_TREE_BIN,
                                                .alloc = &ta_heap};
        r = ta_checkpoint_run(&conf, before_s, 1, NULL, &counts, &why);
    }
    ta_data_dir_close(&dir);
    if (out)
        *out = (struct tarn_files){.n_files = counts.files, .n_samples = counts.samples};
    return r < 0 ? api_fail(err, r, &why) : TARN_OK;
}

int tarn_restore(struct tarn_store *s, const char *root, struct tarn_files *out,
                 struct tarn_error *err)
{
    struct ta_data_dir dir = {0};
    struct ta_recover *recover = NULL;
    struct tarn_files files = {0};
    struct ta_err why = {0};

    int r = ta_data_dir_open(&dir, &ta_vfs_posix, root, &why);
    if (r == TA_OK) {
        const struct ta_recover_conf conf = {.store = s->store,
                                             .dir = &dir,
                                             .alloc = &ta_heap,
                                             .clock = &ta_clock_system,
                                             .retention_s = s->retention_s};
        r = ta_recover_new(&recover, &conf, &why);
    }
    if (r == TA_OK)
        r = ta_recover_run(recover, NULL, &why);
    if (r == TA_OK)
        r = ta_recover_settle(recover, NULL, NULL, &why);
    for (enum ta_recover_kind k = 0; recover && k < TA_RECOVER_KINDS; k++) {
        const struct ta_recover_counts *c = &ta_recover_report(recover)->kind[k];

        files.n_files += c->files;
        files.n_samples += c->samples;
        files.n_damaged += c->files_damaged;
    }
    ta_recover_free(recover);
    ta_data_dir_close(&dir);
    if (out)
        *out = files;
    return r < 0 ? api_fail(err, r, &why) : TARN_OK;
}

int tarn_archive(const struct tarn_archive *what, struct tarn_files *out, struct tarn_error *err)
{
    const struct ta_archive_conf conf = {.vfs = &ta_vfs_posix,
                                         .checkpoints = what->checkpoints,
                                         .archive = what->archive,
                                         .before_s = what->before_s,
                                         .cluster = what->cluster,
                                         .keep = what->keep != 0,
                                         .alloc = &ta_heap};
    struct ta_archive_result result = {0};
    struct ta_err why = {0};
    int r = ta_archive_run(&conf, &result, &why);

    if (r == TA_OK && (result.hosts_failed || result.clusters_failed))
        r = ta_fail(&why, TA_EIO,
                    "%" PRIu64 " hosts and %" PRIu64 " clusters were left for another time: %s",
                    result.hosts_failed, result.clusters_failed, result.failed);
    if (out)
        *out = (struct tarn_files){
            .n_files = result.files, .n_samples = result.done.rows, .n_damaged = result.damaged};
    return r < 0 ? api_fail(err, r, &why) : TARN_OK;
}
