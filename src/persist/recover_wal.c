/* recover_wal.c - a host's current.wal, the reference's log, into the store. */
#include "base/arena.h"
#include "persist/recover_int.h"
#include "persist/ref_wal.h"

#include <math.h>
#include <stdio.h>

enum { HOLD_SAMPLES = 1024, LOOK_AHEAD = 4, NAMES_MAX = 32 * 1024 * 1024 };
#define NONE UINT32_MAX

/* Records of a host come round in the same order: after each column, the one that followed it last time is
 * probably next, or one of the few behind it; its names are compared instead of looked up. By column. */
struct seen_column {
    struct ta_str metric, type, stype; /* in the arena; metric.at NULL: not yet seen */
    uint32_t next;
};

struct wal_job {
    struct ta_recover_job *host;
    struct ta_writer w;
    bool is_begun;
    size_t held; /* samples under this lock */
    struct seen_column *seen;
    size_t n_seen;
    uint32_t last; /* column of the record before */
    uint32_t shape_id;
    struct ta_arena names;
    struct ta_recover_counts c;
    int64_t newest_s;
};

static void wal_end(struct wal_job *j)
{
    if (j->is_begun)
        ta_writer_end(&j->w);
    j->is_begun = false;
    j->held = 0;
}

/* Another shape numbers its columns anew. */
static void forget_columns(struct wal_job *j)
{
    if (j->n_seen > 0)
        memset(j->seen, 0, j->n_seen * sizeof(*j->seen));
    ta_arena_reset(&j->names);
    j->last = NONE;
    j->shape_id = j->w.shape_id;
}

static int wal_begin(struct wal_job *j)
{
    if (j->is_begun && j->held < HOLD_SAMPLES)
        return TA_OK;
    wal_end(j);
    int r = ta_writer_begin(&j->w, j->host->r->conf.store, j->host->cluster, j->host->host,
                            TA_RECOVER_ANY_AGE, NULL);
    j->is_begun = r == TA_OK;
    if (r == TA_OK && j->shape_id != j->w.shape_id)
        forget_columns(j);
    return r;
}

static bool is_same(const struct seen_column *s, const struct ta_ref_wal_sample *x)
{
    return s->metric.at && ta_str_eq(s->metric, x->metric) && ta_str_eq(s->type, x->type) &&
           ta_str_eq(s->stype, x->stype);
}

static struct ta_str copy(struct wal_job *j, struct ta_str s)
{
    return s.len > 0 ? ta_arena_copy(&j->names, s) : (struct ta_str){0};
}

/* Without memory for it columns are looked up each time. */
static void remember(struct wal_job *j, const struct ta_ref_wal_sample *x, uint32_t column)
{
    struct ta_alloc *a = j->host->r->conf.alloc;

    if (column >= j->n_seen) {
        size_t n = (size_t)column * 2 + 64;
        struct seen_column *grown =
            ta_resize(a, j->seen, j->n_seen * sizeof(*j->seen), n * sizeof(*j->seen));
        if (!grown)
            return;
        memset(grown + j->n_seen, 0, (n - j->n_seen) * sizeof(*grown));
        j->seen = grown;
        j->n_seen = n;
    }
    if (!j->seen[column].metric.at) {
        struct seen_column s = {copy(j, x->metric), copy(j, x->type), copy(j, x->stype), NONE};
        if (!s.metric.at || (x->type.len > 0 && !s.type.at) || (x->stype.len > 0 && !s.stype.at))
            return;
        j->seen[column] = s;
    }
    if (j->last != NONE)
        j->seen[j->last].next = column;
    j->last = column;
}

/* The store's column of a record, or an error of ta_writer_column; TA_ENOTFOUND: no such metric. */
static int64_t column_of(struct wal_job *j, const struct ta_ref_wal_sample *x)
{
    uint32_t next = j->last == NONE ? NONE : j->seen[j->last].next;

    for (int i = 0; i < LOOK_AHEAD && next != NONE; i++, next = j->seen[next].next) {
        if (is_same(&j->seen[next], x)) {
            j->last = next;
            return next;
        }
    }
    int metric = ta_metrics_find(j->host->metrics, x->metric);
    if (metric < 0)
        return TA_ENOTFOUND;
    struct ta_column_key key = {.metric = (uint32_t)metric, .type = x->type, .stype = x->stype};
    int64_t column = ta_writer_column(&j->w, &key);
    if (j->w.shape_id != j->shape_id)
        forget_columns(j);
    if (column >= 0)
        remember(j, x, (uint32_t)column);
    return column;
}

static int put_sample(struct wal_job *j, const struct ta_ref_wal_sample *x)
{
    int r = wal_begin(j);

    if (r < 0)
        return r;
    int64_t column = column_of(j, x);
    r = column < 0 ? (int)column
                   : ta_writer_append(&j->w, (uint32_t)column, x->ts_s, (double)x->value);
    j->held++;
    return r;
}

static int replay_sample(struct wal_job *j, const struct ta_ref_wal_sample *x)
{
    if (isnan(x->value)) {
        j->c.skipped++;
        return TA_OK;
    }
    int r = put_sample(j, x);
    if (r == TA_ENOMEM) { /* a new begin makes room at the cap */
        wal_end(j);
        r = put_sample(j, x);
    }
    if (r == TA_OK)
        j->newest_s = x->ts_s > j->newest_s ? x->ts_s : j->newest_s;
    *(r == TA_OK ? &j->c.samples : r == TA_ENOMEM ? &j->c.skipped_memory : &j->c.skipped) += 1;
    return TA_OK;
}

static int replay(struct wal_job *j, struct ta_file *file, struct ta_damage *d, struct ta_err *err)
{
    struct ta_ref_wal_reader *reader = NULL;
    struct ta_ref_wal_entry e;
    int r = ta_ref_wal_reader_new(&reader, file, j->host->r->conf.alloc, err);

    while (r >= 0 && (r = ta_ref_wal_next(reader, &e, err)) > 0) {
        if (e.kind == TA_REF_WAL_SAMPLE) {
            r = replay_sample(j, &e.sample);
        } else {
            bool is_torn = e.kind == TA_REF_WAL_TORN;
            *(is_torn ? &j->c.torn : &j->c.damaged) += 1;
            ta_damage_add(d, e.at, e.bytes, is_torn ? "torn end" : "no record");
        }
    }
    wal_end(j);
    ta_ref_wal_reader_free(reader);
    return r;
}

/* One try at the whole file; a second one stores the same samples again. */
static int try_wal(struct wal_job *j, const char *path, struct ta_damage *d)
{
    struct ta_vfs *vfs = j->host->r->vfs;
    struct ta_file *file = NULL;
    int r = ta_open(vfs, path, TA_OPEN_READ | TA_OPEN_NOFOLLOW, 0, &file, NULL);

    j->c = (struct ta_recover_counts){.files = 1};
    *d = (struct ta_damage){0};
    if (r < 0)
        return r;
    j->c.bytes = ta_recover_size(file);
    r = replay(j, file, d, NULL);
    (void)ta_close(&file, NULL); /* only read */
    return r;
}

int ta_recover_ref_wal(struct ta_recover_job *job, struct ta_err *err)
{
    struct wal_job j = {.host = job, .last = NONE, .newest_s = INT64_MIN};
    struct ta_damage d = {0};
    char path[TA_PATH_MAX];
    int r = TA_EIO;

    if (snprintf(path, sizeof(path), "%s/current.wal", job->dir) >= TA_PATH_MAX)
        return TA_OK;
    ta_arena_init(&j.names, job->r->conf.alloc, NAMES_MAX);
    for (int i = 0; i < TA_RECOVER_TRIES && r < 0 && r != TA_ENOMEM; i++)
        r = try_wal(&j, path, &d);
    ta_arena_done(&j.names);
    ta_release(job->r->conf.alloc, j.seen, j.n_seen * sizeof(*j.seen));
    if (r == TA_ENOMEM)
        return ta_fail(err, r, "no memory to load host %.*s", TA_STR_FMT(job->host));
    if (r < 0)
        ta_damage_add(&d, 0, j.c.bytes, "the file could not be read");
    if (d.n > 0) {
        struct ta_err no_note = {0};
        j.c.files_damaged = 1;
        ta_recover_damage(job->r, TA_RECOVER_REF_WAL, path, &d);
        ta_recover_aside(job->r, ta_note_damage(job->r->vfs, path, &d, job->r->now_s, &no_note),
                         &no_note);
    }
    ta_recover_add(job->r, TA_RECOVER_REF_WAL, &j.c);
    pthread_mutex_lock(&job->r->lock);
    job->r->has_ref_wal = true;
    if (j.newest_s > job->r->ref_wal_newest_s)
        job->r->ref_wal_newest_s = j.newest_s;
    pthread_mutex_unlock(&job->r->lock);
    return TA_OK;
}
