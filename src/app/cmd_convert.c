/* cmd_convert.c - `tarn convert`: checkpoint files, or a whole tree of them, into another format. */
#include "app/command.h"
#include "persist/host_files.h"
#include "persist/tree_convert.h"

#include <stdio.h>
#include <string.h>

enum { FILE_MODE = 0640, DIR_MODE = 0750 };

struct values {
    const char *format;
};

static const struct ta_option rows[] = {
    {.name = "format",
     .kind = TA_OPT_TEXT,
     .offset = offsetof(struct values, format),
     .arg = "FORMAT",
     .help = "json, bin (snapshots), or wal (one current.wal a host)"},
};
static const struct ta_option_table options = {rows, TA_COUNT(rows), false};

struct job {
    struct ta_vfs *vfs;
    bool is_wal;
    enum ta_tree_format format;
    uint64_t files;
    struct ta_tree_convert_counts counts;
};

static int format_of(const char *path, enum ta_tree_format *out)
{
    const char *dot = strrchr(path, '.');

    if (dot && strcmp(dot, ".bin") == 0)
        *out = TA_TREE_BIN;
    else if (dot && strcmp(dot, ".json") == 0)
        *out = TA_TREE_JSON;
    else
        return TA_EFORMAT;
    return TA_OK;
}

/* Converts into to_path under a temporary name. *at: where a log goes on; 0 begins it. */
static int convert_open(struct job *job, struct ta_file *from, enum ta_tree_format format,
                        const char *to_path, uint64_t *at, struct ta_err *err)
{
    struct ta_file *to = NULL;
    unsigned flags = TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_CREATE;
    int r =
        ta_open(job->vfs, to_path, *at > 0 ? flags : flags | TA_OPEN_TRUNCATE, FILE_MODE, &to, err);

    if (r < 0)
        return r;
    r = job->is_wal ? ta_tree_convert_wal(from, format, to, at, &ta_heap, &job->counts, err)
                    : ta_tree_convert(from, format, to, job->format, &ta_heap, &job->counts, err);
    if (r == TA_OK)
        r = ta_sync(to, err);
    int c = ta_close(&to, r < 0 ? NULL : err);
    return r < 0 ? r : c;
}

static int convert_to_temp(struct job *job, const char *from_path, const char *temp, uint64_t *at,
                           struct ta_err *err)
{
    enum ta_tree_format format;
    struct ta_file *from = NULL;

    if (format_of(from_path, &format) < 0)
        return ta_fail(err, TA_EINVAL, "%.200s: its name ends neither in .bin nor in .json",
                       from_path);
    int r = ta_open(job->vfs, from_path, TA_OPEN_READ, 0, &from, err);
    if (r == TA_OK)
        r = convert_open(job, from, format, temp, at, err);
    (void)ta_close(&from, NULL); /* only read */
    job->files += r == TA_OK;
    return r < 0 ? ta_fail_context(err, r, "%.200s: ", from_path) : r;
}

static int finish(struct job *job, const char *temp, const char *to_path, int r, struct ta_err *err)
{
    if (r == TA_OK)
        r = job->vfs->rename(job->vfs, temp, to_path, err);
    if (r < 0)
        (void)job->vfs->unlink(job->vfs, temp, NULL); /* the first error is the one to tell */
    return r;
}

static int convert_file(struct job *job, const char *from_path, const char *to_path,
                        struct ta_err *err)
{
    char temp[TA_PATH_MAX];
    uint64_t at = 0;

    if (snprintf(temp, sizeof(temp), "%s.tmp", to_path) >= TA_PATH_MAX)
        return ta_fail(err, TA_ERANGE, "path too long");
    return finish(job, temp, to_path, convert_to_temp(job, from_path, temp, &at, err), err);
}

/* ---- a tree ---------------------------------------------------------------------------------------- */

static int convert_host(struct job *job, const char *from_dir, const char *to_dir,
                        struct ta_err *err)
{
    struct ta_host_files files;
    char from[TA_PATH_MAX], to[TA_PATH_MAX], temp[TA_PATH_MAX];
    uint64_t at = 0;
    int r = ta_host_files_read(&files, job->vfs, from_dir, &ta_heap, err);

    if (r == TA_OK && files.n > 0)
        r = ta_mkdir_all(job->vfs, to_dir, DIR_MODE, err);
    if (snprintf(to, sizeof(to), "%s/current.wal", to_dir) >= TA_PATH_MAX ||
        snprintf(temp, sizeof(temp), "%s/current.wal.tmp", to_dir) >= TA_PATH_MAX)
        r = ta_fail(err, TA_ERANGE, "path too long");
    for (size_t i = 0; r == TA_OK && i < files.n; i++) {
        const struct ta_host_file *f = &files.at[i];
        r = ta_host_file_path(from, from_dir, f->from_s, f->format, "", err);
        if (r == TA_OK && job->is_wal) {
            r = convert_to_temp(job, from, temp, &at, err);
        } else if (r == TA_OK) {
            r = ta_host_file_path(to, to_dir, f->from_s, job->format, "", err);
            if (r == TA_OK)
                r = convert_file(job, from, to, err);
        }
    }
    if (job->is_wal && files.n > 0)
        r = finish(job, temp, to, r, err);
    if (r == TA_OK && files.n > 0)
        r = job->vfs->sync_dir(job->vfs, to_dir, err);
    ta_host_files_done(&files);
    return r;
}

/* Every directory `below` levels down: 2 = a root, 1 = a cluster, 0 = a host. */
static int convert_dir(struct job *job, const char *from, const char *to, int below,
                       struct ta_err *err)
{
    struct ta_dir *dir = NULL;
    struct ta_dirent e;
    int r;

    if (below == 0)
        return convert_host(job, from, to, err);
    r = job->vfs->open_dir(job->vfs, from, &dir, err);
    if (r < 0)
        return r;
    while ((r = dir->ops->next(dir, &e, err)) > 0) {
        char a[TA_PATH_MAX], b[TA_PATH_MAX];
        if (e.kind != TA_KIND_DIR || e.name[0] == '.')
            continue;
        if (snprintf(a, sizeof(a), "%s/%s", from, e.name) >= TA_PATH_MAX ||
            snprintf(b, sizeof(b), "%s/%s", to, e.name) >= TA_PATH_MAX)
            r = ta_fail(err, TA_ERANGE, "path too long below %.200s", from);
        else
            r = convert_dir(job, a, b, below - 1, err);
        if (r < 0)
            break;
    }
    dir->ops->close(dir);
    return r;
}

static int convert(struct job *job, const char *from, const char *to, struct ta_err *err)
{
    struct ta_stat st;
    int r = job->vfs->stat(job->vfs, from, &st, err);

    if (r < 0)
        return r;
    return st.kind == TA_KIND_DIR ? convert_dir(job, from, to, 2, err)
                                  : convert_file(job, from, to, err);
}

static int run(const struct ta_command *self, int argc, char **argv)
{
    struct ta_operands paths = {0};
    struct values v = {0};
    struct ta_err err = {0};
    int status;

    if (!ta_command_parse(self, argc, argv, &v, &paths, &status))
        return status;
    if (paths.n != 2)
        return ta_command_usage(self, "a source and a target are needed");
    struct job job = {.vfs = &ta_vfs_posix};
    if (v.format && strcmp(v.format, "wal") == 0)
        job.is_wal = true;
    else if (v.format && strcmp(v.format, "json") == 0)
        job.format = TA_TREE_JSON;
    else if (v.format && strcmp(v.format, "bin") == 0)
        job.format = TA_TREE_BIN;
    else
        return ta_command_usage(self, "--format is json, bin or wal");
    int r = convert(&job, paths.word[0], paths.word[1], &err);
    printf("files: %llu, series: %llu, samples: %llu, damaged places: %llu\n",
           (unsigned long long)job.files, (unsigned long long)job.counts.series,
           (unsigned long long)job.counts.samples, (unsigned long long)job.counts.damaged);
    if (r < 0)
        return ta_command_fail(self, &err);
    return job.counts.damaged ? TA_EXIT_FAILED : TA_EXIT_OK;
}

const struct ta_command ta_cmd_convert = {
    .name = "convert",
    .operands = "SRC DST",
    .summary = "checkpoint files into another format: one file, or a tree ROOT/cluster/host",
    .notes =
        "The source stays as it is. Binary snapshots and reference logs hold binary32 values.\n",
    .options = &options,
    .run = run,
};
