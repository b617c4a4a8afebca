/* The order of recovery: the last writer wins, also when he wrote while the past was still being loaded; and one
 * damaged bit of the log costs the record it is in, no other and no wrong value. */
#include "base/bytes.h"
#include "life.h"
#include "persist/log_format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void life_begin(struct life *l, struct ta_vfs_mem *disk, struct life_model **m)
{
    *l = (struct life){.alloc = &ta_heap, .format = TA_TREE_BIN};
    assert_int_equal(ta_vfs_mem_init(disk, &ta_heap), TA_OK);
    l->vfs = &disk->vfs;
    ta_clock_manual_init(&l->clock, LIFE_BASE);
    *m = calloc(1, sizeof(**m));
    assert_non_null(*m);
}

static void writes_while_loading_win_over_what_is_loaded(void **state)
{
    struct ta_vfs_mem disk;
    struct life_model *m;
    struct life l;

    (void)state;
    life_begin(&l, &disk, &m);
    assert_int_equal(life_open(&l, NULL), TA_OK);
    for (unsigned k = 0; k < 6; k++)
        assert_int_equal(life_write(&l, m, 0, 0, LIFE_COLUMNS, k), TA_OK);
    assert_int_equal(life_checkpoint(&l, LIFE_BASE + 3 * LIFE_FREQ, NULL), TA_OK);
    life_drop(&l);
    /* The same slots again, some from the file's range and some from the log's, before anything is loaded. */
    assert_int_equal(life_open_unloaded(&l, NULL), TA_OK);
    assert_int_equal(life_write(&l, m, 0, 0, 3, 1), TA_OK);
    assert_int_equal(life_write(&l, m, 0, 1, 3, 5), TA_OK);
    assert_int_equal(life_write(&l, m, 1, 0, 3, 5), TA_OK);
    assert_int_equal(ta_vault_load(&l.vault, NULL, NULL), TA_OK);
    life_compare(&l, m);
    assert_int_equal(m->lost + m->wrong, 0);
    life_drop(&l);
    assert_int_equal(life_open(&l, NULL), TA_OK);
    life_compare(&l, m);
    assert_int_equal(m->lost + m->wrong, 0);
    life_drop(&l);
    ta_vfs_mem_done(&disk);
    free(m);
}

static void a_clock_that_steps_back_and_forth_loses_nothing(void **state)
{
    const int64_t hour_ns = 3600 * (int64_t)1000000000;
    struct ta_vfs_mem disk;
    struct life_model *m;
    struct life l;

    (void)state;
    life_begin(&l, &disk, &m);
    for (unsigned round = 0; round < 6; round++) {
        assert_int_equal(life_open(&l, NULL), TA_OK);
        life_compare(&l, m);
        for (unsigned k = 0; k < 5; k++)
            assert_int_equal(life_write(&l, m, k % LIFE_HOSTS, 0, LIFE_COLUMNS, round * 5 + k),
                             TA_OK);
        ta_clock_manual_step(&l.clock, round % 2 ? 3 * hour_ns : -2 * hour_ns);
        assert_int_equal(life_checkpoint(&l, ta_now_s(&l.clock.clock), NULL), TA_OK);
        life_drop(&l);
    }
    assert_int_equal(life_open(&l, NULL), TA_OK);
    life_compare(&l, m);
    assert_int_equal(m->lost + m->wrong, 0);
    life_drop(&l);
    ta_vfs_mem_done(&disk);
    free(m);
}

/* Down for longer than the retention, or a clock that is: the archive is still to get them. */
static void what_only_the_log_has_gets_into_a_file_however_old_it_is(void **state)
{
    struct ta_vfs_mem disk;
    struct life_model *m;
    struct life l;

    (void)state;
    for (enum ta_tree_format format = TA_TREE_BIN; format <= TA_TREE_JSON; format++) {
        life_begin(&l, &disk, &m);
        l.format = format;
        l.retention_s = 3600;
        assert_int_equal(life_open(&l, NULL), TA_OK);
        /* Young ones into files, then old ones, which a host with young ones would refuse by now. */
        for (unsigned k = 40; k < 46; k++)
            assert_int_equal(life_write(&l, m, k % LIFE_HOSTS, 0, LIFE_COLUMNS, k), TA_OK);
        assert_int_equal(life_checkpoint(&l, TA_CHECKPOINT_ALL, NULL), TA_OK);
        for (unsigned k = 0; k < 10; k++)
            assert_int_equal(life_write(&l, m, k % LIFE_HOSTS, 0, LIFE_COLUMNS, k), TA_OK);
        life_drop(&l);
        ta_clock_manual_step(&l.clock, (3600 + 20 * LIFE_FREQ) * (int64_t)1000000000);
        assert_int_equal(life_open(&l, NULL), TA_OK);
        assert_int_equal(life_checkpoint(&l, ta_now_s(&l.clock.clock), NULL), TA_OK);
        life_drop(&l);
        l.retention_s = 0; /* what is in the files now, old or not */
        assert_int_equal(life_open(&l, NULL), TA_OK);
        life_compare(&l, m);
        assert_int_equal(m->lost + m->wrong, 0);
        const struct ta_recover_report *report = ta_recover_report(l.vault.recover);
        assert_int_equal(report->kind[TA_RECOVER_LOG].samples, 0);
        life_drop(&l);
        ta_vfs_mem_done(&disk);
        free(m);
    }
}

/* A file stands where the directory of the second host must be. */
static void block_host(struct ta_vfs_mem *disk)
{
    struct ta_file *f = NULL;

    assert_int_equal(ta_mkdir_all(&disk->vfs, "root/c", 0755, NULL), TA_OK);
    assert_int_equal(
        ta_open(&disk->vfs, "root/c/n2", TA_OPEN_WRITE | TA_OPEN_CREATE, 0644, &f, NULL), TA_OK);
    assert_int_equal(ta_close(&f, NULL), TA_OK);
}

static void a_host_that_cannot_be_written_keeps_its_log_until_it_can(void **state)
{
    struct ta_vfs_mem disk;
    struct life_model *m;
    struct life l;

    (void)state;
    life_begin(&l, &disk, &m);
    for (int is_healed = 0; is_healed < 2; is_healed++) {
        assert_int_equal(life_open(&l, NULL), TA_OK);
        for (unsigned k = 0; k < 9; k++)
            assert_int_equal(
                life_write(&l, m, k % LIFE_HOSTS, 0, LIFE_COLUMNS, (unsigned)is_healed * 9 + k),
                TA_OK);
        block_host(&disk);
        /* Others are written, and twice: neither run may let go of what the blocked host has. */
        assert_true(life_checkpoint(&l, TA_CHECKPOINT_ALL, NULL) < 0);
        assert_true(life_checkpoint(&l, TA_CHECKPOINT_ALL, NULL) < 0);
        if (is_healed) {
            assert_int_equal(disk.vfs.unlink(&disk.vfs, "root/c/n2", NULL), TA_OK);
            assert_int_equal(life_checkpoint(&l, TA_CHECKPOINT_ALL, NULL), TA_OK);
        }
        life_drop(&l); /* the next start moves the file out of the way */
        assert_int_equal(life_open(&l, NULL), TA_OK);
        life_compare(&l, m);
        assert_int_equal(m->lost + m->wrong, 0);
        const struct ta_recover_report *report = ta_recover_report(l.vault.recover);
        assert_int_equal(report->kind[TA_RECOVER_LOG].samples > 0, !is_healed);
        life_drop(&l);
    }
    ta_vfs_mem_done(&disk);
    free(m);
}

static void no_checkpoint_is_taken_before_everything_is_loaded(void **state)
{
    struct ta_vfs_mem disk;
    struct life_model *m;
    struct life l;

    (void)state;
    life_begin(&l, &disk, &m);
    assert_int_equal(life_open_unloaded(&l, NULL), TA_OK);
    assert_int_equal(life_checkpoint(&l, TA_CHECKPOINT_ALL, NULL), TA_ESTATE);
    life_drop(&l);
    ta_vfs_mem_done(&disk);
    free(m);
}

/* The bytes of the log segment that holds the samples: the two before it ended with the loading. */
static size_t read_segment(struct ta_vfs_mem *disk, unsigned char *out, size_t room)
{
    struct ta_file *f = NULL;

    assert_int_equal(
        ta_open(&disk->vfs, "root/.tarn/log/0000000000000003.log", TA_OPEN_READ, 0, &f, NULL),
        TA_OK);
    int64_t n = ta_pread_full(f, out, room, 0, NULL);
    assert_int_equal(ta_close(&f, NULL), TA_OK);
    assert_true(n > 0 && (size_t)n < room);
    return (size_t)n;
}

static void change_segment(struct ta_vfs_mem *disk, size_t at, unsigned char byte)
{
    struct ta_file *f = NULL;

    assert_int_equal(
        ta_open(&disk->vfs, "root/.tarn/log/0000000000000003.log", TA_OPEN_WRITE, 0, &f, NULL),
        TA_OK);
    assert_int_equal(ta_pwrite_full(f, &byte, 1, at, NULL), TA_OK);
    assert_int_equal(ta_close(&f, NULL), TA_OK);
}

static void any_flipped_bit_of_the_log_costs_at_most_its_record(void **state)
{
    enum { BATCHES = 4 };
    static unsigned char bytes[1 << 16];
    struct ta_vfs_mem disk;
    struct life_model *m;
    struct life l;
    uint64_t flips = 0, records_hit = 0;

    (void)state;
    life_begin(&l, &disk, &m);
    assert_int_equal(life_open(&l, NULL), TA_OK);
    for (unsigned k = 0; k < BATCHES; k++) /* each a record of its own */
        assert_int_equal(life_write(&l, m, k % 2, 0, 2, k), TA_OK);
    life_drop(&l);
    size_t n = read_segment(&disk, bytes, sizeof(bytes));
    for (size_t bit = 0; bit < 8 * n; bit++) {
        struct ta_vfs_mem copy;
        assert_int_equal(ta_vfs_mem_copy(&copy, &disk), TA_OK);
        change_segment(&copy, bit / 8, bytes[bit / 8] ^ (unsigned char)(1u << bit % 8));
        l.vfs = &copy.vfs;
        m->lost = m->wrong = 0;
        assert_int_equal(life_open(&l, NULL), TA_OK);
        life_compare(&l, m);
        assert_int_equal(m->wrong, 0);
        assert_true(m->lost <= 2);
        records_hit += m->lost > 0;
        flips++;
        life_drop(&l);
        ta_vfs_mem_done(&copy);
    }
    printf("mutate log: flips=%llu records_hit=%llu wrong=0 beyond_hit_lost=0\n",
           (unsigned long long)flips, (unsigned long long)records_hit);
    assert_true(records_hit > 0);
    ta_vfs_mem_done(&disk);
    free(m);
}

/* The planted defect: a reader that ignores the checksum takes a record whose bits flipped. As good as that is a
 * record that was sealed again after the flip. Then wrong values come through, and the test above would see it. */
static void a_log_whose_checksums_are_ignored_is_noticed(void **state)
{
    static unsigned char bytes[1 << 16];
    struct ta_log_segment head;
    struct ta_vfs_mem disk;
    struct life_model *m;
    struct life l;
    uint64_t noticed = 0;

    (void)state;
    life_begin(&l, &disk, &m);
    assert_int_equal(life_open(&l, NULL), TA_OK);
    assert_int_equal(life_write(&l, m, 0, 0, 2, 0), TA_OK);
    life_drop(&l);
    size_t n = read_segment(&disk, bytes, sizeof(bytes));
    assert_int_equal(ta_log_segment_decode(bytes, &head), TA_OK);
    unsigned char *record = bytes + TA_LOG_RECORDS_AT;
    size_t payload = ta_get_u32(record + 4);
    assert_true(TA_LOG_RECORDS_AT + TA_LOG_RECORD_HEAD + payload <= n);
    for (size_t bit = 0; bit < 8 * payload; bit++) {
        struct ta_log_chain chain = {
            .salt = head.salt, .previous = head.salt, .sequence = head.first_sequence};
        struct ta_vfs_mem copy;
        unsigned char *hit = record + TA_LOG_RECORD_HEAD + bit / 8;
        *hit ^= (unsigned char)(1u << bit % 8);
        ta_log_record_seal(record, payload, &chain);
        assert_int_equal(ta_vfs_mem_copy(&copy, &disk), TA_OK);
        for (size_t i = 0; i < TA_LOG_RECORD_HEAD + payload; i++)
            change_segment(&copy, TA_LOG_RECORDS_AT + i, record[i]);
        l.vfs = &copy.vfs;
        m->lost = m->wrong = 0;
        if (life_open(&l, NULL) == TA_OK) {
            life_compare(&l, m);
            life_drop(&l);
        }
        noticed += m->wrong > 0;
        ta_vfs_mem_done(&copy);
        *hit ^= (unsigned char)(1u << bit % 8);
    }
    printf("mutate log mutant: checksums_ignored_wrong=%llu\n", (unsigned long long)noticed);
    assert_true(noticed > 0);
    ta_vfs_mem_done(&disk);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_while_loading_win_over_what_is_loaded),
        cmocka_unit_test(a_clock_that_steps_back_and_forth_loses_nothing),
        cmocka_unit_test(what_only_the_log_has_gets_into_a_file_however_old_it_is),
        cmocka_unit_test(a_host_that_cannot_be_written_keeps_its_log_until_it_can),
        cmocka_unit_test(no_checkpoint_is_taken_before_everything_is_loaded),
        cmocka_unit_test(any_flipped_bit_of_the_log_costs_at_most_its_record),
        cmocka_unit_test(a_log_whose_checksums_are_ignored_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
