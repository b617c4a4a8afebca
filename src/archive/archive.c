#include "archive/archive_int.h"

#include "base/arena.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    NAMES_MAX = 8 << 20,
    PLAIN_LEVEL = 6 /* of zstd: keeps a day of recorded hosts within 12 % of split values */
};

/* The names of the directories in `dir`, sorted, hidden ones left out. */
struct names {
    struct ta_arena arena;
    struct ta_buf list; /* struct ta_str */
    size_t n;
};

static void names_done(struct names *s)
{
    ta_buf_done(&s->list);
    ta_arena_done(&s->arena);
}

static struct ta_str *names_at(const struct names *s)
{
    return (struct ta_str *)(void *)s->list.at;
}

/* Heap sort, in place: qsort may take memory that no budget sees. */
static void sift(struct ta_str *v, size_t at, size_t n)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= n)
            return;
        if (child + 1 < n && ta_str_cmp(v[child], v[child + 1]) < 0)
            child++;
        if (ta_str_cmp(v[at], v[child]) >= 0)
            return;
        struct ta_str t = v[at];
        v[at] = v[child];
        v[child] = t;
        at = child;
    }
}

static void names_sort(struct names *s)
{
    struct ta_str *v = names_at(s);

    for (size_t i = s->n / 2; i-- > 0;)
        sift(v, i, s->n);
    for (size_t n = s->n; n > 1; n--) {
        struct ta_str t = v[0];
        v[0] = v[n - 1];
        v[n - 1] = t;
        sift(v, 0, n - 1);
    }
}

static int names_read(struct names *s, struct ta_vfs *vfs, const char *path, struct ta_alloc *alloc,
                      struct ta_err *err)
{
    struct ta_err why = {0};
    struct ta_dirent entry;
    struct ta_dir *dir = NULL;

    memset(s, 0, sizeof(*s));
    ta_arena_init(&s->arena, alloc, NAMES_MAX);
    ta_buf_init(&s->list, alloc, NAMES_MAX);
    int r = vfs->open_dir(vfs, path, &dir, &why);
    if (r == TA_ENOTFOUND)
        return TA_OK;
    if (r < 0)
        return ta_fail(err, r, "%s", why.text);
    while ((r = dir->ops->next(dir, &entry, err)) > 0) {
        if (entry.kind != TA_KIND_DIR || entry.name[0] == '.')
            continue;
        struct ta_str name = ta_arena_copy(&s->arena, ta_str(entry.name));
        if (!name.at || ta_buf_add(&s->list, &name, sizeof(name)) < 0) {
            r = ta_fail(err, TA_ENOMEM, "%s: no memory for the names in it", path);
            break;
        }
        s->n++;
    }
    dir->ops->close(dir);
    if (r >= 0)
        names_sort(s);
    return r;
}

static int path_join(char out[static TA_PATH_MAX], const char *a, const char *b, struct ta_err *err)
{
    int n = snprintf(out, TA_PATH_MAX, "%s/%s", a, b);

    return n < 0 || n >= TA_PATH_MAX ? ta_fail(err, TA_ERANGE, "%s: path too long", a) : TA_OK;
}

/* ---- one cluster -------------------------------------------------------------------------------- */

static void note_failed(struct ta_archive_run *run, const char *cluster, const struct ta_err *why)
{
    struct ta_archive_result *out = run->result;
    size_t len = strlen(out->failed);

    out->clusters_failed++;
    snprintf(out->failed + len, sizeof(out->failed) - len, "%s%s", len ? ", " : "", cluster);
    ta_logf(run->conf->log, TA_LOG_ERROR, "archiving cluster %s: %s", cluster, why->text);
}

void ta_archive_note_host(struct ta_archive_run *run, struct ta_str host, const struct ta_err *why)
{
    run->result->hosts_failed++;
    ta_logf(run->conf->log, TA_LOG_ERROR, "archiving host %.*s of cluster %s: %s", TA_STR_FMT(host),
            run->cluster, why->text);
}

void ta_archive_tell(struct ta_archive_run *run)
{
    if (run->conf->on_progress)
        run->conf->on_progress(run->conf->progress_data, &run->result->done);
}

int ta_archive_name(struct ta_archive_run *run, const char *folder, unsigned *next,
                    char out[static TA_PATH_MAX], struct ta_err *err)
{
    while (*next < 100000) {
        unsigned i = (*next)++;
        char tail[32] = "";
        if (i > 1)
            snprintf(tail, sizeof(tail), "-%u", i);
        int n = snprintf(out, TA_PATH_MAX, "%s/%" PRId64 "%s.parquet", folder, run->conf->before_s,
                         tail);
        if (n < 0 || n >= TA_PATH_MAX)
            return ta_fail(err, TA_ERANGE, "%s: name too long", folder);
        int r = run->place->exists(run->place, out, err);
        if (r <= 0)
            return r;
    }
    return ta_fail(err, TA_ERANGE, "%s: too many files of one time", folder);
}

int ta_archive_commit(struct ta_archive_run *run, struct ta_err *err)
{
    struct ta_arc_effects effects = {0};
    int r = ta_arc_journal_commit(&run->journal, err);

    if (r < 0)
        return r;
    ta_arc_journal_done(&run->journal);
    r = ta_arc_journal_execute(run->conf->vfs, run->state, run->conf->checkpoints, run->place,
                               &run->budget.alloc, run->conf->log, &effects, err);
    run->result->outputs += effects.published;
    run->result->files += effects.deleted;
    run->is_stuck = r < 0;
    return r;
}

/* Finishes the open output, records it with its sources, publishes it and deletes them. */
static int commit(struct ta_archive_run *run, struct ta_err *err)
{
    char name[TA_PATH_MAX];
    unsigned next = 1;

    int r = ta_arc_output_finish(&run->output, ta_str(run->cluster), err);
    if (r < 0)
        return r;
    bool has_rows = run->output.rows > 0;
    if (has_rows) {
        r = ta_archive_name(run, run->cluster, &next, name, err);
        if (r >= 0)
            r = ta_arc_journal_output(&run->journal, run->output.temporary, name, err);
        run->result->done.bytes_out += run->output.bytes;
    }
    /* From the record on the temporary file is the journal's business. */
    if (r >= 0) {
        ta_arc_output_end(&run->output, has_rows);
        r = ta_archive_commit(run, err);
    }
    return r;
}

static void give_up(struct ta_archive_run *run)
{
    ta_arc_output_end(&run->output, false);
    ta_arc_journal_done(&run->journal);
}

static int begin_output(struct ta_archive_run *run, struct ta_err *err)
{
    int r = ta_arc_output_begin(&run->output, &run->output_conf, run->n_outputs++, err);

    return r < 0 ? r
                 : ta_arc_journal_begin(&run->journal, run->conf->vfs, run->state,
                                        &run->budget.alloc, err);
}

/* Hosts from *at on into one output. A host that fails after some of its rows were written spoils the output:
 * the same hosts are begun anew without it. */
static int fill_output(struct ta_archive_run *run, const struct names *hosts, bool *skip,
                       size_t *at, bool *has_sources, struct ta_err *err)
{
    struct ta_archive_progress before = run->result->done;
    size_t i;

    *has_sources = false;
    for (i = *at; i < hosts->n; i++) {
        struct ta_err why = {0};
        if (skip[i])
            continue;
        int r = ta_archive_host(run, names_at(hosts)[i], NULL, has_sources, &why);
        if (r == TA_ECANCELED || run->is_output_broken)
            return ta_fail(err, r, "%s", why.text);
        if (r < 0) {
            ta_archive_note_host(run, names_at(hosts)[i], &why);
            skip[i] = true;
            if (run->is_output_spoilt) {
                give_up(run);
                run->is_output_spoilt = false;
                run->result->done = before;
                *has_sources = false;
                r = begin_output(run, err);
                if (r < 0)
                    return r;
                i = *at - 1;
                continue;
            }
        }
        run->result->done.hosts_done++;
        ta_archive_tell(run);
        if (ta_arc_output_is_full(&run->output)) {
            i++;
            break;
        }
    }
    *at = i;
    return TA_OK;
}

static int archive_hosts(struct ta_archive_run *run, const struct names *hosts, struct ta_err *err)
{
    bool *skip = ta_alloc_zero(&run->budget.alloc, hosts->n + 1, sizeof(*skip));
    size_t at = 0;
    int r = skip ? TA_OK : ta_fail(err, TA_ENOMEM, "no memory for %zu hosts", hosts->n);

    if (r >= 0 && run->conf->layout == TA_ARCHIVE_HIVE) {
        r = ta_archive_by_days(run, names_at(hosts), hosts->n, skip, err);
        at = hosts->n;
    }
    while (r >= 0 && at < hosts->n) {
        bool has_sources = false;
        r = begin_output(run, err);
        if (r >= 0)
            r = fill_output(run, hosts, skip, &at, &has_sources, err);
        if (r >= 0 && has_sources)
            r = commit(run, err);
        give_up(run);
    }
    ta_release(&run->budget.alloc, skip, (hosts->n + 1) * sizeof(*skip));
    return r;
}

static int delete_hosts(struct ta_archive_run *run, const struct names *hosts, struct ta_err *err)
{
    for (size_t i = 0; i < hosts->n; i++) {
        struct ta_err why = {0};
        if (run->conf->stop && atomic_load_explicit(run->conf->stop, memory_order_relaxed))
            return ta_fail(err, TA_ECANCELED, "stopped");
        int r = ta_archive_delete(run, names_at(hosts)[i], &why);
        if (r < 0)
            ta_archive_note_host(run, names_at(hosts)[i], &why);
        run->result->done.hosts_done++;
        ta_archive_tell(run);
    }
    return TA_OK;
}

/* Those whose checkpoints stay for now are not looked at. */
static void leave_out_kept(const struct ta_archive_conf *conf, struct ta_str cluster,
                           struct names *hosts)
{
    struct ta_str *v = names_at(hosts);
    size_t n = 0;

    for (size_t i = 0; conf->is_kept && i < hosts->n; i++)
        if (!conf->is_kept(conf->kept_data, cluster, v[i]))
            v[n++] = v[i];
    if (conf->is_kept)
        hosts->n = n;
}

static int archive_cluster(struct ta_archive_run *run, struct ta_str cluster, struct ta_err *err)
{
    char path[TA_PATH_MAX];
    struct names hosts = {0};
    int r = TA_OK;

    run->cluster = cluster.at; /* a copy in an arena, with its final zero */
    if (!ta_is_path_name(cluster))
        r = ta_fail(err, TA_EINVAL, "the directory's name cannot be a cluster's");
    if (r >= 0)
        r = path_join(path, run->conf->checkpoints, cluster.at, err);
    if (r >= 0)
        r = names_read(&hosts, run->conf->vfs, path, &run->budget.alloc, err);
    leave_out_kept(run->conf, cluster, &hosts);
    run->result->done.hosts += hosts.n;
    if (r >= 0)
        r = run->conf->mode == TA_ARCHIVE_DELETE ? delete_hosts(run, &hosts, err)
                                                 : archive_hosts(run, &hosts, err);
    names_done(&hosts);
    return r;
}

/* ---- the run ------------------------------------------------------------------------------------- */

/* Temporary files that no journal names. */
static int sweep_state(struct ta_archive_run *run, struct ta_err *err)
{
    struct ta_vfs *vfs = run->conf->vfs;
    char path[TA_PATH_MAX];
    struct ta_dirent entry;
    struct ta_dir *dir = NULL;

    int r = vfs->open_dir(vfs, run->state, &dir, err);
    if (r < 0)
        return r;
    while ((r = dir->ops->next(dir, &entry, err)) > 0) {
        size_t len = strlen(entry.name);
        if (len < 4 || strcmp(entry.name + len - 4, ".tmp") != 0)
            continue;
        r = path_join(path, run->state, entry.name, err);
        if (r < 0)
            break;
        (void)vfs->unlink(vfs, path, NULL); /* it is overwritten when its name comes up again */
    }
    dir->ops->close(dir);
    return r;
}

static int open_state(struct ta_archive_run *run, struct ta_err *err)
{
    const struct ta_archive_conf *conf = run->conf;
    struct ta_arc_effects effects = {0};
    char path[TA_PATH_MAX];
    int r = TA_OK;

    if (conf->state)
        snprintf(run->state, sizeof(run->state), "%s", conf->state);
    else
        r = path_join(run->state, conf->archive, ".tarn", err);
    if (r >= 0)
        r = ta_mkdir_all(conf->vfs, run->state, 0755, err);
    if (r >= 0)
        r = path_join(path, run->state, "lock", err);
    if (r >= 0)
        r = ta_open(conf->vfs, path, TA_OPEN_WRITE | TA_OPEN_CREATE, 0600, &run->lock, err);
    if (r >= 0) {
        struct ta_err why = {0};
        r = run->lock->ops->lock(run->lock, &why);
        if (r < 0)
            return ta_fail(err, r, "%s: %s", path,
                           r == TA_ESTATE ? "another archive run is under way" : why.text);
    }
    if (r >= 0)
        r = ta_arc_journal_execute(conf->vfs, run->state, conf->checkpoints, run->place,
                                   &run->budget.alloc, conf->log, &effects, err);
    run->result->outputs += effects.published;
    run->result->files += effects.deleted;
    if (r == TA_ESTATE) {
        ta_logf(conf->log, TA_LOG_ERROR, "%s", err ? err->text : "an archive file has vanished");
        if (err)
            *err = (struct ta_err){0};
        r = TA_OK;
    }
    if (r >= 0)
        r = sweep_state(run, err);
    if (r >= 0)
        r = path_join(path, run->state, "spool.tmp", err);
    if (r >= 0)
        r = ta_open(conf->vfs, path,
                    TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_TRUNCATE, 0600,
                    &run->spool, err);
    if (r >= 0) {
        struct ta_stat st;
        r = ta_pwrite_full(run->spool, "", 1, 0, err); /* so that its time is now */
        if (r >= 0)
            r = conf->vfs->stat(conf->vfs, path, &st, err);
        run->began_ns = r >= 0 ? st.mtime_ns : 0;
    }
    return r;
}

static void close_state(struct ta_archive_run *run)
{
    char path[TA_PATH_MAX];

    if (run->spool) {
        (void)ta_close(&run->spool, NULL); /* temporary */
        if (path_join(path, run->state, "spool.tmp", NULL) >= 0)
            (void)run->conf->vfs->unlink(run->conf->vfs, path,
                                         NULL); /* else the next run does it */
    }
    (void)ta_close(&run->lock, NULL);
}

static int run_clusters(struct ta_archive_run *run, struct ta_err *err)
{
    const struct ta_archive_conf *conf = run->conf;
    struct names clusters = {0};
    int r = names_read(&clusters, conf->vfs, conf->checkpoints, &run->budget.alloc, err);

    for (size_t i = 0; i < clusters.n && r >= 0; i++) {
        struct ta_str name = names_at(&clusters)[i];
        struct ta_err why = {0};
        if (conf->cluster && !ta_str_is(name, conf->cluster))
            continue;
        run->result->clusters++;
        run->is_output_broken = false;
        r = archive_cluster(run, name, &why);
        if (r == TA_ECANCELED) {
            r = ta_fail(err, r, "%s", why.text);
        } else if (r < 0) {
            note_failed(run, name.at, &why);
            /* A record that could not be carried out must be first next time: no other may follow. */
            r = run->is_stuck ? ta_fail(err, r, "%s", why.text) : TA_OK;
        }
    }
    names_done(&clusters);
    return r;
}

static void init_run(struct ta_archive_run *run, const struct ta_archive_conf *conf,
                     struct ta_archive_result *out)
{
    size_t memory = conf->memory ? conf->memory : TA_ARCHIVE_MEMORY_DEFAULT;

    memset(run, 0, sizeof(*run));
    run->conf = conf;
    run->result = out;
    ta_budget_init(&run->budget, "archive", memory, conf->alloc);
    /* What is not the index and not the open row group: pages, zstd, footer, about 8 MiB. */
    ta_budget_init(&run->index_budget, "archive index", memory / 3, &run->budget.alloc);
    run->output_conf = (struct ta_arc_output_conf){
        .vfs = conf->vfs,
        .alloc = &run->budget.alloc,
        .state = run->state,
        .file_mode = conf->file_mode ? conf->file_mode : 0644,
        .plain = conf->plain,
        .parquet = {.zstd_level = conf->zstd_level ? conf->zstd_level
                                  : conf->plain    ? PLAIN_LEVEL
                                                   : 1,
                    .group_bytes = memory / 4,
                    .with_digests = true},
    };
    ta_arc_place_dir_init(&run->directory, conf->vfs, conf->archive,
                          conf->dir_mode ? conf->dir_mode : 0755);
    run->place = conf->place ? conf->place : &run->directory.place;
}

int ta_archive_run(const struct ta_archive_conf *conf, struct ta_archive_result *out,
                   struct ta_err *err)
{
    memset(out, 0, sizeof(*out));
    if (conf->memory && conf->memory < TA_ARCHIVE_MEMORY_MIN)
        return ta_fail(err, TA_EINVAL, "the archiver needs at least %d MiB of memory",
                       TA_ARCHIVE_MEMORY_MIN >> 20);
    bool archives = conf->mode == TA_ARCHIVE_PARQUET;
    if (archives && !conf->archive && !(conf->place && conf->state))
        return ta_fail(err, TA_EINVAL, "no archive directory given");
    struct ta_archive_run *run = ta_alloc(conf->alloc, sizeof(*run));
    if (!run)
        return ta_fail(err, TA_ENOMEM, "no memory for an archive run");
    init_run(run, conf, out);
    int r = archives ? open_state(run, err) : TA_OK;
    if (r >= 0) {
        ta_arc_index_init(&run->index, conf->vfs, run->spool, &run->index_budget.alloc);
        r = run_clusters(run, err);
        ta_arc_index_done(&run->index);
    }
    close_state(run);
    out->memory_peak = run->budget.peak;
    ta_release(conf->alloc, run, sizeof(*run));
    return r < 0 ? r : TA_OK;
}
