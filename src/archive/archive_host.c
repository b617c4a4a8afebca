#include "archive/archive_int.h"

#include "archive/scope.h"

#include <stdio.h>

enum { PARTS_MAX = 1024, PENDING_MAX = 16 };

/* The host's files whose whole range lies before the limit. A file without a usable range counts by its
 * name alone. */
static size_t choose(const struct ta_archive_run *run, const struct ta_host_files *found,
                     const struct ta_archive_window *w, struct ta_arc_file *out)
{
    int64_t before_s = run->conf->before_s;
    size_t n = 0;

    for (size_t i = 0; i < found->n; i++) {
        const struct ta_host_file *f = &found->at[i];
        int64_t end_s = f->to_s > f->from_s ? f->to_s : f->from_s;
        if (f->from_s >= before_s || (!f->is_damaged && end_s > before_s))
            continue;
        if (!w ||
            (f->from_s < w->to_s + TA_ARCHIVE_SLACK_S && end_s + TA_ARCHIVE_SLACK_S >= w->from_s))
            out[n++] = (struct ta_arc_file){.name = *f};
    }
    return n;
}

/* Out of the way, but not lost: <name>.corrupt. */
static int set_aside(struct ta_archive_run *run, const char *dir, const struct ta_host_file *f,
                     const char *why, struct ta_err *err)
{
    struct ta_vfs *vfs = run->conf->vfs;
    char from[TA_PATH_MAX];
    char to[TA_PATH_MAX];
    int r = ta_host_file_path(from, dir, f->from_s, f->format, "", err);

    if (r >= 0)
        r = ta_host_file_path(to, dir, f->from_s, f->format, ".corrupt", err);
    if (r < 0)
        return r;
    r = vfs->rename(vfs, from, to, err);
    if (r < 0)
        return r;
    run->result->damaged++;
    ta_logf(run->conf->log, TA_LOG_ERROR, "%s cannot be read and was set aside as %s: %s", from, to,
            why);
    return vfs->sync_dir(vfs, dir, err);
}

static void drop_file(struct ta_arc_index *x, size_t i)
{
    if (x->files[i].open) {
        (void)ta_close(&x->files[i].open, NULL); /* read only */
        x->n_open--;
    }
    memmove(&x->files[i], &x->files[i + 1], (x->n_files - i - 1) * sizeof(*x->files));
    x->n_files--;
}

/* Indexes one part of the host's metrics. TA_ENOMEM: the part is too large. A damaged file is set aside and
 * the part begun anew, unless rows of it were written already. */
static int index_part(struct ta_archive_run *run, struct ta_arc_part part, bool may_drop,
                      struct ta_err *err)
{
    struct ta_arc_index *x = &run->index;

    ta_arc_index_forget(x, part);
    for (size_t i = 0; i < x->n_files;) {
        struct ta_err why = {0};
        int r = x->files[i].name.is_damaged ? ta_fail(&why, TA_EFORMAT, "its head is damaged")
                                            : ta_arc_index_add(x, (uint32_t)i, &why);
        if ((r == TA_EFORMAT || r == TA_ERANGE) && may_drop) {
            r = set_aside(run, x->dir, &x->files[i].name, why.text, err);
            if (r < 0)
                return r;
            drop_file(x, i);
            ta_arc_index_forget(x, part);
            i = 0;
            continue;
        }
        if (r < 0)
            return ta_fail(err, r, "%s", why.text);
        i++;
    }
    ta_arc_index_sort(x);
    return TA_OK;
}

/* All of a host: in one part if its index fits, else metric by metric in halves, quarters, ... */
static int write_parts(struct ta_archive_run *run, struct ta_arc_host *h, struct ta_err *err)
{
    struct ta_arc_part pending[PENDING_MAX] = {{0, 1}};
    unsigned n = 1;

    while (n) {
        struct ta_arc_part part = pending[--n];
        struct ta_err why = {0};
        int r = index_part(run, part, h->rows == 0, &why);
        if (r == TA_ENOMEM && part.of < PARTS_MAX) {
            pending[n++] = (struct ta_arc_part){part.number + part.of, part.of * 2};
            pending[n++] = (struct ta_arc_part){part.number, part.of * 2};
            continue;
        }
        if (r < 0)
            return ta_fail(err, r, "%s", why.text);
        r = ta_arc_host_write(h, &run->index, err);
        if (r >= 0)
            r = ta_pq_writer_end_group(h->writer, err);
        if (r < 0)
            return r;
    }
    return TA_OK;
}

static int note_sources(struct ta_archive_run *run, struct ta_str host,
                        const struct ta_archive_window *w, struct ta_err *err)
{
    for (size_t i = 0; i < run->index.n_files; i++) {
        const struct ta_arc_file *f = &run->index.files[i];
        int64_t end_s = f->name.to_s > f->name.from_s ? f->name.to_s : f->name.from_s;
        if (w && end_s + TA_ARCHIVE_SLACK_S >= w->to_s)
            continue; /* the next window has it, too */
        int r = ta_arc_output_source(&run->output, host, f, err);
        if (r >= 0 && !run->conf->keep)
            r = ta_arc_journal_source(&run->journal, ta_str(run->cluster), host, f, err);
        if (r < 0) {
            run->is_output_broken = true;
            return r;
        }
        run->result->done.bytes_in += f->bytes;
    }
    return TA_OK;
}

static int archive_files(struct ta_archive_run *run, struct ta_str host, struct ta_arc_file *files,
                         size_t n_files, const struct ta_archive_window *w, bool *has_sources,
                         struct ta_err *err)
{
    struct ta_arc_host h = {.cluster = ta_str(run->cluster),
                            .host = host,
                            .writer = run->output.writer,
                            .from_s = w ? w->from_s : INT64_MIN,
                            .to_s = w ? w->to_s : INT64_MAX,
                            .stop = run->conf->stop};
    int r = ta_arc_index_begin(&run->index, run->conf->checkpoints, ta_str(run->cluster), host,
                               files, n_files, err);

    run->index.slack_s = w ? TA_ARCHIVE_SLACK_S : 0;
    run->index.newest_ns = w ? run->began_ns : INT64_MAX;
    if (r >= 0)
        r = write_parts(run, &h, err);
    run->result->done.rows += h.rows;
    run->is_output_spoilt = r < 0 && h.rows > 0;
    run->is_output_broken |= run->output.is_broken;
    if (r >= 0)
        r = note_sources(run, host, w, err);
    if (r >= 0 && run->index.n_files)
        *has_sources = true;
    ta_arc_index_end(&run->index);
    return r;
}

/* Lists the host and picks its old files: *out of *out_n, released with found->n places. */
static int list_host(struct ta_archive_run *run, struct ta_str host,
                     const struct ta_archive_window *w, struct ta_host_files *found,
                     struct ta_arc_file **out, size_t *out_n, struct ta_err *err)
{
    char dir[TA_PATH_MAX];

    /* What is written into the journal and the file must come back as the same bytes. */
    for (size_t i = 0; i < 2; i++) {
        struct ta_str name = i ? host : ta_str(run->cluster);
        struct ta_arena none;
        ta_arena_init(&none, &run->budget.alloc, 0);
        if (ta_arc_utf8(name, &none).at != name.at)
            return ta_fail(err, TA_EINVAL, "the directory's name is not UTF-8");
    }
    int r = ta_host_dir(dir, run->conf->checkpoints, ta_str(run->cluster), host, err);
    if (r >= 0)
        r = ta_host_files_read(found, run->conf->vfs, dir, &run->index_budget.alloc, err);
    if (r < 0)
        return r;
    *out = ta_alloc(&run->index_budget.alloc, (found->n + 1) * sizeof(**out));
    if (!*out) {
        ta_host_files_done(found);
        return ta_fail(err, TA_ENOMEM, "no memory for %zu checkpoint files", found->n);
    }
    *out_n = choose(run, found, w, *out);
    return TA_OK;
}

int ta_archive_host(struct ta_archive_run *run, struct ta_str host,
                    const struct ta_archive_window *window, bool *has_sources, struct ta_err *err)
{
    struct ta_host_files found = {0};
    struct ta_arc_file *files = NULL;
    size_t n = 0;
    int r = list_host(run, host, window, &found, &files, &n, err);

    if (r < 0)
        return r;
    if (n)
        r = archive_files(run, host, files, n, window, has_sources, err);
    ta_release(&run->index_budget.alloc, files, (found.n + 1) * sizeof(*files));
    ta_host_files_done(&found);
    return r;
}

int ta_archive_range(struct ta_archive_run *run, struct ta_str host,
                     struct ta_archive_window *range, struct ta_err *err)
{
    struct ta_host_files found = {0};
    struct ta_arc_file *files = NULL;
    size_t n = 0;
    int r = list_host(run, host, NULL, &found, &files, &n, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++) {
        const struct ta_host_file *f = &files[i].name;
        int64_t end_s = f->to_s > f->from_s ? f->to_s : f->from_s;
        range->from_s = f->from_s < range->from_s ? f->from_s : range->from_s;
        range->to_s = end_s > range->to_s ? end_s : range->to_s;
    }
    ta_release(&run->index_budget.alloc, files, (found.n + 1) * sizeof(*files));
    ta_host_files_done(&found);
    return TA_OK;
}

int ta_archive_delete(struct ta_archive_run *run, struct ta_str host, struct ta_err *err)
{
    struct ta_vfs *vfs = run->conf->vfs;
    struct ta_host_files found = {0};
    struct ta_arc_file *files = NULL;
    char dir[TA_PATH_MAX];
    char path[TA_PATH_MAX];
    size_t n = 0;
    int r = list_host(run, host, NULL, &found, &files, &n, err);

    if (r < 0)
        return r;
    r = ta_host_dir(dir, run->conf->checkpoints, ta_str(run->cluster), host, err);
    for (size_t i = 0; i < n && r >= 0; i++) {
        if (files[i].name.is_damaged) {
            r = set_aside(run, dir, &files[i].name, "its head is damaged", err);
            continue;
        }
        r = ta_host_file_path(path, dir, files[i].name.from_s, files[i].name.format, "", err);
        if (r >= 0)
            r = vfs->unlink(vfs, path, err);
        run->result->files += r >= 0;
    }
    if (r >= 0 && n)
        r = vfs->sync_dir(vfs, dir, err);
    ta_release(&run->index_budget.alloc, files, (found.n + 1) * sizeof(*files));
    ta_host_files_done(&found);
    return r;
}
