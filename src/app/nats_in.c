#include "app/nats_in.h"

#include <stdio.h>
#include <time.h>

enum {
    QUEUE_MSGS = 65536,
    QUEUE_BYTES = 64 << 20, /* as the reference's client library */
    WAIT_MS = 500,          /* how late a stop may be noticed */
    BATCH = 256,
    LAST_WAIT_MS = 20, /* for one more at the end */
    ROOM_MS = 1000,
    SYNC_MS = 10000,
    RETRY_MS = 1000,
    LAG_MS = 5000,
    SHUT_US = 500,  /* between two tries while the log has room and yet takes nothing */
    LAST_MS = 10000 /* for what a subscription's queue holds at the end */
};

struct ta_nats_in {
    struct ta_nats_in_conf conf;
    struct ta_nats_source source;
    struct ta_ingest *ingest;
    struct ta_nats_sub *sub; /* guarded by lock: the numbers of it are read from outside */
    struct ta_nats_consumer *consumer; /* the thread's own */
    pthread_t thread;
    pthread_mutex_t lock;
    struct ta_nats_in_counts counts; /* guarded by lock */
    _Atomic bool is_stopping;
    bool is_started; /* the thread is to be joined */
    int64_t lag_mono_ns;
};

/* ---- one message ------------------------------------------------------------------------------- */

/* The log is full or away: waits for it. TA_OK: try again; else the message is given up. */
static int wait_for_log(struct ta_nats_in *in)
{
    if (!in->conf.wal)
        return TA_EIO;
    while (!atomic_load(&in->is_stopping)) {
        int r = ta_wal_wait_room(in->conf.wal, ROOM_MS);
        if (r == TA_OK) /* a checkpoint may hold it shut for a moment */
            nanosleep(&(struct timespec){.tv_nsec = SHUT_US * 1000}, NULL);
        if (r != TA_EAGAIN)
            return r;
    }
    return TA_ECANCELED;
}

/* Stores a message whole. TA_OK: its good lines are in (verdict in *why); else it could not be taken now. */
static int store(struct ta_nats_in *in, const struct ta_nats_msg *m, uint64_t *ticket,
                 struct ta_err *why)
{
    int64_t now = ta_now_s(in->conf.clock);
    struct ta_str rest = m->text;
    struct ta_feed feed;
    int r = ta_feed_init(&feed, in->conf.alloc, ta_str(in->source.cluster), NULL, now);

    while (r == TA_OK && rest.len > 0) {
        size_t used = 0;
        r = ta_ingest_feed(in->ingest, &feed, rest, now, &used, why);
        rest.at += used;
        rest.len -= used;
        if (r == TA_EAGAIN)
            r = wait_for_log(in);
    }
    while (r == TA_OK && (r = ta_ingest_end(in->ingest, &feed, true, now, why)) == TA_EAGAIN)
        r = wait_for_log(in);
    if (r == TA_OK) {
        *ticket = feed.ticket > *ticket ? feed.ticket : *ticket;
        (void)ta_feed_verdict(&feed, why);
    }
    pthread_mutex_lock(&in->lock);
    in->counts.messages++;
    in->counts.bytes += m->text.len;
    ta_ingest_counts_add(&in->counts.lines, &feed.counts);
    pthread_mutex_unlock(&in->lock);
    ta_feed_done(&feed);
    return r;
}

static void pause_a_while(struct ta_nats_in *in)
{
    for (int waited = 0; waited < RETRY_MS && !atomic_load(&in->is_stopping); waited += 50)
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
}

/* ---- plain subscription -------------------------------------------------------------------------- */

/* 1: one message was taken, 0: none came, < 0: the subscription is closed. */
static int take_one(struct ta_nats_in *in, int64_t wait_ms, struct ta_err *err)
{
    struct ta_nats_msg m = {0};
    struct ta_err why = {0};
    uint64_t ticket = 0;
    int r = ta_nats_next(in->sub, wait_ms, &m, err);

    if (r <= 0)
        return r;
    r = store(in, &m, &ticket, &why);
    if (r < 0)
        ta_logf(in->conf.log, TA_LOG_ERROR, "NATS: a message of %.*s is lost: %s",
                TA_STR_FMT(m.subject), why.text[0] ? why.text : ta_strerror(r));
    else if (why.code)
        ta_logf(in->conf.log, TA_LOG_WARN, "NATS: %.*s: %s", TA_STR_FMT(m.subject), why.text);
    ta_nats_msg_done(&m);
    return 1;
}

static int subscribe(struct ta_nats_in *in, struct ta_err *err)
{
    struct ta_nats_sub *sub = NULL;
    int r =
        ta_nats_subscribe(&sub, in->conf.nats, in->source.subject, QUEUE_MSGS, QUEUE_BYTES, err);

    pthread_mutex_lock(&in->lock);
    in->sub = sub;
    pthread_mutex_unlock(&in->lock);
    return r;
}

/* What it dropped stays counted. */
static void unsubscribe(struct ta_nats_in *in)
{
    struct ta_nats_sub_counts queue = {0};

    pthread_mutex_lock(&in->lock);
    if (in->sub)
        ta_nats_sub_counts(in->sub, &queue);
    in->counts.dropped += queue.dropped;
    ta_nats_unsubscribe(in->sub);
    in->sub = NULL;
    pthread_mutex_unlock(&in->lock);
}

static void run_plain(struct ta_nats_in *in)
{
    while (!atomic_load(&in->is_stopping)) {
        struct ta_err err = {0};
        int r = in->sub ? take_one(in, WAIT_MS, &err) : subscribe(in, &err);

        if (r < 0) { /* the server refuses us: its state says why */
            unsubscribe(in);
            pause_a_while(in);
        }
    }
    if (!in->sub)
        return;
    ta_nats_sub_quit(in->sub);
    int64_t until = ta_mono_ns(in->conf.clock) + (int64_t)LAST_MS * 1000000;
    while (ta_mono_ns(in->conf.clock) < until && take_one(in, LAST_WAIT_MS, NULL) > 0)
        continue;
}

/* ---- JetStream ------------------------------------------------------------------------------------ */

static void count_ack(struct ta_nats_in *in, bool is_acked)
{
    pthread_mutex_lock(&in->lock);
    in->counts.acked += is_acked;
    in->counts.refused += !is_acked;
    pthread_mutex_unlock(&in->lock);
}

static bool is_settled(struct ta_nats_in *in, uint64_t ticket)
{
    return ticket == 0 || !in->conf.wal ||
           ta_wal_wait(in->conf.wal, ticket, SYNC_MS) == TA_TICKET_DURABLE;
}

/* Stores a fetched batch and settles each of its messages. Returns false when the log refused. */
static bool take_batch(struct ta_nats_in *in, struct ta_nats_msg *batch, int n)
{
    struct ta_err why[TA_NATS_FETCH_MAX];
    uint64_t ticket = 0;
    int stored = 0;
    uint64_t again = 0;

    for (; stored < n; stored++) {
        why[stored] = (struct ta_err){0};
        again += batch[stored].deliveries > 1;
        if (store(in, &batch[stored], &ticket, &why[stored]) < 0)
            break;
    }
    bool is_good = is_settled(in, ticket);
    for (int i = 0; i < n; i++) {
        int r;
        if (i >= stored || !is_good) {
            r = ta_nats_nak(&batch[i], NULL); /* if it gets lost the message comes after ack-wait */
        } else if (why[i].code) {
            ta_poison_keep(in->conf.poison, batch[i].subject, batch[i].text, why[i].text);
            r = ta_nats_term(&batch[i], NULL);
        } else {
            r = ta_nats_ack(&batch[i], NULL);
        }
        count_ack(in, r == TA_OK && i < stored && is_good);
    }
    pthread_mutex_lock(&in->lock);
    in->counts.redelivered += again;
    pthread_mutex_unlock(&in->lock);
    return is_good && stored == n;
}

static void attach(struct ta_nats_in *in)
{
    struct ta_nats_consumer_conf conf = {.stream = in->source.stream,
                                         .durable = in->source.durable,
                                         .subject = in->source.subject,
                                         .max_ack_pending = in->source.max_ack_pending,
                                         .ack_wait_ms = in->source.ack_wait_ms};
    struct ta_err err = {0};
    int r = ta_nats_consume(&in->consumer, in->conf.nats, &conf, 2000, in->conf.alloc, &err);

    pthread_mutex_lock(&in->lock);
    in->counts.is_attached = r == TA_OK;
    pthread_mutex_unlock(&in->lock);
    if (r == TA_OK) {
        ta_logf(in->conf.log, TA_LOG_INFO, "JetStream: consumer %s of stream %s stands",
                in->source.durable, in->source.stream);
        return;
    }
    if (r != TA_EAGAIN)
        ta_logf(in->conf.log, TA_LOG_ERROR, "%s; trying again", err.text);
    pause_a_while(in);
}

static void ask_lag(struct ta_nats_in *in)
{
    struct ta_nats_lag lag;
    int64_t now = ta_mono_ns(in->conf.clock);

    if (now - in->lag_mono_ns < (int64_t)LAG_MS * 1000000)
        return;
    in->lag_mono_ns = now;
    if (ta_nats_consumer_lag(in->consumer, &lag, NULL) < 0)
        return; /* the numbers stay as they were said last */
    pthread_mutex_lock(&in->lock);
    in->counts.pending = lag.pending;
    in->counts.ack_pending = lag.ack_pending;
    pthread_mutex_unlock(&in->lock);
}

static void run_jetstream(struct ta_nats_in *in)
{
    struct ta_nats_msg batch[TA_NATS_FETCH_MAX];
    int most = in->source.batch > 0 ? in->source.batch : BATCH;

    while (!atomic_load(&in->is_stopping)) {
        struct ta_err err = {0};

        if (!in->consumer) {
            attach(in);
            continue;
        }
        ask_lag(in);
        int n = ta_nats_fetch(in->consumer, batch, most, WAIT_MS, &err);
        if (n < 0) {
            /* Away, or the consumer was deleted: made anew either way. */
            ta_nats_consumer_close(in->consumer);
            in->consumer = NULL;
            pause_a_while(in);
        } else if (n > 0 && !take_batch(in, batch, n)) {
            pause_a_while(in);
        }
    }
    ta_nats_consumer_close(in->consumer);
}

/* ---- life ------------------------------------------------------------------------------------- */

static void *run(void *arg)
{
    struct ta_nats_in *in = arg;

    if (in->source.stream)
        run_jetstream(in);
    else
        run_plain(in);
    return NULL;
}

static void free_parts(struct ta_nats_in *in)
{
    unsubscribe(in);
    ta_ingest_free(in->ingest);
    pthread_mutex_destroy(&in->lock);
    ta_release(in->conf.alloc, in, sizeof(*in));
}

int ta_nats_in_start(struct ta_nats_in **out, const struct ta_nats_in_conf *conf,
                     const struct ta_nats_source *source, struct ta_err *err)
{
    struct ta_nats_in *in = ta_alloc_zero(conf->alloc, 1, sizeof(*in));
    struct ta_ingest_conf ingest = {.store = conf->store,
                                    .journal = conf->journal,
                                    .alloc = conf->alloc,
                                    .max_future_s = conf->max_future_s};

    if (!in)
        return ta_fail(err, TA_ENOMEM, "NATS input");
    in->conf = *conf;
    in->source = *source;
    in->counts.is_attached = source->stream == NULL;
    pthread_mutex_init(&in->lock, NULL);
    int r = ta_ingest_new(&in->ingest, &ingest, err);
    if (r == TA_OK && !source->stream) {
        struct ta_err why = {0};
        r = subscribe(in, &why);
        r = r == TA_EAGAIN ? TA_OK /* the thread tries again */
            : r < 0        ? ta_fail(err, r, "%s", why.text)
                           : r;
    }
    if (r == TA_OK && pthread_create(&in->thread, NULL, run, in) != 0)
        r = ta_fail(err, TA_EIO, "no thread for NATS subject %s", source->subject);
    in->is_started = r == TA_OK;
    if (r < 0) {
        free_parts(in);
        return r;
    }
    *out = in;
    return TA_OK;
}

void ta_nats_in_quit(struct ta_nats_in *in)
{
    if (in)
        atomic_store(&in->is_stopping, true);
}

void ta_nats_in_end(struct ta_nats_in *in)
{
    if (!in || !in->is_started)
        return;
    ta_nats_in_quit(in);
    pthread_join(in->thread, NULL);
    in->is_started = false;
}

void ta_nats_in_free(struct ta_nats_in *in)
{
    if (!in)
        return;
    ta_nats_in_end(in);
    free_parts(in);
}

void ta_nats_in_counts(struct ta_nats_in *in, struct ta_nats_in_counts *out)
{
    struct ta_nats_sub_counts queue = {0};

    pthread_mutex_lock(&in->lock);
    *out = in->counts;
    if (in->sub)
        ta_nats_sub_counts(in->sub, &queue);
    pthread_mutex_unlock(&in->lock);
    out->dropped += queue.dropped;
}
