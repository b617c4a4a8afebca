/* conf_check.c - rules of a configuration that no single row of a table can say. */
#include "app/conf_int.h"
#include "app/conf_retention.h"
#include "base/number.h"
#include "net/jwt.h"

#include <openssl/evp.h>
#include <string.h>

enum { ED25519_KEY_BYTES = 32, ED25519_BASE64_BYTES = 44 };

/* host:port, [v6]:port or :port; the host's meaning is for the resolver to say. */
static bool is_address(const char *addr)
{
    const char *colon = strrchr(addr, ':');
    int64_t port = 0;

    if (!colon || ta_parse_i64(ta_str(colon + 1), &port) < 0 || port < 0 || port > 65535)
        return false;
    if (addr[0] == '[')
        return colon > addr && colon[-1] == ']';
    return memchr(addr, ':', (size_t)(colon - addr)) == NULL;
}

/* The reference starts with a key of a wrong length and then refuses every request. */
static bool is_public_key(const char *text)
{
    unsigned char out[ED25519_BASE64_BYTES];
    size_t len = strlen(text);

    if (len != ED25519_BASE64_BYTES || text[len - 1] != '=' || text[len - 2] == '=')
        return false;
    return EVP_DecodeBlock(out, (const unsigned char *)text, (int)len) == ED25519_KEY_BYTES + 1;
}

static int check_main(const struct ta_config *c, struct ta_log *log, struct ta_err *err)
{
    const struct ta_conf_main *m = &c->main;

    if (!is_address(m->addr))
        return ta_fail(err, TA_EINVAL, "%.160s: main.addr: must be host:port", c->path);
    if (m->jwt_public_key[0] && !is_public_key(m->jwt_public_key))
        return ta_fail(err, TA_EINVAL,
                       "%.160s: main.jwt-public-key: must be the base64 of 32 bytes", c->path);
    if (!m->jwt_public_key[0] && c->tarn.require_auth)
        return ta_fail(err, TA_EINVAL,
                       "%.160s: main.jwt-public-key: missing, but tarn.require-auth is true",
                       c->path);
    if (!m->cert_file[0] != !m->key_file[0])
        ta_logf(log, TA_LOG_WARN,
                "%.160s: main.https-cert-file and main.https-key-file: only one is set, so the "
                "server speaks plain HTTP",
                c->path);
    size_t len = strlen(m->backend_url);
    if (len && m->backend_url[len - 1] == '/')
        ta_logf(log, TA_LOG_WARN, "%.160s: main.backend-url: the slash at the end is ignored",
                c->path);
    return TA_OK;
}

static int check_store(const struct ta_config *c, struct ta_err *err)
{
    const struct ta_conf_store *s = &c->store;

    if (s->memory_cap_gb > INT64_MAX / 1000000000)
        return ta_fail(err, TA_EINVAL, "%.160s: metric-store.memory-cap: too large", c->path);
    if (strcmp(s->cleanup_mode, "archive") == 0 && !s->cleanup_dir[0])
        return ta_fail(err, TA_EINVAL,
                       "%.160s: metric-store.cleanup.directory: missing, but cleanup.mode is "
                       "archive",
                       c->path);
    if (!c->tarn.s3.access_key[0] != !c->tarn.s3.secret_key[0])
        return ta_fail(err, TA_EINVAL,
                       "%.160s: tarn.s3.access-key and tarn.s3.secret-key: only one is set",
                       c->path);
    if (c->has_archive && strcmp(c->archive.kind, "s3") == 0 && !c->archive.bucket[0])
        return ta_fail(err, TA_EINVAL, "%.160s: archive.bucket: missing, but archive.kind is s3",
                       c->path);
    if (!s->checkpoint_dir[0])
        return ta_fail(err, TA_EINVAL, "%.160s: metric-store.checkpoints.directory: is empty",
                       c->path);
    return TA_OK;
}

struct ta_sql_options ta_conf_database(const struct ta_conf_main *c, int64_t parts)
{
    const int64_t cache_mb = c->db_cache_mb < 1 << 16 ? c->db_cache_mb : 1 << 16;

    return (struct ta_sql_options){
        .path = c->db,
        .cache_bytes = (size_t)cache_mb * MiB / (size_t)parts,
        .busy_timeout_ms = (int)(c->db_busy_ms < INT32_MAX ? c->db_busy_ms : INT32_MAX)};
}

uint32_t ta_conf_role(const char *word)
{
    static const struct {
        const char *word;
        uint32_t bit;
    } roles[] = {{"admin", TA_ROLE_ADMIN},     {"api", TA_ROLE_API},
                 {"user", TA_ROLE_USER},       {"support", TA_ROLE_SUPPORT},
                 {"manager", TA_ROLE_MANAGER}, {"analyst", TA_ROLE_ANALYST}};

    for (size_t i = 0; i < TA_COUNT(roles); i++)
        if (strcmp(roles[i].word, word) == 0)
            return roles[i].bit;
    return 0;
}

static int check_roles(const struct ta_config *c, const char *key,
                       const struct ta_conf_strings *roles, struct ta_err *err)
{
    for (size_t i = 0; i < roles->n; i++)
        if (ta_conf_role(roles->at[i]) == 0)
            return ta_fail(err, TA_EINVAL,
                           "%.160s: tarn.roles.%s: \"%.40s\" is none of admin, api, user, "
                           "support, manager, analyst",
                           c->path, key, roles->at[i]);
    return TA_OK;
}

static int check_tarn(const struct ta_config *c, struct ta_err *err)
{
    const struct ta_conf_limits *l = &c->tarn.limits;
    const struct ta_conf_roles *roles = &c->tarn.roles;
    int r;

    if (l->connections > 1000000 || l->connections_per_address > 1000000)
        return ta_fail(err, TA_EINVAL, "%.160s: tarn.limits.connections: at most 1000000", c->path);
    if (c->tarn.workers > 64 || c->tarn.shards > 256)
        return ta_fail(err, TA_EINVAL, "%.160s: tarn.workers: at most 64, tarn.shards: at most 256",
                       c->path);
    if (l->header_bytes > 1 << 20 || l->uri_bytes > 1 << 20 || l->line_bytes > 1 << 24)
        return ta_fail(err, TA_EINVAL,
                       "%.160s: tarn.limits: header and uri at most 1MiB, line at most 16MiB",
                       c->path);
    r = check_roles(c, "read", &roles->read, err);
    if (r == TA_OK)
        r = check_roles(c, "write", &roles->write, err);
    return r == TA_OK ? check_roles(c, "admin", &roles->admin, err) : r;
}

static int check_nats(const struct ta_config *c, struct ta_log *log)
{
    const struct ta_conf_nats *n = &c->nats;

    if (!n->username[0] != !n->password[0])
        ta_logf(log, TA_LOG_WARN,
                "%.160s: nats.username and nats.password: only one is set, so none is used",
                c->path);
    return TA_OK;
}

int ta_conf_check(const struct ta_config *c, struct ta_log *log, struct ta_err *err)
{
    int r;

    if (!c->has_main)
        return ta_fail(err, TA_EINVAL, "%.160s: main configuration must be present", c->path);
    if (!c->has_metrics)
        return ta_fail(err, TA_EINVAL, "%.160s: metrics configuration must be present", c->path);
    if (!c->has_store)
        return ta_fail(err, TA_EINVAL, "%.160s: metric-store configuration must be present",
                       c->path);
    r = check_main(c, log, err);
    if (r == TA_OK)
        r = ta_conf_check_retention(c, err);
    if (r == TA_OK)
        r = check_store(c, err);
    if (r == TA_OK)
        r = check_tarn(c, err);
    return r == TA_OK ? check_nats(c, log) : r;
}
