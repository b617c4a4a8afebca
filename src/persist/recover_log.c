/* recover_log.c - our own log back into the store: segments in order, hosts and columns as each segment
 * names them.
 *
 * A column of the log is a number of a shape of the life that wrote it. Its key is looked up in the store
 * once for each pair of (log's shape, store's shape); from then on a sample costs an array access. */
#include "base/bytes.h"
#include "base/hash.h"
#include "persist/log_read.h"
#include "persist/recover_int.h"
#include "persist/recover_names.h"

#include <inttypes.h>
#include <stdlib.h>

enum { HOLD_SAMPLES = 4096, SEGMENTS_MAX = 1 << 20 };

/* ---- the list of segments -------------------------------------------------------------------------- */

static int add_segment(struct ta_recover *r, uint64_t number)
{
    if (r->n_segments == r->cap_segments) {
        size_t cap = r->cap_segments ? 2 * r->cap_segments : 16;
        struct ta_wal_segment *grown = ta_resize(
            r->conf.alloc, r->segments, r->cap_segments * sizeof(*grown), cap * sizeof(*grown));
        if (!grown)
            return TA_ENOMEM;
        r->segments = grown;
        r->cap_segments = cap;
    }
    /* Not yet read: as new as can be, so that nothing takes it for covered. */
    r->segments[r->n_segments++] = (struct ta_wal_segment){number, INT64_MAX};
    return TA_OK;
}

static int compare_segments(const void *a, const void *b)
{
    const struct ta_wal_segment *x = a;
    const struct ta_wal_segment *y = b;

    return (x->number > y->number) - (x->number < y->number);
}

/* Every record is larger than its head: so many sequence numbers a file can have used at most. */
static void look_at_sequences(struct ta_recover *r, uint64_t number)
{
    char path[TA_PATH_MAX + 32];
    unsigned char head[TA_LOG_RECORDS_AT] = {0};
    struct ta_log_segment s;
    struct ta_file *f = NULL;

    ta_wal_segment_path(path, sizeof(path), r->conf.dir->log, number);
    if (ta_open(r->vfs, path, TA_OPEN_READ | TA_OPEN_NOFOLLOW, 0, &f, NULL) < 0)
        return;
    if (ta_pread_full(f, head, sizeof(head), 0, NULL) >= 0 &&
        (ta_log_segment_decode(head, &s) == TA_OK ||
         ta_log_segment_decode(head + TA_LOG_SEGMENT_HEAD, &s) == TA_OK)) {
        uint64_t end = s.first_sequence + ta_recover_size(f) / TA_LOG_RECORD_HEAD + 1;
        r->next_sequence = end > r->next_sequence ? end : r->next_sequence;
    }
    (void)ta_close(&f, NULL); /* only read */
}

int ta_recover_list_segments(struct ta_recover *r, struct ta_err *err)
{
    struct ta_dir *dir = NULL;
    struct ta_dirent entry;
    int e = r->vfs->open_dir(r->vfs, r->conf.dir->log, &dir, err);

    if (e < 0)
        return e;
    while ((e = dir->ops->next(dir, &entry, err)) > 0) {
        uint64_t number;
        if (entry.kind != TA_KIND_FILE || ta_wal_segment_number(entry.name, &number) < 0)
            continue;
        e = r->n_segments < SEGMENTS_MAX ? add_segment(r, number) : TA_ERANGE;
        if (e < 0)
            break;
    }
    dir->ops->close(dir);
    if (e < 0)
        return ta_fail(err, e, "list of log segments");
    if (r->n_segments > 1)
        qsort(r->segments, r->n_segments, sizeof(*r->segments), compare_segments);
    for (size_t i = 0; i < r->n_segments; i++)
        look_at_sequences(r, r->segments[i].number);
    if (r->n_segments > 0)
        r->next_segment = r->segments[r->n_segments - 1].number + 1;
    atomic_store(&r->segments_all, r->n_segments);
    return TA_OK;
}

struct log_job {
    struct ta_recover *r;
    struct ta_alloc *alloc;
    const char *path;
    struct log_names names;
    struct ta_writer w;
    bool is_begun;
    uint64_t begun_host;
    size_t held;
    struct ta_recover_counts c;
    struct ta_damage damage;
    int64_t newest_s;
};

/* ---- samples --------------------------------------------------------------------------------------------- */

static void end_host(struct log_job *j)
{
    if (j->is_begun)
        ta_writer_end(&j->w);
    j->is_begun = false;
    j->held = 0;
}

static int begin_host(struct log_job *j, const struct log_host *h)
{
    if (j->is_begun && j->begun_host == h->id && j->held < HOLD_SAMPLES)
        return TA_OK;
    end_host(j);
    int r = ta_writer_begin(&j->w, j->r->conf.store, h->cluster, h->name, TA_RECOVER_ANY_AGE, NULL);
    j->is_begun = r == TA_OK;
    j->begun_host = h->id;
    return r;
}

/* The map for the writer's shape, long enough for `end` columns. */
static int ready_map(struct log_job *j, struct log_shape *s, uint32_t end)
{
    if (s->n_store_columns < end) {
        uint32_t n = s->n_columns > end ? s->n_columns : end;
        uint32_t *grown = ta_resize(j->alloc, s->store_columns, s->n_store_columns * sizeof(*grown),
                                    n * sizeof(*grown));
        if (!grown)
            return TA_ENOMEM;
        memset(grown + s->n_store_columns, 0, (n - s->n_store_columns) * sizeof(*grown));
        s->store_columns = grown;
        s->n_store_columns = n;
    }
    if (s->store_shape != j->w.shape_id) {
        memset(s->store_columns, 0, s->n_store_columns * sizeof(*s->store_columns));
        s->store_shape = j->w.shape_id;
    }
    return TA_OK;
}

/* The store's column; TA_ENOTFOUND: nameless or of an unknown metric. The map is ready. */
static int64_t column_of(struct log_job *j, struct log_shape *s, uint32_t column)
{
    uint32_t known = s->store_columns[column];

    if (known > 0)
        return known - 1;
    if (column >= s->n_columns || !s->columns[column].is_named || !s->columns[column].is_known)
        return TA_ENOTFOUND;
    int64_t c = ta_writer_column(&j->w, &s->columns[column].key);
    int r = ready_map(j, s, column + 1); /* the host may have moved to a shape of its own */
    if (r < 0)
        return r;
    if (c >= 0)
        s->store_columns[column] = (uint32_t)c + 1;
    return c;
}

static int put_one(struct log_job *j, const struct log_host *h, struct log_shape *s,
                   uint32_t column, int64_t ts_s, double v)
{
    for (int attempt = 0;; attempt++) {
        int64_t c = column_of(j, s, column);
        int r = c < 0 ? (int)c : ta_writer_append(&j->w, (uint32_t)c, ts_s, v);
        if (r != TA_ENOMEM || attempt > 0)
            return r;
        end_host(j); /* a new begin makes room at the cap */
        r = begin_host(j, h);
        if (r == TA_OK)
            r = ready_map(j, s, column + 1);
        if (r < 0)
            return r;
    }
}

static int put_piece(struct log_job *j, const struct log_host *h, struct log_shape *s, int64_t ts_s,
                     const struct ta_log_piece *p)
{
    int r = begin_host(j, h);

    if (r == TA_OK && p->first < LOG_COLUMNS_MAX && p->count <= LOG_COLUMNS_MAX - p->first)
        r = ready_map(j, s, p->first + p->count);
    else if (r == TA_OK)
        r = TA_ENOTFOUND;
    for (uint32_t i = 0; r >= 0 && i < p->count; i++) {
        uint32_t n = ta_writer_append_row(&j->w, s->store_columns + p->first + i, p->count - i,
                                          ts_s, p->values + 8 * (size_t)i);
        j->c.samples += n;
        i += n;
        if (i == p->count)
            break;
        int e = put_one(j, h, s, p->first + i, ts_s, ta_get_f64(p->values + 8 * (size_t)i));
        if (e == TA_ENOMEM && !j->is_begun)
            r = e;
        *(e == TA_OK ? &j->c.samples : e == TA_ENOMEM ? &j->c.skipped_memory : &j->c.skipped) += 1;
    }
    j->held += p->count;
    if (r == TA_ENOTFOUND || r == TA_EINVAL)
        j->c.skipped += p->count;
    return r == TA_ENOMEM ? r : TA_OK;
}

static int put_samples(struct log_job *j, struct ta_log_item *item)
{
    const struct log_host *h = ta_log_names_find_host(&j->names, item->host);
    struct log_shape *s = h ? ta_log_names_find_shape(&j->names, h->shape) : NULL;
    struct ta_log_piece p;
    uint32_t expected = 0;
    int r = TA_OK;

    while (r == TA_OK && ta_log_next_piece(item, &expected, &p) > 0) {
        if (s)
            r = put_piece(j, h, s, item->ts_s, &p);
        else
            j->c.skipped += p.count;
    }
    j->newest_s = item->ts_s > j->newest_s ? item->ts_s : j->newest_s;
    return r;
}

static int put_record(struct log_job *j, struct ta_str payload)
{
    struct ta_log_item item;
    int r;

    while ((r = ta_log_next_item(&payload, &item)) > 0) {
        r = item.kind == TA_LOG_HOST     ? ta_log_names_host(&j->names, &item)
            : item.kind == TA_LOG_COLUMN ? ta_log_names_column(&j->names, &item)
                                         : put_samples(j, &item);
        if (r < 0)
            return r;
    }
    return r;
}

/* ---- a segment --------------------------------------------------------------------------------------------- */

static void found_damage(struct log_job *j, const struct ta_log_entry *e)
{
    bool is_torn = e->kind == TA_LOG_FOUND_TORN;

    *(is_torn ? &j->c.torn : &j->c.damaged) += 1;
    j->c.lost_records += is_torn ? 0 : e->lost;
    ta_recover_place(j->r, TA_RECOVER_LOG, j->path, e->at, e->bytes,
                     is_torn ? "torn end" : "no record");
    if (!is_torn)
        ta_damage_add(&j->damage, e->at, e->bytes, "no record");
}

static int replay(struct log_job *j, struct ta_file *file, const _Atomic bool *stop,
                  struct ta_err *err)
{
    struct ta_log_reader *reader = NULL;
    struct ta_log_entry e;
    int r = ta_log_reader_new(&reader, file, j->alloc, err);

    while (r >= 0 && (r = ta_log_reader_next(reader, &e, err)) > 0) {
        if (e.kind != TA_LOG_FOUND_RECORD)
            found_damage(j, &e);
        else if ((r = put_record(j, e.record.payload)) == TA_EFORMAT)
            ta_damage_add(&j->damage, e.at, e.bytes, "a record with impossible items");
        r = r == TA_EFORMAT ? TA_OK : r;
        if (stop && atomic_load_explicit(stop, memory_order_relaxed))
            r = TA_ECANCELED;
    }
    end_host(j);
    ta_log_reader_free(reader);
    return r;
}

/* A segment whose head was never written holds nothing: a crash came right behind its creation. */
static bool is_blank(struct ta_file *f)
{
    unsigned char head[TA_LOG_RECORDS_AT];
    int64_t got = ta_pread_full(f, head, sizeof(head), 0, NULL);

    for (int64_t i = 0; i < got; i++)
        if (head[i])
            return false;
    return got >= 0;
}

/* One try at the whole segment; a second one stores the same samples again. */
static int try_segment(struct log_job *j, const _Atomic bool *stop)
{
    struct ta_file *file = NULL;
    int r = ta_open(j->r->vfs, j->path, TA_OPEN_READ | TA_OPEN_NOFOLLOW, 0, &file, NULL);

    j->c = (struct ta_recover_counts){.files = 1};
    j->damage = (struct ta_damage){0};
    if (r < 0)
        return r;
    j->c.bytes = ta_recover_size(file);
    r = replay(j, file, stop, NULL);
    if (r == TA_EFORMAT && is_blank(file)) {
        j->c.torn++;
        r = TA_OK;
    }
    (void)ta_close(&file, NULL); /* only read */
    return r;
}

static int load_segment(struct log_job *j, const _Atomic bool *stop, struct ta_err *err)
{
    int r = TA_EIO;

    for (int i = 0; i < TA_RECOVER_TRIES && (r == TA_EIO || r == TA_ENOTFOUND); i++)
        r = try_segment(j, stop);
    if (r == TA_ENOMEM || r == TA_ECANCELED)
        return ta_fail(err, r, "log segment %.200s: %s", j->path, ta_strerror(r));
    if (r < 0) {
        const char *words = r == TA_EFORMAT ? "no segment header" : "the file could not be read";
        ta_damage_add(&j->damage, 0, j->c.bytes, words);
        ta_recover_place(j->r, TA_RECOVER_LOG, j->path, 0, j->c.bytes, words);
        j->c.damaged++;
    }
    return TA_OK;
}

static int segment(struct ta_recover *r, struct ta_wal_segment *at, const _Atomic bool *stop,
                   struct ta_err *err)
{
    char path[TA_PATH_MAX + 32];
    struct log_job j = {.r = r, .alloc = r->conf.alloc, .path = path, .newest_s = INT64_MIN};

    ta_wal_segment_path(path, sizeof(path), r->conf.dir->log, at->number);
    struct ta_metrics *metrics = ta_store_metrics(r->conf.store);
    ta_log_names_init(&j.names, metrics, r->conf.alloc);
    int e = load_segment(&j, stop, err);
    ta_log_names_done(&j.names);
    ta_metrics_unref(metrics);
    if (e < 0)
        return e;
    at->newest_s = j.newest_s;
    if (j.damage.n >
        0) { /* it stays until checkpoints cover what is good in it, and is set aside then */
        struct ta_err no_note = {0};
        j.c.files_damaged = 1;
        ta_recover_aside(r, ta_note_damage(r->vfs, path, &j.damage, r->now_s, &no_note), &no_note);
    }
    ta_recover_add(r, TA_RECOVER_LOG, &j.c);
    return TA_OK;
}

int ta_recover_one_segment(struct ta_recover *r, uint64_t number, struct ta_err *err)
{
    struct ta_wal_segment at = {number, INT64_MIN};

    return segment(r, &at, NULL, err);
}

int ta_recover_segments(struct ta_recover *r, uint64_t first, uint64_t end,
                        const _Atomic bool *stop, struct ta_err *err)
{
    for (size_t i = 0; i < r->n_segments; i++) {
        if (r->segments[i].number < first || r->segments[i].number >= end)
            continue;
        int e = segment(r, &r->segments[i], stop, err);
        if (e < 0)
            return e;
        atomic_fetch_add(&r->segments_done, 1);
    }
    return TA_OK;
}
