/* wal.c - the writers' side of the log: buffers, names, tickets. The thread is in wal_commit.c. */
#include "persist/wal.h"

#include "persist/data_dir.h"
#include "persist/wal_int.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum {
    BUFFER_BYTES = 4 << 20,
    /* A record is closed when it has grown past this: small enough that damage costs little, large enough
     * that its head and the search for it cost nothing. */
    RECORD_TARGET = 256 << 10,
    SYNC_INTERVAL_MS = 1000,
    RETRY_MS = 1000,
    SAMPLE_BOUND =
        8 + 6 + 24, /* value, piece head and, when each has its own time stamp, item head */
    NAME_BOUND = 1 + 2 * 10 + 3 * 256
};
static const uint64_t segment_bytes_default = (uint64_t)256 << 20;
/* The first sequence leaves numbers below it for the records of a dictionary (wal_commit.c). */
static const uint64_t sequence_first = (uint64_t)1 << 32;

void ta_wal_segment_path(char *out, size_t room, const char *dir, uint64_t number)
{
    snprintf(out, room, "%s/%016" PRIx64 ".log", dir, number);
}

int ta_wal_segment_number(const char *name, uint64_t *out)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t n = 0;

    for (int i = 0; i < 16; i++) {
        const char *d = name[i] ? strchr(digits, name[i]) : NULL;
        if (!d)
            return TA_EFORMAT;
        n = n << 4 | (uint64_t)(d - digits);
    }
    if (strcmp(name + 16, ".log") != 0)
        return TA_EFORMAT;
    *out = n;
    return TA_OK;
}

int ta_wal_note_segment(struct ta_wal *w, struct ta_wal_segment segment)
{
    if (w->n_segments == w->cap_segments) {
        size_t cap = w->cap_segments ? w->cap_segments * 2 : 16;
        struct ta_wal_segment *grown =
            ta_resize(w->conf.alloc, w->segments, w->cap_segments * sizeof(*w->segments),
                      cap * sizeof(*w->segments));
        if (!grown)
            return TA_ENOMEM;
        w->segments = grown;
        w->cap_segments = cap;
    }
    w->segments[w->n_segments++] = segment;
    return TA_OK;
}

/* ---- life ------------------------------------------------------------------------------------ */

static void set_defaults(struct ta_wal_conf *c)
{
    if (c->sync_interval_ms <= 0)
        c->sync_interval_ms = SYNC_INTERVAL_MS;
    if (c->buffer_bytes < BUFFER_BYTES)
        c->buffer_bytes = BUFFER_BYTES;
    if (c->segment_bytes == 0)
        c->segment_bytes = segment_bytes_default;
    if (c->retry_ms <= 0)
        c->retry_ms = RETRY_MS;
    if (c->next_sequence < sequence_first)
        c->next_sequence = sequence_first;
    if (c->next_segment == 0)
        c->next_segment = 1;
}

static void free_parts(struct ta_wal *w)
{
    ta_wal_end_segment(w);
    for (int i = 0; i < 2; i++) {
        ta_buf_done(&w->buffers[i].bytes);
        ta_wal_names_done(&w->names[i]);
    }
    ta_release(w->conf.alloc, w->segments, w->cap_segments * sizeof(*w->segments));
    pthread_cond_destroy(&w->work);
    pthread_cond_destroy(&w->settled);
    pthread_mutex_destroy(&w->lock);
    ta_release(w->conf.alloc, w->dir, w->dir_room);
    ta_release(w->conf.alloc, w, sizeof(*w));
}

static int init_parts(struct ta_wal *w, struct ta_err *err)
{
    struct ta_alloc *alloc = w->conf.alloc;
    pthread_condattr_t monotonic;

    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->work, &monotonic);
    pthread_cond_init(&w->settled, &monotonic);
    pthread_condattr_destroy(&monotonic);
    for (int i = 0; i < 2; i++) {
        struct wal_buffer *b = &w->buffers[i];
        ta_buf_init(&b->bytes, alloc, w->conf.buffer_bytes);
        b->record_at = NO_RECORD;
        b->newest_s = INT64_MIN;
        b->first = b->next = w->conf.next_sequence;
        ta_wal_names_init(&w->names[i], alloc);
        if (ta_buf_reserve(&b->bytes, w->conf.buffer_bytes) < 0)
            return ta_fail(err, TA_ENOMEM, "log buffers of %zu bytes", w->conf.buffer_bytes);
    }
    w->fill = &w->buffers[0];
    w->flush = &w->buffers[1];
    w->said = &w->names[0];
    w->said_old = &w->names[1];
    w->salts = w->conf.seed;
    atomic_init(&w->durable, w->conf.next_sequence);
    atomic_init(&w->failed_below, 0);
    w->dir_room = strlen(w->conf.dir) + 1;
    w->dir = ta_alloc(alloc, w->dir_room);
    if (!w->dir)
        return ta_fail(err, TA_ENOMEM, "log");
    memcpy(w->dir, w->conf.dir, w->dir_room);
    w->conf.dir = w->dir;
    for (size_t i = 0; i < w->conf.n_old_segments; i++) {
        int r = ta_wal_note_segment(w, w->conf.old_segments[i]);
        if (r < 0)
            return ta_fail(err, r, "log");
    }
    w->conf.old_segments = NULL;
    return TA_OK;
}

int ta_wal_open(struct ta_wal **out, const struct ta_wal_conf *conf, struct ta_err *err)
{
    struct ta_wal *w = ta_alloc_zero(conf->alloc, 1, sizeof(*w));

    if (!w)
        return ta_fail(err, TA_ENOMEM, "log");
    w->conf = *conf;
    set_defaults(&w->conf);
    int r = init_parts(w, err);
    if (r == TA_OK)
        r = ta_wal_begin_segment(w, w->conf.next_segment, w->conf.next_sequence, err);
    if (r == TA_OK) {
        int e = pthread_create(&w->thread, NULL, ta_wal_run, w);
        if (e != 0) {
            errno = e;
            r = ta_fail_sys(err, "starting the log's thread");
        }
    }
    if (r < 0) {
        free_parts(w);
        return r;
    }
    *out = w;
    return TA_OK;
}

int ta_wal_close(struct ta_wal *w, struct ta_err *err)
{
    int r = TA_OK;

    if (!w)
        return TA_OK;
    pthread_mutex_lock(&w->lock);
    w->is_stopping = true;
    pthread_cond_broadcast(&w->work);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    if (w->is_failing || w->flush->bytes.len || w->fill->bytes.len)
        r = ta_fail(err, TA_EIO, "log: not all samples could be made durable: %s",
                    w->counts.trouble);
    free_parts(w);
    return r;
}

/* ---- adding ---------------------------------------------------------------------------------- */

void ta_wal_close_record(struct wal_buffer *b)
{
    if (b->record_at == NO_RECORD)
        return;
    uint32_t payload = (uint32_t)(b->bytes.len - b->record_at - TA_LOG_RECORD_HEAD);
    memcpy(b->bytes.at + b->record_at + 4, &payload, sizeof(payload));
    b->record_at = NO_RECORD;
    b->next++;
}

/* Makes an open record that takes `need` more bytes; the caller has checked the buffer's room. */
static void open_record(struct wal_buffer *b, size_t need)
{
    if (b->record_at != NO_RECORD &&
        b->bytes.len - b->record_at - TA_LOG_RECORD_HEAD + need > RECORD_TARGET)
        ta_wal_close_record(b);
    if (b->record_at == NO_RECORD) {
        b->record_at = b->bytes.len;
        memset(b->bytes.at + b->bytes.len, 0, TA_LOG_RECORD_HEAD);
        b->bytes.len += TA_LOG_RECORD_HEAD;
    }
}

struct naming {
    struct ta_wal *w;
    const struct ta_wal_host *host;
    struct ta_wal_named_host *h;
    struct ta_wal_named_shape *s;
};

/* Must the thing be named (again) in the record being filled? If so, notes that it is. */
static bool must_say(struct naming *n, ta_wal_named *named, bool *out_is_first)
{
    ta_wal_named here = ta_wal_named_once(n->w->fill->next);

    if (*named == TA_NAMED_TWICE || *named == here)
        return false;
    *out_is_first = *named == TA_NAMED_NOT;
    *named = *out_is_first ? here : TA_NAMED_TWICE;
    return true;
}

/* The newest item of the buffer, from `at` on, into the dictionary. Room was made. */
static void learn(struct naming *n, size_t at)
{
    const struct ta_buf *b = &n->w->fill->bytes;

    (void)ta_buf_add(&n->w->said->dictionary, b->at + at, b->len - at);
}

static void say_host(struct naming *n)
{
    struct ta_buf *b = &n->w->fill->bytes;
    bool is_first;

    open_record(n->w->fill, NAME_BOUND);
    if (!must_say(n, &n->h->named, &is_first))
        return;
    size_t at = b->len;
    (void)ta_log_put_host(b, n->host->host_id, n->host->shape_id, n->host->cluster, n->host->host);
    if (is_first)
        learn(n, at);
}

static void say_column(struct naming *n, uint32_t column)
{
    struct ta_buf *b = &n->w->fill->bytes;
    struct ta_str metric;
    struct ta_str type;
    struct ta_str stype;
    bool is_first;

    open_record(n->w->fill, NAME_BOUND);
    if (!must_say(n, &n->s->named[column], &is_first))
        return;
    n->host->column(n->host->self, column, &metric, &type, &stype);
    size_t at = b->len;
    (void)ta_log_put_column(b, n->s->shape_id, column, metric, type, stype);
    if (is_first)
        learn(n, at);
}

/* Names still to be said for this batch, at the most. */
static size_t count_names(const struct naming *n, const uint32_t *columns, size_t n_samples)
{
    size_t names = n->h->named != TA_NAMED_TWICE;

    for (size_t i = 0; i < n_samples; i++)
        names += n->s->named[columns[i]] != TA_NAMED_TWICE;
    return names;
}

/* The entries of host and shape in the present segment's table. */
static int find_names(struct naming *n)
{
    const struct ta_wal_host *host = n->host;

    n->h = ta_wal_names_host(n->w->said, host->host_id, host->shape_id);
    n->s = ta_wal_names_shape(n->w->said, host->shape_id, host->n_columns);
    return n->h && n->s ? TA_OK : TA_ENOMEM;
}

static size_t bound_of(size_t names, size_t n_samples)
{
    size_t bound = names * NAME_BOUND + n_samples * SAMPLE_BOUND + 64;

    return bound + (bound / RECORD_TARGET + 2) * TA_LOG_RECORD_HEAD;
}

static int reserve_locked(struct ta_wal *w, const struct ta_wal_batch *batch, size_t *out_bytes,
                          struct ta_err *err)
{
    const struct ta_buf *b = &w->fill->bytes;
    struct naming n = {.w = w, .host = batch->host};

    if (w->is_failing || w->is_stopping)
        return ta_fail(err, TA_EIO, "log: %s", w->is_failing ? w->counts.trouble : "stopping");
    if (find_names(&n) < 0)
        return ta_fail(err, TA_ENOMEM, "log: no memory for names");
    /* As if all names had to be said: a new segment may begin before the commit. The promise is given
     * back microseconds later, so its size does not matter. */
    size_t bytes = bound_of(batch->n + 1, batch->n);
    if (bytes > b->max - b->len || w->promised > b->max - b->len - bytes)
        return TA_EAGAIN;
    w->promised += bytes;
    *out_bytes = bytes;
    return TA_OK;
}

int ta_wal_reserve(struct ta_wal *w, const struct ta_wal_batch *batch, struct ta_wal_room *out,
                   struct ta_err *err)
{
    assert(batch->n <= TA_LOG_ITEM_SAMPLES_MAX);
    pthread_mutex_lock(&w->lock);
    int r = reserve_locked(w, batch, &out->bytes, err);
    pthread_mutex_unlock(&w->lock);
    if (r == TA_EAGAIN)
        pthread_cond_signal(&w->work);
    return r;
}
/* Consecutive samples of one time stamp, from i on. */
static size_t same_time(const struct ta_wal_batch *batch, size_t i)
{
    size_t end = i + 1;

    while (end < batch->n && batch->ts_s[end] == batch->ts_s[i])
        end++;
    return end;
}

static uint64_t commit_locked(struct ta_wal *w, const struct ta_wal_batch *batch)
{
    struct wal_buffer *b = w->fill;
    struct naming n = {.w = w, .host = batch->host};

    if (find_names(&n) < 0)
        return TA_WAL_LOST;
    size_t names = count_names(&n, batch->columns, batch->n);
    if (names > 0) {
        if (ta_buf_reserve(&w->said->dictionary, names * NAME_BOUND) < 0)
            return TA_WAL_LOST;
        say_host(&n);
        for (size_t i = 0; i < batch->n; i++)
            say_column(&n, batch->columns[i]);
    }
    for (size_t i = 0, end; i < batch->n; i = end) {
        end = same_time(batch, i);
        b->newest_s = batch->ts_s[i] > b->newest_s ? batch->ts_s[i] : b->newest_s;
        open_record(b, (end - i) * SAMPLE_BOUND + 64);
        int r = ta_log_put_samples(&b->bytes, batch->host->host_id, batch->ts_s[i],
                                   batch->columns + i, batch->values + i, end - i);
        assert(r == TA_OK); /* room was promised */
    }
    b->samples += batch->n;
    return b->next;
}

uint64_t ta_wal_commit(struct ta_wal *w, const struct ta_wal_batch *accepted,
                       const struct ta_wal_room *room)
{
    uint64_t ticket = 0;

    pthread_mutex_lock(&w->lock);
    bool was_idle = w->fill->bytes.len == 0;
    w->promised -= room->bytes;
    if (accepted->n > 0)
        ticket = commit_locked(w, accepted);
    bool is_work = was_idle && w->fill->bytes.len > 0;
    pthread_mutex_unlock(&w->lock);
    if (is_work)
        pthread_cond_signal(&w->work);
    return ticket;
}

/* ---- tickets and waiting ----------------------------------------------------------------------- */

enum ta_ticket ta_wal_ticket(struct ta_wal *w, uint64_t ticket)
{
    if (ticket == TA_WAL_LOST)
        return TA_TICKET_FAILED;
    if (ticket < atomic_load_explicit(&w->durable, memory_order_acquire))
        return TA_TICKET_DURABLE;
    if (ticket < atomic_load_explicit(&w->failed_below, memory_order_acquire))
        return TA_TICKET_FAILED;
    return w->conf.durability == TA_DURABILITY_INTERVAL ? TA_TICKET_DURABLE : TA_TICKET_PENDING;
}

static struct timespec deadline_in(int64_t ms)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t ns = t.tv_nsec + ms % 1000 * 1000000;
    t.tv_sec += ms / 1000 + ns / 1000000000;
    t.tv_nsec = ns % 1000000000;
    return t;
}

enum ta_ticket ta_wal_wait(struct ta_wal *w, uint64_t ticket, int64_t timeout_ms)
{
    struct timespec until = deadline_in(timeout_ms);
    enum ta_ticket state;
    int e = 0;

    pthread_mutex_lock(&w->lock);
    while ((state = ta_wal_ticket(w, ticket)) == TA_TICKET_PENDING && e != ETIMEDOUT)
        e = pthread_cond_timedwait(&w->settled, &w->lock, &until);
    pthread_mutex_unlock(&w->lock);
    return state;
}

int ta_wal_wait_room(struct ta_wal *w, int64_t timeout_ms)
{
    struct timespec until = deadline_in(timeout_ms);
    int e = 0;

    pthread_mutex_lock(&w->lock);
    pthread_cond_signal(&w->work);
    while (!w->is_failing && w->fill->bytes.len > w->fill->bytes.max / 2 && e != ETIMEDOUT)
        e = pthread_cond_timedwait(&w->settled, &w->lock, &until);
    int r = w->is_failing ? TA_EIO : e == ETIMEDOUT ? TA_EAGAIN : TA_OK;
    pthread_mutex_unlock(&w->lock);
    return r;
}

int ta_wal_cut(struct ta_wal *w, uint64_t *out_segment, struct ta_err *err)
{
    int r = TA_OK;

    pthread_mutex_lock(&w->lock);
    uint64_t goal = ++w->cuts_wanted;
    pthread_cond_signal(&w->work);
    while (w->cuts_done < goal && !w->is_failing && !w->is_stopping)
        pthread_cond_wait(&w->settled, &w->lock);
    if (w->cuts_done < goal)
        r = ta_fail(err, TA_EIO, "log: %s", w->is_failing ? w->counts.trouble : "stopping");
    else
        *out_segment = w->cut_segment;
    pthread_mutex_unlock(&w->lock);
    return r;
}

/* ---- segments on disk ---------------------------------------------------------------------------- */

static int drop_file(struct ta_wal *w, uint64_t number, struct ta_err *err)
{
    char path[4096];
    struct ta_stat st = {0};

    ta_wal_segment_path(path, sizeof(path), w->dir, number);
    int r = w->conf.vfs->stat(w->conf.vfs, path, &st, err);
    if (r == TA_OK)
        r = ta_retire(w->conf.vfs, path, err);
    if (r == TA_OK && number >= w->conf.next_segment) {
        pthread_mutex_lock(&w->lock);
        w->counts.segments--;
        w->counts.segment_bytes -=
            st.size < w->counts.segment_bytes ? st.size : w->counts.segment_bytes;
        pthread_mutex_unlock(&w->lock);
    }
    return r;
}

static void forget_segments(struct ta_wal *w, uint64_t below)
{
    size_t gone = 0;

    pthread_mutex_lock(&w->lock);
    while (gone < w->n_segments && w->segments[gone].number < below)
        gone++;
    memmove(w->segments, w->segments + gone, (w->n_segments - gone) * sizeof(*w->segments));
    w->n_segments -= gone;
    pthread_mutex_unlock(&w->lock);
}

/* The smallest number of a segment file in [from, below) into *out: 1, or 0: there is none. */
static int find_segment(struct ta_wal *w, uint64_t from, uint64_t below, uint64_t *out,
                        struct ta_err *err)
{
    struct ta_dir *dir = NULL;
    struct ta_dirent entry;
    bool is_found = false;
    int r = w->conf.vfs->open_dir(w->conf.vfs, w->dir, &dir, err);

    if (r < 0)
        return r;
    while ((r = dir->ops->next(dir, &entry, err)) > 0) {
        uint64_t number;
        if (ta_wal_segment_number(entry.name, &number) < 0 || number < from || number >= below ||
            (is_found && number > *out))
            continue;
        *out = number;
        is_found = true;
    }
    dir->ops->close(dir);
    return r < 0 ? r : is_found;
}

/* Oldest first, and each is gone for good before the next one goes: should an older one outlive a newer one,
 * its replay would put old values over newer ones that files have. */
int ta_wal_drop(struct ta_wal *w, uint64_t segment, struct ta_err *err)
{
    uint64_t number = 0;
    int r;

    for (uint64_t from = 0; (r = find_segment(w, from, segment, &number, err)) > 0;
         from = number + 1) {
        r = drop_file(w, number, err);
        if (r == TA_OK)
            r = w->conf.vfs->sync_dir(w->conf.vfs, w->dir, err);
        if (r < 0)
            return r;
        forget_segments(w, number + 1);
    }
    return r;
}

void ta_wal_set_newest(struct ta_wal *w, uint64_t number, int64_t newest_s)
{
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < w->n_segments; i++)
        if (w->segments[i].number == number)
            w->segments[i].newest_s = newest_s;
    pthread_mutex_unlock(&w->lock);
}

uint64_t ta_wal_first_needed(struct ta_wal *w, int64_t boundary_s, int64_t reach_s)
{
    size_t i = 0;

    pthread_mutex_lock(&w->lock);
    while (i + 1 < w->n_segments && w->segments[i].newest_s < boundary_s - reach_s)
        i++;
    uint64_t number = w->segments[i].number;
    pthread_mutex_unlock(&w->lock);
    return number;
}

void ta_wal_counts(struct ta_wal *w, struct ta_wal_counts *out)
{
    pthread_mutex_lock(&w->lock);
    *out = w->counts;
    out->is_failing = w->is_failing;
    out->buffered = w->fill->bytes.len;
    pthread_mutex_unlock(&w->lock);
}
