#include "app/cleaner.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

enum { ARENA_MAX = 256 * 1024 };
enum { CONNECT_MS = 30000, IDLE_MS = 60000, TOTAL_MS = 600000, REDIRECTS = 5, CALL_RETRIES = 2 };

static bool is_https(const char *url)
{
    return strncmp(url, "https://", 8) == 0;
}

static bool needs_certificate(const struct ta_cleaner_data *d)
{
    return is_https(d->reqmgr_url) || is_https(d->wmstats_url) || is_https(d->msoutput_url) ||
           is_https(d->logdb_url) || is_https(d->dbs_url);
}

static int find_credentials(struct ta_cleaner *c, ta_env_reader env, struct ta_err *err)
{
    const struct ta_cleaner_data *d = &c->conf->data;
    const char *iam = env("IAM_TOKEN");
    int r = TA_OK;

    if (d->token_file[0] || (iam && iam[0])) {
        c->has_token = true;
        r = ta_token_file_init(&c->token, d->token_file[0] ? d->token_file : iam, !d->token_file[0],
                               &ta_heap, err);
        if (r < 0)
            return ta_fail_context(err, TA_EINVAL, "token: ");
    }
    if (d->tls.cert[0]) {
        snprintf(c->x509.cert, sizeof(c->x509.cert), "%s", d->tls.cert);
        snprintf(c->x509.key, sizeof(c->x509.key), "%s", d->tls.key[0] ? d->tls.key : d->tls.cert);
    } else if (!ta_x509_find(&c->x509, env) && !c->has_token && needs_certificate(d)) {
        return ta_fail(err, TA_EINVAL,
                       "neither a certificate (X509_USER_CERT, X509_USER_PROXY, tls.cert ...) nor "
                       "a token was found");
    }
    if (c->x509.key[0] && needs_certificate(d))
        r = ta_x509_check_key(c->x509.key, err);
    if (r == TA_OK)
        r = ta_rucio_login_find(&c->login, d, env, &ta_vfs_posix, &c->arena, err);
    if (r == TA_OK && c->login.auth == TA_RUCIO_OIDC && !c->has_token)
        r = ta_fail(err, TA_EINVAL, "rucio.authType oidc needs a token");
    return r;
}

/* A certificate store may be a file or a directory. */
static void set_ca(struct ta_rest_conf *rest, const char *path)
{
    struct stat st;

    if (!path || !path[0])
        return;
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
        rest->ca_file = path;
    else
        rest->ca_dir = path;
}

static const char *text_or_null(const char *s)
{
    return s && s[0] ? s : NULL;
}

static int open_callers(struct ta_cleaner *c, ta_env_reader env, struct ta_err *err)
{
    const struct ta_cleaner_data *d = &c->conf->data;
    const char *ca = d->tls.ca_path[0] ? d->tls.ca_path : env("X509_CERT_DIR");
    struct ta_caller_conf conf = {
        .rest = {.user_agent = "tarn-rule-cleaner/" TARN_VERSION,
                 .cert_file = text_or_null(c->x509.cert),
                 .key_file = text_or_null(c->x509.key),
                 .insecure = !d->tls.verify,
                 .connect_ms = CONNECT_MS,
                 .idle_ms = IDLE_MS,
                 .total_ms = TOTAL_MS,
                 .redirects = REDIRECTS,
                 .stop = &c->stop_now},
        .per_host = (unsigned)d->per_host,
        .retries = CALL_RETRIES,
        .token = c->has_token ? &c->token : NULL,
        .clock = &ta_clock_system, /* of tokens, whatever --now says */
        .stats = &c->stats,
        .alloc = &ta_heap,
    };

    set_ca(&conf.rest, ca);
    int r = ta_caller_new(&c->caller, &conf, err);
    conf.rest.user_agent = "wmcore-microservices/tarn-" TARN_VERSION;
    conf.rest.redirects = 0;
    conf.token = NULL;
    if (c->login.cert[0]) {
        conf.rest.cert_file = c->login.cert;
        conf.rest.key_file = c->login.key[0] ? c->login.key : c->login.cert;
    }
    if (c->login.ca[0]) {
        conf.rest.ca_file = conf.rest.ca_dir = NULL;
        set_ca(&conf.rest, c->login.ca);
    }
    return r == TA_OK ? ta_caller_new(&c->rucio_caller, &conf, err) : r;
}

static int open_services(struct ta_cleaner *c, uint64_t seed, struct ta_err *err)
{
    const struct ta_cleaner_data *d = &c->conf->data;
    const char *urls[] = {d->reqmgr_url, d->wmstats_url, d->msoutput_url,  d->logdb_url,
                          d->dbs_url,    d->rucio_url,   d->rucio_auth_url};

    for (size_t i = 0; i < TA_COUNT(urls); i++) {
        urls[i] = ta_cmsweb_url(&c->arena, urls[i], (unsigned)d->cmsweb_port);
        if (!urls[i])
            return ta_fail(err, TA_ENOMEM, "base URLs");
    }
    struct ta_rucio_conf rucio = {.url = urls[5],
                                  .auth_url = urls[6],
                                  .account = d->rucio_account,
                                  .vo = c->login.vo,
                                  .auth = c->login.auth,
                                  .username = c->login.username,
                                  .password = c->login.password,
                                  .token = &c->token,
                                  .upstream = TA_UP_RUCIO,
                                  .auth_upstream = TA_UP_RUCIO_AUTH,
                                  .caller = c->rucio_caller,
                                  .clock = &ta_clock_system,
                                  .alloc = &ta_heap};
    ta_rucio_init(&c->rucio, &rucio);
    struct ta_services_conf services = {.reqmgr_url = urls[0],
                                        .wmstats_url = urls[1],
                                        .msoutput_url = urls[2],
                                        .logdb_url = urls[3],
                                        .dbs_url = urls[4],
                                        .alert_url = text_or_null(d->alert_url),
                                        .alert_tag = d->alert_destination.status_advance_expired,
                                        .alert_expire_s = d->alert_expire_s,
                                        .max_workflow_bytes = (size_t)d->max_workflow_bytes,
                                        .caller = c->caller,
                                        .rucio = &c->rucio,
                                        .log = c->log,
                                        .alloc = &ta_heap};
    ta_services_init(&c->services, &services);
    ta_locks_init(&c->locks, &c->services, d->locks_shrink_guard, seed, c->clock, c->log, &ta_heap);
    return TA_OK;
}

static void set_sweep(struct ta_cleaner *c, ta_env_reader env, uint64_t seed)
{
    const struct ta_cleaner_data *d = &c->conf->data;
    const char *temp = env("TMPDIR");

    c->sweep = (struct ta_sweep_conf){.policy = {.mstr_account = d->mstr_account,
                                                 .agent_account = d->wma_account,
                                                 .delay_hours = d->archive_delay_hours,
                                                 .alarm_hours = d->archive_alarm_hours,
                                                 .is_real = d->is_real,
                                                 .sends_alerts = d->send_notification,
                                                 .alerts_tape_pending = d->alert_tape_pending},
                                      .chunk_size = (size_t)d->chunk_size,
                                      .chunks_in_flight = (unsigned)d->chunks_in_flight,
                                      .workers = (unsigned)d->workers,
                                      .fetch_retries = (unsigned)d->fetch_retries,
                                      .locks_max_age_s = d->locks_max_age_s,
                                      .max_workflow_bytes = (size_t)d->max_workflow_bytes,
                                      .memory_limit = d->memory_limit,
                                      .caller = c->caller,
                                      .services = &c->services,
                                      .locks = &c->locks,
                                      .clock = c->clock,
                                      .log = c->log,
                                      .vfs = &ta_vfs_posix,
                                      .temp_dir = d->temp_dir[0]    ? d->temp_dir
                                                  : temp && temp[0] ? temp
                                                                    : "/tmp",
                                      .seed = seed,
                                      .alloc = &ta_heap,
                                      .stop = &c->stop_soon};
}

static int take_state_lock(struct ta_cleaner *c, struct ta_err *err)
{
    const char *dir = c->conf->data.state_dir;
    char path[600];

    if (!dir[0])
        return TA_OK;
    snprintf(path, sizeof(path), "%.500s/rule-cleaner.lock", dir);
    int r = ta_open(&ta_vfs_posix, path, TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_CREATE, 0600,
                    &c->state_lock, err);
    if (r == TA_OK)
        r = c->state_lock->ops->lock(c->state_lock, err);
    return r < 0 ? ta_fail_context(err, r, "stateDir: ") : TA_OK;
}

int ta_cleaner_init(struct ta_cleaner *c, const struct ta_cleaner_conf *conf, ta_env_reader env,
                    struct ta_clock *clock, struct ta_log *log, struct ta_err *err)
{
    uint64_t seed = 0;

    *c = (struct ta_cleaner){.conf = conf, .clock = clock, .log = log};
    (void)pthread_mutex_init(&c->lock, NULL); /* fills a struct: cannot fail here */
    ta_arena_init(&c->arena, &ta_heap, ARENA_MAX);
    c->ended_mono_ns = ta_mono_ns(&ta_clock_system);
    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
        return ta_fail_sys(err, "reading random bytes");
    int r = take_state_lock(c, err);
    if (r == TA_OK)
        r = find_credentials(c, env, err);
    if (r == TA_OK)
        r = open_callers(c, env, err);
    if (r == TA_OK)
        r = open_services(c, seed, err);
    if (r == TA_OK)
        set_sweep(c, env, seed);
    if (r == TA_OK && !conf->data.tls.verify)
        ta_logf(log, TA_LOG_WARN, "tls.verify is false: servers are not verified");
    return r;
}

void ta_cleaner_done(struct ta_cleaner *c)
{
    ta_locks_done(&c->locks);
    ta_rucio_done(&c->rucio);
    ta_caller_free(c->caller);
    ta_caller_free(c->rucio_caller);
    if (c->has_token)
        ta_token_file_done(&c->token);
    if (c->state_lock)
        (void)ta_close(&c->state_lock, NULL); /* the lock goes with it */
    if (c->arena.parent)
        ta_arena_done(&c->arena);
    pthread_mutex_destroy(&c->lock);
    *c = (struct ta_cleaner){0};
}

int ta_cleaner_cycle(struct ta_cleaner *c, struct ta_sweep_report *out, struct ta_err *err)
{
    struct ta_sweep_report report;

    pthread_mutex_lock(&c->lock);
    c->is_in_cycle = true;
    pthread_mutex_unlock(&c->lock);
    int r = ta_sweep_cycle(&c->sweep, &c->gauges, &report, err);
    pthread_mutex_lock(&c->lock);
    c->is_in_cycle = false;
    c->report = report;
    c->has_report = true;
    c->ended_mono_ns = ta_mono_ns(&ta_clock_system);
    pthread_mutex_unlock(&c->lock);
    ta_logf(c->log, report.error[0] ? TA_LOG_ERROR : TA_LOG_INFO,
            "cycle total=%llu clean=%llu archived=%llu forced=%llu drifted=%llu missing=%llu "
            "failed=%llu rules=%llu rules_failed=%llu seconds=%.3f error=\"%.300s\"",
            (unsigned long long)report.total, (unsigned long long)report.clean,
            (unsigned long long)report.normal_archived, (unsigned long long)report.force_archived,
            (unsigned long long)report.drifted, (unsigned long long)report.missing,
            (unsigned long long)report.failed,
            (unsigned long long)(report.block_ok + report.container_ok),
            (unsigned long long)(report.block_failed + report.container_failed), report.seconds,
            report.error);
    if (out)
        *out = report;
    return r;
}
