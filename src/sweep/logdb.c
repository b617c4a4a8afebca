/* logdb.c - a workflow's records in LogDB: are there any, and away with them
 * (spec: rule-cleaner 4.2 G-I, 5.4). The answers are CouchDB's. */
#include "io/json_write.h"
#include "sweep/services_int.h"
#include "sweep/url.h"

enum { BODY_MAX = 4 * 1024 * 1024 }; /* some 40,000 records of one workflow */

/* An answer's array `member` ("" when the answer is the array itself); each of its objects goes
 * to `take`. */
struct rows {
    struct ta_alloc *alloc;
    const char *member;
    int (*take)(struct rows *r, struct ta_json_reader *j, struct ta_err *err);
    uint64_t n;
    struct ta_json_writer *w;
};

static int read_rows(struct rows *rows, struct ta_json_reader *j, struct ta_err *err)
{
    struct ta_json_token t;
    int r = TA_OK;

    while (r >= 0 && (r = ta_json_next(j, &t, err)) > 0 && t.kind != TA_JSON_ARRAY_END) {
        if (t.kind != TA_JSON_OBJECT)
            return ta_json_expected(&t, "a row", err);
        rows->n++;
        r = rows->take(rows, j, err);
    }
    return r < 0 ? r : TA_OK;
}

static int find_rows(struct rows *rows, struct ta_json_reader *j, struct ta_err *err)
{
    struct ta_json_token t;
    bool is_found = false;
    int r = ta_json_next(j, &t, err);

    if (r < 0)
        return r;
    if (!rows->member[0])
        return t.kind == TA_JSON_ARRAY ? read_rows(rows, j, err)
                                       : ta_json_expected(&t, "a list of results", err);
    if (t.kind != TA_JSON_OBJECT)
        return ta_json_expected(&t, "an object", err);
    while (r >= 0 && (r = ta_json_next(j, &t, err)) > 0 && t.kind == TA_JSON_KEY) {
        if (!ta_str_is(t.text, rows->member)) {
            r = ta_json_skip(j, err);
            continue;
        }
        is_found = true;
        r = ta_json_next(j, &t, err);
        if (r > 0)
            r = t.kind == TA_JSON_ARRAY ? read_rows(rows, j, err)
                                        : ta_json_expected(&t, "rows", err);
    }
    if (r >= 0 && !is_found)
        return ta_fail(err, TA_EFORMAT, "the answer has no rows");
    return r < 0 ? r : TA_OK;
}

static int read_answer(void *self, struct ta_source *body, struct ta_err *err)
{
    struct rows *rows = self;
    struct ta_json_reader *j;
    int r = ta_result_reader_new(&j, body, rows->alloc, err);

    if (r < 0)
        return r;
    rows->n = 0;
    r = find_rows(rows, j, err);
    if (r == TA_OK)
        r = ta_json_finish(j, err);
    ta_json_reader_free(j);
    return r;
}

/* Texts of a row that are wanted, and where they go: NUL-terminated, "" when absent. */
struct wanted {
    const char *key;
    char *at;
    size_t cap;
};

/* Reads an object to its end; strings of up to two levels are looked at. */
static int read_row(struct ta_json_reader *j, struct wanted *wanted, size_t n, struct ta_err *err)
{
    struct ta_json_token t;
    unsigned open = 1;
    int r = TA_OK;

    while (open && (r = ta_json_next(j, &t, err)) > 0) {
        if (t.kind == TA_JSON_OBJECT_END) {
            open--;
            continue;
        }
        if (t.kind != TA_JSON_KEY)
            return ta_json_expected(&t, "a key", err);
        struct wanted *w = NULL;
        for (size_t i = 0; i < n && !w; i++)
            if (ta_str_is(t.text, wanted[i].key))
                w = &wanted[i];
        bool is_value = ta_str_is(t.text, "value");
        if (!w && !is_value) {
            r = ta_json_skip(j, err);
        } else if ((r = ta_json_next(j, &t, err)) > 0) {
            if (is_value && t.kind == TA_JSON_OBJECT) {
                open++;
            } else if (w && t.kind == TA_JSON_STRING) {
                if (t.text.len >= w->cap)
                    return ta_fail(err, TA_ERANGE, "a text of a log record is too long");
                memcpy(w->at, t.text.at, t.text.len);
                w->at[t.text.len] = 0;
            } else {
                r = ta_json_skip(j, err);
            }
        }
        if (r < 0)
            return r;
    }
    return r < 0 ? r : TA_OK;
}

static int skip_row(struct rows *rows, struct ta_json_reader *j, struct ta_err *err)
{
    (void)rows;
    return ta_json_skip(j, err);
}

static int take_id(struct rows *rows, struct ta_json_reader *j, struct ta_err *err)
{
    char id[512] = "";
    struct wanted wanted[] = {{"id", id, sizeof(id)}};
    int r = read_row(j, wanted, 1, err);

    if (r < 0 || !id[0])
        return r < 0 ? r : ta_fail(err, TA_EFORMAT, "a log record without id");
    r = ta_json_put_z(rows->w, id);
    return r < 0 ? ta_fail(err, r, "too many log records") : TA_OK;
}

/* A row without revision is a record that is gone already. */
static int take_revision(struct rows *rows, struct ta_json_reader *j, struct ta_err *err)
{
    char id[512] = "", rev[128] = "", error[64] = "";
    struct wanted wanted[] = {
        {"id", id, sizeof(id)}, {"rev", rev, sizeof(rev)}, {"error", error, sizeof(error)}};
    int r = read_row(j, wanted, TA_COUNT(wanted), err);

    if (r < 0)
        return r;
    if (!id[0] || !rev[0])
        return strcmp(error, "not_found") == 0 || id[0]
                   ? TA_OK
                   : ta_fail(err, TA_EFORMAT, "a log record without revision");
    ta_json_put_object(rows->w);
    ta_json_member_z(rows->w, "_id", id);
    ta_json_member_z(rows->w, "_rev", rev);
    ta_json_member_bool(rows->w, "_deleted", true);
    r = ta_json_put_object_end(rows->w);
    return r < 0 ? ta_fail(err, r, "too many log records") : TA_OK;
}

static int take_deletion(struct rows *rows, struct ta_json_reader *j, struct ta_err *err)
{
    char error[64] = "";
    struct wanted wanted[] = {{"error", error, sizeof(error)}};
    int r = read_row(j, wanted, 1, err);

    (void)rows;
    if (r == TA_OK && error[0] && strcmp(error, "not_found") != 0)
        return ta_fail(err, TA_EIO, "a log record was not deleted: %s", error);
    return r;
}

static int view(struct ta_services *s, struct ta_str workflow, struct rows *rows,
                struct ta_err *err)
{
    struct ta_buf key;
    struct service_call c;

    ta_buf_init(&key, s->conf.alloc, 8 * KiB);
    int r = ta_json_escape(&key, workflow);
    if (r == TA_OK)
        r = ta_buf_byte(&key, 0);
    ta_service_prepare(s, &c, TA_UP_LOGDB, "GET");
    if (r == TA_OK)
        r = ta_url_add(&c.url, s->conf.logdb_url,
                       "/_design/LogDB/_view/requests?reduce=false&startkey=%5B", "%", key.at,
                       "%5D&endkey=%5B", "%", key.at, "%2C%7B%7D%5D", NULL);
    c.is_idempotent = true;
    c.read = read_answer;
    c.self = rows;
    r = ta_service_call(s, &c, r, NULL, err);
    ta_buf_done(&key);
    return r;
}

static int post(struct ta_services *s, const char *path, struct ta_str body, struct rows *rows,
                struct ta_err *err)
{
    struct service_call c;

    ta_service_prepare(s, &c, TA_UP_LOGDB, "POST");
    int r = ta_url_add(&c.url, s->conf.logdb_url, path, NULL);
    c.body = body;
    c.read = read_answer;
    c.self = rows;
    return ta_service_call(s, &c, r, NULL, err);
}

int ta_service_has_log(struct ta_port *port, struct ta_str workflow, struct ta_err *err)
{
    struct ta_services *s = ta_services_of(port);
    struct rows rows = {.alloc = s->conf.alloc, .member = "rows", .take = skip_row};
    int r = view(s, workflow, &rows, err);

    return r < 0 ? r : rows.n > 0;
}

/* Ids, then their revisions, then the deletions; each answer becomes the next body. */
int ta_service_clean_log(struct ta_port *port, struct ta_str workflow, struct ta_err *err)
{
    struct ta_services *s = ta_services_of(port);
    struct ta_json_writer w;
    struct ta_buf ids, docs;
    struct rows rows = {.alloc = s->conf.alloc, .member = "rows", .take = take_id, .w = &w};

    ta_buf_init(&ids, s->conf.alloc, BODY_MAX);
    ta_buf_init(&docs, s->conf.alloc, BODY_MAX);
    ta_json_writer_init(&w, &ids);
    ta_json_put_object(&w);
    ta_json_put_key(&w, "keys");
    ta_json_put_array(&w);
    int r = view(s, workflow, &rows, err);
    ta_json_put_array_end(&w);
    int made = ta_json_put_object_end(&w);
    bool is_done = r == TA_OK && rows.n == 0;
    if (r == TA_OK && made < 0)
        r = ta_fail(err, made, "too many log records");
    ta_json_writer_init(&w, &docs);
    ta_json_put_object(&w);
    ta_json_put_key(&w, "docs");
    ta_json_put_array(&w);
    rows.take = take_revision;
    if (r == TA_OK && !is_done)
        r = post(s, "/_all_docs", ta_buf_view(&ids), &rows, err);
    ta_json_put_array_end(&w);
    made = ta_json_put_object_end(&w);
    if (r == TA_OK && made < 0)
        r = ta_fail(err, made, "too many log records");
    rows.member = "";
    rows.take = take_deletion;
    if (r == TA_OK && !is_done)
        r = post(s, "/_bulk_docs/", ta_buf_view(&docs), &rows, err);
    ta_buf_done(&ids);
    ta_buf_done(&docs);
    return r;
}
