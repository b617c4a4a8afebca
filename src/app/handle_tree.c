/* handle_tree.c - GET /api/tree: what is stored, by name (doc/page.md).
 *
 *     /api/tree                      {"hosts":[["cluster","host"],...]}
 *     /api/tree?cluster=C            the same, of one cluster
 *     /api/tree?cluster=C&host=H     {"series":[{"type":"","subtype":"","metric":"m","freq":60},...]}
 *
 * Made while it is sent, from a cursor by name: nothing is held for a slow client.
 */
#include "app/routes.h"
#include "io/json_write.h"
#include "store/walk.h"

enum {
    HOSTS_AT_ONCE = 16,
    ITEM_BYTES_MAX = 3 * 6 * TA_NAME_MAX + 100 /* three names, every byte escaped */
};

struct state {
    struct ta_json_writer out;
    struct ta_str cluster, host; /* as asked; empty: all */
    bool is_begun, of_host;
    struct ta_host_name last_host;
    struct ta_walk_series series;
    struct ta_metrics *metrics;
};

static int end(struct ta_http_req *req, struct ta_err *err)
{
    const struct ta_app *app = ta_http_app(req);
    struct state *s = ta_arena_get(ta_http_arena(req), sizeof(*s));
    int r = ta_app_ready(req, err);

    if (r < 0)
        return r;
    if (!s)
        return ta_fail(err, TA_ENOMEM, "no memory for a request");
    *s = (struct state){.cluster = ta_http_param(req, "cluster"),
                        .host = ta_http_param(req, "host")};
    s->of_host = s->host.at != NULL;
    if (s->of_host && ta_walk_find_host(app->store, s->cluster, s->host, NULL) != 1)
        return ta_http_reply_error(req, 404, ta_str("no such host"));
    s->metrics = ta_store_metrics(app->store);
    ta_http_set_state(req, s);
    return ta_http_reply_stream(req, 200, "application/json");
}

static bool has_room(const struct ta_buf *room, size_t n_items)
{
    return room->len + n_items * ITEM_BYTES_MAX < TA_HTTP_ROOM;
}

/* 1 = there may be more, 0 = that was all. */
static int put_series(struct state *s, const struct ta_app *app, bool is_first)
{
    const struct ta_metric *metric;

    if (ta_walk_series_next(app->store, s->cluster, s->host, is_first, &s->series) != 1)
        return 0;
    if (s->series.metric >= ta_metrics_count(s->metrics))
        return 1; /* defined after this request began */
    metric = ta_metrics_at(s->metrics, s->series.metric);
    ta_json_put_object(&s->out);
    ta_json_member_str(&s->out, "type", ta_name_str(&s->series.type));
    ta_json_member_str(&s->out, "subtype", ta_name_str(&s->series.stype));
    ta_json_member_str(&s->out, "metric", metric->name);
    ta_json_member_i64(&s->out, "freq", s->series.freq_s);
    ta_json_put_object_end(&s->out);
    return 1;
}

static int put_hosts(struct state *s, const struct ta_app *app, bool is_first)
{
    struct ta_host_name hosts[HOSTS_AT_ONCE];
    size_t n = ta_walk_hosts(app->store, s->cluster, is_first ? NULL : &s->last_host, hosts,
                             HOSTS_AT_ONCE);

    for (size_t i = 0; i < n; i++) {
        ta_json_put_array(&s->out);
        ta_json_put_str(&s->out, ta_name_str(&hosts[i].cluster));
        ta_json_put_str(&s->out, ta_name_str(&hosts[i].host));
        ta_json_put_array_end(&s->out);
    }
    if (n > 0)
        s->last_host = hosts[n - 1];
    return n == HOSTS_AT_ONCE;
}

static int fill(struct ta_http_req *req, struct ta_buf *room, struct ta_err *err)
{
    const struct ta_app *app = ta_http_app(req);
    struct state *s = ta_http_state(req);
    size_t n_items = s->of_host ? 1 : HOSTS_AT_ONCE;
    bool is_first = !s->is_begun;
    int more = 1;

    if (is_first) {
        ta_json_writer_init(&s->out, room);
        ta_json_put_object(&s->out);
        ta_json_put_key(&s->out, s->of_host ? "series" : "hosts");
        ta_json_put_array(&s->out);
        s->is_begun = true;
    }
    s->out.out = room;
    do {
        more = s->of_host ? put_series(s, app, is_first) : put_hosts(s, app, is_first);
        is_first = false;
    } while (more && has_room(room, n_items));
    if (!more) {
        ta_json_put_array_end(&s->out);
        ta_json_put_object_end(&s->out);
    }
    if (s->out.error < 0)
        return ta_fail(err, s->out.error, "the list does not fit");
    return more ? TA_HTTP_MORE : TA_HTTP_END;
}

static void done(struct ta_http_req *req, enum ta_http_outcome outcome)
{
    struct state *s = ta_http_state(req);

    (void)outcome;
    if (s)
        ta_metrics_unref(s->metrics);
}

const struct ta_http_handler ta_handle_tree = {.end = end, .fill = fill, .done = done};
