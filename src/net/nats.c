#include "net/nats.h"

#include "net/nats_int.h"

#include <stdio.h>

enum { RECONNECT_MS = 1000, JITTER_MS = 100, PING_MS = 20000, PINGS_OUT = 2, URL_MAX = 512 };

int ta_nats_fail(natsStatus status, const char *what, struct ta_err *err)
{
    int code = TA_EIO;

    if (status == NATS_NO_MEMORY)
        code = TA_ENOMEM;
    else if (status == NATS_TIMEOUT || status == NATS_NOT_YET_CONNECTED ||
             status == NATS_CONNECTION_DISCONNECTED || status == NATS_NO_RESPONDERS ||
             status == NATS_NOT_FOUND || status == NATS_CONNECTION_CLOSED ||
             status == NATS_CONNECTION_AUTH_FAILED || status == NATS_NO_SERVER)
        code = TA_EAGAIN;
    else if (status == NATS_INVALID_ARG || status == NATS_INVALID_SUBJECT ||
             status == NATS_INVALID_QUEUE_NAME || status == NATS_SSL_ERROR)
        code = TA_EINVAL;
    return ta_fail(err, code, "NATS: %s: %s", what, natsStatus_GetText(status));
}

/* ---- state --------------------------------------------------------------------------------- */

static void note(struct ta_nats *n, bool is_connected, const char *trouble)
{
    pthread_mutex_lock(&n->lock);
    n->state.connects += is_connected && !n->state.is_connected;
    n->state.is_connected = is_connected;
    snprintf(n->state.trouble, sizeof(n->state.trouble), "%s", trouble);
    pthread_mutex_unlock(&n->lock);
}

static void on_connected(natsConnection *c, void *arg)
{
    struct ta_nats *n = arg;
    char url[URL_MAX] = "";

    note(n, true, "");
    (void)natsConnection_GetConnectedServerId(c, url, sizeof(url)); /* only for the log line */
    ta_logf(n->report, TA_LOG_INFO, "NATS: connected to server %s", url);
}

static void on_disconnected(natsConnection *c, void *arg)
{
    struct ta_nats *n = arg;
    const char *why = "connection lost";

    (void)natsConnection_GetLastError(c, &why);
    why = why && why[0] ? why : "connection lost";
    note(n, false, why);
    ta_logf(n->report, TA_LOG_WARN, "NATS: %s; connecting again", why);
}

static void on_error(natsConnection *c, natsSubscription *s, natsStatus status, void *arg)
{
    struct ta_nats *n = arg;

    (void)c, (void)s;
    if (status == NATS_SLOW_CONSUMER) /* counted where it happens, and far too many for a log */
        return;
    ta_logf(n->report, TA_LOG_WARN, "NATS: %s", natsStatus_GetText(status));
}

/* The last callback of a connection. */
static void on_closed(natsConnection *c, void *arg)
{
    struct ta_nats *n = arg;
    const char *why = NULL;

    /* The library forgets which of its servers refused us. */
    if (natsConnection_GetLastError(c, &why) == NATS_NO_SERVER)
        why = "no server takes the connection: away, or the credentials are refused";
    if (why && why[0]) {
        note(n, false, why);
        ta_logf(n->report, TA_LOG_WARN, "NATS: %s", why);
    }
    pthread_mutex_lock(&n->lock);
    n->is_closed = true;
    pthread_cond_broadcast(&n->closed);
    pthread_mutex_unlock(&n->lock);
}

void ta_nats_state(struct ta_nats *n, struct ta_nats_state *out)
{
    pthread_mutex_lock(&n->lock);
    *out = n->state;
    pthread_mutex_unlock(&n->lock);
}

/* ---- connection ----------------------------------------------------------------------------- */

static bool is_set(const char *s)
{
    return s && s[0];
}

/* Splits at commas and drops blanks; the library copies. */
static int set_servers(natsOptions *o, const char *list, struct ta_alloc *alloc, struct ta_err *err)
{
    const char *url[TA_NATS_SERVERS_MAX];
    size_t room = strlen(list) + 1;
    char *copy = ta_alloc(alloc, room);
    char *save = NULL;
    int n = 0;

    if (!copy)
        return ta_fail(err, TA_ENOMEM, "NATS: server list");
    memcpy(copy, list, room);
    for (char *at = strtok_r(copy, ", \t", &save); at && n < TA_NATS_SERVERS_MAX;
         at = strtok_r(NULL, ", \t", &save))
        url[n++] = at;
    natsStatus s = n > 0 ? natsOptions_SetServers(o, url, n) : NATS_INVALID_ARG;
    ta_release(alloc, copy, room);
    return s == NATS_OK ? TA_OK : ta_nats_fail(s, "server URLs", err);
}

static int set_tls(natsOptions *o, const struct ta_nats_conf *conf, struct ta_err *err)
{
    natsStatus s = NATS_OK;

    if (is_set(conf->ca_file) &&
        (s = natsOptions_LoadCATrustedCertificates(o, conf->ca_file)) != NATS_OK)
        return ta_fail(err, TA_EINVAL, "NATS: CA file %s: %s", conf->ca_file,
                       natsStatus_GetText(s));
    if (is_set(conf->cert_file) &&
        (s = natsOptions_LoadCertificatesChain(
             o, conf->cert_file, is_set(conf->key_file) ? conf->key_file : conf->cert_file)) !=
            NATS_OK)
        return ta_fail(err, TA_EINVAL, "NATS: certificate %s: %s", conf->cert_file,
                       natsStatus_GetText(s));
    if (strstr(conf->servers, "tls://") || is_set(conf->ca_file) || is_set(conf->cert_file))
        s = natsOptions_SetSecure(o, true);
    return s == NATS_OK ? TA_OK : ta_nats_fail(s, "TLS", err);
}

static int set_login(natsOptions *o, const struct ta_nats_conf *conf, struct ta_err *err)
{
    natsStatus s = NATS_OK;

    if (is_set(conf->user) && is_set(conf->password))
        s = natsOptions_SetUserInfo(o, conf->user, conf->password);
    if (s == NATS_OK && is_set(conf->creds_file))
        s = natsOptions_SetUserCredentialsFromFiles(o, conf->creds_file, NULL);
    return s == NATS_OK ? TA_OK : ta_nats_fail(s, "credentials", err);
}

static int set_options(struct ta_nats *n, const struct ta_nats_conf *conf, struct ta_err *err)
{
    natsOptions *o = n->options;
    int r = set_servers(o, conf->servers, n->alloc, err);

    if (r == TA_OK)
        r = set_tls(o, conf, err);
    if (r == TA_OK)
        r = set_login(o, conf, err);
    if (r < 0)
        return r;
    natsStatus s = natsOptions_SetName(o, conf->name ? conf->name : "tarn");
    if (s == NATS_OK)
        s = natsOptions_SetMaxReconnect(o, -1);
    if (s == NATS_OK)
        s = natsOptions_SetReconnectWait(o, conf->reconnect_ms ? conf->reconnect_ms : RECONNECT_MS);
    if (s == NATS_OK)
        s = natsOptions_SetReconnectJitter(o, JITTER_MS, JITTER_MS);
    if (s == NATS_OK)
        s = natsOptions_SetPingInterval(o, PING_MS);
    if (s == NATS_OK)
        s = natsOptions_SetMaxPingsOut(o, PINGS_OUT);
    if (s == NATS_OK)
        s = natsOptions_SetRetryOnFailedConnect(o, true, on_connected, n);
    if (s == NATS_OK)
        s = natsOptions_SetReconnectedCB(o, on_connected, n);
    if (s == NATS_OK)
        s = natsOptions_SetDisconnectedCB(o, on_disconnected, n);
    if (s == NATS_OK)
        s = natsOptions_SetClosedCB(o, on_closed, n);
    if (s == NATS_OK)
        s = natsOptions_SetErrorHandler(o, on_error, n);
    return s == NATS_OK ? TA_OK : ta_nats_fail(s, "options", err);
}

/* Begins to connect. TA_OK also when nobody answers yet; without a connection the next user tries again. */
static int begin(struct ta_nats *n, struct ta_err *err)
{
    natsStatus s = natsConnection_Connect(&n->connection, n->options);

    if (s == NATS_OK) {
        note(n, true, "");
        return TA_OK;
    }
    note(n, false, s == NATS_NOT_YET_CONNECTED ? "not connected yet" : natsStatus_GetText(s));
    if (s == NATS_NOT_YET_CONNECTED)
        return TA_OK;
    n->connection = NULL;
    return ta_nats_fail(s, "connecting", err);
}

static bool is_given_up(struct ta_nats *n)
{
    pthread_mutex_lock(&n->lock);
    bool is_closed = n->is_closed;
    pthread_mutex_unlock(&n->lock);
    return is_closed || !n->connection;
}

static void renew(struct ta_nats *n, struct ta_err *err)
{
    pthread_rwlock_wrlock(&n->use);
    if (is_given_up(n)) { /* else another thread was faster */
        natsConnection_Destroy(n->connection);
        n->connection = NULL;
        pthread_mutex_lock(&n->lock);
        n->is_closed = false;
        pthread_mutex_unlock(&n->lock);
        (void)begin(n, err); /* shows as the missing connection */
    }
    pthread_rwlock_unlock(&n->use);
}

natsConnection *ta_nats_enter(struct ta_nats *n, struct ta_err *err)
{
    pthread_rwlock_rdlock(&n->use);
    if (is_given_up(n)) {
        pthread_rwlock_unlock(&n->use);
        renew(n, err);
        pthread_rwlock_rdlock(&n->use);
    }
    if (!n->connection)
        ta_fail(err, TA_EAGAIN, "NATS: not connected");
    return n->connection;
}

void ta_nats_leave(struct ta_nats *n)
{
    pthread_rwlock_unlock(&n->use);
}

int ta_nats_open(struct ta_nats **out, const struct ta_nats_conf *conf, struct ta_alloc *alloc,
                 struct ta_err *err)
{
    struct ta_nats *n = ta_alloc_zero(alloc, 1, sizeof(*n));

    if (!n)
        return ta_fail(err, TA_ENOMEM, "NATS connection");
    n->alloc = alloc;
    n->report = conf->report;
    pthread_mutex_init(&n->lock, NULL);
    pthread_cond_init(&n->closed, NULL);
    pthread_rwlock_init(&n->use, NULL);
    natsStatus s = natsOptions_Create(&n->options);
    int r = s == NATS_OK ? set_options(n, conf, err) : ta_nats_fail(s, "options", err);
    if (r == TA_OK) {
        struct ta_err why = {0};
        int b = begin(n, &why);
        if (b == TA_ENOMEM || b == TA_EINVAL)
            r = ta_fail(err, b, "%s", why.text);
        else if (b < 0) /* refused by the server, which may be set right later */
            ta_logf(n->report, TA_LOG_WARN, "%s", why.text);
    }
    if (r < 0) {
        ta_nats_close(n);
        return r;
    }
    *out = n;
    return TA_OK;
}

void ta_nats_close(struct ta_nats *n)
{
    if (!n)
        return;
    if (n->connection) {
        /* Callbacks run in a thread of the library until the one that says "closed". */
        natsConnection_Close(n->connection);
        pthread_mutex_lock(&n->lock);
        while (!n->is_closed)
            pthread_cond_wait(&n->closed, &n->lock);
        pthread_mutex_unlock(&n->lock);
        natsConnection_Destroy(n->connection);
    }
    natsOptions_Destroy(n->options);
    pthread_rwlock_destroy(&n->use);
    pthread_cond_destroy(&n->closed);
    pthread_mutex_destroy(&n->lock);
    ta_release(n->alloc, n, sizeof(*n));
}

/* ---- messages and core subscriptions ----------------------------------------------------------- */

void ta_nats_msg_from(struct ta_nats_msg *out, natsMsg *msg)
{
    *out = (struct ta_nats_msg){
        .text = {natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg)},
        .subject = ta_str(natsMsg_GetSubject(msg)),
        .handle = msg,
    };
}

void ta_nats_msg_done(struct ta_nats_msg *m)
{
    natsMsg_Destroy(m->handle);
    *m = (struct ta_nats_msg){0};
}

struct ta_nats_sub {
    struct ta_alloc *alloc;
    natsSubscription *sub;
};

int ta_nats_subscribe(struct ta_nats_sub **out, struct ta_nats *n, const char *subject,
                      int queue_msgs, int queue_bytes, struct ta_err *err)
{
    struct ta_nats_sub *s = ta_alloc_zero(n->alloc, 1, sizeof(*s));

    if (!s)
        return ta_fail(err, TA_ENOMEM, "NATS subscription");
    s->alloc = n->alloc;
    natsConnection *c = ta_nats_enter(n, err);
    natsStatus status =
        c ? natsConnection_SubscribeSync(&s->sub, c, subject) : NATS_NOT_YET_CONNECTED;
    ta_nats_leave(n);
    if (status == NATS_OK)
        status = natsSubscription_SetPendingLimits(s->sub, queue_msgs, queue_bytes);
    if (status != NATS_OK) {
        ta_nats_unsubscribe(s);
        return ta_nats_fail(status, subject, err);
    }
    *out = s;
    return TA_OK;
}

void ta_nats_unsubscribe(struct ta_nats_sub *s)
{
    if (!s)
        return;
    natsSubscription_Destroy(s->sub);
    ta_release(s->alloc, s, sizeof(*s));
}

void ta_nats_sub_quit(struct ta_nats_sub *s)
{
    (void)natsSubscription_Drain(s->sub); /* not connected: nothing comes either */
}

int ta_nats_next(struct ta_nats_sub *s, int64_t timeout_ms, struct ta_nats_msg *out,
                 struct ta_err *err)
{
    natsMsg *msg = NULL;
    natsStatus status = natsSubscription_NextMsg(&msg, s->sub, timeout_ms);

    if (status == NATS_OK) {
        ta_nats_msg_from(out, msg);
        return 1;
    }
    /* A slow-consumer status tells once that messages were dropped; the counter has them all. */
    return status == NATS_TIMEOUT || status == NATS_SLOW_CONSUMER
               ? 0
               : ta_nats_fail(status, "receiving", err);
}

void ta_nats_sub_counts(struct ta_nats_sub *s, struct ta_nats_sub_counts *out)
{
    int64_t dropped = 0;
    int waiting = 0;

    (void)natsSubscription_GetDropped(s->sub, &dropped); /* zero when the subscription is closed */
    (void)natsSubscription_GetPending(s->sub, &waiting, NULL);
    *out = (struct ta_nats_sub_counts){(uint64_t)dropped, (uint64_t)waiting};
}
