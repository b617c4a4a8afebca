/* cmd_query.c - `tarn query`: asks a running store (tarn or the reference) from the shell. */
#include "app/answer.h"
#include "app/command.h"
#include "app/show.h"
#include "app/token.h"
#include "base/clock.h"
#include "io/json_write.h"
#include "io/vfs.h"
#include "rest/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    QUERIES_MAX = 100000,   /* a store's own limit */
    REQUEST_MAX = 32 << 20, /* bytes of request text: QUERIES_MAX of the longest usual names */
    OUT_MAX = 1 << 20,      /* a plot of the largest terminal takes a tenth */
    VALUES_MAX = 16 << 20   /* of one series: 128 MiB; half a year at one second */
};

struct values {
    const char *url, *token, *cluster, *type, *subtype, *format, *style, *ca_file;
    struct ta_opt_list hosts, metrics, ids, subtype_ids;
    int64_t from_s, to_s, last_ns, resolution_s, width, height;
    bool aggregate, insecure;
};

#define AT(member) offsetof(struct values, member)
static const struct ta_option rows[] = {
    {.name = "url",
     .kind = TA_OPT_TEXT,
     .offset = AT(url),
     .arg = "URL",
     .default_ = "http://127.0.0.1:8082",
     .help = "the store"},
    {.name = "token",
     .kind = TA_OPT_TEXT,
     .offset = AT(token),
     .arg = "FILE",
     .help = "file that holds the access token (JWT)"},
    {.name = "cluster",
     .kind = TA_OPT_TEXT,
     .offset = AT(cluster),
     .arg = "NAME",
     .help = "cluster of the hosts",
     .is_required = true},
    {.name = "host",
     .kind = TA_OPT_LIST,
     .offset = AT(hosts),
     .arg = "NAME,...",
     .help = "one or more hosts",
     .is_required = true},
    {.name = "metric",
     .kind = TA_OPT_LIST,
     .offset = AT(metrics),
     .arg = "NAME,...",
     .help = "one or more metrics",
     .is_required = true},
    {.name = "type",
     .kind = TA_OPT_TEXT,
     .offset = AT(type),
     .arg = "TYPE",
     .default_ = "",
     .help = "below the host: hwthread, socket, accelerator, ..."},
    {.name = "ids",
     .kind = TA_OPT_LIST,
     .offset = AT(ids),
     .arg = "ID,...",
     .help = "which ones of that type"},
    {.name = "subtype",
     .kind = TA_OPT_TEXT,
     .offset = AT(subtype),
     .arg = "TYPE",
     .default_ = "",
     .help = "below the type"},
    {.name = "subtype-ids",
     .kind = TA_OPT_LIST,
     .offset = AT(subtype_ids),
     .arg = "ID,...",
     .help = "which ones of that subtype"},
    {.name = "aggregate",
     .kind = TA_OPT_SWITCH,
     .offset = AT(aggregate),
     .help = "one series over all ids, as the metric's table says"},
    {.name = "last",
     .kind = TA_OPT_DURATION,
     .offset = AT(last_ns),
     .arg = "TIME",
     .default_ = "6h",
     .rule = ">0",
     .help = "how far back, when --from is not given"},
    {.name = "from",
     .kind = TA_OPT_TIME,
     .offset = AT(from_s),
     .arg = "TIME",
     .help = "beginning: Unix seconds or RFC 3339"},
    {.name = "to",
     .kind = TA_OPT_TIME,
     .offset = AT(to_s),
     .arg = "TIME",
     .help = "end; default now"},
    {.name = "resolution",
     .kind = TA_OPT_INT,
     .offset = AT(resolution_s),
     .arg = "SECONDS",
     .default_ = "0",
     .rule = ">=0",
     .help = "thin out to this; 0: as stored"},
    {.name = "format",
     .kind = TA_OPT_CHOICE,
     .offset = AT(format),
     .rule = "table|json|csv|plot",
     .default_ = "table",
     .help = "json: the store's answer as it is"},
    {.name = "style",
     .kind = TA_OPT_CHOICE,
     .offset = AT(style),
     .rule = "braille|ascii",
     .default_ = "braille",
     .help = "letters of plots and trends"},
    {.name = "width",
     .kind = TA_OPT_INT,
     .offset = AT(width),
     .arg = "COLUMNS",
     .rule = ">=0",
     .default_ = "0",
     .help = "of a plot; 0: the terminal's"},
    {.name = "height",
     .kind = TA_OPT_INT,
     .offset = AT(height),
     .arg = "ROWS",
     .rule = ">0",
     .default_ = "12",
     .help = "of a plot's curve"},
    {.name = "ca-file",
     .kind = TA_OPT_TEXT,
     .offset = AT(ca_file),
     .arg = "FILE",
     .help = "PEM certificates to trust instead of the system's"},
    {.name = "insecure",
     .kind = TA_OPT_SWITCH,
     .offset = AT(insecure),
     .help = "do not verify the server's certificate"},
};
static const struct ta_option_table options = {rows, TA_COUNT(rows), false};

/* Number of queries: one per host, metric and id, so that every answer has a name even where
 * others have no data (spec: http-api, weakness 14). */
struct plan {
    const struct values *v;
    size_t n_ids, n_subtype_ids; /* 1 when there are none to tell apart */
    size_t n;
};

static void make_plan(struct plan *p, const struct values *v)
{
    bool is_split = v->type[0] && !v->aggregate;

    p->v = v;
    p->n_ids = is_split ? v->ids.n : 1;
    p->n_subtype_ids = is_split && v->subtype[0] ? v->subtype_ids.n : 1;
    p->n = v->hosts.n * v->metrics.n * p->n_ids * p->n_subtype_ids;
}

static void name_of(const struct plan *p, size_t i, struct ta_show_name *out)
{
    const struct values *v = p->v;
    bool is_split = v->type[0] && !v->aggregate;
    size_t subtype_id = i % p->n_subtype_ids;
    size_t id = i / p->n_subtype_ids % p->n_ids;
    size_t metric = i / p->n_subtype_ids / p->n_ids % v->metrics.n;

    *out =
        (struct ta_show_name){.host = v->hosts.item[i / p->n_subtype_ids / p->n_ids / v->metrics.n],
                              .metric = v->metrics.item[metric],
                              .type = ta_str(v->type)};
    if (is_split)
        out->id = v->ids.item[id];
    if (v->type[0])
        out->subtype = ta_str(v->subtype);
    if (is_split && v->subtype[0])
        out->subtype_id = v->subtype_ids.item[subtype_id];
}

static void put_list(struct ta_json_writer *w, const char *key, struct ta_str one,
                     const struct ta_opt_list *all)
{
    ta_json_put_key(w, key);
    ta_json_put_array(w);
    if (one.at)
        ta_json_put_str(w, one);
    for (size_t i = 0; !one.at && i < all->n; i++)
        ta_json_put_str(w, all->item[i]);
    ta_json_put_array_end(w);
}

static int write_request(const struct plan *p, struct ta_buf *out)
{
    const struct values *v = p->v;
    struct ta_json_writer w;

    ta_json_writer_init(&w, out);
    ta_json_put_object(&w);
    ta_json_member_z(&w, "cluster", v->cluster);
    ta_json_member_i64(&w, "from", v->from_s);
    ta_json_member_i64(&w, "to", v->to_s);
    ta_json_member_bool(&w, "with-padding", false); /* else `from` is not the first value's time */
    ta_json_put_key(&w, "queries");
    ta_json_put_array(&w);
    for (size_t i = 0; i < p->n; i++) {
        struct ta_show_name name;

        name_of(p, i, &name);
        ta_json_put_object(&w);
        ta_json_member_str(&w, "host", name.host);
        ta_json_member_str(&w, "metric", name.metric);
        ta_json_member_i64(&w, "resolution", v->resolution_s);
        ta_json_member_bool(&w, "aggreg", v->aggregate);
        if (v->type[0]) {
            ta_json_member_z(&w, "type", v->type);
            put_list(&w, "type-ids", name.id, &v->ids);
        }
        if (v->type[0] && v->subtype[0]) {
            ta_json_member_z(&w, "subtype", v->subtype);
            put_list(&w, "subtype-ids", name.subtype_id, &v->subtype_ids);
        }
        ta_json_put_object_end(&w);
    }
    ta_json_put_array_end(&w);
    return ta_json_put_object_end(&w);
}

static int flush(struct ta_buf *out, struct ta_err *err)
{
    bool is_written = fwrite(out->at, 1, out->len, stdout) == out->len;

    ta_buf_reset(out);
    return is_written && fflush(stdout) == 0 ? TA_OK : ta_fail_sys(err, "writing the output");
}

static int show_answer(const struct plan *p, struct ta_source *body, struct ta_buf *out,
                       struct ta_err *err)
{
    const struct values *v = p->v;
    bool is_tty = isatty(STDOUT_FILENO);
    struct winsize size = {0};
    struct ta_answer_series series;
    struct ta_answer *answer;
    struct ta_show show = {.format = v->format[0] == 't'   ? TA_SHOW_TABLE
                                     : v->format[0] == 'c' ? TA_SHOW_CSV
                                                           : TA_SHOW_PLOT,
                           .height = (unsigned)(v->height < 60 ? v->height : 60),
                           .has_colour = is_tty && !getenv("NO_COLOR"),
                           .is_ascii = v->style[0] == 'a'};

    if (is_tty && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
        size.ws_col = 0;
    show.width = v->width      ? (unsigned)(v->width < 400 ? v->width : 400)
                 : size.ws_col ? size.ws_col
                               : 80;
    int r = ta_answer_new(&answer, body, VALUES_MAX, &ta_heap, err);
    if (r < 0)
        return r;
    r = ta_show_head(&show, out);
    while (r >= 0 && (r = ta_answer_next(answer, &series, err)) > 0) {
        struct ta_show_name name;
        size_t row = 0;

        if (series.query >= p->n) {
            r = ta_fail(err, TA_EFORMAT, "the answer has more results than were asked for");
            break;
        }
        name_of(p, series.query, &name);
        do {
            r = ta_show_series(&show, &name, &series, &row, out);
            int flushed = r < 0 ? TA_OK : flush(out, err);
            r = flushed < 0 ? flushed : r;
        } while (r > 0);
    }
    ta_answer_free(answer);
    return r < 0 ? r : flush(out, err);
}

static int copy_answer(struct ta_source *body, struct ta_err *err)
{
    char block[16384];
    int64_t n;

    while ((n = body->read(body, block, sizeof(block), err)) > 0)
        if (fwrite(block, 1, (size_t)n, stdout) != (size_t)n)
            return ta_fail_sys(err, "writing the output");
    if (n == 0 && fflush(stdout) != 0)
        return ta_fail_sys(err, "writing the output");
    return n < 0 ? (int)n : TA_OK;
}

/* An answer that is not 200 carries a line of text or a short JSON object: show its beginning. */
static int refused(int status, struct ta_source *body, struct ta_err *err)
{
    char text[200];
    int64_t n = ta_read_full(body, text, sizeof(text) - 1, NULL);

    n = n < 0 ? 0 : n;
    text[n] = 0;
    for (int64_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 127)
            text[i] = i + 1 < n ? ' ' : 0;
    return ta_fail(err, TA_EDENIED, "the store answered %d: %s", status, text);
}

static int exchange(const struct plan *p, struct ta_str request, const char *authorization,
                    struct ta_buf *out, struct ta_err *err)
{
    const struct values *v = p->v;
    struct ta_rest_conf conf = {.ca_file = v->ca_file, .insecure = v->insecure};
    struct ta_rest_header headers[] = {{"Content-Type", "application/json"},
                                       {"Authorization", authorization}};
    struct ta_mem_source body;
    struct ta_rest_client *client;
    struct ta_rest_answer *answer;
    char url[2048];
    size_t n = strlen(v->url);

    while (n > 0 && v->url[n - 1] == '/')
        n--;
    if ((size_t)snprintf(url, sizeof(url), "%.*s/api/query", (int)n, v->url) >= sizeof(url))
        return ta_fail(err, TA_EINVAL, "--url is too long");
    ta_mem_source_init(&body, request.at, request.len, 0);
    int r = ta_rest_client_new(&client, &conf, &ta_heap, err);
    if (r < 0)
        return r;
    /* GET with a body is what the reference answers too. */
    struct ta_rest_request q = {.method = "GET",
                                .url = url,
                                .headers = headers,
                                .n_headers = authorization ? 2 : 1,
                                .body = &body.source,
                                .body_bytes = (int64_t)request.len,
                                .decode = true};
    r = ta_rest_begin(client, &q, &answer, err);
    if (r == TA_OK && answer->status != 200)
        r = refused(answer->status, &answer->body, err);
    else if (r == TA_OK && v->format[0] == 'j')
        r = copy_answer(&answer->body, err);
    else if (r == TA_OK)
        r = show_answer(p, &answer->body, out, err);
    ta_rest_client_free(client);
    /* A URL with a password in it stays out of messages. */
    if (r == TA_EIO && !strchr(url, '@'))
        return ta_fail_context(err, r, "%s: ", url);
    return r;
}

static int check_values(struct values *v, struct plan *p, struct ta_err *err)
{
    if (v->type[0] && !v->aggregate && v->ids.n == 0)
        return ta_fail(err, TA_EINVAL, "--type %.60s needs --ids", v->type);
    if (!v->type[0] && (v->ids.n || v->subtype[0] || v->subtype_ids.n))
        return ta_fail(err, TA_EINVAL, "--ids and --subtype need --type");
    if (v->subtype[0] && v->subtype_ids.n == 0)
        return ta_fail(err, TA_EINVAL, "--subtype %.60s needs --subtype-ids", v->subtype);
    if (!v->to_s)
        v->to_s = ta_now_s(&ta_clock_system);
    if (!v->from_s)
        v->from_s = v->to_s - v->last_ns / 1000000000;
    if (v->from_s >= v->to_s)
        return ta_fail(err, TA_EINVAL, "--from is not before --to");
    make_plan(p, v);
    if (p->n > QUERIES_MAX)
        return ta_fail(err, TA_EINVAL, "%zu series are more than the %d of one request", p->n,
                       QUERIES_MAX);
    return TA_OK;
}

static int run(const struct ta_command *self, int argc, char **argv)
{
    struct values *v = ta_alloc_zero(&ta_heap, 1, sizeof(*v)); /* too large for a stack */
    char token[TA_TOKEN_TEXT_MAX];
    struct ta_buf request, out;
    struct ta_err err = {0};
    struct plan plan;
    int status = TA_EXIT_FAILED, r;

    if (!v)
        return TA_EXIT_FAILED;
    ta_buf_init(&request, &ta_heap, REQUEST_MAX);
    ta_buf_init(&out, &ta_heap, OUT_MAX);
    if (!ta_command_parse(self, argc, argv, v, NULL, &status))
        goto out;
    r = check_values(v, &plan, &err);
    if (r < 0) {
        status = ta_command_usage(self, err.text);
        goto out;
    }
    r = v->token ? ta_token_read(v->token, token, &err) : TA_OK;
    if (r == TA_OK && write_request(&plan, &request) < 0)
        r = ta_fail(&err, TA_ERANGE, "the request is larger than %d bytes", REQUEST_MAX);
    if (r == TA_OK)
        r = ta_rest_global_init(&err);
    if (r == TA_OK)
        r = exchange(&plan, ta_buf_view(&request), v->token ? token : NULL, &out, &err);
    status = r < 0 ? ta_command_fail(self, &err) : TA_EXIT_OK;
out:
    ta_buf_done(&out);
    ta_buf_done(&request);
    ta_release(&ta_heap, v, sizeof(*v));
    return status;
}

const struct ta_command ta_cmd_query = {
    .name = "query",
    .operands = "",
    .summary = "ask a running store: a table, CSV, JSON, or a plot in the terminal",
    .notes =
        "Example:\n"
        "  tarn query --cluster fritz --host f0101 --metric cpu_load --last 6h --format plot\n",
    .options = &options,
    .run = run};
