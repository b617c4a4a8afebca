/* test_ingest_journal.c - what the log sees of the lines, and a log that is full or dead. */
#include "feed_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct feed_run one, other;

struct fake_journal {
    struct ta_journal journal;
    int refuse_every; /* TA_EAGAIN for each n-th reserve; 0 = never */
    int dead_after;   /* TA_EIO from that reserve on; 0 = never */
    int n_reserves, n_open;
    uint64_t ticket, n_samples;
    double sum;
};

static int fake_reserve(struct ta_journal *self, const struct ta_journal_batch *batch,
                        uint64_t *out_room, struct ta_err *err)
{
    struct fake_journal *j = TA_CONTAINER(self, struct fake_journal, journal);

    assert_true(batch->n >= 1 && batch->n <= 256 && j->n_open == 0);
    for (size_t i = 0; i < batch->n; i++)
        assert_true(batch->columns[i] < batch->writer->n_columns);
    j->n_reserves++;
    if (j->dead_after && j->n_reserves >= j->dead_after)
        return ta_fail(err, TA_EIO, "no disk");
    if (j->refuse_every && j->n_reserves % j->refuse_every == 0)
        return TA_EAGAIN;
    j->n_open++;
    *out_room = (uint64_t)j->n_reserves;
    return TA_OK;
}

static uint64_t fake_commit(struct ta_journal *self, const struct ta_journal_batch *accepted,
                            uint64_t room)
{
    struct fake_journal *j = TA_CONTAINER(self, struct fake_journal, journal);

    assert_true(j->n_open == 1 && room == (uint64_t)j->n_reserves);
    j->n_open = 0;
    for (size_t i = 0; i < accepted->n; i++)
        j->sum += accepted->values[i];
    j->n_samples += accepted->n;
    return accepted->n ? ++j->ticket : 0;
}

static void a_full_journal_loses_and_repeats_nothing(void **state)
{
    static char body[1 << 16];
    size_t n = 0;

    (void)state;
    for (int i = 0; i < 30; i++) {
        n += feed_run_batch(body + n, sizeof(body) - n, i % 4 ? "n1" : "n2", i / 4, i % 2);
        n += (size_t)sprintf(body + n,
                             "cpu_load,cluster=c,hostname=n1,type=node value=7\n"
                             "mem_bw,cluster=c,hostname=n1,type=node value=7 %d\n"
                             "mem_bw,cluster=c,hostname=n1,type=node value=8 %d\n",
                             NOW - 5000 + i, NOW + 4000);
    }
    n += (size_t)sprintf(body + n,
                         "cpu_load,hostname=e\\ f value=1 1700000040\nbad\ncpu_load bad\n");
    feed_run_open(&one, true, NULL);
    feed_run_all(&one, "c", (struct ta_str){body, n}, SIZE_MAX, 1);
    feed_run_close(&one);
    for (int every = 2; every < 6; every++) {
        for (size_t step = 50; step < 20000; step = step * 2 + 1) {
            struct fake_journal j = {.journal = {fake_reserve, fake_commit}, .refuse_every = every};
            feed_run_open(&other, every == 5, &j.journal);
            feed_run_all(&other, "c", (struct ta_str){body, n}, step, step);
            feed_run_close(&other);
            assert_string_equal(one.text, other.text);
            assert_true(j.ticket > 0);
        }
    }
}

static void a_dead_journal_stores_nothing_and_fails_the_feed(void **state)
{
    struct fake_journal j = {.journal = {fake_reserve, fake_commit}, .dead_after = 2};
    struct ta_feed f;
    struct ta_err err = {0};
    size_t used;

    (void)state;
    feed_run_open(&one, false, &j.journal);
    assert_int_equal(ta_feed_init(&f, &ta_heap, ta_str("c"), NULL, NOW), TA_OK);
    struct ta_str body = TA_STR("cpu_load,host=a value=1 1700000040\n"
                                "cpu_load,host=b value=2 1700000040\n");
    assert_int_equal(ta_ingest_feed(one.in, &f, body, NOW, &used, &err), TA_EIO);
    assert_string_equal(err.text, "no disk");
    assert_int_equal(ta_ingest_feed(one.in, &f, body, NOW, &used, NULL), TA_EIO);
    assert_int_equal(ta_ingest_end(one.in, &f, true, NOW, NULL), TA_EIO);
    feed_run_tell(&one, &f);
    assert_string_equal(one.text, "c/a// cpu_load [1700000010 1: 1]\nstored 1\ngood");
    assert_int_equal(f.ticket, 1);
    assert_int_equal(j.n_samples, 1);
    ta_feed_done(&f);
    feed_run_close(&one);
}

static void the_journal_gets_what_the_store_accepted(void **state)
{
    struct fake_journal j = {.journal = {fake_reserve, fake_commit}};
    struct ta_feed f;

    (void)state;
    feed_run_open(&one, false, &j.journal);
    ta_store_set_retention(one.store, 86400);
    assert_int_equal(ta_feed_init(&f, &ta_heap, ta_str("c"), NULL, NOW), TA_OK);
    assert_int_equal(feed_run_give(&one, &f,
                                   TA_STR("cpu_load,host=a value=1 1700000040\n"
                                          "cpu_load,host=a value=2 1600000040\n"
                                          "cpu_load,host=a value=4 1700000100\n")),
                     TA_OK);
    feed_run_tell(&one, &f);
    assert_string_equal(one.text, "c/a// cpu_load [1700000010 2: 1 4]\nstored 2, too_old 1\ngood");
    assert_int_equal(j.n_samples, 2);
    assert_true(j.sum == 5);
    ta_feed_done(&f);
    feed_run_close(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_journal_loses_and_repeats_nothing),
        cmocka_unit_test(a_dead_journal_stores_nothing_and_fails_the_feed),
        cmocka_unit_test(the_journal_gets_what_the_store_accepted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
