/* wal_commit.c - the log's thread: take a buffer, write it, sync it, tell who waits.
 *
 * Failing: the segment is never written again. Its successor begins with the dictionary (twice, as all
 * names) under sequences just below those of the buffer, then has the buffer's records again. Part of
 * them may stand in the old segment too; replaying a sample twice puts the same value in the same slot.
 */
#include "persist/wal_int.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>

enum {
    RESERVE_STEP =
        16 << 20, /* so that a full disk shows before samples are taken, and blocks come in
                              * large pieces */
    DICTIONARY_RECORD = 256 << 10,
    CREATE_TRIES = 64
};
static const int64_t ms = 1000000; /* nanoseconds */

/* splitmix64 */
static uint32_t next_salt(struct ta_wal *w)
{
    uint64_t x = w->salts += 0x9E3779B97F4A7C15u;

    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return (uint32_t)(x >> 32);
}

/* ---- segments -------------------------------------------------------------------------------- */

static int list_segment(struct ta_wal *w, uint64_t number, struct ta_err *err)
{
    pthread_mutex_lock(&w->lock);
    int r = ta_wal_note_segment(w, (struct ta_wal_segment){number, INT64_MIN});
    w->counts.segments += r == TA_OK;
    w->counts.segment_bytes += r == TA_OK ? TA_LOG_RECORDS_AT : 0;
    pthread_mutex_unlock(&w->lock);
    return r < 0 ? ta_fail(err, r, "log: no memory for its list of segments") : TA_OK;
}

/* Opens the file of the first number from *number on that has none: a segment that could not be begun and not be
 * removed either must not stand in the way for good. */
static int create_segment(struct ta_wal *w, uint64_t *number, char *path, size_t room,
                          struct ta_file **out, struct ta_err *err)
{
    struct ta_err why = {0};
    int r = TA_EEXIST;

    for (int i = 0; i < CREATE_TRIES && r == TA_EEXIST; i++) {
        why = (struct ta_err){0};
        *number += i > 0;
        ta_wal_segment_path(path, room, w->dir, *number);
        r = ta_open(w->conf.vfs, path,
                    TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_EXCLUSIVE, 0600, out,
                    &why);
    }
    return r < 0 ? ta_fail(err, r, "%s", why.text) : TA_OK;
}

int ta_wal_begin_segment(struct ta_wal *w, uint64_t number, uint64_t first_sequence,
                         struct ta_err *err)
{
    struct ta_vfs *vfs = w->conf.vfs;
    struct ta_log_segment head = {.first_sequence = first_sequence,
                                  .created_s = ta_now_s(w->conf.clock),
                                  .salt = next_salt(w)};
    unsigned char bytes[TA_LOG_RECORDS_AT];
    char path[4096];
    struct ta_file *file = NULL;

    int r = create_segment(w, &number, path, sizeof(path), &file, err);
    if (r < 0)
        return r;
    head.number = number;
    ta_log_segment_encode(&head, bytes);
    memcpy(bytes + TA_LOG_SEGMENT_HEAD, bytes, TA_LOG_SEGMENT_HEAD);
    r = ta_pwrite_full(file, bytes, sizeof(bytes), 0, err);
    if (r == TA_OK)
        r = ta_sync(file, err);
    if (r == TA_OK)
        r = vfs->sync_dir(vfs, w->dir, err);
    if (r == TA_OK)
        r = list_segment(w, number, err);
    if (r < 0) {
        (void)ta_close(&file, NULL); /* the first error is the one to tell */
        (void)vfs->unlink(vfs, path, NULL);
        return r;
    }
    ta_wal_end_segment(w);
    w->file = file;
    w->at = w->reserved = TA_LOG_RECORDS_AT;
    w->chain =
        (struct ta_log_chain){.salt = head.salt, .previous = head.salt, .sequence = first_sequence};
    w->number = number;
    return TA_OK;
}

void ta_wal_end_segment(struct ta_wal *w)
{
    if (!w->file)
        return;
    if (w->reserved > w->at) /* gives unused blocks back; if not, they are only wasted */
        (void)w->file->ops->truncate(w->file, w->at, NULL);
    (void)ta_close(&w->file, NULL); /* everything that counts was synced before */
}

/* ---- writing --------------------------------------------------------------------------------- */

static void seal_records(struct wal_buffer *b, struct ta_log_chain *chain)
{
    unsigned char *at = (unsigned char *)b->bytes.at;
    unsigned char *end = at + b->bytes.len;

    chain->sequence = b->first;
    while (at < end) {
        uint32_t payload;
        memcpy(&payload, at + 4, sizeof(payload));
        ta_log_record_seal(at, payload, chain);
        at += TA_LOG_RECORD_HEAD + payload;
    }
}

static int write_bytes(struct ta_wal *w, const void *p, size_t n, struct ta_err *err)
{
    if (w->at + n > w->reserved) {
        uint64_t want = w->at + n + RESERVE_STEP;
        int r = w->file->ops->reserve(w->file, want, err);
        if (r < 0)
            return r;
        w->reserved = want;
    }
    int r = ta_pwrite_full(w->file, p, n, w->at, err);
    if (r == TA_OK)
        w->at += n;
    return r;
}

static void count_sync(struct ta_wal *w, int64_t ns, size_t bytes)
{
    struct ta_wal_counts *c = &w->counts;
    unsigned bucket = 0;

    while (bucket < TA_COUNT(c->sync_ns_bucket) - 1 && ns >= (int64_t)64000 << bucket)
        bucket++;
    pthread_mutex_lock(&w->lock);
    c->syncs++;
    c->sync_ns_total += (uint64_t)ns;
    c->sync_ns_max = (uint64_t)ns > c->sync_ns_max ? (uint64_t)ns : c->sync_ns_max;
    c->sync_ns_bucket[bucket]++;
    c->bytes += bytes;
    c->segment_bytes += bytes;
    c->records += w->flush->next - w->flush->first;
    c->samples += w->flush->samples;
    pthread_mutex_unlock(&w->lock);
}

static int sync_counted(struct ta_wal *w, size_t bytes, struct ta_err *err)
{
    int64_t start = ta_mono_ns(w->conf.clock);
    int r = ta_sync(w->file, err);

    w->synced_mono_ns = ta_mono_ns(w->conf.clock);
    if (r == TA_OK)
        count_sync(w, w->synced_mono_ns - start, bytes);
    return r;
}

static int write_flush(struct ta_wal *w, struct ta_err *err)
{
    struct wal_buffer *b = w->flush;

    if (b->bytes.len == 0)
        return TA_OK;
    seal_records(b, &w->chain);
    int r = write_bytes(w, b->bytes.at, b->bytes.len, err);
    return r < 0 ? r : sync_counted(w, b->bytes.len, err);
}

/* The last segment of the list gets the buffer. Known before the bytes are written: a segment may be said to
 * hold something newer than it does, never the other way round. Under lock. */
static void note_newest(struct ta_wal *w, int64_t newest_s)
{
    struct ta_wal_segment *last = &w->segments[w->n_segments - 1];

    last->newest_s = newest_s > last->newest_s ? newest_s : last->newest_s;
}

/* ---- after a failure ----------------------------------------------------------------------------- */

/* Cuts the dictionary into pieces of whole items; returns the length of the first one. */
static size_t dictionary_piece(struct ta_str rest)
{
    struct ta_str at = rest;
    struct ta_log_item item;
    size_t n = 0;

    while (ta_log_next_item(&at, &item) > 0 && rest.len - at.len <= DICTIONARY_RECORD)
        n = rest.len - at.len;
    return n;
}

static uint64_t dictionary_records(struct ta_str dictionary)
{
    uint64_t n = 0;

    for (; dictionary.len > 0; n++) {
        size_t piece = dictionary_piece(dictionary);
        dictionary.at += piece;
        dictionary.len -= piece;
    }
    return n;
}

static int write_dictionary(struct ta_wal *w, struct ta_str dictionary, unsigned char *record,
                            struct ta_err *err)
{
    int r = TA_OK;

    while (r == TA_OK && dictionary.len > 0) {
        size_t piece = dictionary_piece(dictionary);
        memcpy(record + TA_LOG_RECORD_HEAD, dictionary.at, piece);
        ta_log_record_seal(record, piece, &w->chain);
        r = write_bytes(w, record, TA_LOG_RECORD_HEAD + piece, err);
        dictionary.at += piece;
        dictionary.len -= piece;
    }
    return r;
}

static int write_again(struct ta_wal *w, struct ta_err *err)
{
    struct ta_str dictionary = ta_buf_view(&(w->is_rotating ? w->said_old : w->said)->dictionary);
    size_t room = TA_LOG_RECORD_HEAD + DICTIONARY_RECORD;

    if (w->flush->bytes.len == 0) /* only the new segment of a rotation was missing */
        dictionary.len = 0;
    uint64_t before = 2 * dictionary_records(dictionary);
    unsigned char *record = ta_alloc(w->conf.alloc, room);
    if (!record)
        return ta_fail(err, TA_ENOMEM, "no memory to write the log's names again");
    int r = ta_wal_begin_segment(w, w->number + 1, w->flush->first - before, err);
    if (r == TA_OK) {
        pthread_mutex_lock(&w->lock);
        note_newest(w, w->flush->newest_s);
        pthread_mutex_unlock(&w->lock);
    }
    for (int i = 0; r == TA_OK && i < 2; i++)
        r = write_dictionary(w, dictionary, record, err);
    ta_release(w->conf.alloc, record, room);
    return r < 0 ? r : write_flush(w, err);
}

/* ---- the loop ---------------------------------------------------------------------------------- */

static void tell(struct ta_wal *w)
{
    if (w->conf.listener)
        w->conf.listener->notify(w->conf.listener);
}

static void begin_failing(struct ta_wal *w, const struct ta_err *why)
{
    pthread_mutex_lock(&w->lock);
    bool is_new = !w->is_failing;
    w->is_failing = true;
    w->counts.failures += is_new;
    snprintf(w->counts.trouble, sizeof(w->counts.trouble), "%.150s", why->text);
    ta_wal_close_record(w->fill);
    atomic_store_explicit(&w->failed_below, w->fill->next, memory_order_release);
    pthread_cond_broadcast(&w->settled);
    pthread_mutex_unlock(&w->lock);
    w->synced_mono_ns = ta_mono_ns(w->conf.clock);
    if (is_new)
        ta_logf(w->conf.report, TA_LOG_ERROR,
                "log: %s; samples are refused until it can be written", why->text);
    tell(w);
}

static void settle(struct ta_wal *w)
{
    bool is_healed;

    pthread_mutex_lock(&w->lock);
    is_healed = w->is_failing;
    w->is_failing = false;
    w->counts.trouble[0] = 0;
    atomic_store_explicit(&w->durable, w->flush->next, memory_order_release);
    ta_buf_reset(&w->flush->bytes);
    w->flush->newest_s = INT64_MIN;
    w->flush->first = w->flush->next;
    w->flush->samples = 0;
    if (w->is_rotating) {
        w->is_rotating = false;
        ta_wal_names_reset(w->said_old);
        w->cuts_done = w->cut_serving;
        w->cut_segment = w->number;
    }
    pthread_cond_broadcast(&w->settled);
    pthread_mutex_unlock(&w->lock);
    if (is_healed)
        ta_logf(w->conf.report, TA_LOG_WARN, "log: can be written again, samples are accepted");
    tell(w);
}

static void commit(struct ta_wal *w)
{
    struct ta_err err = {0};
    int r = w->is_failing ? write_again(w, &err) : write_flush(w, &err);

    if (r == TA_OK && w->is_rotating && !(w->is_failing && w->flush->bytes.len == 0))
        r = ta_wal_begin_segment(w, w->number + 1, w->flush->next, &err);
    if (r < 0)
        begin_failing(w, &err);
    else
        settle(w);
}

/* Swaps the buffers; flush is empty. Under lock. */
static void take(struct ta_wal *w)
{
    struct wal_buffer *taken = w->fill;

    ta_wal_close_record(taken);
    note_newest(w, taken->newest_s);
    w->fill = w->flush;
    w->flush = taken;
    w->fill->first = w->fill->next = taken->next;
    w->is_rotating =
        w->cuts_wanted > w->cuts_done || w->at + taken->bytes.len >= w->conf.segment_bytes;
    if (w->is_rotating) {
        struct ta_wal_names *old = w->said;
        w->said = w->said_old;
        w->said_old = old;
        w->cut_serving = w->cuts_wanted;
    }
}

/* How long to sleep, in ns; 0 = there is something to do. Under lock. */
static int64_t rest(const struct ta_wal *w)
{
    int64_t since = ta_mono_ns(w->conf.clock) - w->synced_mono_ns;
    int64_t period = w->is_failing ? w->conf.retry_ms * ms : w->conf.sync_interval_ms * ms;
    size_t bytes = w->fill->bytes.len;

    if (w->is_stopping || (!w->is_failing && w->cuts_wanted > w->cuts_done))
        return 0;
    if (!w->is_failing) {
        if (bytes == 0)
            return INT64_MAX;
        if (w->conf.durability == TA_DURABILITY_SYNC || bytes > w->fill->bytes.max / 2)
            return 0;
    }
    return since >= period ? 0 : period - since;
}

static void sleep_for(struct ta_wal *w, int64_t ns)
{
    struct timespec until;

    if (ns == INT64_MAX) {
        pthread_cond_wait(&w->work, &w->lock);
        return;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ns / 1000000000;
    until.tv_nsec += ns % 1000000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&w->work, &w->lock, &until);
}

void *ta_wal_run(void *wal)
{
    struct ta_wal *w = wal;

    for (;;) {
        int64_t ns;
        pthread_mutex_lock(&w->lock);
        while ((ns = rest(w)) > 0)
            sleep_for(w, ns);
        if (!w->is_failing)
            take(w);
        bool is_last = w->is_stopping; /* nothing is added after that */
        pthread_mutex_unlock(&w->lock);
        if (w->is_failing || w->flush->bytes.len > 0 || w->is_rotating)
            commit(w);
        if (is_last)
            return NULL; /* what could not be written is reported by ta_wal_close */
    }
}
