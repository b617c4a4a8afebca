/* The dialect line by line, every split of the input, and the way back after a bad line. */
#include "line/line.h"
#include "line/value.h"
#include "line/value_avx2.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* All samples and errors of an input as text, however the input is cut. */
struct story {
    char text[65536];
    size_t len;
};

static void tell(struct story *st, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void tell(struct story *st, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(st->text + st->len, sizeof(st->text) - st->len, fmt, ap);
    va_end(ap);
    assert_true(n >= 0 && st->len + (size_t)n < sizeof(st->text));
    st->len += (size_t)n;
}

static void tell_sample(struct story *st, const struct ta_line_sample *s)
{
    tell(st, "%llu %.*s|%.*s|%.*s|%.*s+%.*s|%.*s+%.*s %.*s=%.17g", (unsigned long long)s->line,
         TA_STR_FMT(s->measurement), TA_STR_FMT(s->cluster), TA_STR_FMT(s->host),
         TA_STR_FMT(s->type), TA_STR_FMT(s->type_id), TA_STR_FMT(s->stype), TA_STR_FMT(s->stype_id),
         TA_STR_FMT(s->field), s->value);
    if (s->has_ts)
        tell(st, " @%lld", (long long)s->ts_s);
    tell(st, "\n");
}

static void tell_result(struct story *st, const struct ta_line_sample *out,
                        const struct ta_line_result *res)
{
    struct ta_err err = {0};

    for (size_t i = 0; i < res->n; i++)
        tell_sample(st, &out[i]);
    if (res->stop != TA_LINE_BAD)
        return;
    ta_line_fail(&err, &res->error);
    tell(st, "%s [%s]\n", err.text, ta_line_reason_name(res->error.reason));
}

static const struct ta_line_options influx = {.mode = TA_LINE_INFLUX, .precision = TA_LINE_NS};

/* Feeds `input` in blocks that end at the given cuts; what is not consumed comes again. */
static void run_cut(struct story *st, const struct ta_line_options *options, struct ta_str input,
                    size_t first, size_t step)
{
    static struct ta_line_side side;
    static struct ta_line_sample out[TA_LINE_BATCH_MAX];
    struct ta_line s;
    size_t at = 0, end = first < input.len ? first : input.len;

    ta_line_init(&s, options);
    st->len = 0;
    st->text[0] = 0;
    for (;;) {
        struct ta_line_result res;
        /* A heap block of just this size: reading past it shows under ASan. */
        char *copy = malloc(end > at ? end - at : 1);
        memcpy(copy, input.at + at, end - at);
        struct ta_str block = {copy, end - at};
        bool is_end = end == input.len;
        ta_line_scan(&s, &side, block, is_end, out, TA_LINE_BATCH_MAX, &res);
        tell_result(st, out, &res);
        free(copy);
        at += res.used;
        if (res.stop != TA_LINE_DRAINED)
            continue;
        if (is_end) {
            assert_int_equal(at, input.len);
            return;
        }
        end = end + step < input.len ? end + step : input.len;
    }
}

static const char *scan(const char *input)
{
    static struct story st;

    run_cut(&st, NULL, ta_str(input), SIZE_MAX / 2, 1);
    return st.text;
}

static const char *scan_influx(const char *input)
{
    static struct story st;

    run_cut(&st, &influx, ta_str(input), SIZE_MAX / 2, 1);
    return st.text;
}

#define GIVES(input, text) assert_string_equal(scan(input), text)

static void a_collector_line_gives_its_tags_and_value(void **state)
{
    (void)state;
    GIVES("cpu_user,cluster=taurus,hostname=n0001,type=hwthread,type-id=3,unit=Percent "
          "value=98.18333333333334 1700000041\n",
          "1 cpu_user|taurus|n0001|hwthread+3|+ value=98.183333333333337 @1700000041\n");
    GIVES("nv_link,cluster=c,hostname=h,stype-id=1,stype=nvlink,type-id=00000000:0E:00.0,"
          "type=accelerator value=7i 1700000041\n",
          "1 nv_link|c|h|accelerator+00000000:0E:00.0|nvlink+1 value=7 @1700000041\n");
}

static void later_tags_overwrite_and_both_host_keys_count(void **state)
{
    (void)state;
    GIVES("m,host=a,cluster=x,hostname=b,cluster=y value=1\n", "1 m|y|b|+|+ value=1\n");
    GIVES("m,hostname=a,host=b value=1\n", "1 m||b|+|+ value=1\n");
}

static void every_kind_of_number_is_read(void **state)
{
    static const struct {
        const char *text;
        double value;
    } kinds[] = {
        {"1", 1},
        {"-2.5", -2.5},
        {".5", .5},
        {"5.", 5},
        {"3i", 3},
        {"4u", 4},
        {"5e2", 500},
        {"6.25E-3", 6.25e-3},
        {"-7i", -7},
        {"1e+21", 1e21},
        {"1_000", 1000},
        {"1_0.5", 10.5},
        {"0x1p-2", .25},
        {"0X1.8p+1", 3},
        {"0x_1_0p0", 16},
        {"-0x1p-1074", -0x1p-1074},
        {"1e-400", 0},
        {"012i", 12},
        {"0x1.fffffffffffffp1023", 0x1.fffffffffffffp1023},
        {"18446744073709551615u", 18446744073709551615.0},
        {"-9223372036854775808i", -9223372036854775808.0},
        {"9007199254740993", 9007199254740992},
        {"0x1.00000000000008p0", 1},
        {"0x1.000000000000081p0", 0x1.0000000000001p0},
        {"0.000000000000000000000000000012345", 1.2345e-29},
        {"123456789012345678901234567890", 123456789012345678901234567890.0},
    };
    char line[128], want[160];

    (void)state;
    for (size_t i = 0; i < TA_COUNT(kinds); i++) {
        for (int padded = 0; padded < 2; padded++) { /* with room for the quick way, and without */
            snprintf(line, sizeof(line), "m value=%s 5\n%s", kinds[i].text,
                     padded ? "# ------------------------------------------------------------ #"
                            : "");
            snprintf(want, sizeof(want), "1 m|||+|+ value=%.17g @5\n", kinds[i].value);
            GIVES(line, want);
        }
    }
}

static void what_is_no_number_is_refused_at_its_column(void **state)
{
    (void)state;
    GIVES("m value=NaN\n", "at line 1:9: value has unrecognized type: 'NaN' [value]\n");
    GIVES("m value=+1.25\n", "at line 1:9: value has unrecognized type: '+1.25' [value]\n");
    GIVES("m value=-Inf\n", "at line 1:9: invalid float value '-Inf' [value]\n");
    GIVES("m value=0x10\n", "at line 1:9: invalid float value '0x10' [value]\n");
    GIVES("m value=-\n", "at line 1:9: invalid float value '-' [value]\n");
    GIVES("m value=.\n", "at line 1:9: invalid float value '.' [value]\n");
    GIVES("m value=1e\n", "at line 1:9: invalid float value '1e' [value]\n");
    GIVES("m value=1__0\n", "at line 1:9: invalid float value '1__0' [value]\n");
    GIVES("m value=1_\n", "at line 1:9: invalid float value '1_' [value]\n");
    GIVES("m value=1_.5\n", "at line 1:9: invalid float value '1_.5' [value]\n");
    GIVES("m value=1.5i\n", "at line 1:9: invalid integer value '1.5i' [value]\n");
    GIVES("m value=-1u\n", "at line 1:9: invalid unsigned integer value '-1u' [value]\n");
    GIVES("m value=1e400\n", "at line 1:9: value out of range: '1e400' [value_range]\n");
    GIVES("m value=0x1p1024\n", "at line 1:9: value out of range: '0x1p1024' [value_range]\n");
    GIVES("m value=9223372036854775808i\n",
          "at line 1:9: value out of range: '9223372036854775808i' [value_range]\n");
    GIVES("m value= 5\n", "at line 1:9: missing value for field 'value' [syntax]\n");
}

static void strings_and_booleans_are_refused_whole(void **state)
{
    (void)state;
    GIVES("m,host=h value=true 5\nm value=2\n",
          "at line 1:16: host h: unsupported value type in message: bool [value_type]\n"
          "2 m|||+|+ value=2\n");
    GIVES("m,host=h value=\"a \\\" b\nc,d\" 5\nm value=2\n",
          "at line 1:16: host h: unsupported value type in message: string [value_type]\n"
          "3 m|||+|+ value=2\n");
    GIVES("m text=\"a\nb\",more=\"c\nd\",value=1 5\nm value=2\n",
          "at line 1:3: host : unknown field: 'text' [unknown_field]\n4 m|||+|+ value=2\n");
}

static void an_endless_string_costs_one_line(void **state)
{
    (void)state;
    GIVES("m value=\"abc 1\nm value=2\nm value=3\n",
          "at line 1:9: host : unsupported value type in message: string [value_type]\n"
          "2 m|||+|+ value=2\n3 m|||+|+ value=3\n");
}

static void of_several_fields_named_value_the_last_wins(void **state)
{
    (void)state;
    GIVES("m value=1,value=2 7\n", "1 m|||+|+ value=2 @7\n");
    GIVES("m value=1,other=2 7\nm value=3\n",
          "at line 1:11: host : unknown field: 'other' [unknown_field]\n2 m|||+|+ value=3\n");
}

static void errors_of_grammar_name_line_and_column(void **state)
{
    (void)state;
    GIVES("cpu_load,cluster=taurus,hostname=el2\n",
          "at line 1:37: expected tag or field, found end of line [syntax]\n");
    GIVES("m value=1\ncpu_load is broken\nm value=3\n",
          "1 m|||+|+ value=1\nat line 2:12: expected '=' after field key 'is' [syntax]\n"
          "3 m|||+|+ value=3\n");
    GIVES("cpu_load,cluster=taurus,hostname value=1\n",
          "at line 1:25: expected '=' after tag key 'hostname' [syntax]\n");
    GIVES("cpu_load, cluster=taurus value=1\n",
          "at line 1:10: expected tag key after comma [syntax]\n");
    GIVES("m,host= value=1\n", "at line 1:8: expected tag value after tag key 'host' [syntax]\n");
    GIVES("m,=a value=1\n", "at line 1:3: expected tag key after comma [syntax]\n");
    GIVES("m,host=a=b value=1\n",
          "at line 1:9: '=' must be escaped in the value of tag 'host' [syntax]\n");
    GIVES(",a=b value=1\n", "at line 1:1: expected measurement [syntax]\n");
    GIVES("m,a=b \n", "at line 1:7: expected field key but none found [syntax]\n");
    GIVES("m =1\n", "at line 1:3: expected field key but none found [syntax]\n");
    GIVES("m value=1,\n", "at line 1:11: expected field key but none found [syntax]\n");
    GIVES("m\tx value=1\n", "at line 1:2: invalid character [syntax]\n");
    GIVES("m,a=\x7f value=1\n", "at line 1:5: expected tag value after tag key 'a' [syntax]\n");
    GIVES("m,a=b\rc value=1\n", "at line 1:6: invalid character [syntax]\n");
    GIVES("m value=\"a\"b 1\n",
          "at line 1:9: host : unsupported value type in message: string [value_type]\n");
}

static void escapes_are_resolved_only_where_they_are_escapes(void **state)
{
    (void)state;
    GIVES("a\\ b\\,c\\=d=e,cluster=x\\=y,hostname=e\\ z\\,1,type=\\a\\\\b va\\=lue=1\n",
          "at line 1:55: host e z,1: unknown field: 'va=lue' [unknown_field]\n");
    GIVES("a\\ b\\,c\\=d=e,cluster=x\\=y,hostname=e\\ z\\,1,type=\\a\\\\b value=1\n",
          "1 a b,c\\=d=e|x=y|e z,1|\\a\\\\b+|+ value=1\n");
    GIVES("m,hostname=a\\ value=1\n",
          "at line 1:20: '=' must be escaped in the value of tag 'hostname' [syntax]\n");
}

static void blank_lines_comments_and_spaces_are_passed(void **state)
{
    (void)state;
    GIVES("# comment\n\n   \n  # more\n  m,a=b   value=1   12   \n\r\n#x\r\nm value=2",
          "5 m|||+|+ value=1 @12\n8 m|||+|+ value=2\n");
    GIVES("# a\tb\nm value=1\n",
          "at line 1:4: control character in a comment [syntax]\n2 m|||+|+ value=1\n");
    GIVES("", "");
    GIVES("\n", "");
}

static void crlf_ends_lines_too(void **state)
{
    (void)state;
    GIVES("m value=1 5\r\nm value=2\r\nm value=3i 7\r\n",
          "1 m|||+|+ value=1 @5\n2 m|||+|+ value=2\n3 m|||+|+ value=3 @7\n");
}

static void time_stamps_find_their_unit_by_size(void **state)
{
    (void)state;
    GIVES("m value=1 99999999999\nm value=1 1700000041999\nm value=1 1700000041999999\n"
          "m value=1 1700000041999999999\nm value=1 -60\nm value=1 -1700000041001\nm value=1 0\n",
          "1 m|||+|+ value=1 @99999999999\n2 m|||+|+ value=1 @1700000041\n"
          "3 m|||+|+ value=1 @1700000041\n4 m|||+|+ value=1 @1700000041\n"
          "5 m|||+|+ value=1 @-60\n6 m|||+|+ value=1 @-1700000042\n7 m|||+|+ value=1 @0\n");
}

static void a_malformed_time_stamp_is_an_error(void **state)
{
    (void)state;
    GIVES("m value=1 abc\n", "at line 1:11: malformed timestamp 'abc' [timestamp]\n");
    GIVES("m value=1 12abc\n", "at line 1:11: malformed timestamp '12abc' [timestamp]\n");
    GIVES("m value=1 1700000040.5\n",
          "at line 1:11: malformed timestamp '1700000040.5' [timestamp]\n");
    GIVES("m value=1 17 extra\n", "at line 1:14: text after the timestamp [timestamp]\n");
    GIVES("m value=1 9223372036854775808\n",
          "at line 1:11: malformed timestamp '9223372036854775808' [timestamp]\n");
}

static void names_must_be_utf8(void **state)
{
    (void)state;
    GIVES("m,hostname=knoten-\xc3\xa4 value=1\n", "1 m||knoten-\xc3\xa4|+|+ value=1\n");
    GIVES("m,hostname=a\xc3 value=1\nm value=2\n",
          "at line 1:13: invalid UTF-8 [utf8]\n2 m|||+|+ value=2\n");
    GIVES("m,x=\xed\xa0\x80 value=1\n", "at line 1:5: invalid UTF-8 [utf8]\n");
    GIVES("m,x=\xf0\x8f\xbf\xbf value=1\n", "at line 1:5: invalid UTF-8 [utf8]\n");
    GIVES("m,x=\xf4\x8f\xbf\xbf,\xc0\xaf=1 value=1\n", "at line 1:10: invalid UTF-8 [utf8]\n");
}

static void a_name_may_have_255_bytes(void **state)
{
    char line[600];

    (void)state;
    for (int n = 254; n <= 256; n++) {
        snprintf(line, sizeof(line), "m,host=%0*d value=1\n", n, 0);
        bool good = strncmp(scan(line), "1 m||0", 6) == 0;
        assert_int_equal(good, n <= 255);
    }
    assert_string_equal(scan(line), "at line 1:8: name is longer than 255 bytes [long_name]\n");
    for (int n = 254; n <= 256; n++) {
        snprintf(line, sizeof(line), "m,host=\\,%0*d value=1\n", n - 1, 0);
        bool good = strncmp(scan(line), "1 m||,0", 7) == 0;
        assert_int_equal(good, n <= 255);
    }
    snprintf(line, sizeof(line), "m,other=%0*d value=1\n", 400, 0);
    assert_string_equal(scan(line), "1 m|||+|+ value=1\n");
}

static void a_line_that_is_too_long_costs_itself(void **state)
{
    static struct story st;
    struct ta_line_options options = {.line_max = 32};
    struct ta_str input = TA_STR("m value=1\nm,a=0123456789012345678901234567890123456789 value=1\n"
                                 "m value=2\nm,a=34567890123456789 value=1234\n"
                                 "m,a=34567890123456789 value=123\nm value=3\n");

    (void)state;
    for (size_t step = 1; step < 100; step++) {
        run_cut(&st, &options, input, step, step);
        assert_string_equal(st.text,
                            "1 m|||+|+ value=1\nat line 2:1: line is too long [long_line]\n"
                            "3 m|||+|+ value=2\nat line 4:1: line is too long [long_line]\n"
                            "5 m|||+|+ value=123\n6 m|||+|+ value=3\n");
    }
}

static void influx_mode_gives_every_number_of_a_line(void **state)
{
    (void)state;
    assert_string_equal(
        scan_influx("net,host=h rx=1i,tx=2.5,name=\"eth0\",up=true,value=7 1700000041999999999\n"),
        "1 net||h|+|+ rx=1 @1700000041\n1 net||h|+|+ tx=2.5 @1700000041\n"
        "1 net||h|+|+ value=7 @1700000041\n");
    assert_string_equal(scan_influx("net rx=1i,tx=oops 5\nnet rx=1 -1\n"),
                        "at line 1:14: value has unrecognized type: 'oops' [value]\n"
                        "2 net|||+|+ rx=1 @-1\n");
}

static void influx_mode_takes_up_to_256_fields_of_a_line(void **state)
{
    static char line[4096];

    (void)state;
    for (int n = 255; n <= 257; n++) {
        size_t len = (size_t)snprintf(line, sizeof(line), "m value=1 7\nm f0=0");
        for (int i = 1; i < n; i++)
            len += (size_t)snprintf(line + len, sizeof(line) - len, ",f%d=1", i);
        snprintf(line + len, sizeof(line) - len, " 1\nm last=1 7\n");
        const char *story = scan_influx(line);
        assert_non_null(strstr(story, "3 m|||+|+ last=1"));
        assert_int_equal(strstr(story, "f254=1") != NULL, n <= 256);
        assert_int_equal(strstr(story, "too many fields") != NULL, n == 257);
    }
}

static const char mixed[] =
    "cpu_load,cluster=taurus,hostname=n0001,type=node value=56.84 1700000041\n"
    "# note\r\n\r\n  mem\\ used,hostname=e\\ z\\,1,type=a\\=b value=3.687667712e-05 1700000041\r\n"
    "m text=\"a\\\"b\nc\r\nd\",value=1 5\nthis is not line protocol\nm value=12i\n"
    "m,hostname=knoten-\xc3\xa4 value=0x1.8p3 -60\nm,host=\xff value=1\nm value=1 12abc\n"
    "m value=1,value=2 1700000041999\nm value=\"never closed\nm,a=b value=1_000 12";

static void every_split_in_two_gives_the_same(void **state)
{
    static struct story whole, cut;
    struct ta_str input = TA_STR(mixed);

    (void)state;
    for (int mode = 0; mode < 2; mode++) {
        const struct ta_line_options *options = mode ? &influx : NULL;
        run_cut(&whole, options, input, input.len, 1);
        for (size_t i = 0; i <= input.len; i++) {
            run_cut(&cut, options, input, i, input.len);
            assert_string_equal(whole.text, cut.text);
        }
        for (size_t step = 1; step < 40; step++) {
            run_cut(&cut, options, input, step, step);
            assert_string_equal(whole.text, cut.text);
        }
    }
}

enum { FRONT = 40 }; /* bytes in front of a number, as the head of a line has */

/* Both quick readers against the plain one. */
static void read_quickly(const char *text, const char *end, enum ta_line_reason plain_reason,
                         double plain)
{
    double quick = 0;
    const char *found = ta_line_quick_number(text, &quick);

    if (found) {
        assert_int_equal(plain_reason, TA_LINE_GOOD);
        assert_ptr_equal(found, end);
        assert_memory_equal(&plain, &quick, sizeof(plain));
    }
#ifdef __x86_64__
    if (!ta_has_avx2() || ta_line_end_avx2(text) != end)
        return;
    double wide = 0;
    bool is_read = ta_line_number_avx2(text, end, &wide);
    if (is_read) {
        assert_int_equal(plain_reason, TA_LINE_GOOD);
        assert_memory_equal(&plain, &wide, sizeof(plain));
    }
    /* What values look like is its business. */
    if (found && strcspn(text, "eEi") > (size_t)(end - text))
        assert_true(is_read);
#endif
}

static void the_quick_number_is_the_plain_one(void **state)
{
    uint64_t x = 88172645463325252;
    char room[FRONT + 161] = {0}, *text = room + FRONT;

    (void)state;
    memset(room, '=', FRONT);
    for (int i = 0; i < 400000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        double v, plain = 0;
        const char *what;
        memcpy(&v, &x, sizeof(v));
        if (!isfinite(v) || i % 4)
            v = (double)(int64_t)(x >> 20) / (double)(1 + (x & 0xffff));
        int n = i % 3   ? snprintf(text, 160, "%.*g", 1 + i % 17, v)
                : i & 1 ? snprintf(text, 160, "%.*f", i % 12, fmod(v, 1e9))
                : i & 2 ? snprintf(text, 160, "%lldi", (long long)(int64_t)x >> i % 60)
                        : snprintf(text, 160, "%.*e", i % 19, v / 1e5);
        memset(text + n, i % 5 ? ' ' : '\n', 160 - (size_t)n);
        enum ta_line_reason r = ta_line_number((struct ta_str){text, (size_t)n}, &plain, &what);
        assert_true(r == TA_LINE_GOOD || r == TA_LINE_VALUE_RANGE); /* rounded up past the end */
        read_quickly(text, text + n, r, plain);
    }
}

/* Digits, points and signs in any order: what the plain way refuses no quick one takes. */
static void the_quick_number_takes_nothing_else(void **state)
{
    static const char alphabet[] = "0123456789....--+eE_xi:/,\"";
    uint64_t x = 88172645463325252;
    char room[FRONT + 101] = {0}, *text = room + FRONT;
    size_t good = 0;

    (void)state;
    memset(room, '=', FRONT);
    for (int i = 0; i < 400000; i++) {
        size_t n = 1 + (size_t)i % 26;
        for (size_t k = 0; k < n; k++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            /* Mostly digits, so that many are numbers. */
            text[k] = alphabet[(x >> 20) % (i % 2 ? 13 : sizeof(alphabet) - 1)];
            if ((x >> 40) % 16)
                text[k] = (char)('0' + (x >> 50) % 10);
        }
        memset(text + n, ' ', 100 - n);
        double plain = 0;
        const char *what;
        enum ta_line_reason r = ta_line_number((struct ta_str){text, n}, &plain, &what);
        good += r == TA_LINE_GOOD;
        read_quickly(text, text + n, r, plain);
    }
    assert_in_range(good, 100000, 390000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_collector_line_gives_its_tags_and_value),
        cmocka_unit_test(later_tags_overwrite_and_both_host_keys_count),
        cmocka_unit_test(every_kind_of_number_is_read),
        cmocka_unit_test(what_is_no_number_is_refused_at_its_column),
        cmocka_unit_test(strings_and_booleans_are_refused_whole),
        cmocka_unit_test(an_endless_string_costs_one_line),
        cmocka_unit_test(of_several_fields_named_value_the_last_wins),
        cmocka_unit_test(errors_of_grammar_name_line_and_column),
        cmocka_unit_test(escapes_are_resolved_only_where_they_are_escapes),
        cmocka_unit_test(blank_lines_comments_and_spaces_are_passed),
        cmocka_unit_test(crlf_ends_lines_too),
        cmocka_unit_test(time_stamps_find_their_unit_by_size),
        cmocka_unit_test(a_malformed_time_stamp_is_an_error),
        cmocka_unit_test(names_must_be_utf8),
        cmocka_unit_test(a_name_may_have_255_bytes),
        cmocka_unit_test(a_line_that_is_too_long_costs_itself),
        cmocka_unit_test(influx_mode_gives_every_number_of_a_line),
        cmocka_unit_test(influx_mode_takes_up_to_256_fields_of_a_line),
        cmocka_unit_test(every_split_in_two_gives_the_same),
        cmocka_unit_test(the_quick_number_is_the_plain_one),
        cmocka_unit_test(the_quick_number_takes_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
