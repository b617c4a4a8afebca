#include "sweep/services_int.h"
#include "sweep/url.h"

#include <stdio.h>

enum { LOGDB_HEADERS = 3 };

const struct ta_rest_header ta_service_headers[] = {{"Accept", "application/json"},
                                                    {"Content-type", "application/json"},
                                                    {"Cache-Control", "no-cache"}};

const char *ta_upstream_name(enum ta_upstream u)
{
    static const char *const names[] = {
        [TA_UP_REQMGR] = "reqmgr2",        [TA_UP_WMSTATS] = "wmstats",
        [TA_UP_MSOUTPUT] = "ms-output",    [TA_UP_DBS] = "dbs",
        [TA_UP_LOGDB] = "logdb",           [TA_UP_RUCIO] = "rucio",
        [TA_UP_RUCIO_AUTH] = "rucio-auth", [TA_UP_ALERT] = "alerts"};

    return names[u];
}

struct ta_services *ta_services_of(struct ta_port *port)
{
    return TA_CONTAINER(port, struct ta_services, port);
}

void ta_service_prepare(struct ta_services *s, struct service_call *c, enum ta_upstream upstream,
                        const char *method)
{
    *c = (struct service_call){.upstream = upstream, .method = method};
    ta_buf_init(&c->url, s->conf.alloc, TA_URL_MAX);
}

int ta_service_call(struct ta_services *s, struct service_call *c, int built,
                    struct ta_call_end *end, struct ta_err *err)
{
    struct ta_call call = {.method = c->method,
                           .url = c->url.at,
                           .headers = ta_service_headers,
                           .n_headers = c->upstream == TA_UP_LOGDB ? (size_t)LOGDB_HEADERS
                                                                   : (size_t)TA_SERVICE_HEADERS,
                           .body = c->body,
                           .is_idempotent = c->is_idempotent,
                           .upstream = c->upstream,
                           .read = c->read,
                           .self = c->self};
    struct ta_call_end unused;

    if (!end)
        end = &unused;
    *end = (struct ta_call_end){0};
    int r = built < 0 ? ta_fail(err, built, "a name that makes no URL")
                      : ta_caller_call(s->conf.caller, &call, end, err);
    ta_buf_done(&c->url);
    return r;
}

/* ---- lists of names ----------------------------------------------------------------------------- */

struct naming {
    struct ta_alloc *alloc;
    ta_name_taker take;
    void *self;
};

static int read_names(void *self, struct ta_source *body, struct ta_err *err)
{
    struct naming *n = self;

    return ta_result_names(body, n->take, n->self, n->alloc, err);
}

int ta_services_list(struct ta_services *s, const char *status, ta_name_taker take, void *self,
                     struct ta_err *err)
{
    struct naming naming = {s->conf.alloc, take, self};
    struct service_call c;

    ta_service_prepare(s, &c, TA_UP_REQMGR, "GET");
    int r = ta_url_add(&c.url, s->conf.reqmgr_url, "/data/request?status=", "%", status,
                       "&detail=false", NULL);
    c.is_idempotent = true;
    c.read = read_names;
    c.self = &naming;
    return ta_service_call(s, &c, r, NULL, err);
}

int ta_services_global_locks(struct ta_services *s, ta_name_taker take, void *self,
                             struct ta_err *err)
{
    struct naming naming = {s->conf.alloc, take, self};
    struct service_call c;

    ta_service_prepare(s, &c, TA_UP_WMSTATS, "GET");
    int r = ta_url_add(&c.url, s->conf.wmstats_url, "/data/globallocks", NULL);
    c.is_idempotent = true;
    c.read = read_names;
    c.self = &naming;
    return ta_service_call(s, &c, r, NULL, err);
}

/* {"result": [{"parentlocks": [...], ...}]}; the first element counts. */
static int read_parent_locks(struct ta_json_reader *j, struct naming *n, struct ta_err *err)
{
    struct ta_json_token t = {0};
    bool is_found = false;
    int r = ta_result_open(j, err);

    if (r == TA_OK)
        r = ta_json_next(j, &t, err);
    if (r >= 0 && t.kind != TA_JSON_OBJECT)
        r = ta_fail(err, TA_EFORMAT, "the answer has no parent locks");
    while (r >= 0 && (r = ta_json_next(j, &t, err)) > 0 && t.kind == TA_JSON_KEY) {
        if (!ta_str_is(t.text, "parentlocks")) {
            r = ta_json_skip(j, err);
            continue;
        }
        r = ta_json_next(j, &t, err);
        if (r > 0 && t.kind != TA_JSON_ARRAY)
            r = ta_json_expected(&t, "a list of parent locks", err);
        if (r > 0)
            r = ta_result_strings(j, n->take, n->self, err);
        is_found = true;
    }
    if (r >= 0 && !is_found)
        r = ta_fail(err, TA_EFORMAT, "the answer has no parent locks");
    return r < 0 ? r : ta_result_close(j, err);
}

static int read_parents(void *self, struct ta_source *body, struct ta_err *err)
{
    struct naming *n = self;
    struct ta_json_reader *j;
    int r = ta_result_reader_new(&j, body, n->alloc, err);

    if (r < 0)
        return r;
    r = read_parent_locks(j, n, err);
    ta_json_reader_free(j);
    return r;
}

int ta_services_parent_locks(struct ta_services *s, ta_name_taker take, void *self,
                             struct ta_err *err)
{
    struct naming naming = {s->conf.alloc, take, self};
    struct service_call c;

    ta_service_prepare(s, &c, TA_UP_REQMGR, "GET");
    int r = ta_url_add(&c.url, s->conf.reqmgr_url, "/data/parentlocks", NULL);
    c.is_idempotent = true;
    c.read = read_parents;
    c.self = &naming;
    return ta_service_call(s, &c, r, NULL, err);
}

/* ---- parents ------------------------------------------------------------------------------------ */

struct parent_search {
    struct ta_alloc *alloc;
    struct ta_str dataset;
    struct ta_arena *arena;
    struct ta_str found; /* of several the last */
};

static int read_relation(struct ta_json_reader *j, struct parent_search *p, struct ta_err *err)
{
    struct ta_str child = {0}, parent = {0};
    struct ta_json_token t;
    int r;

    while ((r = ta_json_next(j, &t, err)) > 0 && t.kind == TA_JSON_KEY) {
        struct ta_str *to = ta_str_is(t.text, "this_dataset")     ? &child
                            : ta_str_is(t.text, "parent_dataset") ? &parent
                                                                  : NULL;
        if (!to) {
            r = ta_json_skip(j, err);
        } else {
            r = ta_json_next(j, &t, err);
            if (r > 0 && t.kind != TA_JSON_STRING)
                r = ta_json_expected(&t, "the name of a dataset", err);
            if (r > 0 && (*to = ta_arena_copy(p->arena, t.text)).at == NULL)
                r = ta_fail(err, TA_ENOMEM, "parents of a dataset");
        }
        if (r < 0)
            return r;
    }
    if (r >= 0 && ta_str_eq(child, p->dataset)) {
        if (parent.len == 0)
            return ta_fail(err, TA_EFORMAT, "a dataset's parent has no name");
        p->found = parent;
    }
    return r < 0 ? r : TA_OK;
}

static int read_relations(void *self, struct ta_source *body, struct ta_err *err)
{
    struct parent_search *p = self;
    struct ta_json_reader *j;
    struct ta_json_token t;
    int r = ta_result_reader_new(&j, body, p->alloc, err);

    if (r < 0)
        return r;
    r = ta_json_next(j, &t, err);
    if (r >= 0 && t.kind != TA_JSON_ARRAY)
        r = ta_json_expected(&t, "a list of parents", err);
    while (r >= 0 && (r = ta_json_next(j, &t, err)) > 0 && t.kind != TA_JSON_ARRAY_END)
        r = t.kind == TA_JSON_OBJECT ? read_relation(j, p, err)
                                     : ta_json_expected(&t, "a parent", err);
    if (r >= 0)
        r = ta_json_finish(j, err);
    ta_json_reader_free(j);
    return r < 0 ? r : TA_OK;
}

static int find_parent(struct ta_port *port, struct ta_str dataset, struct ta_arena *arena,
                       struct ta_str *out, struct ta_err *err)
{
    struct ta_services *s = ta_services_of(port);
    struct parent_search search = {.alloc = s->conf.alloc, .dataset = dataset, .arena = arena};
    struct service_call c;

    ta_service_prepare(s, &c, TA_UP_DBS, "GET");
    int r = ta_url_add(&c.url, s->conf.dbs_url, "/datasetparents?dataset=", NULL);
    if (r == TA_OK)
        r = ta_rest_encode(&c.url, dataset, false);
    if (r == TA_OK)
        r = ta_url_add(&c.url, NULL);
    c.is_idempotent = true;
    c.read = read_relations;
    c.self = &search;
    r = ta_service_call(s, &c, r, NULL, err);
    if (r < 0)
        return r;
    if (!search.found.at)
        return ta_fail(err, TA_ENOTFOUND, "%.*s has no parent", TA_STR_FMT(dataset));
    *out = search.found;
    return TA_OK;
}

/* ---- the port ----------------------------------------------------------------------------------- */

static int list_rules(struct ta_port *port, struct ta_str did, const char *account,
                      struct ta_id_spool *out, struct ta_err *err)
{
    return ta_rucio_rules(ta_services_of(port)->conf.rucio, did, account, out, err);
}

static int list_blocks(struct ta_port *port, struct ta_str dataset, struct ta_id_spool *out,
                       struct ta_err *err)
{
    struct ta_services *s = ta_services_of(port);
    int r = ta_rucio_is_container(s->conf.rucio, dataset, err);

    if (r == 0)
        ta_logf(s->conf.log, TA_LOG_DEBUG, "container=%.*s not found, or none",
                TA_STR_FMT(dataset));
    return r > 0 ? ta_rucio_content(s->conf.rucio, dataset, out, err) : r;
}

static int rule_state(struct ta_port *port, struct ta_str rule, struct ta_arena *arena,
                      struct ta_str *out, struct ta_err *err)
{
    return ta_rucio_rule_state(ta_services_of(port)->conf.rucio, rule, arena, out, err);
}

static int expire_rule(struct ta_port *port, struct ta_str rule, struct ta_err *err)
{
    return ta_rucio_expire(ta_services_of(port)->conf.rucio, rule, err);
}

void ta_services_init(struct ta_services *s, const struct ta_services_conf *conf)
{
    *s = (struct ta_services){.port = {.transfer = ta_service_transfer,
                                       .parent = find_parent,
                                       .blocks = list_blocks,
                                       .rules = list_rules,
                                       .rule_state = rule_state,
                                       .expire = expire_rule,
                                       .has_log = ta_service_has_log,
                                       .clean_log = ta_service_clean_log,
                                       .archive = ta_service_archive,
                                       .alert = ta_service_alert},
                              .conf = *conf};
}

const char *ta_cmsweb_url(struct ta_arena *arena, const char *url, unsigned port)
{
    static const char front[] = "https://cmsweb", domain[] = ".cern.ch/";
    size_t len = strlen(url), cap = len + 16;
    char *out = ta_arena_get(arena, cap);
    const char *at = NULL;

    if (!out)
        return NULL;
    if (port && strncmp(url, front, strlen(front)) == 0) {
        const char *host = url + strlen("https://");
        at = strstr(host, domain);
        if (at && at + strlen(domain) - 1 != host + strcspn(host, "/"))
            at = NULL; /* somewhere in the path */
    }
    if (at)
        snprintf(out, cap, "%.*s.cern.ch:%u%s", (int)(at - url), url, port,
                 at + strlen(domain) - 1);
    else
        memcpy(out, url, len + 1);
    len = strlen(out);
    while (len && out[len - 1] == '/')
        out[--len] = 0;
    return out;
}
