/* status_change.c - the archiving call, and the alert (spec: rule-cleaner 4.2 J, P, 5.4, 5.5). */
#include "io/json_write.h"
#include "sweep/answer_read.h"
#include "sweep/services_int.h"
#include "sweep/url.h"

#include <stdio.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum { BODY_MAX = 64 * 1024 };

struct verdict {
    struct ta_alloc *alloc;
    struct ta_str workflow;
    bool is_ok, is_error;
};

/* {"result": [{"<workflow>": "OK"}]} */
static int read_verdict(struct ta_json_reader *j, struct verdict *v, struct ta_err *err)
{
    struct ta_json_token t;
    int r = ta_result_open(j, err);

    while (r >= 0 && (r = ta_json_next(j, &t, err)) > 0 && t.kind != TA_JSON_ARRAY_END) {
        if (t.kind != TA_JSON_OBJECT)
            return ta_json_expected(&t, "an object", err);
        while ((r = ta_json_next(j, &t, err)) > 0 && t.kind == TA_JSON_KEY) {
            bool is_mine = ta_str_eq(t.text, v->workflow);
            r = ta_json_next(j, &t, err);
            if (r > 0 && is_mine) {
                v->is_ok = t.kind == TA_JSON_STRING && ta_str_is(t.text, "OK");
                v->is_error = !v->is_ok;
            }
            if (r > 0)
                r = ta_json_skip(j, err);
            if (r < 0)
                return r;
        }
    }
    return r < 0 ? r : ta_result_close(j, err);
}

static int read_put(void *self, struct ta_source *body, struct ta_err *err)
{
    struct verdict *v = self;
    struct ta_json_reader *j;
    int r = ta_result_reader_new(&j, body, v->alloc, err);

    if (r < 0)
        return r;
    v->is_ok = v->is_error = false;
    r = read_verdict(j, v, err);
    ta_json_reader_free(j);
    return r;
}

struct rereading {
    struct ta_answer_reader answer;
    struct ta_chunk_slot slot;
};

static int read_document(void *self, struct ta_source *body, struct ta_err *err)
{
    struct rereading *r = self;
    struct ta_chunk one = {&r->slot, 1};

    return r->answer.reader.read(&r->answer.reader, body, &one, err);
}

/* TA_OK when the document says that the workflow has that status. */
static int reread(struct ta_services *s, struct ta_str workflow, const char *target,
                  struct ta_err *err)
{
    struct rereading reading = {.slot = {.name = workflow}};
    struct service_call c;

    ta_answer_reader_init(&reading.answer, s->conf.max_workflow_bytes, s->conf.log, s->conf.alloc);
    ta_service_prepare(s, &c, TA_UP_REQMGR, "GET");
    int r = ta_url_add(&c.url, s->conf.reqmgr_url, "/data/request?name=", "%", workflow.at, NULL);
    c.is_idempotent = true;
    c.read = read_document;
    c.self = &reading;
    r = ta_service_call(s, &c, r, NULL, err);
    struct ta_record *record = reading.slot.item;
    if (r == TA_OK && (!record || !ta_str_is(record->status, target)))
        r = ta_fail(err, TA_ESTATE, "its status is not %s", target);
    ta_record_free(record);
    ta_answer_reader_done(&reading.answer);
    return r;
}

/* Somebody may have been faster (400), or the answer was lost: then the document tells. */
static bool is_doubtful(int r, const struct ta_call_end *end)
{
    return r != TA_ECANCELED && r != TA_ENOMEM && end->status != 401 && end->status != 403 &&
           end->status != 404;
}

int ta_service_archive(struct ta_port *port, struct ta_str workflow, const char *target,
                       struct ta_err *err)
{
    struct ta_services *s = ta_services_of(port);
    struct verdict verdict = {.alloc = s->conf.alloc, .workflow = workflow};
    struct ta_err why = {0};
    struct ta_call_end end;
    struct ta_json_writer w;
    struct service_call c;
    struct ta_buf body;

    ta_buf_init(&body, s->conf.alloc, BODY_MAX);
    ta_json_writer_init(&w, &body);
    ta_json_put_object(&w);
    ta_json_member_z(&w, "RequestStatus", target);
    ta_json_member_str(&w, "RequestName", workflow);
    int r = ta_json_put_object_end(&w);
    ta_service_prepare(s, &c, TA_UP_REQMGR, "PUT");
    if (r == TA_OK)
        r = ta_url_add(&c.url, s->conf.reqmgr_url, "/data/request", NULL);
    c.body = ta_buf_view(&body);
    c.read = read_put;
    c.self = &verdict;
    r = ta_service_call(s, &c, r, &end, &why);
    ta_buf_done(&body);
    if (r == TA_OK && verdict.is_ok)
        return TA_OK;
    if (r == TA_OK && verdict.is_error)
        return ta_fail(err, TA_ESTATE, "the service answered ERROR");
    if (r == TA_OK)
        ta_fail(&why, TA_EFORMAT, "the answer does not name the workflow");
    if ((r == TA_OK || is_doubtful(r, &end)) && reread(s, workflow, target, NULL) == TA_OK)
        return TA_OK;
    return ta_fail(err, r < 0 ? r : TA_EFORMAT, "%s", why.text);
}

/* ---- alert -------------------------------------------------------------------------------------- */

static void make_uuid(char out[37])
{
    unsigned char b[16] = {0};

    /* An identifier for people; should the system have no random bytes, zeros will do. */
    (void)!getrandom(b, sizeof(b), 0);
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
             b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
             b[14], b[15]);
}

/* "Wed Nov 5 05:46:40 2025", UTC. */
static void print_day(char *out, size_t cap, int64_t t_s)
{
    time_t t = (time_t)t_s;
    struct tm tm;
    char rest[40], day[16];

    gmtime_r(&t, &tm);
    strftime(day, sizeof(day), "%a %b", &tm);
    strftime(rest, sizeof(rest), "%H:%M:%S %Y", &tm);
    snprintf(out, cap, "%s %d %s", day, tm.tm_mday, rest);
}

static void print_end(char *out, size_t cap, int64_t t_s)
{
    time_t t = (time_t)t_s;
    struct tm tm;

    gmtime_r(&t, &tm);
    strftime(out, cap, "%Y-%m-%dT%H:%M:%S+00:00", &tm);
}

/* Runs of white space become one space. */
static int squeeze(struct ta_buf *out, struct ta_str text)
{
    int r = TA_OK;

    for (size_t i = 0; r == TA_OK && i < text.len; i++) {
        bool is_space = text.at[i] == ' ' || (text.at[i] >= '\t' && text.at[i] <= '\r');
        if (!is_space)
            r = ta_buf_byte(out, text.at[i]);
        else if (out->len && out->at[out->len - 1] != ' ')
            r = ta_buf_byte(out, ' ');
    }
    return r;
}

static int write_alert(const struct ta_services *s, const struct ta_alert *a,
                       struct ta_buf *description, struct ta_buf *out)
{
    char uuid[37], since[64], end[40], host[256] = "", text[1200];
    struct ta_json_writer w;

    make_uuid(uuid);
    print_day(since, sizeof(since), a->since_s);
    print_end(end, sizeof(end), a->now_s + s->conf.alert_expire_s);
    (void)gethostname(host, sizeof(host) - 1); /* without one the name is empty */
    ta_json_writer_init(&w, out);
    ta_json_put_array(&w);
    ta_json_put_object(&w);
    ta_json_put_key(&w, "labels");
    ta_json_put_object(&w);
    snprintf(text, sizeof(text), "ms-rulecleaner: Not archived workflow: %.*s",
             TA_STR_FMT(a->workflow));
    ta_json_member_z(&w, "alertname", text);
    ta_json_member_z(&w, "severity", "medium");
    ta_json_member_z(&w, "tag", s->conf.alert_tag ? s->conf.alert_tag : "");
    ta_json_member_z(&w, "service", "ms-rulecleaner");
    ta_json_member_z(&w, "uuid", uuid);
    ta_json_put_object_end(&w);
    ta_json_put_key(&w, "annotations");
    ta_json_put_object(&w);
    ta_json_member_z(&w, "hostname", host);
    snprintf(text, sizeof(text), "[MSRuleCleaner] Found workflow: %.*s not archived since %s.",
             TA_STR_FMT(a->workflow), since);
    ta_json_member_z(&w, "summary", text);
    int r = squeeze(description, a->description);
    ta_json_member_str(&w, "description", ta_buf_view(description));
    ta_json_put_object_end(&w);
    ta_json_member_z(&w, "endsAt", end);
    ta_json_member_z(&w, "generatorURL", "");
    ta_json_put_object_end(&w);
    return r < 0 ? r : ta_json_put_array_end(&w);
}

int ta_service_alert(struct ta_port *port, const struct ta_alert *alert, struct ta_err *err)
{
    struct ta_services *s = ta_services_of(port);
    struct ta_buf body, description;
    struct service_call c;

    if (!s->conf.alert_url)
        return ta_fail(err, TA_EINVAL, "alertManagerUrl is not set");
    ta_buf_init(&body, s->conf.alloc, BODY_MAX);
    ta_buf_init(&description, s->conf.alloc, BODY_MAX);
    int r = write_alert(s, alert, &description, &body);
    ta_service_prepare(s, &c, TA_UP_ALERT, "POST");
    if (r == TA_OK)
        r = ta_url_add(&c.url, s->conf.alert_url, NULL);
    c.body = ta_buf_view(&body);
    r = ta_service_call(s, &c, r, NULL, err);
    ta_buf_done(&description);
    ta_buf_done(&body);
    return r;
}
