#include "app/cleaner_rucio.h"

#include <stdio.h>
#include <string.h>

enum { FILE_MAX = 64 * 1024 };

struct search {
    ta_env_reader env;
    struct ta_arena *arena;
    struct ta_str cfg; /* of the file; len 0: there is none */
    bool is_out_of_memory;
};

static int read_small(struct ta_vfs *vfs, const char *path, struct ta_arena *arena,
                      struct ta_str *out, struct ta_err *err)
{
    struct ta_file *file;
    int r = ta_open(vfs, path, TA_OPEN_READ, 0, &file, err);

    if (r < 0)
        return r;
    char *text = ta_arena_get(arena, FILE_MAX + 1);
    int64_t n =
        text ? ta_pread_full(file, text, FILE_MAX, 0, err) : ta_fail(err, TA_ENOMEM, "%s", path);
    (void)ta_close(&file, NULL); /* it was only read */
    if (n < 0)
        return (int)n;
    text[n] = 0;
    *out = (struct ta_str){text, (size_t)n};
    return TA_OK;
}

static struct ta_str trim(struct ta_str s)
{
    while (s.len && (unsigned char)s.at[0] <= ' ') {
        s.at++;
        s.len--;
    }
    while (s.len && (unsigned char)s.at[s.len - 1] <= ' ')
        s.len--;
    return s;
}

static struct ta_str take_line(struct ta_str *rest)
{
    const char *end = rest->len ? memchr(rest->at, '\n', rest->len) : NULL;
    size_t n = end ? (size_t)(end - rest->at) : rest->len;
    struct ta_str line = {rest->at, n};

    rest->at += n + (end != NULL);
    rest->len -= n + (end != NULL);
    return line;
}

/* `key = value` or `key: value` in the section [client]; {NULL, 0} when it is not there. */
static struct ta_str find_key(struct ta_str cfg, const char *key)
{
    struct ta_str found = {0};
    bool is_inside = false;

    while (cfg.len) {
        struct ta_str line = trim(take_line(&cfg));
        if (line.len == 0 || line.at[0] == '#' || line.at[0] == ';')
            continue;
        if (line.at[0] == '[') {
            is_inside = ta_str_is(line, "[client]");
            continue;
        }
        size_t n = 0;
        while (n < line.len && line.at[n] != '=' && line.at[n] != ':')
            n++;
        if (is_inside && n < line.len && ta_str_is(trim((struct ta_str){line.at, n}), key))
            found = trim((struct ta_str){line.at + n + 1, line.len - n - 1});
    }
    return found;
}

/* Our own value, the environment's, the file's, or "". */
static const char *choose(struct search *s, const char *own, const char *env, const char *key)
{
    const char *value = env ? s->env(env) : NULL;
    struct ta_str found = key ? find_key(s->cfg, key) : (struct ta_str){0};

    if (own && own[0])
        return own;
    if (value && value[0])
        return value;
    if (!found.len)
        return "";
    struct ta_str copy = ta_arena_copy(s->arena, found);
    s->is_out_of_memory = s->is_out_of_memory || !copy.at;
    return copy.at ? copy.at : "";
}

static void open_cfg(struct search *s, struct ta_vfs *vfs)
{
    const char *path = s->env("RUCIO_CONFIG"), *home = s->env("RUCIO_HOME");
    char built[600];

    snprintf(built, sizeof(built), "%.500s/etc/rucio.cfg", home ? home : "");
    if (!path && home)
        path = built;
    if (path)
        (void)read_small(vfs, path, s->arena, &s->cfg,
                         NULL); /* one that is not there says nothing */
}

static int parse_auth(const char *word, enum ta_rucio_auth *out, struct ta_err *err)
{
    static const char *const words[] = {[TA_RUCIO_X509] = "x509",
                                        [TA_RUCIO_PROXY] = "x509_proxy",
                                        [TA_RUCIO_USERPASS] = "userpass",
                                        [TA_RUCIO_OIDC] = "oidc"};

    *out = TA_RUCIO_X509;
    if (!word[0])
        return TA_OK;
    for (size_t i = 0; i < TA_COUNT(words); i++)
        if (strcmp(word, words[i]) == 0) {
            *out = (enum ta_rucio_auth)i;
            return TA_OK;
        }
    return ta_fail(err, TA_EINVAL, "rucio.authType: must be x509, x509_proxy, userpass or oidc");
}

static int find_password(struct search *s, struct ta_rucio_login *out, const char *path,
                         struct ta_vfs *vfs, struct ta_err *err)
{
    struct ta_str text;

    if (!path[0]) {
        out->password = choose(s, NULL, NULL, "password");
        return out->password[0] ? TA_OK : ta_fail(err, TA_EINVAL, "rucio.passwordFile: is not set");
    }
    int r = read_small(vfs, path, s->arena, &text, err);
    if (r < 0)
        return ta_fail_context(err, r, "rucio.passwordFile: ");
    struct ta_str line = trim(take_line(&text));
    struct ta_str copy = ta_arena_copy(s->arena, line);
    out->password = copy.at;
    return copy.at ? TA_OK : ta_fail(err, TA_ENOMEM, "rucio.passwordFile");
}

int ta_rucio_login_find(struct ta_rucio_login *out, const struct ta_cleaner_data *data,
                        ta_env_reader env, struct ta_vfs *vfs, struct ta_arena *arena,
                        struct ta_err *err)
{
    struct search s = {.env = env, .arena = arena};

    *out = (struct ta_rucio_login){0};
    open_cfg(&s, vfs);
    int r = parse_auth(choose(&s, data->rucio.auth_type, "RUCIO_AUTH_TYPE", "auth_type"),
                       &out->auth, err);
    out->vo = choose(&s, NULL, "RUCIO_VO", NULL);
    if (!out->vo[0])
        out->vo = "def";
    out->ca = choose(&s, data->rucio.ca_path, NULL, "ca_cert");
    if (out->auth == TA_RUCIO_PROXY) {
        out->cert = choose(&s, data->tls.cert, "RUCIO_CLIENT_PROXY", "client_x509_proxy");
        out->key = out->cert;
    } else {
        out->cert = choose(&s, data->tls.cert, "RUCIO_CLIENT_CERT", "client_cert");
        out->key = choose(&s, data->tls.key, "RUCIO_CLIENT_KEY", "client_key");
    }
    if (r == TA_OK && out->auth == TA_RUCIO_USERPASS) {
        out->username = choose(&s, data->rucio.username, NULL, "username");
        r = find_password(&s, out, data->rucio.password_file, vfs, err);
    }
    if (r == TA_OK && out->key[0])
        r = ta_x509_check_key(out->key, err);
    if (r == TA_OK && s.is_out_of_memory)
        r = ta_fail(err, TA_ENOMEM, "Rucio's settings");
    return r;
}
