#include "app/keeper.h"
#include "base/pause.h"

#include <time.h>

enum {
    SLICE_US = 5000, /* of CPU time, between two looks at the stop flag */
    PAUSE_MS = 1000, /* between turns when nothing is due */
    BREATH_MS = 5,   /* between slices: at most half a core for tending */
    IDLE_S = 900,    /* a series without a sample for so long is compressed up to its end */
    RETAIN_MAX_S = 60,
    COUNT_S = 10,  /* how old the numbers of GET /metrics may be that need a visit to every host */
    REPORT_S = 300 /* as the reference */
};

static const int64_t NS = 1000000000;

static bool is_protecting(const struct ta_keeper *k)
{
    return k->protector && k->protector->is_on;
}

static int64_t retain_period_ns(int64_t retention_s)
{
    if (retention_s <=
        0) /* nothing goes by age, but who is protected from the memory cap may change */
        return RETAIN_MAX_S * NS;
    int64_t half_s = retention_s / 2;

    return (half_s < 1 ? 1 : half_s > RETAIN_MAX_S ? RETAIN_MAX_S : half_s) * NS;
}

static void retain(struct ta_keeper *k, int64_t t_s)
{
    struct ta_err err = {0};
    const struct ta_used_nodes *used = NULL;

    if (is_protecting(k)) {
        ta_protector_ask(k->protector);
        used = &k->protector->known; /* changed by this thread alone */
    }
    int64_t freed =
        ta_store_retain(k->store, t_s, used ? used->at : NULL, used ? used->n : 0, &err);

    if (freed < 0)
        ta_logf(k->log, TA_LOG_ERROR, "[METRICSTORE]> freeing up buffers failed: %s", err.text);
    else if (freed > 0)
        ta_logf(k->log, TA_LOG_INFO, "[METRICSTORE]> done: %lld buffers freed", (long long)freed);
}

static void report(struct ta_keeper *k)
{
    struct ta_store_counts n;

    ta_store_counts(k->store, &n);
    ta_logf(k->log, TA_LOG_INFO,
            "[METRICSTORE]> memory usage: %.3f GB actual (%.3f GB metric data); %llu hosts, %llu "
            "series, %llu samples stored",
            (double)n.bytes / 1e9, (double)(n.slots * 8 + n.buffers * 72) / 1e9,
            (unsigned long long)n.hosts, (unsigned long long)n.series,
            (unsigned long long)n.stored);
    if (n.bytes_cap && n.bytes > n.bytes_cap / 10 * 9 && n.freed_early_buffers)
        ta_logf(k->log, TA_LOG_WARN,
                "[METRICSTORE]> memory-cap reached: %llu buffers were freed before their time",
                (unsigned long long)n.freed_early_buffers);
}

bool ta_keeper_turn(struct ta_keeper *k)
{
    int64_t now = ta_mono_ns(k->clock), now_s = ta_now_s(k->clock);
    int64_t retention_s = k->retention_s;

    if ((retention_s > 0 || is_protecting(k)) &&
        now - k->retained_mono_ns >= retain_period_ns(retention_s)) {
        k->retained_mono_ns = now;
        int64_t before_s = retention_s > 0 ? now_s - retention_s : INT64_MIN;
        retain(k, k->safe ? ta_safe_free_before(k->safe, before_s, retention_s) : before_s);
    }
    if (now - k->reported_mono_ns >= REPORT_S * NS) {
        k->reported_mono_ns = now;
        report(k);
    }
    if (now - k->counted_mono_ns >= COUNT_S * NS) {
        struct ta_store_counts counts;

        k->counted_mono_ns = now;
        ta_store_counts(k->store, &counts); /* which notes them */
    }
    return ta_store_keep(k->store, now_s, IDLE_S, SLICE_US) > 0;
}

static void *run(void *self)
{
    struct ta_keeper *k = self;

    while (!ta_pause(&k->lock, &k->wake, &k->is_stopping, ta_keeper_turn(k) ? BREATH_MS : PAUSE_MS))
        continue;
    return NULL;
}

int ta_keeper_start(struct ta_keeper *k, struct ta_store *store, struct ta_protector *protector,
                    struct ta_safe *safe, int64_t retention_s, struct ta_clock *clock,
                    struct ta_log *log, struct ta_err *err)
{
    pthread_condattr_t attr;

    *k = (struct ta_keeper){.store = store,
                            .protector = protector,
                            .safe = safe,
                            .clock = clock,
                            .log = log,
                            .retention_s = retention_s};
    k->retained_mono_ns = k->reported_mono_ns = ta_mono_ns(clock);
    if (is_protecting(k)) /* at once */
        k->retained_mono_ns -= retain_period_ns(retention_s);
    pthread_mutex_init(&k->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&k->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&k->thread, NULL, run, k) != 0)
        return ta_fail(err, TA_ENOMEM, "starting the keeper thread");
    k->is_running = true;
    return TA_OK;
}

void ta_keeper_stop(struct ta_keeper *k)
{
    if (!k->is_running)
        return;
    pthread_mutex_lock(&k->lock);
    k->is_stopping = true;
    pthread_cond_signal(&k->wake);
    pthread_mutex_unlock(&k->lock);
    if (is_protecting(k))
        ta_protector_quit(k->protector);
    pthread_join(k->thread, NULL);
    k->is_running = false;
    pthread_cond_destroy(&k->wake);
    pthread_mutex_destroy(&k->lock);
}
