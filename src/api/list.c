/* list.c - names of levels, health of nodes, and the dump for eyes. */
#include "api/api_int.h"
#include "base/buf.h"
#include "store/walk.h"

enum { HOSTS_AT_ONCE = 64, PATH_MAX_BYTES = 4 * TA_NAME_MAX + 4 };

/* ---- lists of names ----------------------------------------------------------------------------- */

/* Slots of the array for n names: it follows from n, so it needs no place of its own. */
static size_t capacity(size_t n)
{
    size_t cap = 16;

    while (cap < n)
        cap *= 2;
    return cap;
}

static int add_name(struct tarn_names *names, const char *text, size_t len)
{
    char *copy = ta_alloc(&ta_heap, len + 1);

    if (!copy)
        return TA_ENOMEM;
    if (!names->at || names->n == capacity(names->n)) {
        size_t old = names->at ? capacity(names->n) * sizeof(char *) : 0;
        size_t want = capacity(names->n + 1) * sizeof(char *);
        char **more = ta_resize(&ta_heap, names->at, old, want);

        if (!more) {
            ta_release(&ta_heap, copy, len + 1);
            return TA_ENOMEM;
        }
        names->at = more;
    }
    memcpy(copy, text, len);
    copy[len] = 0;
    names->at[names->n++] = copy;
    return TA_OK;
}

void tarn_names_done(struct tarn_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        ta_release(&ta_heap, names->at[i], strlen(names->at[i]) + 1);
    if (names->at)
        ta_release(&ta_heap, names->at, capacity(names->n) * sizeof(char *));
    *names = (struct tarn_names){0};
}

/* What a listing is to contain. Levels that equal the last one added are left out. */
struct listing {
    struct tarn_names *names;
    size_t depth;    /* elements of a path that counts */
    size_t n_prefix; /* of them: those not printed */
};

static int add_level(struct listing *l, const struct ta_str *path)
{
    char text[PATH_MAX_BYTES];
    size_t len = 0;

    for (size_t i = l->n_prefix; i < l->depth; i++) {
        if (i > l->n_prefix)
            text[len++] = ':';
        if (path[i].len)
            memcpy(text + len, path[i].at, path[i].len);
        len += path[i].len;
    }
    if (l->names->n > 0) {
        const char *last = l->names->at[l->names->n - 1];

        if (strlen(last) == len && memcmp(last, text, len) == 0)
            return TA_OK;
    }
    return add_name(l->names, text, len);
}

/* Levels below one host: its series come sorted by type, then subtype. */
static int list_host(struct tarn_store *s, struct listing *l, struct ta_str *path, size_t n_given)
{
    struct ta_str type = n_given > 2 ? path[2] : (struct ta_str){0};
    struct ta_walk_series at;
    bool is_first = true;
    int r = TA_OK;

    while (r == TA_OK && ta_walk_series_next(s->store, path[0], path[1], is_first, &at) > 0) {
        is_first = false;
        path[2] = ta_name_str(&at.type);
        path[3] = ta_name_str(&at.stype);
        if (path[2].len && (l->depth < 4 || path[3].len) && (!type.len || ta_str_eq(type, path[2])))
            r = add_level(l, path);
    }
    path[2] = type;
    return r;
}

static int list_hosts(struct tarn_store *s, struct listing *l, struct ta_str cluster)
{
    struct ta_host_name *hosts = ta_alloc(&ta_heap, HOSTS_AT_ONCE * sizeof(*hosts));
    struct ta_host_name last;
    bool is_first = true;
    size_t n;
    int r = TA_OK;

    if (!hosts)
        return TA_ENOMEM;
    while (r == TA_OK && (n = ta_walk_hosts(s->store, cluster, is_first ? NULL : &last, hosts,
                                            HOSTS_AT_ONCE)) > 0) {
        for (size_t i = 0; r == TA_OK && i < n; i++) {
            struct ta_str path[4] = {ta_name_str(&hosts[i].cluster), ta_name_str(&hosts[i].host)};

            r = l->depth <= 2 ? add_level(l, path) : list_host(s, l, path, 2);
        }
        last = hosts[n - 1];
        is_first = false;
    }
    ta_release(&ta_heap, hosts, HOSTS_AT_ONCE * sizeof(*hosts));
    return r;
}

static int list_clusters(struct tarn_store *s, struct listing *l)
{
    struct ta_name cluster, last;
    bool is_first = true;
    int r = TA_OK;

    while (r == TA_OK && ta_walk_clusters(s->store, is_first ? NULL : &last, &cluster, 1) > 0) {
        struct ta_str path[4] = {ta_name_str(&cluster)};

        r = add_level(l, path);
        last = cluster;
        is_first = false;
    }
    return r;
}

static int finish(struct tarn_names *names, struct tarn_names *out, int r, struct tarn_error *err)
{
    if (r < 0) {
        tarn_names_done(names);
        return api_fail(err, r, NULL);
    }
    *out = *names;
    return TA_OK;
}

int tarn_children(struct tarn_store *s, const struct tarn_path *where, struct tarn_names *out,
                  struct tarn_error *err)
{
    struct tarn_names names = {0};
    struct ta_str path[4] = {0};
    size_t n = api_path(where, path);
    struct listing l = {.names = &names, .depth = n + 1, .n_prefix = n};
    int r = TA_OK;

    if (n == 0)
        r = list_clusters(s, &l);
    else if (n == 1)
        r = list_hosts(s, &l, path[0]);
    else if (n < 4)
        r = list_host(s, &l, path, n);
    return finish(&names, out, r, err);
}

int tarn_paths(struct tarn_store *s, unsigned depth, struct tarn_names *out, struct tarn_error *err)
{
    struct tarn_names names = {0};
    struct listing l = {.names = &names, .depth = depth};
    struct ta_err why = {0};

    if (depth < 1 || depth > 4) {
        ta_fail(&why, TA_EINVAL, "levels have a depth of 1 to 4");
        return api_fail(err, TA_EINVAL, &why);
    }
    int r = depth == 1 ? list_clusters(s, &l) : list_hosts(s, &l, (struct ta_str){0});
    return finish(&names, out, r, err);
}

/* ---- health ------------------------------------------------------------------------------------- */

static int look(struct tarn_store *s, const char *cluster, const char *host,
                const char *const *metrics, size_t n, int64_t now_s, uint32_t *ids,
                enum ta_health *states, enum tarn_health *out)
{
    static const enum tarn_health words[] = {[TA_HEALTH_MISSING] = TARN_MISSING,
                                             [TA_HEALTH_DEGRADED] = TARN_DEGRADED,
                                             [TA_HEALTH_OK] = TARN_HEALTHY};
    size_t n_good = 0;

    for (size_t i = 0; i < n; i++)
        if (api_metric(s, metrics[i], &ids[i], NULL, NULL, NULL) < 0)
            ids[i] = TA_METRIC_UNKNOWN;
    int r = ta_read_health(s->store, ta_str(cluster), ta_str(host), now_s, ids, n, states);
    for (size_t i = 0; i < n; i++) {
        enum tarn_health state = r < 0 ? TARN_MISSING : words[states[i]];

        n_good += state == TARN_HEALTHY;
        if (out)
            out[i] = state;
    }
    if (r < 0)
        return TARN_FAILED;
    return n_good == n ? TARN_FULL : n_good ? TARN_PARTIAL : TARN_FAILED;
}

int tarn_node_health(struct tarn_store *s, const char *cluster, const char *host,
                     const char *const *metrics, size_t n_metrics, int64_t now_s,
                     enum tarn_health *out, struct tarn_error *err)
{
    size_t bytes_ids = (n_metrics + 1) * sizeof(uint32_t);
    size_t bytes_states = (n_metrics + 1) * sizeof(enum ta_health);
    uint32_t *ids = ta_alloc(&ta_heap, bytes_ids);
    enum ta_health *states = ta_alloc(&ta_heap, bytes_states);
    int r = TA_ENOMEM;

    if (ids && states)
        r = look(s, cluster, host, metrics, n_metrics, now_s, ids, states, out);
    ta_release(&ta_heap, ids, bytes_ids);
    ta_release(&ta_heap, states, bytes_states);
    return r < 0 ? api_fail(err, r, NULL) : r;
}

/* ---- dump --------------------------------------------------------------------------------------- */

static int write_dump(struct ta_dump *dump, FILE *to, struct ta_err *err)
{
    struct ta_buf room;
    int r = 1;

    ta_buf_init(&room, &ta_heap, 256 * KiB);
    while (r == 1) {
        ta_buf_reset(&room);
        r = ta_dump_fill(dump, &room, 64 * KiB);
        if (r >= 0 && fwrite(room.at, 1, room.len, to) != room.len)
            r = ta_fail_sys(err, "writing the dump");
    }
    ta_buf_done(&room);
    return r;
}

int tarn_dump(struct tarn_store *s, const struct tarn_path *where, FILE *to, struct tarn_error *err)
{
    struct ta_err why = {0};
    struct ta_dump *dump = NULL;
    struct ta_str path[4];
    int r = ta_dump_new(&dump, s->store, &ta_heap, path, api_path(where, path), &why);

    if (r == TA_OK)
        r = write_dump(dump, to, &why);
    ta_dump_free(dump);
    return r < 0 ? api_fail(err, r, &why) : TA_OK;
}
