/* A checkpoint file of either format comes back as it was written, and damage costs nothing before it. */
#include "base/buf.h"
#include "base/bytes.h"
#include "fault.h"
#include "io/vfs_mem.h"
#include "mem_file.h"
#include "persist/tree_index.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FROM = 1000000, TEXT_MAX = 256 * 1024 };

struct seen {
    struct ta_buf text; /* one line a level, metric and value */
    uint64_t damage_at, n_damage, n_values;
};

static void seen_init(struct seen *s)
{
    *s = (struct seen){0};
    ta_buf_init(&s->text, &ta_heap, TEXT_MAX);
}

static int see(struct seen *s, enum ta_tree_format format, struct ta_file *file,
               struct ta_alloc *alloc)
{
    struct ta_tree_reader *r = NULL;
    struct ta_tree_event ev;
    int e = ta_tree_reader_new(&r, format, file, alloc, NULL);

    while (e >= 0 && (e = ta_tree_next(r, &ev, NULL)) > 0) {
        if (ev.kind == TA_TREE_LEVEL)
            ta_buf_printf(&s->text, "%u{%.*s\n", ev.depth, TA_STR_FMT(ev.name));
        if (ev.kind == TA_TREE_LEVEL_END)
            ta_buf_printf(&s->text, "}%u\n", ev.depth);
        if (ev.kind == TA_TREE_METRIC)
            ta_buf_printf(&s->text, "%u %.*s %lld %lld\n", ev.depth, TA_STR_FMT(ev.name),
                          (long long)ev.freq_s, (long long)ev.start_s);
        for (size_t i = 0; ev.kind == TA_TREE_VALUES && i < ev.n; i++)
            ta_buf_printf(&s->text, "%.9g\n", isnan(ev.values[i]) ? -1 : ev.values[i]);
        s->n_values += ev.kind == TA_TREE_VALUES ? ev.n : 0;
        if (ev.kind == TA_TREE_DAMAGE && s->n_damage++ == 0)
            s->damage_at = ev.at;
    }
    ta_tree_reader_free(r);
    return e;
}

static int see_bytes(struct seen *s, enum ta_tree_format format, const void *p, size_t n)
{
    struct mem_file m;

    mem_file_init(&m, p, n);
    return see(s, format, &m.file, &ta_heap);
}

struct file_bytes {
    size_t len;
    unsigned char at[512 * 1024];
};

static void put_metric(struct ta_tree_writer *w, const char *name, int64_t freq, int64_t start,
                       uint32_t n)
{
    assert_int_equal(ta_tree_metric(w, ta_str(name), freq, start, n, NULL), TA_OK);
    for (uint32_t i = 0; i < n; i++) {
        double v = i % 7 == 3 ? NAN : (double)i + 0.5;
        assert_int_equal(ta_tree_values(w, &v, 1, NULL), TA_OK);
    }
}

static void make(struct file_bytes *out, enum ta_tree_format format, uint32_t n)
{
    struct ta_vfs_mem mem;
    struct ta_file *f = NULL;
    struct ta_tree_writer w;
    static unsigned char buf[TA_TREE_BUFFER];
    uint64_t bytes = 0;

    assert_int_equal(ta_vfs_mem_init(&mem, &ta_heap), TA_OK);
    assert_int_equal(
        ta_open(&mem.vfs, "f", TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_CREATE, 0600, &f, NULL),
        TA_OK);
    assert_int_equal(
        ta_tree_begin(&w, format, f, buf, sizeof(buf), FROM, FROM + (int64_t)n * 60, NULL), TA_OK);
    put_metric(&w, "load", 60, FROM + 5, n);
    put_metric(&w, "mem", 60, FROM, n / 2);
    assert_int_equal(ta_tree_child(&w, 0, TA_STR("socket0"), NULL), TA_OK);
    put_metric(&w, "clock", 60, FROM, 3);
    assert_int_equal(ta_tree_child(&w, 1, TA_STR("link\"1"), NULL), TA_OK);
    put_metric(&w, "bw", 60, FROM, 2);
    assert_int_equal(ta_tree_child(&w, 0, TA_STR("socket1"), NULL), TA_OK);
    put_metric(&w, "clock", 60, FROM, 0);
    assert_int_equal(ta_tree_end(&w, &bytes, NULL), TA_OK);
    int64_t got = ta_pread_full(f, out->at, sizeof(out->at), 0, NULL);
    assert_int_equal(got, (int64_t)bytes);
    out->len = (size_t)got;
    assert_int_equal(ta_close(&f, NULL), TA_OK);
    ta_vfs_mem_done(&mem);
}

static struct file_bytes made;

static void both_formats_come_back_as_the_same_events(void **state)
{
    struct seen bin, json;

    (void)state;
    seen_init(&bin);
    seen_init(&json);
    make(&made, TA_TREE_BIN, 9);
    assert_int_equal(see_bytes(&bin, TA_TREE_BIN, made.at, made.len), 0);
    make(&made, TA_TREE_JSON, 9);
    assert_int_equal(see_bytes(&json, TA_TREE_JSON, made.at, made.len), 0);
    assert_int_equal(bin.n_damage + json.n_damage, 0);
    assert_int_equal(bin.text.len, json.text.len);
    assert_memory_equal(bin.text.at, json.text.at, bin.text.len);
    assert_non_null(
        memmem(bin.text.at, bin.text.len, "2{link\"1\n2 bw 60 1000000\n0.5\n1.5\n}2\n}1\n", 38));
    ta_buf_done(&bin.text);
    ta_buf_done(&json.text);
}

static void arrays_longer_than_a_piece_keep_their_order(void **state)
{
    struct seen bin, json;

    (void)state;
    seen_init(&bin);
    seen_init(&json);
    make(&made, TA_TREE_BIN, 10000);
    assert_int_equal(see_bytes(&bin, TA_TREE_BIN, made.at, made.len), 0);
    make(&made, TA_TREE_JSON, 10000);
    assert_int_equal(see_bytes(&json, TA_TREE_JSON, made.at, made.len), 0);
    assert_int_equal(bin.n_values, 15005);
    assert_int_equal(bin.text.len, json.text.len);
    assert_memory_equal(bin.text.at, json.text.at, bin.text.len);
    ta_buf_done(&bin.text);
    ta_buf_done(&json.text);
}

static void json_keys_may_come_in_any_order(void **state)
{
    const char *text =
        "{\"to\":1000600,\"x\":{\"y\":[1,{}]},\"children\":{\"socket0\":{\"children\":null,"
        "\"metrics\":{\"b\":{\"data\":[1,null,3],\"z\":0,\"start\":1000000,"
        "\"frequency\":60}}}},\"metrics\":{\"a\":{\"start\":1000001,\"data\":[7],"
        "\"frequency\":30},\"e\":{\"start\":1000001,\"frequency\":30}},\"from\":1000000} x";
    struct seen s;

    (void)state;
    seen_init(&s);
    assert_int_equal(see_bytes(&s, TA_TREE_JSON, text, strlen(text)), 0);
    assert_int_equal(s.n_damage, 0);
    assert_int_equal(ta_buf_byte(&s.text, 0), TA_OK);
    assert_string_equal(
        s.text.at, "1{socket0\n1 b 60 1000000\n1\n-1\n3\n}1\n0 a 30 1000001\n7\n0 e 30 1000001\n");
    ta_buf_done(&s.text);
}

/* Every cut: what comes is a beginning of the whole, and the cut is told, but for a cut behind the end. */
static void a_file_cut_anywhere_gives_what_stands_before_the_cut(void **state)
{
    (void)state;
    for (enum ta_tree_format f = TA_TREE_BIN; f <= TA_TREE_JSON; f++) {
        struct seen whole;
        seen_init(&whole);
        make(&made, f, 9);
        assert_int_equal(see_bytes(&whole, f, made.at, made.len), 0);
        for (size_t cut = 0; cut + 1 < made.len; cut++) {
            struct seen s;
            seen_init(&s);
            assert_int_equal(see_bytes(&s, f, made.at, cut), 0);
            assert_int_equal(s.n_damage, 1);
            assert_true(s.damage_at <= cut);
            assert_true(s.text.len <= whole.text.len);
            if (s.text.len > 0)
                assert_memory_equal(s.text.at, whole.text.at, s.text.len);
            ta_buf_done(&s.text);
        }
        ta_buf_done(&whole.text);
    }
}

static void a_flipped_bit_never_leads_out_of_the_file(void **state)
{
    (void)state;
    for (enum ta_tree_format f = TA_TREE_BIN; f <= TA_TREE_JSON; f++) {
        make(&made, f, 9);
        for (size_t bit = 0; bit < 8 * made.len; bit++) {
            struct seen s;
            seen_init(&s);
            made.at[bit / 8] ^= (unsigned char)(1u << bit % 8);
            assert_int_equal(see_bytes(&s, f, made.at, made.len), 0);
            assert_true(s.n_values < 200 && s.damage_at <= made.len);
            made.at[bit / 8] ^= (unsigned char)(1u << bit % 8);
            ta_buf_done(&s.text);
        }
    }
}

static void counts_and_frequencies_that_cannot_be_are_damage(void **state)
{
    struct seen s;

    (void)state;
    make(&made, TA_TREE_BIN, 9);
    seen_init(&s);
    ta_put_u32(made.at + 20, UINT32_MAX); /* metrics of the host */
    assert_int_equal(see_bytes(&s, TA_TREE_BIN, made.at, made.len), 0);
    assert_int_equal(s.n_damage, 1);
    assert_int_equal(s.text.len, 0);
    make(&made, TA_TREE_BIN, 9);
    ta_put_u32(made.at + 24 + 2 + 4 + 16, UINT32_MAX); /* values of load */
    assert_int_equal(see_bytes(&s, TA_TREE_BIN, made.at, made.len), 0);
    assert_int_equal(s.text.len, 0);
    make(&made, TA_TREE_BIN, 9);
    ta_put_i64(made.at + 24 + 2 + 4, 0); /* frequency of load: passed over, the rest is there */
    assert_int_equal(see_bytes(&s, TA_TREE_BIN, made.at, made.len), 0);
    assert_non_null(memmem(s.text.at, s.text.len, "0 mem 60", 8));
    assert_null(memmem(s.text.at, s.text.len, "load", 4));
    assert_int_equal(s.n_damage, 3);
    ta_buf_done(&s.text);
}

static void skipped_values_are_not_given(void **state)
{
    (void)state;
    for (enum ta_tree_format f = TA_TREE_BIN; f <= TA_TREE_JSON; f++) {
        struct ta_tree_reader *r = NULL;
        struct ta_tree_event ev;
        struct mem_file m;
        int n_metrics = 0;
        make(&made, f, 10000);
        mem_file_init(&m, made.at, made.len);
        assert_int_equal(ta_tree_reader_new(&r, f, &m.file, &ta_heap, NULL), TA_OK);
        while (ta_tree_next(r, &ev, NULL) > 0) {
            assert_true(ev.kind != TA_TREE_VALUES && ev.kind != TA_TREE_DAMAGE);
            if (ev.kind == TA_TREE_METRIC) {
                n_metrics++;
                ta_tree_skip_values(r);
            }
        }
        assert_int_equal(n_metrics, 5);
        ta_tree_reader_free(r);
    }
}

static void an_index_fetches_the_values_of_any_series(void **state)
{
    struct ta_tree_index x;
    struct mem_file m;
    float v[3];

    (void)state;
    make(&made, TA_TREE_BIN, 9);
    mem_file_init(&m, made.at, made.len);
    assert_int_equal(ta_tree_index_read(&x, TA_TREE_BIN, &m.file, &ta_heap, NULL), TA_OK);
    assert_int_equal(x.n_series, 5);
    assert_int_equal(x.n_levels, 4);
    assert_true(ta_str_is(x.series[3].metric, "bw") && x.series[3].count == 2);
    assert_int_equal(x.levels[x.series[3].level].depth, 2);
    assert_true(ta_str_is(x.levels[x.levels[x.series[3].level].parent].name, "socket0"));
    assert_int_equal(x.series[0].start_s, FROM + 5);
    assert_int_equal(ta_tree_index_values(&m.file, &x.series[0], 1, v, 3, NULL), TA_OK);
    assert_true(v[0] == 1.5F && v[1] == 2.5F && isnan(v[2]));
    ta_tree_index_done(&x);
    mem_file_init(&m, made.at, 24 + 26 + 4 * 4 + 1); /* within load's values */
    assert_int_equal(ta_tree_index_read(&x, TA_TREE_BIN, &m.file, &ta_heap, NULL), TA_OK);
    assert_int_equal(x.n_series, 1);
    assert_int_equal(x.series[0].count, 4);
    assert_int_equal(x.n_damaged, 1);
    ta_tree_index_done(&x);
    make(&made, TA_TREE_JSON, 9);
    mem_file_init(&m, made.at, made.len);
    assert_int_equal(ta_tree_index_read(&x, TA_TREE_JSON, &m.file, &ta_heap, NULL), TA_OK);
    assert_int_equal(x.n_series, 5);
    assert_int_equal(x.series[0].count, 9);
    ta_tree_index_done(&x);
}

static void refused_memory_is_an_error_and_leaks_nothing(void **state)
{
    (void)state;
    for (enum ta_tree_format f = TA_TREE_BIN; f <= TA_TREE_JSON; f++) {
        make(&made, f, 9);
        for (struct fault fault = {0}; fault_next(&fault);) {
            struct seen s;
            struct mem_file m;
            seen_init(&s);
            mem_file_init(&m, made.at, made.len);
            fault_judge(&fault, see(&s, f, &m.file, &fault.alloc));
            ta_buf_done(&s.text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_formats_come_back_as_the_same_events),
        cmocka_unit_test(arrays_longer_than_a_piece_keep_their_order),
        cmocka_unit_test(json_keys_may_come_in_any_order),
        cmocka_unit_test(a_file_cut_anywhere_gives_what_stands_before_the_cut),
        cmocka_unit_test(a_flipped_bit_never_leads_out_of_the_file),
        cmocka_unit_test(counts_and_frequencies_that_cannot_be_are_damage),
        cmocka_unit_test(skipped_values_are_not_given),
        cmocka_unit_test(an_index_fetches_the_values_of_any_series),
        cmocka_unit_test(refused_memory_is_an_error_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
