/* Recorded sessions of the reference, replayed: the same writes, then the same bytes back. */
#include "feed.h"
#include "io/json_write.h"
#include "query/health.h"
#include "query/manage.h"
#include "query/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

enum { NOW_S = 1795000000, TEXT_MAX = 256 * 1024 };

static const char metrics[] = "cpu_load 60 none,cpu_user 60 avg,flops_any 60 sum,mem_bw 60 sum,"
                              "acc_power 60 avg,net_bytes 60 none,mem_used 60 sum,ib_recv 10 sum,"
                              "file_quota 300 avg";

struct golden {
    char action[16], name[128], arg[128], compare[16];
    char *body, *answer;
    int64_t status;
};

/* What came back, in the form that the recordings have. */
struct reply {
    int status;
    struct ta_buf body;
};

static void error_reply(struct reply *r, int status, bool is_json, const char *prefix,
                        const char *words)
{
    r->status = status;
    if (!is_json) {
        assert_int_equal(ta_buf_printf(&r->body, "%s\n", words), TA_OK);
        return;
    }

    struct ta_json_writer *w = calloc(1, sizeof(*w));
    char text[512];
    snprintf(text, sizeof(text), "%s%s", prefix, words);
    ta_json_writer_init(w, &r->body);
    ta_json_put_object(w);
    ta_json_member_z(w, "status", status == 400 ? "Bad Request" : "Internal Server Error");
    ta_json_member_z(w, "error", text);
    ta_json_put_object_end(w);
    ta_buf_byte(&r->body, '\n');
    free(w);
}

static void do_query(struct ta_store *s, const struct golden *g, struct reply *out)
{
    struct ta_query *q = NULL;
    struct ta_mem_source src;
    struct ta_err err = {0};
    int r;

    ta_mem_source_init(&src, g->body, strlen(g->body), 7);
    assert_int_equal(ta_query_new(&q, s, NULL, &ta_heap, NULL), TA_OK);
    if (ta_query_parse(q, &src.source, &err) < 0) {
        error_reply(out, 400, true, "", err.text);
    } else {
        while ((r = ta_query_fill(q, &out->body, NULL)) > 0)
            continue;
        assert_int_equal(r, 0);
    }
    ta_query_free(q);
}

static void do_health(struct ta_store *s, const struct golden *g, struct reply *out)
{
    struct ta_health_query *h = NULL;
    struct ta_mem_source src;
    struct ta_err err = {0};
    int r;

    ta_mem_source_init(&src, g->body, strlen(g->body), 0);
    assert_int_equal(ta_health_new(&h, s, NULL, &ta_heap, NULL), TA_OK);
    if (ta_health_parse(h, &src.source, &err) < 0) {
        error_reply(out, 400, true, "parsing request body failed: ", err.text);
    } else {
        while ((r = ta_health_fill(h, NOW_S, &out->body, NULL)) > 0)
            continue;
        assert_int_equal(r, 0);
    }
    ta_health_free(h);
}

static void do_free(struct ta_store *s, const struct golden *g, struct reply *out)
{
    struct ta_free_query *f = NULL;
    struct ta_mem_source src;
    struct ta_err err = {0};
    int64_t to = 0;
    int r = ta_free_time(ta_str(g->arg), &to, &err);

    if (r < 0) {
        error_reply(out, r == TA_EINVAL ? 400 : 500, true, "", err.text);
        return;
    }
    ta_mem_source_init(&src, g->body, strlen(g->body), 0);
    assert_int_equal(ta_free_new(&f, NULL, &ta_heap, NULL), TA_OK);
    if (ta_free_parse(f, &src.source, &err) < 0)
        error_reply(out, 400, false, "", err.text);
    else
        assert_int_equal(ta_buf_printf(&out->body, "buffers freed: %llu\n",
                                       (unsigned long long)ta_free_run(f, s, to)),
                         TA_OK);
    ta_free_free(f);
}

static void do_debug(struct ta_store *s, const struct golden *g, struct reply *out)
{
    struct ta_debug *d = NULL;
    struct ta_err err = {0};
    int r;

    if (ta_debug_new(&d, s, ta_str(g->arg), &ta_heap, &err) < 0) {
        error_reply(out, 400, true, "", err.text);
        return;
    }
    while ((r = ta_debug_fill(d, &out->body, NULL)) > 0)
        continue;
    assert_int_equal(r, 0);
    ta_debug_free(d);
}

/* ---- comparing ----------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t sorted_lines(char *text, char **out, size_t max)
{
    size_t n = 0;

    for (char *save = NULL, *line = strtok_r(text, "\n", &save); line && n < max;
         line = strtok_r(NULL, "\n", &save))
        out[n++] = line;
    qsort(out, n, sizeof(*out), by_text);
    return n;
}

static void same_lines(const char *name, char *got, char *want)
{
    static char *a[1000], *b[1000];
    size_t n = sorted_lines(got, a, 1000), m = sorted_lines(want, b, 1000);

    if (n != m)
        fail_msg("%s: %zu lines, want %zu", name, n, m);
    for (size_t i = 0; i < n; i++)
        if (strcmp(a[i], b[i]) != 0)
            fail_msg("%s: line '%s', want '%s'", name, a[i], b[i]);
}

/* Equal but for numbers, which may differ by what the order of a sum does to the last digit
 * printed. */
static void same_but_for_rounding(const char *name, const char *got, const char *want)
{
    while (*got && *want) {
        char *got_end, *want_end;
        double a = strtod(got, &got_end), b = strtod(want, &want_end);

        if (got_end != got && want_end != want && strncmp(got, "null", 4) != 0) {
            if (fabs(a - b) > 0.0101)
                fail_msg("%s: %.20s, want %.20s", name, got, want);
            got = got_end;
            want = want_end;
        } else {
            if (*got != *want)
                fail_msg("%s: ...%.60s, want ...%.60s", name, got, want);
            got++;
            want++;
        }
    }
    if (*got != *want)
        fail_msg("%s: ends with '%.40s', want '%.40s'", name, got, want);
}

static void compare(const struct golden *g, struct reply *got)
{
    assert_int_equal(ta_buf_byte(&got->body, '\0'), TA_OK);
    if (got->status != g->status)
        fail_msg("%s: status %d, want %d", g->name, got->status, (int)g->status);
    if (strcmp(g->compare, "debug") == 0)
        same_lines(g->name, got->body.at, g->answer);
    else if (strcmp(g->compare, "float") == 0)
        same_but_for_rounding(g->name, got->body.at, g->answer);
    else if (strcmp(got->body.at, g->answer) != 0)
        fail_msg("%s:\ngot  %.2000s\nwant %.2000s", g->name, got->body.at, g->answer);
}

/* ---- replaying ----------------------------------------------------------------------------- */

static void replay(struct ta_store *s, const struct golden *g)
{
    static const struct {
        const char *action;
        void (*run)(struct ta_store *, const struct golden *, struct reply *);
    } actions[] = {
        {"query", do_query}, {"healthcheck", do_health}, {"free", do_free}, {"debug", do_debug}};
    struct reply reply = {.status = 200};

    if (strcmp(g->action, "write") == 0) {
        assert_true(feed_lines(s, g->body, NOW_S) >= 0);
        return;
    }
    for (size_t i = 0; i < TA_COUNT(actions); i++) {
        if (strcmp(g->action, actions[i].action) != 0)
            continue;
        ta_buf_init(&reply.body, &ta_heap, 8 * MiB);
        actions[i].run(s, g, &reply);
        compare(g, &reply);
        ta_buf_done(&reply.body);
        return;
    }
    fail_msg("%s: unknown action %s", g->name, g->action);
}

static void take_member(struct golden *g, const char *key, const struct ta_json_token *t)
{
    struct {
        const char *key;
        char *to;
        size_t size;
    } texts[] = {{"do", g->action, sizeof(g->action)}, {"name", g->name, sizeof(g->name)},
                 {"arg", g->arg, sizeof(g->arg)},      {"compare", g->compare, sizeof(g->compare)},
                 {"body", g->body, TEXT_MAX},          {"answer", g->answer, TEXT_MAX}};

    if (strcmp(key, "status") == 0)
        assert_int_equal(ta_json_i64(t, &g->status), TA_OK);
    for (size_t i = 0; i < TA_COUNT(texts); i++)
        if (strcmp(key, texts[i].key) == 0) {
            assert_true(t->text.len < texts[i].size);
            memcpy(texts[i].to, t->text.at, t->text.len);
            texts[i].to[t->text.len] = '\0';
        }
}

/* 1 = *g is filled, 0 = no more. */
static int next_case(struct ta_json_reader *r, struct golden *g)
{
    struct ta_json_token t;
    char key[32] = "";
    int left;

    for (bool is_first = true; (left = ta_json_next(r, &t, NULL)) > 0; is_first = false) {
        if (t.kind == TA_JSON_KEY)
            snprintf(key, sizeof(key), "%.*s", TA_STR_FMT(t.text));
        else if (t.kind == TA_JSON_STRING || t.kind == TA_JSON_NUMBER)
            take_member(g, key, &t);
        assert_true(!is_first || t.kind == TA_JSON_OBJECT);
    }
    ta_json_again(r);
    return left == 0;
}

static void recorded_sessions_of_the_reference_are_answered_with_the_same_bytes(void **state)
{
    const struct ta_json_limits limits = {.buffer = 2 * TEXT_MAX, .text_max = TEXT_MAX, .depth = 4};
    struct golden g = {.body = malloc(TEXT_MAX), .answer = malloc(TEXT_MAX)};
    FILE *f = fopen("tests/data/query/golden.jsonl", "r");
    static char text[1 << 20];
    struct ta_json_reader *r = NULL;
    struct ta_store *s = NULL;
    struct ta_mem_source src;
    int n = 0;

    (void)state;
    assert_non_null(f);
    ta_mem_source_init(&src, text, fread(text, 1, sizeof(text), f), 0);
    fclose(f);
    assert_int_equal(ta_json_reader_new(&r, &src.source, &limits, &ta_heap), TA_OK);
    for (; next_case(r, &g); n++) {
        if (strcmp(g.action, "session") != 0) {
            replay(s, &g);
            continue;
        }
        ta_store_free(s);
        s = feed_store(&ta_heap, metrics);
        assert_non_null(s);
    }
    assert_true(n > 200);
    ta_store_free(s);
    ta_json_reader_free(r);
    free(g.body);
    free(g.answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_sessions_of_the_reference_are_answered_with_the_same_bytes),
    };

    return cmocka_run_group_tests_name("query_golden", tests, NULL, NULL);
}
