/* Damage to a checkpoint file: every flipped bit and every cut of it, in both formats, through a whole start.
 *
 *     test_checkpoint_damage [step]        every step-th bit and cut (1: all)
 */
#include "life.h"
#include "persist/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { STEP = 5, TICKS = 40, FILE_MAX = 1 << 16 };
static size_t step = STEP;

/* A directory after a clean stop: one host's samples are in one file and nowhere else. */
struct site {
    struct ta_vfs_mem disk;
    struct life life;
    struct life_model model;
    char path[TA_PATH_MAX];
    unsigned char bytes[FILE_MAX];
    size_t n;
};

static void begin(struct site *s, enum ta_tree_format format)
{
    struct ta_host_files files;
    struct ta_file *f = NULL;

    memset(s, 0, sizeof(*s));
    s->life = (struct life){.alloc = &ta_heap, .format = format, .vfs = &s->disk.vfs};
    assert_int_equal(ta_vfs_mem_init(&s->disk, &ta_heap), TA_OK);
    ta_clock_manual_init(&s->life.clock, LIFE_BASE + TICKS * LIFE_FREQ);
    assert_int_equal(life_open(&s->life, NULL), TA_OK);
    for (unsigned k = 0; k < TICKS; k++)
        assert_int_equal(life_write(&s->life, &s->model, 0, 0, LIFE_COLUMNS, k), TA_OK);
    assert_int_equal(life_stop(&s->life, NULL), TA_OK);
    assert_int_equal(ta_host_files_read(&files, &s->disk.vfs, "root/c/n1", &ta_heap, NULL), TA_OK);
    assert_int_equal(files.n, 1);
    assert_int_equal(ta_host_file_path(s->path, "root/c/n1", files.at[0].from_s, format, "", NULL),
                     TA_OK);
    ta_host_files_done(&files);
    assert_int_equal(ta_open(&s->disk.vfs, s->path, TA_OPEN_READ, 0, &f, NULL), TA_OK);
    int64_t n = ta_pread_full(f, s->bytes, sizeof(s->bytes), 0, NULL);
    assert_int_equal(ta_close(&f, NULL), TA_OK);
    assert_true(n > 0 && n < FILE_MAX);
    s->n = (size_t)n;
}

static void end(struct site *s)
{
    ta_vfs_mem_done(&s->disk);
}

/* Starts a server where the file is [p, p + n): what is lost and wrong then is in the model. */
static void start_with(struct site *s, const unsigned char *p, size_t n)
{
    struct ta_vfs_mem copy;
    struct ta_file *f = NULL;

    assert_int_equal(ta_vfs_mem_copy(&copy, &s->disk), TA_OK);
    assert_int_equal(ta_open(&copy.vfs, s->path, TA_OPEN_WRITE | TA_OPEN_TRUNCATE, 0, &f, NULL),
                     TA_OK);
    assert_int_equal(ta_pwrite_full(f, p, n, 0, NULL), TA_OK);
    assert_int_equal(ta_close(&f, NULL), TA_OK);
    s->life.vfs = &copy.vfs;
    s->model.lost = s->model.wrong = 0;
    assert_int_equal(life_open(&s->life, NULL), TA_OK);
    life_compare(&s->life, &s->model);
    life_drop(&s->life);
    ta_vfs_mem_done(&copy);
}

static const char *name_of(const struct site *s)
{
    return s->life.format == TA_TREE_BIN ? "bin" : "json";
}

static void flip_every_bit(struct site *s)
{
    uint64_t flips = 0;

    for (size_t bit = 0; bit < 8 * s->n; bit += step, flips++) {
        s->bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        start_with(s, s->bytes, s->n);
        if (s->model.lost + s->model.wrong > 0)
            fail_msg("%s: bit %zu of byte %zu: lost %llu, wrong %llu", name_of(s), bit % 8, bit / 8,
                     (unsigned long long)s->model.lost, (unsigned long long)s->model.wrong);
        s->bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    printf("mutate %s: flips=%llu lost=0 wrong=0\n", name_of(s), (unsigned long long)flips);
}

static void any_flipped_bit_of_a_checkpoint_costs_nothing(void **state)
{
    static struct site s;

    (void)state;
    for (enum ta_tree_format f = TA_TREE_BIN; f <= TA_TREE_JSON; f++) {
        begin(&s, f);
        flip_every_bit(&s);
        end(&s);
    }
}

/* The longer the piece, the more is there; a piece that ends in the checksums has everything. */
static void cut_everywhere(struct site *s)
{
    uint64_t cuts = 0;
    uint64_t lost = UINT64_MAX;

    for (size_t at = 0; at < s->n + step; at += step, cuts++) {
        start_with(s, s->bytes, at < s->n ? at : s->n);
        assert_int_equal(s->model.wrong, 0);
        assert_true(s->model.lost <= lost);
        lost = s->model.lost;
    }
    assert_int_equal(lost, 0);
    printf("mutate %s: cuts=%llu wrong=0\n", name_of(s), (unsigned long long)cuts);
}

static void a_checkpoint_cut_anywhere_gives_what_stands_before_the_cut(void **state)
{
    static struct site s;

    (void)state;
    for (enum ta_tree_format f = TA_TREE_BIN; f <= TA_TREE_JSON; f++) {
        begin(&s, f);
        cut_everywhere(&s);
        end(&s);
    }
}

static void more_damage_than_a_bit_is_never_believed(void **state)
{
    static struct site s;
    struct ta_rand rand = {.state = 5};
    uint64_t tries = 0;
    uint64_t lost = 0;

    (void)state;
    for (enum ta_tree_format f = TA_TREE_BIN; f <= TA_TREE_JSON; f++) {
        begin(&s, f);
        for (unsigned i = 0; i < 4000 / step; i++, tries++) {
            static unsigned char bytes[FILE_MAX];
            memcpy(bytes, s.bytes, s.n);
            /* From two bits to a stretch of garbage. */
            size_t at = ta_rand_below(&rand, s.n - 200);
            size_t n = 2 + ta_rand_below(&rand, 60);
            for (size_t k = 0; k < n; k++)
                bytes[at + k] ^= (unsigned char)(1 + ta_rand_below(&rand, 255));
            start_with(&s, bytes, s.n);
            assert_int_equal(s.model.wrong, 0);
            lost += s.model.lost;
        }
        end(&s);
    }
    printf("mutate garbage: tries=%llu lost=%llu wrong=0\n", (unsigned long long)tries,
           (unsigned long long)lost);
    assert_true(lost > 0);
}

/* The file no longer says that it has checksums. */
static void take_the_seal_off(struct site *s)
{
    static const char key[] = "\"seal\":\"";

    if (s->life.format == TA_TREE_BIN) {
        memset(s->bytes + s->n - TA_SEAL_BYTES, 0, 8);
        return;
    }
    unsigned char *at = memmem(s->bytes, s->n, key, sizeof(key) - 1);
    assert_non_null(at);
    memset(at + sizeof(key) - 1, '0', 16);
}

/* The planted defect: checksums that nobody looks at. Then flipped bits come through as samples. */
static void ignored_checksums_are_noticed_by_these_tests(void **state)
{
    static struct site s;

    (void)state;
    for (enum ta_tree_format f = TA_TREE_BIN; f <= TA_TREE_JSON; f++) {
        uint64_t wrong = 0;
        begin(&s, f);
        take_the_seal_off(&s);
        for (size_t bit = 0; bit < 8 * s.n; bit += 97) {
            s.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
            start_with(&s, s.bytes, s.n);
            wrong += s.model.wrong;
            s.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        }
        printf("mutate %s mutant: checksums_ignored_wrong=%llu\n", name_of(&s),
               (unsigned long long)wrong);
        assert_true(wrong > 0);
        end(&s);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_flipped_bit_of_a_checkpoint_costs_nothing),
        cmocka_unit_test(a_checkpoint_cut_anywhere_gives_what_stands_before_the_cut),
        cmocka_unit_test(more_damage_than_a_bit_is_never_believed),
        cmocka_unit_test(ignored_checksums_are_noticed_by_these_tests),
    };

    if (argc > 1)
        step = strtoull(argv[1], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
