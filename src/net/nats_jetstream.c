/* nats_jetstream.c - durable pull consumers. */
#include "net/nats_int.h"

enum { ACK_PENDING = 1000, ACK_WAIT_MS = 30000 };
static const int64_t ms = 1000000; /* the library's nanoseconds */

struct ta_nats_consumer {
    struct ta_alloc *alloc;
    jsCtx *js;
    natsSubscription *sub;
    char *names; /* stream and durable, each with its NUL */
    size_t names_room;
    const char *durable; /* in names */
};

static int keep_names(struct ta_nats_consumer *c, const struct ta_nats_consumer_conf *conf)
{
    size_t stream = strlen(conf->stream) + 1;
    size_t durable = strlen(conf->durable) + 1;

    c->names = ta_alloc(c->alloc, stream + durable);
    if (!c->names)
        return TA_ENOMEM;
    c->names_room = stream + durable;
    memcpy(c->names, conf->stream, stream);
    memcpy(c->names + stream, conf->durable, durable);
    c->durable = c->names + stream;
    return TA_OK;
}

/* Makes the durable, or takes it up when it is there with the same configuration. */
static natsStatus add_consumer(struct ta_nats_consumer *c, const struct ta_nats_consumer_conf *conf,
                               jsOptions *options, jsErrCode *why)
{
    jsConsumerConfig cfg;

    jsConsumerConfig_Init(&cfg);
    cfg.Durable = conf->durable;
    cfg.AckPolicy = js_AckExplicit;
    cfg.DeliverPolicy = js_DeliverAll;
    cfg.AckWait = (conf->ack_wait_ms ? conf->ack_wait_ms : ACK_WAIT_MS) * ms;
    cfg.MaxAckPending = conf->max_ack_pending ? conf->max_ack_pending : ACK_PENDING;
    if (conf->subject && conf->subject[0])
        cfg.FilterSubject = conf->subject;
    return js_AddConsumer(NULL, c->js, conf->stream, &cfg, options, why);
}

static natsStatus bind_consumer(struct ta_nats_consumer *c,
                                const struct ta_nats_consumer_conf *conf, jsOptions *options,
                                jsErrCode *why)
{
    jsSubOptions sub;

    jsSubOptions_Init(&sub);
    sub.Stream = conf->stream;
    sub.Consumer = conf->durable;
    return js_PullSubscribe(&c->sub, c->js, conf->subject, conf->durable, options, &sub, why);
}

static int consume_failed(const struct ta_nats_consumer_conf *conf, natsStatus s, jsErrCode why,
                          struct ta_err *err)
{
    const char *words =
        nats_GetLastError(NULL); /* of this thread; the server's own, if it answered */

    if (why == JSStreamNotFoundErr || why == JSConsumerNotFoundErr)
        return ta_fail(err, TA_EAGAIN, "JetStream: stream %s or its consumer %s is not there",
                       conf->stream, conf->durable);
    if (why == JSConsumerNameExistErr)
        return ta_fail(err, TA_EINVAL,
                       "JetStream: consumer %s of stream %s is there with another configuration",
                       conf->durable, conf->stream);
    if (why != 0 || s == NATS_INVALID_ARG)
        return ta_fail(err, TA_EINVAL, "JetStream: consumer %s of stream %s: %s (error %d)",
                       conf->durable, conf->stream, words ? words : natsStatus_GetText(s),
                       (int)why);
    return ta_nats_fail(s, conf->stream, err);
}

int ta_nats_consume(struct ta_nats_consumer **out, struct ta_nats *n,
                    const struct ta_nats_consumer_conf *conf, int64_t timeout_ms,
                    struct ta_alloc *alloc, struct ta_err *err)
{
    struct ta_nats_consumer *c = ta_alloc_zero(alloc, 1, sizeof(*c));
    jsOptions options;
    jsErrCode why = 0;

    if (!c)
        return ta_fail(err, TA_ENOMEM, "JetStream consumer");
    c->alloc = alloc;
    jsOptions_Init(&options);
    options.Wait = timeout_ms;
    natsStatus s = keep_names(c, conf) < 0 ? NATS_NO_MEMORY : NATS_OK;
    natsConnection *connection = ta_nats_enter(n, err);
    if (s == NATS_OK)
        s = connection ? natsConnection_JetStream(&c->js, connection, &options)
                       : NATS_NOT_YET_CONNECTED;
    ta_nats_leave(n);
    if (s == NATS_OK)
        s = add_consumer(c, conf, &options, &why);
    if (s == NATS_OK)
        s = bind_consumer(c, conf, &options, &why);
    if (s != NATS_OK) {
        ta_nats_consumer_close(c);
        return consume_failed(conf, s, why, err);
    }
    *out = c;
    return TA_OK;
}

void ta_nats_consumer_close(struct ta_nats_consumer *c)
{
    if (!c)
        return;
    natsSubscription_Destroy(c->sub);
    jsCtx_Destroy(c->js);
    ta_release(c->alloc, c->names, c->names_room);
    ta_release(c->alloc, c, sizeof(*c));
}

static uint64_t deliveries_of(natsMsg *msg)
{
    jsMsgMetaData *meta = NULL;
    uint64_t n = 1;

    if (natsMsg_GetMetaData(&meta, msg) == NATS_OK) {
        n = meta->NumDelivered;
        jsMsgMetaData_Destroy(meta);
    }
    return n;
}

int ta_nats_fetch(struct ta_nats_consumer *c, struct ta_nats_msg *out, int max, int64_t timeout_ms,
                  struct ta_err *err)
{
    natsMsgList list = {0};
    jsErrCode why = 0;
    natsStatus s = natsSubscription_Fetch(
        &list, c->sub, max < TA_NATS_FETCH_MAX ? max : TA_NATS_FETCH_MAX, timeout_ms, &why);

    if (s != NATS_OK && s != NATS_TIMEOUT)
        return ta_fail(err, TA_EIO, "JetStream: fetching: %s", natsStatus_GetText(s));
    int n = list.Count;
    for (int i = 0; i < n; i++) {
        ta_nats_msg_from(&out[i], list.Msgs[i]);
        out[i].deliveries = deliveries_of(list.Msgs[i]);
        list.Msgs[i] = NULL; /* ours now */
    }
    natsMsgList_Destroy(&list);
    return n;
}

static int finish(struct ta_nats_msg *m, natsStatus s, const char *what, struct ta_err *err)
{
    ta_nats_msg_done(m);
    return s == NATS_OK ? TA_OK : ta_nats_fail(s, what, err);
}

int ta_nats_ack(struct ta_nats_msg *m, struct ta_err *err)
{
    return finish(m, natsMsg_Ack(m->handle, NULL), "acknowledging", err);
}

int ta_nats_term(struct ta_nats_msg *m, struct ta_err *err)
{
    return finish(m, natsMsg_Term(m->handle, NULL), "terminating", err);
}

int ta_nats_nak(struct ta_nats_msg *m, struct ta_err *err)
{
    return finish(m, natsMsg_Nak(m->handle, NULL), "refusing", err);
}

int ta_nats_consumer_lag(struct ta_nats_consumer *c, struct ta_nats_lag *out, struct ta_err *err)
{
    jsConsumerInfo *info = NULL;
    jsErrCode why = 0;
    natsStatus s = js_GetConsumerInfo(&info, c->js, c->names, c->durable, NULL, &why);

    if (s != NATS_OK)
        return ta_nats_fail(s, "consumer state", err);
    *out = (struct ta_nats_lag){.pending = info->NumPending,
                                .ack_pending = (uint64_t)info->NumAckPending,
                                .redelivered = (uint64_t)info->NumRedelivered};
    jsConsumerInfo_Destroy(info);
    return TA_OK;
}
