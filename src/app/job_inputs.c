#include "app/job_inputs.h"

#include "app/job_event.h"

#include <time.h>

enum { QUEUE_MSGS = 65536, QUEUE_BYTES = 64 << 20, WAIT_MS = 200, PAUSE_MS = 50, LAST_MS = 2000 };

/* ---- one event ---------------------------------------------------------------------------------- */

/* Somebody who waits for the desk. */
struct waiting {
    struct ta_desk_item item;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool is_done; /* guarded by lock */
};

static void answered(struct ta_desk_item *item)
{
    struct waiting *w = TA_CONTAINER(item, struct waiting, item);

    pthread_mutex_lock(&w->lock);
    w->is_done = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

static void pause_a_little(void)
{
    const struct timespec t = {.tv_nsec = PAUSE_MS * 1000000};

    (void)nanosleep(&t, NULL); /* cut short is fine */
}

/* Waits while the desk has too much to do: the queue behind is what may overflow, and is counted. */
static int do_call(struct ta_job_input *in, struct ta_job_call *call)
{
    struct waiting w = {.item = {.call = call, .done = answered},
                        .lock = PTHREAD_MUTEX_INITIALIZER,
                        .wake = PTHREAD_COND_INITIALIZER};
    int r;

    while ((r = ta_job_desk_submit(in->desk, &w.item)) == TA_EAGAIN)
        pause_a_little();
    if (r == TA_OK) {
        pthread_mutex_lock(&w.lock);
        while (!w.is_done)
            pthread_cond_wait(&w.wake, &w.lock);
        pthread_mutex_unlock(&w.lock);
    }
    pthread_cond_destroy(&w.wake);
    pthread_mutex_destroy(&w.lock);
    return r;
}

static bool verb_of(const struct ta_job_input *in, const struct ta_job_event *event,
                    enum ta_job_verb *out)
{
    if (!ta_str_is(event->measurement, in->measurement))
        return false;
    if (ta_str_is(event->measurement, "nodestate"))
        *out = TA_JOB_NODE_STATES;
    else if (ta_str_is(event->function, "start_job"))
        *out = TA_JOB_START;
    else if (ta_str_is(event->function, "stop_job"))
        *out = TA_JOB_STOP;
    else
        return false;
    return true;
}

static void take_event(struct ta_job_input *in, const struct ta_job_event *event,
                       struct ta_str json)
{
    const struct ta_token nobody = {.roles = TA_ROLE_API}; /* who may publish, the server decides */
    struct ta_log *log = in->desk->place.log;
    struct ta_job_call *call = NULL;
    struct ta_err why = {0};
    enum ta_job_verb verb;
    int r;

    if (!verb_of(in, event, &verb)) {
        atomic_fetch_add(&in->desk->counts.unusable, 1);
        ta_logf(log, TA_LOG_WARN, "%s: an event %.*s with function '%.*s' is not known",
                in->subject, TA_STR_FMT(event->measurement), TA_STR_FMT(event->function));
        return;
    }
    r = ta_job_call_new(&call, &in->desk->place, verb, TA_STR(""), TA_STR(""), &nobody, false,
                        &why);
    if (r >= 0) {
        call->way = TA_JOB_OVER_NATS;
        r = ta_buf_str(&call->body, json);
    }
    if (r >= 0)
        r = do_call(in, call);
    if (r < 0)
        atomic_fetch_add(&in->desk->counts.unusable, 1);
    if (r < 0)
        ta_logf(log, TA_LOG_ERROR, "%s: %s is lost: %s", in->subject, ta_job_verb_name(verb),
                why.text[0] ? why.text : ta_strerror(r));
    else if (call->status >= 300 && call->answer.len) /* without its line feed */
        ta_logf(log, TA_LOG_ERROR, "%s: %s: %.*s", in->subject, ta_job_verb_name(verb),
                TA_STR_FMT(((struct ta_str){call->answer.at, call->answer.len - 1})));
    ta_job_call_free(call);
}

static void take_message(struct ta_job_input *in, struct ta_str text)
{
    struct ta_job_event event;
    struct ta_err why = {0};
    struct ta_buf json;
    int r;

    ta_buf_init(&json, in->desk->place.alloc, in->desk->place.bytes_max);
    while ((r = ta_job_event_next(&text, &event, &json, &why)) > 0)
        if (event.has_event)
            take_event(in, &event, ta_buf_view(&json));
    if (r < 0) {
        atomic_fetch_add(&in->desk->counts.unusable, 1);
        ta_logf(in->desk->place.log, TA_LOG_ERROR, "%s: the rest of a message is passed over: %s",
                in->subject, why.text);
    }
    ta_buf_done(&json);
}

/* ---- a subject ---------------------------------------------------------------------------------- */

/* Adds what has been dropped since *seen. */
static void count_dropped(struct ta_job_input *in, struct ta_nats_sub *sub, uint64_t *seen)
{
    struct ta_nats_sub_counts c;

    ta_nats_sub_counts(sub, &c);
    if (c.dropped > *seen)
        atomic_fetch_add(&in->desk->counts.dropped, c.dropped - *seen);
    *seen = c.dropped;
}

/* Until it is time to stop, and then for a while until nothing waits any more. */
static void take_messages(struct ta_job_input *in, struct ta_nats_sub *sub)
{
    struct ta_err why = {0};
    struct ta_clock *clock = in->desk->place.clock;
    int64_t until = 0; /* 0: it is not time to stop */
    uint64_t dropped = 0;
    int r = 1;

    while (r > 0 || (r == 0 && !until)) {
        struct ta_nats_msg m = {0};

        if (!until && atomic_load(&in->stop)) {
            ta_nats_sub_quit(sub);
            until = ta_mono_ns(clock) + (int64_t)LAST_MS * 1000000;
        }
        if (until && ta_mono_ns(clock) > until)
            break;
        r = ta_nats_next(sub, WAIT_MS, &m, &why);
        if (r > 0)
            take_message(in, m.text);
        ta_nats_msg_done(&m);
        count_dropped(in, sub, &dropped);
    }
}

static void *run(void *self)
{
    struct ta_job_input *in = self;

    while (!atomic_load(&in->stop)) {
        struct ta_nats_sub *sub = NULL;
        struct ta_err why = {0};

        if (ta_nats_subscribe(&sub, in->nats, in->subject, QUEUE_MSGS, QUEUE_BYTES, &why) < 0) {
            pause_a_little();
            continue;
        }
        take_messages(in, sub);
        ta_nats_unsubscribe(sub);
        pause_a_little(); /* the server may refuse us: its state says why */
    }
    return NULL;
}

int ta_job_inputs_start(struct ta_job_inputs *s, const struct ta_config *config,
                        struct ta_nats *nats, struct ta_job_desk *desk, struct ta_err *err)
{
    const char *const subjects[TA_JOB_INPUTS][2] = {{config->main.job_subject, "job"},
                                                    {config->main.node_subject, "nodestate"}};

    *s = (struct ta_job_inputs){0};
    if (!nats || !desk->is_open)
        return TA_OK;
    for (size_t i = 0; i < TA_JOB_INPUTS; i++) {
        struct ta_job_input *in = &s->at[s->n];

        if (!subjects[i][0][0])
            continue;
        *in = (struct ta_job_input){
            .nats = nats, .desk = desk, .subject = subjects[i][0], .measurement = subjects[i][1]};
        if (pthread_create(&in->thread, NULL, run, in) != 0) {
            ta_job_inputs_stop(s);
            return ta_fail(err, TA_ENOMEM, "no thread for %s", subjects[i][0]);
        }
        in->is_running = true;
        s->n++;
    }
    return TA_OK;
}

void ta_job_inputs_stop(struct ta_job_inputs *s)
{
    for (size_t i = 0; i < s->n; i++)
        atomic_store(&s->at[i].stop, true);
    for (size_t i = 0; i < s->n; i++) {
        if (s->at[i].is_running)
            pthread_join(s->at[i].thread, NULL);
        s->at[i].is_running = false;
    }
}
