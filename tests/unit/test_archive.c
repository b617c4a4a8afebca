/* Archiving moves every row once, leaves what must stay, and keeps to its memory. */
#include "arc_tree.h"
#include "archive/archive.h"
#include "archive/scope.h"
#include "io/vfs_mem.h"
#include "persist/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct ta_vfs_mem mem;

static int setup(void **state)
{
    (void)state;
    return ta_vfs_mem_init(&mem, &ta_heap);
}

static int teardown(void **state)
{
    (void)state;
    ta_vfs_mem_done(&mem);
    return 0;
}

static struct ta_archive_conf conf_for(int64_t before_s)
{
    return (struct ta_archive_conf){.vfs = &mem.vfs,
                                    .checkpoints = "ck",
                                    .archive = "ar",
                                    .before_s = before_s,
                                    .alloc = &ta_heap};
}

static struct ta_archive_result archive(const struct ta_archive_conf *conf)
{
    struct ta_archive_result result;
    struct ta_err err = {0};

    if (ta_archive_run(conf, &result, &err) < 0)
        fail_msg("%s", err.text);
    return result;
}

static void assert_rows(const char *cluster, const struct arc_rows *want)
{
    struct arc_rows got = arc_tree_archived(&mem.vfs, "ar", cluster);

    assert_int_equal(got.n, want->n);
    assert_int_equal(got.sum, want->sum);
}

static void put_text(const char *path, const char *text)
{
    struct ta_file *file = NULL;

    assert_int_equal(ta_open(&mem.vfs, path, TA_OPEN_WRITE | TA_OPEN_CREATE, 0644, &file, NULL), 0);
    assert_int_equal(ta_pwrite_full(file, text, strlen(text), 0, NULL), TA_OK);
    assert_int_equal(ta_close(&file, NULL), TA_OK);
}

static void every_row_of_both_formats_is_archived_once(void **state)
{
    (void)state;
    struct arc_rows want = {0};
    struct ta_archive_conf conf = conf_for(1800000000);

    arc_tree_make(&mem.vfs, "ck", "fritz", 5, &want);
    arc_tree_make(&mem.vfs, "ck", "alex", 2, &(struct arc_rows){0});
    struct ta_archive_result r = archive(&conf);
    assert_rows("fritz", &want);
    assert_int_equal(r.files, 14);
    assert_int_equal(r.outputs, 2);
    assert_int_equal(r.clusters, 2);
    assert_int_equal(arc_tree_count(&mem.vfs, "ck", "fritz", ""), 0);
    r = archive(&conf);
    assert_int_equal(r.outputs + r.files, 0);
    assert_rows("fritz", &want);
}

static void a_file_whose_range_reaches_past_the_limit_stays(void **state)
{
    (void)state;
    struct arc_rows want = {0};
    struct ta_archive_conf conf = conf_for(1700001199);

    arc_tree_file(&mem.vfs, "ck", "fritz", "n1", 1700000000, TA_TREE_BIN, &want);
    arc_tree_file(&mem.vfs, "ck", "fritz", "n1", 1700000600, TA_TREE_BIN, &(struct arc_rows){0});
    archive(&conf);
    assert_rows("fritz", &want);
    assert_int_equal(arc_tree_count(&mem.vfs, "ck", "fritz", "1700000600.bin"), 1);
}

static void files_that_overlap_give_each_row_once(void **state)
{
    (void)state;
    struct arc_rows want = {0};
    struct ta_archive_conf conf = conf_for(1800000000);

    arc_tree_file(&mem.vfs, "ck", "fritz", "n1", 1700000000, TA_TREE_BIN, &want);
    arc_tree_file(&mem.vfs, "ck", "fritz", "n1", 1700000000, TA_TREE_JSON, &(struct arc_rows){0});
    archive(&conf);
    assert_rows("fritz", &want);
    /* Shifted by five slots: of the slots that both have, the later file's value counts. */
    struct arc_rows shifted = {0};
    struct arc_rows both = {0};
    arc_tree_file(&mem.vfs, "ck", "emmy", "n1", 1700000000, TA_TREE_BIN, &both);
    arc_tree_file(&mem.vfs, "ck", "emmy", "n1", 1700000300, TA_TREE_BIN, &shifted);
    archive(&conf);
    struct arc_rows got = arc_tree_archived(&mem.vfs, "ar", "emmy");
    assert_in_range(got.n, shifted.n + 1, both.n + shifted.n - 1);
}

static void a_second_run_of_the_same_time_takes_another_name(void **state)
{
    (void)state;
    struct arc_rows want = {0};
    struct ta_archive_conf conf = conf_for(1800000000);
    struct ta_stat st;

    arc_tree_file(&mem.vfs, "ck", "fritz", "n1", 1700000000, TA_TREE_BIN, &want);
    archive(&conf);
    arc_tree_file(&mem.vfs, "ck", "fritz", "n1", 1700000600, TA_TREE_BIN, &want);
    archive(&conf);
    assert_rows("fritz", &want);
    assert_int_equal(mem.vfs.stat(&mem.vfs, "ar/fritz/1800000000.parquet", &st, NULL), TA_OK);
    assert_int_equal(mem.vfs.stat(&mem.vfs, "ar/fritz/1800000000-2.parquet", &st, NULL), TA_OK);
}

static void a_damaged_file_is_set_aside_and_the_rest_goes_on(void **state)
{
    (void)state;
    struct arc_rows want = {0};
    struct ta_archive_conf conf = conf_for(1800000000);

    arc_tree_make(&mem.vfs, "ck", "fritz", 3, &want);
    put_text("ck/fritz/n0001/1699990000.json", "{\"metrics\":{\"load\":{\"frequency\":60,\"sta");
    put_text("ck/fritz/n0001/1699991000.bin", "not a snapshot at all");
    struct ta_archive_result r = archive(&conf);
    assert_rows("fritz", &want);
    assert_int_equal(r.damaged, 2);
    assert_int_equal(arc_tree_count(&mem.vfs, "ck", "fritz", ".corrupt"), 2);
    assert_int_equal(arc_tree_count(&mem.vfs, "ck", "fritz", ".bin"), 0);
}

/* A checksummed file of one series; its bytes of content. */
static uint64_t put_sealed(const char *path, enum ta_tree_format format)
{
    static char buf[TA_TREE_BUFFER];
    static struct ta_seal seal;
    static const double values[] = {1, 2, 3, 4, 5};
    enum { N = sizeof(values) / sizeof(values[0]), FROM_S = 1699990000 };
    struct ta_tree_writer w;
    struct ta_file *file = NULL;
    uint64_t bytes;

    assert_int_equal(
        ta_open(&mem.vfs, path, TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_CREATE, 0644, &file, NULL),
        TA_OK);
    assert_int_equal(
        ta_tree_begin(&w, format, file, buf, sizeof(buf), FROM_S, FROM_S + N * 60, NULL), TA_OK);
    ta_tree_seal(&w, &seal);
    assert_int_equal(ta_tree_metric(&w, TA_STR("load"), 60, FROM_S, N, NULL), TA_OK);
    assert_int_equal(ta_tree_values(&w, values, N, NULL), TA_OK);
    assert_int_equal(ta_tree_end(&w, &bytes, NULL), TA_OK);
    assert_int_equal(ta_close(&file, NULL), TA_OK);
    return seal.at;
}

static void flip(const char *path, uint64_t at)
{
    struct ta_file *file = NULL;
    unsigned char byte;

    assert_int_equal(ta_open(&mem.vfs, path, TA_OPEN_READ | TA_OPEN_WRITE, 0, &file, NULL), TA_OK);
    assert_int_equal(ta_pread_full(file, &byte, 1, at, NULL), 1);
    byte ^= 0x10;
    assert_int_equal(ta_pwrite_full(file, &byte, 1, at, NULL), TA_OK);
    assert_int_equal(ta_close(&file, NULL), TA_OK);
}

static void
a_flipped_bit_anywhere_below_a_seal_is_set_aside_and_costs_no_row_elsewhere(void **state)
{
    static const char *const path[] = {[TA_TREE_BIN] = "ck/fritz/n0001/1699990000.bin",
                                       [TA_TREE_JSON] = "ck/fritz/n0001/1699990000.json"};
    struct ta_archive_conf conf = conf_for(1800000000);
    static const enum ta_tree_format formats[] = {TA_TREE_BIN, TA_TREE_JSON};

    for (size_t i = 0; i < 2; i++) {
        uint64_t content = 1;
        for (uint64_t at = 0; at < content; at++) {
            struct arc_rows want = {0};
            (void)teardown(state);
            assert_int_equal(setup(state), 0);
            arc_tree_make(&mem.vfs, "ck", "fritz", 2, &want);
            content = put_sealed(path[formats[i]], formats[i]);
            flip(path[formats[i]], at);
            struct ta_archive_result r = archive(&conf);
            assert_int_equal(r.damaged, 1);
            assert_int_equal(arc_tree_count(&mem.vfs, "ck", "fritz", ".corrupt"), 1);
            assert_int_equal(arc_tree_count(&mem.vfs, "ck", "fritz", ""), 1);
            assert_rows("fritz", &want);
        }
        assert_true(content > 40);
    }
}

static void kept_sources_stay_and_foreign_files_too(void **state)
{
    (void)state;
    struct arc_rows want = {0};
    struct ta_archive_conf conf = conf_for(1800000000);

    arc_tree_make(&mem.vfs, "ck", "fritz", 2, &want);
    put_text("ck/fritz/n0001/current.wal", "log");
    put_text("ck/fritz/n0001/1700009999.bin.tmp", "half");
    conf.keep = true;
    archive(&conf);
    assert_rows("fritz", &want);
    assert_int_equal(arc_tree_count(&mem.vfs, "ck", "fritz", ""), 6);
}

static void hosts_without_a_value_lose_their_files_and_make_no_rows(void **state)
{
    (void)state;
    struct ta_archive_conf conf = conf_for(1800000000);

    assert_int_equal(ta_mkdir_all(&mem.vfs, "ck/fritz/n1", 0755, NULL), TA_OK);
    put_text("ck/fritz/n1/1700000000.json",
             "{\"metrics\":{\"load\":{\"frequency\":60,\"start\":1700000000,\"data\":[null,null]}},"
             "\"children\":{},\"from\":1700000000,\"to\":1700000120}\n");
    struct ta_archive_result r = archive(&conf);
    assert_int_equal(r.outputs, 0);
    assert_int_equal(r.files, 1);
    assert_int_equal(arc_tree_count(&mem.vfs, "ck", "fritz", ""), 0);
}

static void delete_mode_only_deletes(void **state)
{
    (void)state;
    struct ta_archive_conf conf = conf_for(1700000700);

    arc_tree_make(&mem.vfs, "ck", "fritz", 2, &(struct arc_rows){0});
    conf.mode = TA_ARCHIVE_DELETE;
    conf.archive = NULL;
    struct ta_archive_result r = archive(&conf);
    assert_int_equal(r.files, 2);
    assert_int_equal(arc_tree_count(&mem.vfs, "ck", "fritz", ".bin"), 2);
}

static void another_run_at_the_same_time_is_refused(void **state)
{
    (void)state;
    struct ta_archive_conf conf = conf_for(1800000000);
    struct ta_archive_result result;
    struct ta_file *lock = NULL;
    struct ta_err err = {0};

    assert_int_equal(ta_mkdir_all(&mem.vfs, "ar/.tarn", 0755, NULL), TA_OK);
    assert_int_equal(
        ta_open(&mem.vfs, "ar/.tarn/lock", TA_OPEN_WRITE | TA_OPEN_CREATE, 0600, &lock, NULL),
        TA_OK);
    assert_int_equal(lock->ops->lock(lock, NULL), TA_OK);
    assert_int_equal(ta_archive_run(&conf, &result, &err), TA_ESTATE);
    assert_int_equal(ta_close(&lock, NULL), TA_OK);
}

/* 400 files of one host: more than are kept open at once, in the smallest memory. */
static void many_files_of_one_host_fit_the_smallest_memory(void **state)
{
    (void)state;
    struct arc_rows want = {0};
    struct ta_archive_conf conf = conf_for(1800000000);

    for (int i = 0; i < 400; i++)
        arc_tree_file(&mem.vfs, "ck", "fritz", "n1", 1700000000 + i * 600,
                      i % 3 ? TA_TREE_BIN : TA_TREE_JSON, &want);
    conf.memory = TA_ARCHIVE_MEMORY_MIN;
    struct ta_archive_result r = archive(&conf);
    assert_rows("fritz", &want);
    assert_in_range(r.memory_peak, 1, TA_ARCHIVE_MEMORY_MIN);
}

static void the_hive_layout_puts_rows_into_their_days(void **state)
{
    (void)state;
    struct arc_rows want = {0};
    struct ta_archive_conf conf = conf_for(1800000000);

    /* Both begin at 23:55. */
    arc_tree_file(&mem.vfs, "ck", "fritz", "n1", 1700006100, TA_TREE_BIN, &want);
    arc_tree_file(&mem.vfs, "ck", "fritz", "n2", 1700006100, TA_TREE_JSON, &want);
    conf.layout = TA_ARCHIVE_HIVE;
    struct ta_archive_result r = archive(&conf);
    struct arc_rows a = arc_tree_archived(&mem.vfs, "ar/cluster=fritz", "date=2023-11-14");
    struct arc_rows b = arc_tree_archived(&mem.vfs, "ar/cluster=fritz", "date=2023-11-15");
    assert_true(a.n > 0 && b.n > 0);
    assert_int_equal(a.n + b.n, want.n);
    assert_int_equal(a.sum + b.sum, want.sum);
    assert_int_equal(r.outputs, 2);
    assert_int_equal(r.files, 2);
    assert_int_equal(arc_tree_count(&mem.vfs, "ck", "fritz", ""), 0);
}

static void a_missing_tree_is_nothing_to_do(void **state)
{
    (void)state;
    struct ta_archive_conf conf = conf_for(1800000000);
    struct ta_archive_result r = archive(&conf);

    assert_int_equal(r.clusters, 0);
}

static void scopes_come_from_the_level_name_alone(void **state)
{
    (void)state;
    static const struct {
        const char *level, *scope, *id;
    } cases[] = {
        {"socket0", "socket", "0"},
        {"memoryDomain1", "memoryDomain", "1"},
        {"core12", "core", "12"},
        {"hwthread3", "hwthread", "3"},
        {"cpu7", "hwthread", "7"},
        {"accelerator00000000:49:00.0", "accelerator", "00000000:49:00.0"},
        {"acceleratorGPU-x", "acceleratorGPU-x", ""},
        {"memctrl1", "memctrl1", ""},
        {"socket", "socket", ""},
        {"", "", ""},
    };
    struct ta_str scope;
    struct ta_str id;

    for (size_t i = 0; i < TA_COUNT(cases); i++) {
        struct ta_str level = ta_str(cases[i].level);
        ta_arc_scope(&level, &scope, &id);
        assert_true(ta_str_is(scope, cases[i].scope));
        assert_true(ta_str_is(id, cases[i].id));
    }
    ta_arc_scope(NULL, &scope, &id);
    assert_true(ta_str_is(scope, "node") && id.len == 0);
}

static void bytes_that_are_not_utf8_are_replaced(void **state)
{
    (void)state;
    struct ta_arena arena;

    ta_arena_init(&arena, &ta_heap, 64 * KiB);
    assert_true(ta_str_is(ta_arc_utf8(TA_STR("a\xff\xfe"), &arena), "a\xef\xbf\xbd\xef\xbf\xbd"));
    assert_true(ta_str_is(ta_arc_utf8(TA_STR("gr\xc3\xbc\xc3\x9f"), &arena), "gr\xc3\xbc\xc3\x9f"));
    ta_arena_done(&arena);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_row_of_both_formats_is_archived_once),
        TEST(a_file_whose_range_reaches_past_the_limit_stays),
        TEST(files_that_overlap_give_each_row_once),
        TEST(a_second_run_of_the_same_time_takes_another_name),
        TEST(a_damaged_file_is_set_aside_and_the_rest_goes_on),
        TEST(a_flipped_bit_anywhere_below_a_seal_is_set_aside_and_costs_no_row_elsewhere),
        TEST(kept_sources_stay_and_foreign_files_too),
        TEST(hosts_without_a_value_lose_their_files_and_make_no_rows),
        TEST(delete_mode_only_deletes),
        TEST(another_run_at_the_same_time_is_refused),
        TEST(many_files_of_one_host_fit_the_smallest_memory),
        TEST(the_hive_layout_puts_rows_into_their_days),
        TEST(a_missing_tree_is_nothing_to_do),
        cmocka_unit_test(scopes_come_from_the_level_name_alone),
        cmocka_unit_test(bytes_that_are_not_utf8_are_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
