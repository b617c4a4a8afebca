/* JSON comes out token by token, whatever the pieces it comes in. */
#include "base/bytes.h"
#include "base/number.h"
#include "fault.h"
#include "io/json_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* Hands out pieces of `step` bytes and says TA_EAGAIN before each one. */
struct slow_source {
    struct ta_source source;
    struct ta_mem_source mem;
    bool gives;
};

static int64_t slow_read(struct ta_source *self, void *buf, size_t n, struct ta_err *err)
{
    struct slow_source *s = TA_CONTAINER(self, struct slow_source, source);

    s->gives = !s->gives;
    return s->gives ? TA_EAGAIN : s->mem.source.read(&s->mem.source, buf, n, err);
}

static void slow_init(struct slow_source *s, const char *text, size_t n, size_t step)
{
    *s = (struct slow_source){.source = {slow_read}};
    ta_mem_source_init(&s->mem, text, n, step);
}

/* Every token as a line "kind depth line:column text". */
static int trace(struct ta_source *src, const struct ta_json_limits *limits, struct ta_buf *out,
                 struct ta_alloc *alloc, struct ta_err *err)
{
    struct ta_json_reader *rd = NULL;
    struct ta_json_token t;
    int r = ta_json_reader_new(&rd, src, limits, alloc);

    if (r < 0)
        return r;
    for (;;) {
        r = ta_json_next(rd, &t, err);
        if (r == TA_EAGAIN)
            continue;
        if (r <= 0)
            break;
        r = ta_buf_printf(out, "%c%u %u:%u %.*s\n", "{}[]ksntf0"[t.kind], t.depth, (unsigned)t.line,
                          (unsigned)t.column, TA_STR_FMT(t.text));
        if (r < 0)
            break;
    }
    if (r == 0) {
        do
            r = ta_json_finish(rd, err);
        while (r == TA_EAGAIN);
    }
    ta_json_reader_free(rd);
    return r;
}

static const char sample[] = " {\"a\" : [1, -2.5e+3 ,0.0],\n \"b\\u00e4\\ud83d\\ude00\":\"x\\ny\","
                             "\"t\":true,\"f\":false,\r\n\t\"n\":null,\"e\":{},\"ee\":[[]]}\n ";
static const char sample_trace[] =
    "{0 1:2 \nk1 1:3 a\n[1 1:9 \nn2 1:10 1\nn2 1:13 -2.5e+3\n"
    "n2 1:22 0.0\n]1 1:25 \nk1 2:2 b\xc3\xa4\xf0\x9f\x98\x80\n"
    "s1 2:24 x\ny\nk1 2:31 t\nt1 2:35 true\nk1 2:40 f\nf1 2:44 false\n"
    "k1 3:2 n\n01 3:6 null\nk1 3:11 e\n{1 3:15 \n}1 3:16 \nk1 3:18 ee\n"
    "[1 3:23 \n[2 3:24 \n]2 3:25 \n]1 3:26 \n}0 3:27 \n";

static void tokens_come_with_depth_and_place(void **state)
{
    struct ta_mem_source src;
    struct ta_buf out;
    struct ta_err err = {0};

    (void)state;
    ta_buf_init(&out, &ta_heap, 4096);
    ta_mem_source_init(&src, sample, sizeof(sample) - 1, 0);
    assert_int_equal(trace(&src.source, NULL, &out, &ta_heap, &err), TA_OK);
    assert_int_equal(ta_buf_byte(&out, 0), TA_OK);
    assert_string_equal(out.at, sample_trace);
    ta_buf_done(&out);
}

static void every_size_of_piece_and_of_buffer_gives_the_same_tokens(void **state)
{
    (void)state;
    for (size_t step = 1; step < sizeof(sample); step++)
        for (size_t buffer = 64; buffer < 200; buffer += 17) {
            struct ta_json_limits limits = {.buffer = buffer};
            struct slow_source src;
            struct ta_buf out;
            ta_buf_init(&out, &ta_heap, 4096);
            slow_init(&src, sample, sizeof(sample) - 1, step);
            assert_int_equal(trace(&src.source, &limits, &out, &ta_heap, NULL), TA_OK);
            assert_true(ta_str_is(ta_buf_view(&out), sample_trace));
            ta_buf_done(&out);
        }
}

static int outcome(const char *text, size_t n, struct ta_err *err)
{
    struct ta_mem_source src;
    struct ta_buf out;

    ta_buf_init(&out, &ta_heap, 65536);
    ta_mem_source_init(&src, text, n, 0);
    int r = trace(&src.source, NULL, &out, &ta_heap, err);
    ta_buf_done(&out);
    return r;
}

static void a_document_cut_anywhere_is_an_unexpected_end(void **state)
{
    (void)state;
    for (size_t cut = 0; cut < sizeof(sample) - 3; cut++) {
        struct ta_err err = {0};
        assert_int_equal(outcome(sample, cut, &err), TA_EFORMAT);
        assert_int_equal(strncmp(err.text, cut < 2 ? "EOF" : "unexpected EOF", cut < 2 ? 3 : 14),
                         0);
    }
}

static void what_is_no_json_is_refused_where_it_stands(void **state)
{
    static const struct {
        const char *text, *where;
    } cases[] = {
        {"{,}", "1:2"},
        {"[1,]", "1:4"},
        {"[1 2]", "1:4"},
        {"{\"a\" 1}", "1:6"},
        {"{\"a\":1,}", "1:8"},
        {"{\"a\":1]", "1:7"},
        {"[1}", "1:3"},
        {"01", "1:2"},
        {"-", "1:2"},
        {"1.", "1:3"},
        {"1.e5", "1:3"},
        {"[1e+]", "1:5"},
        {"+1", "1:1"},
        {".5", "1:1"},
        {"truE", "1:4"},
        {"nul]", "1:4"},
        {"\"a\nb\"", "1:3"},
        {"\"\\x\"", "1:3"},
        {"\"\\u12g4\"", "1:6"},
        {"\"\x01\"", "1:2"},
        {"1 2", "1:3"},
        {"[1]\n]", "2:1"},
        {"{1:2}", "1:2"},
        {"[\n\n  x", "3:3"},
        {"\xef\xbb\xbf{}", "1:1"},
        {"[1-2]", "1:3"},
        {"[0x1]", "1:3"},
        {"'a'", "1:1"},
        {"NaN", "1:1"},
        {"[Infinity]", "1:2"},
        {"{\"a\":}", "1:6"},
        {"]", "1:1"},
        {"\v1", "1:1"},
    };

    (void)state;
    for (size_t i = 0; i < TA_COUNT(cases); i++) {
        struct ta_err err = {0};
        assert_int_equal(outcome(cases[i].text, strlen(cases[i].text), &err), TA_EFORMAT);
        const char *at = strstr(err.text, "at line ");
        if (!at || strcmp(at + 8, cases[i].where))
            fail_msg("%s: \"%s\" instead of line %s", cases[i].text, err.text, cases[i].where);
    }
}

static struct ta_str read_one_string(const char *text, struct ta_json_reader **rd,
                                     struct ta_mem_source *src)
{
    struct ta_json_token t = {0};

    ta_mem_source_init(src, text, strlen(text), 0);
    assert_int_equal(ta_json_reader_new(rd, &src->source, NULL, &ta_heap), TA_OK);
    assert_int_equal(ta_json_next(*rd, &t, NULL), 1);
    assert_int_equal(t.kind, TA_JSON_STRING);
    return t.text;
}

static void strings_decode_to_valid_utf8(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"\"\"", ""},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"\\ud800\"", "\xef\xbf\xbd"},
        {"\"\\ud800x\"", "\xef\xbf\xbdx"},
        {"\"\\ud800\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80"},
        {"\"\\ude00\"", "\xef\xbf\xbd"},
        {"\"\\uD83D\\uDE00\"", "\xf0\x9f\x98\x80"},
        {"\"\\ud83d\\n\"", "\xef\xbf\xbd\n"},
        {"\"a\xff"
         "b\"",
         "a\xef\xbf\xbd"
         "b"},
        {"\"\xc3\"", "\xef\xbf\xbd"},
        {"\"\xed\xa0\x80\"", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\"\xe2\x82\xac\"", "\xe2\x82\xac"},
        {"\"\x7f\"", "\x7f"},
    };

    (void)state;
    for (size_t i = 0; i < TA_COUNT(cases); i++) {
        struct ta_json_reader *rd = NULL;
        struct ta_mem_source src;
        if (!ta_str_is(read_one_string(cases[i].in, &rd, &src), cases[i].out))
            fail_msg("%s", cases[i].in);
        ta_json_reader_free(rd);
    }
}

/* Skips the value of "skip" and wants the member behind it. */
static void check_skip(const char *value, size_t step)
{
    struct ta_json_limits limits = {.buffer = 64, .depth = 8};
    struct ta_json_reader *rd = NULL;
    struct ta_json_token t;
    struct slow_source src;
    struct ta_buf text;
    int r;

    ta_buf_init(&text, &ta_heap, 65536);
    assert_int_equal(ta_buf_printf(&text, "{\"skip\":%s,\"after\":7}", value), TA_OK);
    slow_init(&src, text.at, text.len, step);
    assert_int_equal(ta_json_reader_new(&rd, &src.source, &limits, &ta_heap), TA_OK);
    while ((r = ta_json_next(rd, &t, NULL)) == TA_EAGAIN || (r == 1 && t.kind != TA_JSON_KEY)) {
    }
    assert_true(r == 1 && ta_str_is(t.text, "skip"));
    while ((r = ta_json_skip(rd, NULL)) == TA_EAGAIN) {
    }
    assert_int_equal(r, TA_OK);
    assert_int_equal(ta_json_skip(rd, NULL), TA_OK);
    while ((r = ta_json_next(rd, &t, NULL)) == TA_EAGAIN) {
    }
    assert_true(r == 1 && t.kind == TA_JSON_KEY && ta_str_is(t.text, "after"));
    assert_int_equal(t.depth, 1);
    ta_json_reader_free(rd);
    ta_buf_done(&text);
}

static void skipping_passes_over_values_of_any_size(void **state)
{
    static char long_string[3000], long_number[3000];

    (void)state;
    memset(long_string, 'x', sizeof(long_string) - 1);
    memset(long_number, '7', sizeof(long_number) - 1);
    long_string[0] = long_string[sizeof(long_string) - 2] = '"';
    memcpy(long_string + 1000, "\\\"\\u00e4\xff", 9);
    for (size_t step = 1; step < 70; step += 3) {
        check_skip("1", step);
        check_skip("\"a\"", step);
        check_skip("{}", step);
        check_skip("[]", step);
        check_skip("[1,{\"a\":[true,false,null,{\"b\":\"]}\"}]},[[]]]", step);
        check_skip(long_string, step);
        check_skip(long_number, step);
    }
}

static void skipping_checks_what_it_passes_over(void **state)
{
    static const char *const bad[] = {"[1,{]", "[\"\\x\"]", "[1.]", "[tru]", "[\"a", "[1"};

    (void)state;
    for (size_t i = 0; i < TA_COUNT(bad); i++) {
        struct ta_mem_source src;
        struct ta_json_reader *rd = NULL;
        struct ta_json_token t;
        ta_mem_source_init(&src, bad[i], strlen(bad[i]), 0);
        assert_int_equal(ta_json_reader_new(&rd, &src.source, NULL, &ta_heap), TA_OK);
        assert_int_equal(ta_json_next(rd, &t, NULL), 1);
        assert_int_equal(ta_json_skip(rd, NULL), TA_EFORMAT);
        assert_int_equal(ta_json_next(rd, &t, NULL), TA_EFORMAT);
        ta_json_reader_free(rd);
    }
}

static int text_of_length(size_t n, char c)
{
    struct ta_json_limits limits = {.buffer = 64};
    struct ta_mem_source src;
    struct ta_buf out;
    char text[100];

    memset(text, c, sizeof(text));
    text[0] = text[n + 1] = c == '7' ? ' ' : '"';
    ta_buf_init(&out, &ta_heap, 4096);
    ta_mem_source_init(&src, text, n + 2, 3);
    int r = trace(&src.source, &limits, &out, &ta_heap, NULL);
    ta_buf_done(&out);
    return r;
}

static void limits_hold_exactly(void **state)
{
    struct ta_json_limits deep = {.depth = 3};
    struct ta_mem_source src;
    struct ta_buf out;

    (void)state;
    assert_int_equal(text_of_length(32, 'x'), TA_OK);
    assert_int_equal(text_of_length(33, 'x'), TA_ERANGE);
    assert_int_equal(text_of_length(90, 'x'), TA_ERANGE);
    assert_int_equal(text_of_length(32, '7'), TA_OK);
    assert_int_equal(text_of_length(33, '7'), TA_ERANGE);
    assert_int_equal(text_of_length(10, '\xff'), TA_OK);
    assert_int_equal(text_of_length(11, '\xff'), TA_ERANGE);
    ta_buf_init(&out, &ta_heap, 4096);
    ta_mem_source_init(&src, "[[[]]]", 6, 0);
    assert_int_equal(trace(&src.source, &deep, &out, &ta_heap, NULL), TA_OK);
    ta_mem_source_init(&src, "[[[[]]]]", 8, 0);
    assert_int_equal(trace(&src.source, &deep, &out, &ta_heap, NULL), TA_ERANGE);
    ta_buf_done(&out);
}

static void lines_of_json_are_read_one_after_another(void **state)
{
    const char text[] = "{\"a\":1}\n[2]\n3\n\n";
    struct ta_mem_source src;
    struct ta_json_reader *rd = NULL;
    struct ta_json_token t;
    struct ta_err err = {0};
    int values = 0, r = 0;

    (void)state;
    ta_mem_source_init(&src, text, sizeof(text) - 1, 1);
    assert_int_equal(ta_json_reader_new(&rd, &src.source, NULL, &ta_heap), TA_OK);
    for (;; values++, ta_json_again(rd)) {
        while ((r = ta_json_next(rd, &t, &err)) == 1) {
        }
        if (r < 0)
            break;
    }
    assert_int_equal(values, 3);
    assert_int_equal(r, TA_EFORMAT);
    assert_int_equal(strncmp(err.text, "EOF", 3), 0);
    assert_int_equal(ta_json_offset(rd), sizeof(text) - 1);
    ta_json_reader_free(rd);
}

static void numbers_convert_or_say_why_not(void **state)
{
    struct ta_json_token t = {
        .kind = TA_JSON_NUMBER, .text = TA_STR("-42"), .line = 3, .column = 9};
    struct ta_err err = {0};
    int64_t i = 0;
    uint64_t u = 0;
    double d = 0;

    (void)state;
    assert_int_equal(ta_json_i64(&t, &i), TA_OK);
    assert_int_equal(i, -42);
    assert_int_equal(ta_json_u64(&t, &u), TA_EFORMAT);
    t.text = TA_STR("1.5");
    assert_int_equal(ta_json_i64(&t, &i), TA_EFORMAT);
    assert_int_equal(ta_json_f64(&t, &d), TA_OK);
    assert_true(d == 1.5);
    t.text = TA_STR("1e999");
    assert_int_equal(ta_json_f64(&t, &d), TA_ERANGE);
    t.kind = TA_JSON_STRING;
    assert_int_equal(ta_json_f64(&t, &d), TA_EFORMAT);
    assert_int_equal(ta_json_expected(&t, "a number", &err), TA_EFORMAT);
    assert_string_equal(err.text, "line 3:9: expected a number, found a string");
}

static int read_with(struct ta_alloc *alloc)
{
    struct ta_mem_source src;
    struct ta_buf out;

    ta_buf_init(&out, alloc, 4096);
    ta_mem_source_init(&src, sample, sizeof(sample) - 1, 7);
    int r = trace(&src.source, NULL, &out, alloc, NULL);
    ta_buf_done(&out);
    return r;
}

static void every_failing_allocation_is_clean(void **state)
{
    (void)state;
    for (struct fault f = {0}; fault_next(&f);)
        fault_judge(&f, read_with(&f.alloc));
}

/* Kinds of all tokens, with the texts that were kept. */
static int walk(const char *text, size_t step, bool accepts_nonfinite, char *out, size_t cap)
{
    struct ta_json_limits limits = {.buffer = 64, .accepts_nonfinite = accepts_nonfinite};
    struct ta_json_reader *rd = NULL;
    struct ta_json_token t;
    struct slow_source src;
    size_t n = 0;
    int r;

    slow_init(&src, text, strlen(text), step);
    assert_int_equal(ta_json_reader_new(&rd, &src.source, &limits, &ta_heap), TA_OK);
    while ((r = ta_json_walk(rd, &t, NULL)) == 1 || r == TA_EAGAIN)
        if (r == 1)
            n += (size_t)snprintf(out + n, cap - n, "%c%.*s ", "{}[]ksntf0"[t.kind],
                                  TA_STR_FMT(t.text));
    ta_json_reader_free(rd);
    return r;
}

static void a_walk_keeps_keys_and_passes_values_of_any_size(void **state)
{
    char text[2000], out[200];

    (void)state;
    int n =
        snprintf(text, sizeof(text), "{\"a\": \"%0*d\", \"\\u0062\": [%0*d1, true]}", 500, 7, 0, 1);
    assert_true(n > 500);
    for (size_t step = 1; step < 70; step += 3) {
        assert_int_equal(walk(text, step, false, out, sizeof(out)), 0);
        assert_string_equal(out, "{ ka s kb [ n t ] } ");
    }
}

static void nonfinite_numbers_are_taken_only_when_asked_for(void **state)
{
    static const char *const good[] = {"NaN", "[-Infinity,1]", "{\"a\":Infinity}", "[ -Infinity ]"};
    static const char *const bad[] = {"Nan", "-NaN", "[-Infinit]", "Inf", "--Infinity", "-I", "-"};
    char out[200];

    (void)state;
    for (size_t i = 0; i < TA_COUNT(good); i++)
        for (size_t step = 1; step < 12; step++) {
            assert_int_equal(walk(good[i], step, true, out, sizeof(out)), 0);
            assert_int_equal(walk(good[i], step, false, out, sizeof(out)), TA_EFORMAT);
        }
    for (size_t i = 0; i < TA_COUNT(bad); i++)
        for (size_t step = 1; step < 12; step++)
            assert_int_equal(walk(bad[i], step, true, out, sizeof(out)), TA_EFORMAT);
}

static void values_one_after_another_end_where_the_source_ends(void **state)
{
    struct ta_json_reader *rd = NULL;
    struct ta_json_token t;
    struct slow_source src;
    static const char text[] = "1\n{}\n 2 \n\n";
    unsigned n = 0;
    int r;

    (void)state;
    slow_init(&src, text, sizeof(text) - 1, 1);
    assert_int_equal(ta_json_reader_new(&rd, &src.source, NULL, &ta_heap), TA_OK);
    while ((r = ta_json_more(rd, NULL)) != 0) {
        if (r == TA_EAGAIN)
            continue;
        assert_int_equal(r, 1);
        while ((r = ta_json_next(rd, &t, NULL)) != 0)
            assert_true(r == 1 || r == TA_EAGAIN);
        n++;
    }
    assert_int_equal(n, 3);
    ta_json_reader_free(rd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_walk_keeps_keys_and_passes_values_of_any_size),
        cmocka_unit_test(nonfinite_numbers_are_taken_only_when_asked_for),
        cmocka_unit_test(values_one_after_another_end_where_the_source_ends),
        cmocka_unit_test(tokens_come_with_depth_and_place),
        cmocka_unit_test(every_size_of_piece_and_of_buffer_gives_the_same_tokens),
        cmocka_unit_test(a_document_cut_anywhere_is_an_unexpected_end),
        cmocka_unit_test(what_is_no_json_is_refused_where_it_stands),
        cmocka_unit_test(strings_decode_to_valid_utf8),
        cmocka_unit_test(skipping_passes_over_values_of_any_size),
        cmocka_unit_test(skipping_checks_what_it_passes_over),
        cmocka_unit_test(limits_hold_exactly),
        cmocka_unit_test(lines_of_json_are_read_one_after_another),
        cmocka_unit_test(numbers_convert_or_say_why_not),
        cmocka_unit_test(every_failing_allocation_is_clean),
    };

    return cmocka_run_group_tests_name("json_read", tests, NULL, NULL);
}
