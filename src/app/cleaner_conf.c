#include "app/cleaner_conf.h"

#include "app/conf_int.h"
#include "io/json_read.h"
#include "io/json_write.h"

#include <string.h>

#define DATA(member) offsetof(struct ta_cleaner_data, member)

static const struct ta_conf_key tls_keys[] = {
    {.name = "verify",
     .kind = TA_CONF_BOOL,
     .offset = offsetof(struct ta_cleaner_tls, verify),
     .default_ = "true",
     .help = "verify the servers' certificates"},
    {.name = "caPath",
     .kind = TA_CONF_TEXT,
     .offset = offsetof(struct ta_cleaner_tls, ca_path),
     .default_ = "",
     .help = "directory of hashed certificates; else X509_CERT_DIR, the system's"},
    {.name = "cert",
     .kind = TA_CONF_TEXT,
     .offset = offsetof(struct ta_cleaner_tls, cert),
     .default_ = "",
     .help = "client certificate; else the grid's places"},
    {.name = "key",
     .kind = TA_CONF_TEXT,
     .offset = offsetof(struct ta_cleaner_tls, key),
     .default_ = "",
     .help = "its private key"},
};
static const struct ta_conf_table tls_table = {"tls", tls_keys, TA_COUNT(tls_keys), TA_CONF_WARN};

static const struct ta_conf_key rucio_keys[] = {
    {.name = "authType",
     .kind = TA_CONF_TEXT,
     .offset = offsetof(struct ta_cleaner_rucio, auth_type),
     .default_ = "",
     .help = "x509 (default), x509_proxy, userpass, oidc"},
    {.name = "username",
     .kind = TA_CONF_TEXT,
     .offset = offsetof(struct ta_cleaner_rucio, username),
     .default_ = "",
     .help = "of authType userpass"},
    {.name = "passwordFile",
     .kind = TA_CONF_TEXT,
     .offset = offsetof(struct ta_cleaner_rucio, password_file),
     .default_ = "",
     .help = "its first line is the password"},
    {.name = "caPath",
     .kind = TA_CONF_TEXT,
     .offset = offsetof(struct ta_cleaner_rucio, ca_path),
     .default_ = "",
     .help = "certificates for Rucio's servers: a file or a directory"},
};
static const struct ta_conf_table rucio_table = {"rucio", rucio_keys, TA_COUNT(rucio_keys),
                                                 TA_CONF_WARN};

static const struct ta_conf_key destination_keys[] = {
    {.name = "alertStatusAdvanceExpired",
     .kind = TA_CONF_TEXT,
     .offset = 0,
     .default_ = "",
     .help = "tag of the alert about workflows that stay"},
};
static const struct ta_conf_table destination_table = {"alertDestinationMap", destination_keys,
                                                       TA_COUNT(destination_keys), TA_CONF_WARN};

#define URL(key, member, text)                                                                     \
    {                                                                                              \
        .name = key, .kind = TA_CONF_TEXT, .offset = DATA(member), .is_required = true,            \
        .help = text                                                                               \
    }
#define TEXT(key, member, value, text)                                                             \
    {                                                                                              \
        .name = key, .kind = TA_CONF_TEXT, .offset = DATA(member), .default_ = value, .help = text \
    }
#define COUNT(key, member, value, low, text)                                                       \
    {                                                                                              \
        .name = key, .kind = TA_CONF_INT, .offset = DATA(member), .default_ = value, .rule = low,  \
        .help = text                                                                               \
    }
#define SWITCH(key, member, value, text)                                                           \
    {                                                                                              \
        .name = key, .kind = TA_CONF_BOOL, .offset = DATA(member), .default_ = value, .help = text \
    }

static const struct ta_conf_key data_keys[] = {
    URL("reqmgr2Url", reqmgr_url, "base URL of ReqMgr2"),
    URL("wmstatsUrl", wmstats_url, "base URL of the WMStats server"),
    URL("msOutputUrl", msoutput_url, "base URL of MSOutput"),
    URL("logDBUrl", logdb_url, "base URL of the LogDB database"),
    URL("dbsUrl", dbs_url, "base URL of the DBS reader"),
    URL("rucioUrl", rucio_url, "base URL of Rucio"),
    URL("rucioAuthUrl", rucio_auth_url, "base URL of Rucio's authentication"),
    URL("rucioAccount", rucio_account, "account to authenticate as"),
    TEXT("rucioWmaAccount", wma_account, "wma_test", "owner of the agents' output rules"),
    TEXT("rucioMStrAccount", mstr_account, "", "owner of input rules; default wmcore_transferor"),
    TEXT("rucioMstrAccount", mstr_account_deployed, "", "the same, as deployed files spell it"),
    URL("logDBReporter", log_reporter, "identity for LogDB"),
    {.name = "services",
     .kind = TA_CONF_STRINGS,
     .offset = DATA(services),
     .help = "must contain ruleCleaner when given"},
    COUNT("interval", interval_s, "60", ">0", "seconds from the end of a cycle to the next"),
    SWITCH("enableRealMode", is_real, "false", "false: dry run, nothing is written"),
    COUNT("archiveDelayHours", archive_delay_hours, "48", ">=0",
          "a status must have lasted longer before it is archived"),
    COUNT("archiveAlarmHours", archive_alarm_hours, "720", ">=0",
          "a workflow that stays longer is worth an alert"),
    SWITCH("sendNotification", send_notification, "false", "send alerts"),
    SWITCH("alertTapePending", alert_tape_pending, "false", "also while tape rules are pending"),
    TEXT("alertManagerUrl", alert_url, "", "where alerts are posted"),
    COUNT("alertExpireSecs", alert_expire_s, "172800", ">=0", "seconds until an alert ends"),
    {.name = "alertDestinationMap",
     .kind = TA_CONF_TABLE,
     .offset = DATA(alert_destination),
     .sub = &destination_table,
     .help = "tags of alerts"},
    SWITCH("verbose", verbose, "true", "log details"),
    {.name = "limitRequestsPerCycle", .kind = TA_CONF_IGNORED, .help = "has no effect"},
    COUNT("requestChunkSize", chunk_size, "100", ">0", "documents of one request, at most 1000"),
    COUNT("requestChunksInFlight", chunks_in_flight, "4", ">0", "chunks at a time, at most 16"),
    COUNT("workflowWorkers", workers, "4", ">0", "workflows at a time, at most 64"),
    COUNT("maxConnectionsPerHost", per_host, "8", ">0", "connections to one host, at most 64"),
    COUNT("requestFetchRetries", fetch_retries, "2", ">=0", "repeats of a chunk, at most 10"),
    COUNT("locksMaxAge", locks_max_age_s, "600", ">=0", "seconds a set of locks is used"),
    {.name = "locksShrinkGuard",
     .kind = TA_CONF_REAL,
     .offset = DATA(locks_shrink_guard),
     .default_ = "0.5",
     .rule = ">=0",
     .help = "a list shrunk below this fraction is not believed"},
    {.name = "maxWorkflowBytes",
     .kind = TA_CONF_SIZE,
     .offset = DATA(max_workflow_bytes),
     .default_ = "1MiB",
     .help = "values kept of one document"},
    {.name = "memoryLimit",
     .kind = TA_CONF_SIZE,
     .offset = DATA(memory_limit),
     .default_ = "256MiB",
     .help = "over it fewer chunks are in flight"},
    {.name = "tls",
     .kind = TA_CONF_TABLE,
     .offset = DATA(tls),
     .sub = &tls_table,
     .help = "connections"},
    TEXT("tokenFile", token_file, "", "bearer token; else IAM_TOKEN"),
    {.name = "rucio",
     .kind = TA_CONF_TABLE,
     .offset = DATA(rucio),
     .sub = &rucio_table,
     .help = "Rucio's client"},
    TEXT("cmsAuthKeyFile", auth_key_file, "", "key of the front end's authentication"),
    COUNT("cmswebPort", cmsweb_port, "8443", ">=0", "port for cmsweb hosts; 0: as the URL says"),
    TEXT("stateDir", state_dir, "", "a lock in it keeps a second instance out"),
    TEXT("tempDir", temp_dir, "", "for lists longer than memory; else TMPDIR, /tmp"),
};
_Static_assert(TA_COUNT(data_keys) < 64, "the reader counts keys in one word");
static const struct ta_conf_table data_table = {"data", data_keys, TA_COUNT(data_keys),
                                                TA_CONF_WARN};

static const struct ta_conf_key main_keys[] = {
    {.name = "port",
     .kind = TA_CONF_INT,
     .offset = offsetof(struct ta_cleaner_main, port),
     .default_ = "8244",
     .rule = ">=0",
     .help = "of the status interface; 0: any"},
    {.name = "application",
     .kind = TA_CONF_TEXT,
     .offset = offsetof(struct ta_cleaner_main, application),
     .default_ = "ms-rulecleaner",
     .help = "first element of the status interface's path"},
};
static const struct ta_conf_table main_table = {"main", main_keys, TA_COUNT(main_keys),
                                                TA_CONF_WARN};

static const struct ta_conf_key top_keys[] = {
    {.name = "main",
     .kind = TA_CONF_TABLE,
     .offset = offsetof(struct ta_cleaner_conf, main),
     .sub = &main_table},
    {.name = "data",
     .kind = TA_CONF_TABLE,
     .offset = offsetof(struct ta_cleaner_conf, data),
     .is_required = true,
     .sub = &data_table},
};
static const struct ta_conf_table top_table = {"configuration", top_keys, TA_COUNT(top_keys),
                                               TA_CONF_WARN};

/* ---- rules over more than one key --------------------------------------------------------------- */

static int check_account(struct ta_cleaner_data *d, struct ta_err *err)
{
    const char *other = d->mstr_account_deployed;

    if (d->mstr_account[0] && other[0] && strcmp(d->mstr_account, other) != 0)
        return ta_fail(err, TA_EINVAL, "rucioMStrAccount and rucioMstrAccount differ");
    if (!d->mstr_account[0])
        d->mstr_account = other[0] ? other : "wmcore_transferor";
    if (strcmp(d->mstr_account, d->wma_account) == 0)
        return ta_fail(err, TA_EINVAL, "rucioMStrAccount and rucioWmaAccount are the same");
    return TA_OK;
}

static int check_url(const char *key, const char *url, struct ta_err *err)
{
    bool is_url = strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;

    return is_url ? TA_OK : ta_fail(err, TA_EINVAL, "%s: must be a http or https URL", key);
}

static int check_urls(const struct ta_cleaner_data *d, struct ta_err *err)
{
    int r = TA_OK;

    for (size_t i = 0; r == TA_OK && i < 7; i++) /* the first seven rows are the URLs */
        r = check_url(data_keys[i].name,
                      *(const char *const *)(const void *)((const char *)d + data_keys[i].offset),
                      err);
    if (r == TA_OK && d->alert_url[0])
        r = check_url("alertManagerUrl", d->alert_url, err);
    if (r == TA_OK && d->send_notification && !d->alert_url[0])
        r = ta_fail(err, TA_EINVAL, "sendNotification needs alertManagerUrl");
    return r;
}

static int check_ranges(const struct ta_cleaner_data *d, int64_t port, struct ta_err *err)
{
    const struct {
        const char *key;
        int64_t value, max;
    } ranges[] = {{"requestChunkSize", d->chunk_size, 1000},
                  {"requestChunksInFlight", d->chunks_in_flight, 16},
                  {"workflowWorkers", d->workers, 64},
                  {"maxConnectionsPerHost", d->per_host, 64},
                  {"requestFetchRetries", d->fetch_retries, 10},
                  {"locksMaxAge", d->locks_max_age_s, 86400},
                  {"interval", d->interval_s, 31622400},
                  {"archiveDelayHours", d->archive_delay_hours, 1000000},
                  {"archiveAlarmHours", d->archive_alarm_hours, 1000000},
                  {"alertExpireSecs", d->alert_expire_s, 1000000000},
                  {"cmswebPort", d->cmsweb_port, 65535},
                  {"main.port", port, 65535},
                  {"maxWorkflowBytes", (int64_t)(d->max_workflow_bytes >> 1), 32 * 1024 * 1024}};

    for (size_t i = 0; i < TA_COUNT(ranges); i++)
        if (ranges[i].value > ranges[i].max)
            return ta_fail(err, TA_EINVAL, "%s: is too large", ranges[i].key);
    return d->max_workflow_bytes >= 1024
               ? TA_OK
               : ta_fail(err, TA_EINVAL, "maxWorkflowBytes: is too small");
}

static int check(struct ta_cleaner_conf *c, struct ta_err *err)
{
    struct ta_cleaner_data *d = &c->data;
    bool is_named = d->services.n == 0;

    for (size_t i = 0; i < d->services.n; i++)
        is_named = is_named || strcmp(d->services.at[i], "ruleCleaner") == 0;
    if (!is_named)
        return ta_fail(err, TA_EINVAL, "services: does not contain ruleCleaner");
    int r = check_account(d, err);
    if (r == TA_OK)
        r = check_urls(d, err);
    return r == TA_OK ? check_ranges(d, c->main.port, err) : r;
}

/* ---- reading and printing ----------------------------------------------------------------------- */

static int read_file(struct ta_cleaner_conf *out, struct ta_file *file, const char *path,
                     struct ta_alloc *alloc, struct ta_log *log, struct ta_err *err)
{
    struct ta_conf_reader r = {.file = path, .arena = &out->arena, .log = log};
    struct ta_file_source src;
    struct ta_json_token t;

    ta_file_source_init(&src, file);
    int got = ta_json_reader_new(&r.json, &src.source, NULL, alloc);
    if (got < 0)
        return ta_fail(err, got, "no memory for the configuration");
    got = ta_conf_next(&r, &t, err);
    if (got == TA_OK && t.kind != TA_JSON_OBJECT)
        got = ta_conf_bad(&r, &t, "configuration", err, "expected an object, found %s",
                          ta_conf_kind_name(&t));
    if (got == TA_OK)
        got = ta_conf_read_table(&r, &top_table, "configuration", out, err);
    ta_json_reader_free(r.json);
    return got;
}

int ta_cleaner_conf_load(struct ta_cleaner_conf *out, struct ta_vfs *vfs, const char *path,
                         struct ta_alloc *alloc, struct ta_log *log, struct ta_err *err)
{
    struct ta_file *file = NULL;

    *out = (struct ta_cleaner_conf){0};
    ta_arena_init(&out->arena, alloc, TA_CONF_BYTES_MAX);
    int r = ta_conf_defaults(&top_table, out, err);
    if (r == TA_OK)
        r = ta_open(vfs, path, TA_OPEN_READ, 0, &file, err);
    if (r == TA_OK) {
        r = read_file(out, file, path, alloc, log, err);
        (void)ta_close(&file, NULL); /* it was only read */
    }
    if (r == TA_OK) {
        r = check(out, err);
        if (r < 0)
            r = ta_fail_context(err, r, "%.160s: ", path);
    }
    return r;
}

void ta_cleaner_conf_done(struct ta_cleaner_conf *c)
{
    if (c->arena.parent)
        ta_arena_done(&c->arena);
    *c = (struct ta_cleaner_conf){0};
}

static void print_table(struct ta_json_writer *w, const struct ta_conf_table *table,
                        const void *section)
{
    ta_json_put_object(w);
    for (size_t i = 0; i < table->n; i++) {
        const struct ta_conf_key *key = &table->keys[i];
        const void *at = (const char *)section + key->offset;
        const struct ta_conf_strings *list = at;

        if (key->kind == TA_CONF_IGNORED)
            continue;
        ta_json_put_key(w, key->name);
        switch (key->kind) {
        case TA_CONF_BOOL:
            ta_json_put_bool(w, *(const bool *)at);
            break;
        case TA_CONF_INT:
            ta_json_put_i64(w, *(const int64_t *)at);
            break;
        case TA_CONF_SIZE:
            ta_json_put_u64(w, *(const uint64_t *)at);
            break;
        case TA_CONF_REAL:
            ta_json_put_f64(w, *(const double *)at);
            break;
        case TA_CONF_TABLE:
            print_table(w, key->sub, at);
            break;
        case TA_CONF_STRINGS:
            ta_json_put_array(w);
            for (size_t k = 0; k < list->n; k++)
                ta_json_put_z(w, list->at[k]);
            ta_json_put_array_end(w);
            break;
        default:
            ta_json_put_z(w, *(const char *const *)at ? *(const char *const *)at : "");
        }
    }
    ta_json_put_object_end(w);
}

int ta_cleaner_conf_print(const struct ta_cleaner_conf *c, struct ta_buf *out)
{
    struct ta_json_writer w;

    ta_json_writer_init(&w, out);
    print_table(&w, &top_table, c);
    return w.error;
}
