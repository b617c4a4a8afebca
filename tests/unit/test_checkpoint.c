/* After a checkpoint every slot before the boundary stands in exactly one file of its host, and a tree of
 * such files is one that the reference loads. */
#include "base/bytes.h"
#include "io/vfs_fault.h"
#include "io/vfs_mem.h"
#include "persist/checkpoint.h"
#include "persist/host_files.h"
#include "persist/seal.h"
#include "store/walk.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { SLOTS_MAX = 20000, NOW = 1000000, STARTS_MAX = 64 };

struct bench {
    struct ta_vfs_mem mem;
    struct ta_store *store;
    struct ta_checkpoint_conf conf;
};

static void bench_open(struct bench *b)
{
    const struct ta_metric defs[] = {{TA_STR("load"), 60, TA_AGG_NONE},
                                     {TA_STR("clock"), 60, TA_AGG_AVG}};
    struct ta_store_conf conf = {.alloc = &ta_heap};

    assert_int_equal(ta_metrics_new(&conf.metrics, &ta_heap, NULL, defs, 2, NULL), TA_OK);
    assert_int_equal(ta_store_new(&b->store, &conf, NULL), TA_OK);
    ta_metrics_unref(conf.metrics);
    assert_int_equal(ta_vfs_mem_init(&b->mem, &ta_heap), TA_OK);
    assert_int_equal(ta_mkdir_all(&b->mem.vfs, "root", 0755, NULL), TA_OK);
    b->conf = (struct ta_checkpoint_conf){
        .store = b->store, .vfs = &b->mem.vfs, .root = "root", .alloc = &ta_heap};
}

static void bench_close(struct bench *b)
{
    ta_store_free(b->store);
    ta_vfs_mem_done(&b->mem);
}

static void put(struct bench *b, const char *type, int64_t ts, double v)
{
    struct ta_writer w;
    struct ta_column_key key = {.metric = 0, .type = ta_str(type)};

    assert_int_equal(ta_writer_begin(&w, b->store, TA_STR("c"), TA_STR("h"), NOW, NULL), TA_OK);
    int64_t col = ta_writer_column(&w, &key);
    assert_true(col >= 0);
    assert_int_equal(ta_writer_append(&w, (uint32_t)col, ts, v), TA_OK);
    ta_writer_end(&w);
}

/* What the files hold. */
struct found {
    struct {
        char path[32];
        int64_t ts;
        float v;
    } slot[SLOTS_MAX];
    size_t n;
    size_t files;
    int64_t starts[2][STARTS_MAX]; /* of the host's and of socket0's array, file by file */
    size_t n_starts[2];
};

static uint64_t take(const unsigned char **p, size_t n)
{
    uint64_t v = 0;

    memcpy(&v, *p, n);
    *p += n;
    return v;
}

static void read_level(const unsigned char **p, const char *path, struct found *f)
{
    uint64_t n = take(p, 4);

    for (uint64_t i = 0; i < n; i++) {
        *p += take(p, 2);
        int64_t freq = (int64_t)take(p, 8);
        int64_t start = (int64_t)take(p, 8);
        uint64_t values = take(p, 4);
        size_t level = path[0] != 0;
        assert_true(f->n_starts[level] < STARTS_MAX);
        f->starts[level][f->n_starts[level]++] = start;
        for (uint64_t k = 0; k < values; k++) {
            float v = ta_get_f32(*p);
            *p += 4;
            if (isnan(v))
                continue;
            assert_true(f->n < SLOTS_MAX);
            snprintf(f->slot[f->n].path, sizeof(f->slot[f->n].path), "%s", path);
            f->slot[f->n].ts = start + (int64_t)k * freq;
            f->slot[f->n++].v = v;
        }
    }
    n = take(p, 4);
    for (uint64_t i = 0; i < n; i++) {
        char name[32] = "";
        size_t len = take(p, 2);
        memcpy(name, *p, len);
        *p += len;
        read_level(p, name, f);
    }
}

static void read_files(struct bench *b, struct found *f)
{
    struct ta_host_files files;
    static unsigned char bytes[1 << 20];
    int64_t before_to = 0;

    memset(f, 0, sizeof(*f));
    assert_int_equal(ta_host_files_read(&files, &b->mem.vfs, "root/c/h", &ta_heap, NULL), TA_OK);
    for (size_t i = 0; i < files.n; i++) {
        char path[TA_PATH_MAX];
        struct ta_file *file = NULL;
        const unsigned char *p = bytes + 20;
        if (files.at[i].format != TA_TREE_BIN)
            continue; /* replaced by a .bin of the same name */
        ta_host_file_path(path, "root/c/h", files.at[i].from_s, TA_TREE_BIN, "", NULL);
        assert_int_equal(ta_open(&b->mem.vfs, path, TA_OPEN_READ, 0, &file, NULL), TA_OK);
        int64_t len = ta_pread_full(file, bytes, sizeof(bytes), 0, NULL);
        assert_int_equal(ta_close(&file, NULL), TA_OK);
        size_t before = f->n;
        read_level(&p, "", f);
        /* Behind the host's level: the checksums, with the bytes of content in their seal. */
        assert_int_equal(ta_get_u64(bytes + len - TA_SEAL_BYTES + 8), p - bytes);
        for (size_t k = before; k < f->n; k++)
            assert_true(f->slot[k].ts >= files.at[i].from_s && f->slot[k].ts < files.at[i].to_s);
        assert_true(f->files == 0 || files.at[i].from_s >= before_to);
        before_to = files.at[i].to_s;
        f->files++;
    }
    ta_host_files_done(&files);
    for (size_t level = 0; level < 2; level++)
        for (size_t i = 1; i < f->n_starts[level]; i++)
            assert_true(f->starts[level][i] > f->starts[level][i - 1]);
}

static size_t count_of(const struct found *f, const char *path, int64_t ts, float v)
{
    size_t n = 0;

    for (size_t i = 0; i < f->n; i++)
        n += f->slot[i].ts == ts && strcmp(f->slot[i].path, path) == 0 && f->slot[i].v == v;
    return n;
}

static struct ta_checkpoint_counts run(struct bench *b, int64_t boundary)
{
    struct ta_checkpoint_counts counts = {0};
    struct ta_err err = {0};

    if (ta_checkpoint_run(&b->conf, boundary, 1, NULL, &counts, &err) != TA_OK)
        fail_msg("%s", err.text);
    return counts;
}

static struct found found; /* large */

static void slots_before_the_boundary_are_in_one_file_and_the_rest_in_the_next(void **state)
{
    struct bench b = {0};

    (void)state;
    bench_open(&b);
    for (int64_t i = 0; i < 1000; i++) {
        put(&b, "", NOW + i * 60, (double)i);
        put(&b, "socket0", NOW + i * 60, (double)-i);
    }
    struct ta_checkpoint_counts c = run(&b, NOW + 600 * 60);
    assert_int_equal(c.files, 1);
    assert_int_equal(c.samples, 1200);
    read_files(&b, &found);
    assert_int_equal(found.n, 1200);
    c = run(&b, NOW + 600 * 60); /* nothing new: nothing written */
    assert_int_equal(c.files, 0);
    c = run(&b, TA_CHECKPOINT_ALL);
    assert_int_equal(c.files, 1);
    assert_int_equal(c.files_again, 0);
    read_files(&b, &found);
    assert_int_equal(found.n, 2000);
    for (int64_t i = 0; i < 1000; i++) {
        assert_int_equal(count_of(&found, "", NOW + i * 60, (float)i), 1);
        assert_int_equal(count_of(&found, "socket0", NOW + i * 60, (float)-i), 1);
    }
    bench_close(&b);
}

static void a_late_sample_goes_into_the_file_that_covers_its_time(void **state)
{
    struct bench b = {0};

    (void)state;
    bench_open(&b);
    for (int64_t i = 0; i < 100; i++)
        if (i != 50)
            put(&b, "", NOW + i * 60, (double)i);
    run(&b, NOW + 70 * 60);
    put(&b, "", NOW + 50 * 60, 0.5);
    put(&b, "", NOW + 100 * 60, 100);
    struct ta_checkpoint_counts c = run(&b, TA_CHECKPOINT_ALL);
    assert_int_equal(c.files, 2);
    assert_int_equal(c.files_again, 1);
    read_files(&b, &found);
    assert_int_equal(found.files, 2);
    assert_int_equal(found.n, 101);
    assert_int_equal(count_of(&found, "", NOW + 50 * 60, 0.5f), 1);
    bench_close(&b);
}

static void what_memory_let_go_of_stays_in_a_file_that_is_written_again(void **state)
{
    struct bench b = {0};
    const struct ta_str host[] = {TA_STR("c"), TA_STR("h")};

    (void)state;
    for (enum ta_tree_format format = TA_TREE_BIN; format <= TA_TREE_JSON; format++) {
        bench_open(&b);
        b.conf.format = format;
        for (int64_t i = 0; i < 1100; i++) {
            put(&b, "", NOW + i * 60, (double)i);
            put(&b, "socket0", NOW + i * 60, (double)-i);
        }
        run(&b, TA_CHECKPOINT_ALL);
        assert_true(ta_store_free_before(b.store, host, 2, NOW + 600 * 60) > 0);
        put(&b, "", NOW + 700 * 60, 0.25);
        b.conf.format = TA_TREE_BIN;
        struct ta_checkpoint_counts c = run(&b, TA_CHECKPOINT_ALL);
        assert_int_equal(c.files_again, 1);
        read_files(&b, &found);
        assert_int_equal(found.n, 2200);
        assert_int_equal(count_of(&found, "", NOW + 3 * 60, 3), 1);
        assert_int_equal(count_of(&found, "socket0", NOW + 511 * 60, -511), 1);
        assert_int_equal(count_of(&found, "", NOW + 700 * 60, 0.25f), 1);
        bench_close(&b);
    }
}

static void data_older_than_every_file_gets_a_file_before_them(void **state)
{
    struct bench b = {0};

    (void)state;
    bench_open(&b);
    put(&b, "", NOW, 1);
    run(&b, TA_CHECKPOINT_ALL);
    for (int64_t i = 0; i < 20; i++)
        put(&b, "", NOW - 100000 + i * 60, 2);
    run(&b, TA_CHECKPOINT_ALL);
    read_files(&b, &found);
    assert_int_equal(found.files, 2);
    assert_int_equal(found.n, 21);
    assert_true(found.starts[0][0] == NOW - 100000);
    bench_close(&b);
}

static void a_new_phase_begins_a_new_file(void **state)
{
    struct bench b = {0};

    (void)state;
    bench_open(&b);
    for (int64_t i = 0; i < 512; i++)
        put(&b, "", NOW + i * 60, (double)i);
    for (int64_t i = 512; i < 600; i++)
        put(&b, "", NOW + i * 60 + 17, (double)i);
    for (int64_t i = 0; i < 600; i++)
        put(&b, "socket0", NOW + i * 60 + 5, (double)i);
    run(&b, TA_CHECKPOINT_ALL);
    read_files(&b, &found);
    assert_int_equal(found.files, 2);
    assert_int_equal(found.n, 1200);
    for (int64_t i = 0; i < 600; i++) {
        assert_int_equal(count_of(&found, "", NOW + i * 60 + (i < 512 ? 0 : 17), (float)i), 1);
        assert_int_equal(count_of(&found, "socket0", NOW + i * 60 + 5, (float)i), 1);
    }
    bench_close(&b);
}

/* As a clock that steps back by a year leaves them, and data of last year that is sent again. */
static void a_long_gap_begins_a_new_file_and_costs_nothing(void **state)
{
    enum { YEAR = 365 * 86400 };
    struct bench b = {0};

    (void)state;
    bench_open(&b);
    for (int64_t i = 0; i < 20; i++) {
        put(&b, "", NOW + YEAR + i * 60, (double)i);
        put(&b, "socket0", NOW + i * 60, (double)-i);
        put(&b, "socket0", NOW + YEAR + i * 60, (double)i);
    }
    struct ta_checkpoint_counts c = run(&b, TA_CHECKPOINT_ALL);
    assert_int_equal(c.samples, 60);
    assert_true(c.bytes < 2000);
    /* Into the gap, which a file covers: it is written again, and once more in pieces. */
    put(&b, "", NOW + YEAR / 2, 0.5);
    put(&b, "", NOW, 0.25);
    c = run(&b, TA_CHECKPOINT_ALL);
    assert_true(c.files_again >= 1);
    assert_true(c.bytes < 2000);
    read_files(&b, &found);
    assert_int_equal(found.n, 62);
    assert_int_equal(count_of(&found, "", NOW, 0.25f), 1);
    assert_int_equal(count_of(&found, "", NOW + YEAR / 2, 0.5f), 1);
    for (int64_t i = 0; i < 20; i++) {
        assert_int_equal(count_of(&found, "", NOW + YEAR + i * 60, (float)i), 1);
        assert_int_equal(count_of(&found, "socket0", NOW + i * 60, (float)-i), 1);
        assert_int_equal(count_of(&found, "socket0", NOW + YEAR + i * 60, (float)i), 1);
    }
    bench_close(&b);
}

/* false: nothing was left to fail. */
static bool fail_nth_call(int64_t nth, int sys)
{
    struct bench b = {0};
    struct ta_vfs_fault fault;
    struct ta_checkpoint_counts counts = {0};

    bench_open(&b);
    for (int64_t i = 0; i < 30; i++)
        put(&b, "", NOW + i * 60, (double)i);
    run(&b, NOW + 20 * 60);
    put(&b, "", NOW + 60, 99);
    ta_vfs_fault_init(&fault, &b.mem.vfs, &ta_heap);
    fault.left = nth;
    fault.sys = sys;
    fault.kinds = TA_FAULT_ALL;
    b.conf.vfs = &fault.vfs;
    int r = ta_checkpoint_run(&b.conf, TA_CHECKPOINT_ALL, 1, NULL, &counts, NULL);
    assert_true(fault.hit || r == TA_OK);
    b.conf.vfs = &b.mem.vfs;
    run(&b, TA_CHECKPOINT_ALL);
    read_files(&b, &found);
    assert_int_equal(found.n, 30);
    assert_int_equal(count_of(&found, "", NOW + 60, 99), 1);
    bench_close(&b);
    return fault.hit;
}

static void a_failed_run_is_made_good_by_the_next(void **state)
{
    static const int errors[] = {ENOSPC, EIO, 0};

    (void)state;
    for (size_t i = 0; i < TA_COUNT(errors); i++)
        for (int64_t nth = 0; fail_nth_call(nth, errors[i]); nth++)
            assert_true(nth < 1000);
}

static void hosts_whose_names_cannot_be_paths_are_refused(void **state)
{
    (void)state;
    assert_true(ta_is_path_name(TA_STR("a b=c,d")));
    assert_false(ta_is_path_name(TA_STR("")));
    assert_false(ta_is_path_name(TA_STR(".")));
    assert_false(ta_is_path_name(TA_STR("a..b")));
    assert_false(ta_is_path_name(TA_STR("a/b")));
    assert_false(ta_is_path_name(TA_STR("a\0b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_before_the_boundary_are_in_one_file_and_the_rest_in_the_next),
        cmocka_unit_test(a_late_sample_goes_into_the_file_that_covers_its_time),
        cmocka_unit_test(what_memory_let_go_of_stays_in_a_file_that_is_written_again),
        cmocka_unit_test(data_older_than_every_file_gets_a_file_before_them),
        cmocka_unit_test(a_new_phase_begins_a_new_file),
        cmocka_unit_test(a_long_gap_begins_a_new_file_and_costs_nothing),
        cmocka_unit_test(a_failed_run_is_made_good_by_the_next),
        cmocka_unit_test(hosts_whose_names_cannot_be_paths_are_refused),
    };

    return cmocka_run_group_tests_name("checkpoint", tests, NULL, NULL);
}
