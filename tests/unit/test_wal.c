/* What the log acknowledged stands in its segments, in order, with its names. */
#include "base/bytes.h"
#include "io/vfs.h"
#include "persist/log_read.h"
#include "persist/wal.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { COLUMNS = 300 };

struct place {
    char dir[64];
    struct ta_wal_conf conf;
    struct ta_wal *wal;
};

static void name_of(void *self, uint32_t column, struct ta_str *metric, struct ta_str *type,
                    struct ta_str *stype)
{
    static char text[COLUMNS][16];

    (void)self;
    snprintf(text[column], sizeof(text[column]), "m%u", column);
    *metric = ta_str(text[column]);
    *type = column % 2 ? TA_STR("socket0") : TA_STR("");
    *stype = TA_STR("");
}

static struct ta_wal_host host_of(uint64_t id)
{
    return (struct ta_wal_host){.host_id = id,
                                .shape_id = 1,
                                .cluster = TA_STR("c"),
                                .host = TA_STR("h"),
                                .column = name_of,
                                .n_columns = COLUMNS};
}

static void place_open(struct place *p, enum ta_durability durability)
{
    snprintf(p->dir, sizeof(p->dir), "/tmp/tarn-wal-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    p->conf = (struct ta_wal_conf){.vfs = &ta_vfs_posix,
                                   .dir = p->dir,
                                   .alloc = &ta_heap,
                                   .clock = &ta_clock_system,
                                   .durability = durability,
                                   .sync_interval_ms = 20,
                                   .seed = 42};
    assert_int_equal(ta_wal_open(&p->wal, &p->conf, NULL), TA_OK);
}

static void place_close(struct place *p)
{
    char cmd[128];

    assert_int_equal(ta_wal_close(p->wal, NULL), TA_OK);
    snprintf(cmd, sizeof(cmd), "rm -rf %s", p->dir);
    assert_int_equal(system(cmd), 0);
}

static uint64_t add_tick(struct ta_wal *w, uint64_t host, int64_t ts)
{
    struct ta_wal_host h = host_of(host);
    uint32_t columns[COLUMNS];
    int64_t times[COLUMNS];
    double values[COLUMNS];
    struct ta_wal_batch batch = {&h, columns, times, values, COLUMNS};
    struct ta_wal_room room;
    int r;

    for (uint32_t i = 0; i < COLUMNS; i++) {
        columns[i] = i;
        times[i] = ts;
        values[i] = (double)(ts * 1000 + i);
    }
    while ((r = ta_wal_reserve(w, &batch, &room, NULL)) == TA_EAGAIN)
        assert_int_equal(ta_wal_wait_room(w, 10000), TA_OK);
    assert_int_equal(r, TA_OK);
    return ta_wal_commit(w, &batch, &room);
}

struct tally {
    uint64_t samples, records, hosts, columns, unnamed, wrong;
    int64_t ts_sum;
};

static void tally_record(struct ta_str payload, struct tally *t, bool named[COLUMNS])
{
    struct ta_log_item item;
    struct ta_log_piece piece;
    int r;

    t->records++;
    while ((r = ta_log_next_item(&payload, &item)) > 0) {
        uint32_t expected = 0;
        if (item.kind == TA_LOG_HOST)
            t->hosts++;
        if (item.kind == TA_LOG_COLUMN) {
            t->columns++;
            named[item.column] = true;
        }
        while (item.kind == TA_LOG_SAMPLES && ta_log_next_piece(&item, &expected, &piece)) {
            for (uint32_t i = 0; i < piece.count; i++) {
                double want = (double)(item.ts_s * 1000 + piece.first + i);
                t->wrong += ta_get_f64(piece.values + (size_t)i * 8) != want;
                t->unnamed += !named[piece.first + i];
                t->samples++;
            }
            t->ts_sum += item.ts_s;
        }
    }
    assert_int_equal(r, 0);
}

static void tally_segment(const char *dir, uint64_t number, struct tally *t)
{
    bool named[COLUMNS] = {false};
    struct ta_log_reader *rd = NULL;
    struct ta_log_entry entry;
    struct ta_file *file = NULL;
    char path[128];
    int r;

    ta_wal_segment_path(path, sizeof(path), dir, number);
    if (ta_open(&ta_vfs_posix, path, TA_OPEN_READ, 0, &file, NULL) < 0)
        return;
    assert_int_equal(ta_log_reader_new(&rd, file, &ta_heap, NULL), TA_OK);
    assert_int_equal(ta_log_reader_segment(rd)->number, number);
    while ((r = ta_log_reader_next(rd, &entry, NULL)) > 0) {
        assert_int_equal(entry.kind, TA_LOG_FOUND_RECORD);
        tally_record(entry.record.payload, t, named);
    }
    assert_int_equal(r, 0);
    ta_log_reader_free(rd);
    assert_int_equal(ta_close(&file, NULL), TA_OK);
}

static void a_durable_ticket_is_in_the_segment(void **state)
{
    struct place p = {0};
    struct tally t = {0};

    (void)state;
    place_open(&p, TA_DURABILITY_SYNC);
    for (int64_t ts = 1; ts <= 50; ts++)
        assert_int_equal(ta_wal_wait(p.wal, add_tick(p.wal, 7, ts), 10000), TA_TICKET_DURABLE);
    tally_segment(p.dir, 1, &t);
    assert_int_equal(t.samples, 50 * COLUMNS);
    assert_int_equal(t.ts_sum, 50 * 51 / 2);
    assert_int_equal(t.wrong + t.unnamed, 0);
    place_close(&p);
}

static void every_name_is_said_in_exactly_two_records(void **state)
{
    struct place p = {0};
    struct tally t = {0};

    (void)state;
    place_open(&p, TA_DURABILITY_SYNC);
    for (int64_t ts = 1; ts <= 10; ts++)
        ta_wal_wait(p.wal, add_tick(p.wal, 7, ts), 10000);
    tally_segment(p.dir, 1, &t);
    assert_int_equal(t.hosts, 2);
    assert_int_equal(t.columns, 2 * COLUMNS);
    place_close(&p);
}

static void more_than_the_buffers_hold_waits_and_loses_nothing(void **state)
{
    struct place p = {0};
    struct tally t = {0};
    uint64_t last = 0;

    (void)state;
    place_open(&p, TA_DURABILITY_SYNC);
    for (int64_t ts = 1; ts <= 12000; ts++) /* 29 MB through two buffers of 4 MiB */
        last = add_tick(p.wal, (uint64_t)ts % 64, ts);
    assert_int_equal(ta_wal_wait(p.wal, last, 20000), TA_TICKET_DURABLE);
    tally_segment(p.dir, 1, &t);
    assert_int_equal(t.samples, 12000 * COLUMNS);
    assert_int_equal(t.wrong + t.unnamed, 0);
    place_close(&p);
}

static void a_cut_divides_samples_and_old_segments_can_go(void **state)
{
    struct place p = {0};
    struct tally before = {0};
    struct tally after = {0};
    uint64_t segment = 0;

    (void)state;
    place_open(&p, TA_DURABILITY_SYNC);
    add_tick(p.wal, 7, 1);
    assert_int_equal(ta_wal_cut(p.wal, &segment, NULL), TA_OK);
    assert_int_equal(segment, 2);
    ta_wal_wait(p.wal, add_tick(p.wal, 7, 2), 10000);
    tally_segment(p.dir, 1, &before);
    tally_segment(p.dir, 2, &after);
    assert_int_equal(before.ts_sum, 1);
    assert_int_equal(after.ts_sum, 2);
    assert_int_equal(after.unnamed, 0);
    assert_int_equal(ta_wal_drop(p.wal, segment, NULL), TA_OK);
    before = (struct tally){0};
    tally_segment(p.dir, 1, &before);
    assert_int_equal(before.records, 0);
    assert_int_equal(ta_wal_cut(p.wal, &segment, NULL), TA_OK); /* also with nothing added */
    place_close(&p);
}

static void a_segment_is_needed_until_its_newest_sample_is_covered(void **state)
{
    struct place p = {0};
    struct ta_wal_segment old[] = {{1, 100}, {2, INT64_MIN}, {3, 300}};
    uint64_t segment = 0;

    (void)state;
    place_open(&p, TA_DURABILITY_SYNC);
    assert_int_equal(ta_wal_close(p.wal, NULL), TA_OK);
    p.conf.old_segments = old;
    p.conf.n_old_segments = 3;
    p.conf.next_segment = 4;
    assert_int_equal(ta_wal_open(&p.wal, &p.conf, NULL), TA_OK);
    ta_wal_wait(p.wal, add_tick(p.wal, 7, 500), 10000);
    ta_wal_wait(p.wal, add_tick(p.wal, 7, 400), 10000);
    assert_int_equal(ta_wal_cut(p.wal, &segment, NULL), TA_OK);
    assert_int_equal(ta_wal_first_needed(p.wal, 100, 0), 1);
    assert_int_equal(ta_wal_first_needed(p.wal, 101, 0), 3);
    assert_int_equal(ta_wal_first_needed(p.wal, 310, 10), 3);
    assert_int_equal(ta_wal_first_needed(p.wal, 311, 10), 4);
    assert_int_equal(ta_wal_first_needed(p.wal, 500, 0), 4);
    assert_int_equal(ta_wal_first_needed(p.wal, 501, 0), 5);
    assert_int_equal(ta_wal_drop(p.wal, 5, NULL), TA_OK);
    assert_int_equal(ta_wal_first_needed(p.wal, 0, 0), 5);
    place_close(&p);
}

static void a_full_segment_is_followed_by_another(void **state)
{
    struct place p = {0};
    struct tally t = {0};
    struct ta_wal_counts counts;

    (void)state;
    place_open(&p, TA_DURABILITY_SYNC);
    assert_int_equal(ta_wal_close(p.wal, NULL), TA_OK);
    p.conf.segment_bytes = 100000;
    p.conf.next_segment = 2;
    assert_int_equal(ta_wal_open(&p.wal, &p.conf, NULL), TA_OK);
    for (int64_t ts = 1; ts <= 200; ts++)
        ta_wal_wait(p.wal, add_tick(p.wal, 7, ts), 10000);
    ta_wal_counts(p.wal, &counts);
    assert_true(counts.segments > 4);
    for (uint64_t n = 2; n < 2 + counts.segments; n++)
        tally_segment(p.dir, n, &t);
    assert_int_equal(t.samples, 200 * COLUMNS);
    assert_int_equal(t.wrong + t.unnamed, 0);
    place_close(&p);
}

static void interval_mode_answers_at_once_and_writes_soon(void **state)
{
    struct place p = {0};
    struct tally t = {0};
    struct ta_wal_counts counts = {0};

    (void)state;
    place_open(&p, TA_DURABILITY_INTERVAL);
    assert_int_equal(ta_wal_ticket(p.wal, add_tick(p.wal, 7, 1)), TA_TICKET_DURABLE);
    for (int i = 0; i < 1000 && counts.syncs == 0; i++) {
        usleep(5000);
        ta_wal_counts(p.wal, &counts);
    }
    tally_segment(p.dir, 1, &t);
    assert_int_equal(t.samples, COLUMNS);
    place_close(&p);
}

struct writer {
    struct ta_wal *wal;
    uint64_t host;
};

static void *write_many(void *arg)
{
    struct writer *w = arg;
    uint64_t last = 0;

    for (int64_t ts = 1; ts <= 300; ts++)
        last = add_tick(w->wal, w->host, ts);
    return ta_wal_wait(w->wal, last, 20000) == TA_TICKET_DURABLE ? NULL : w;
}

static void writers_and_cuts_mix(void **state)
{
    struct place p = {0};
    struct writer writers[3];
    pthread_t threads[3];
    struct tally t = {0};
    uint64_t segment = 1;

    (void)state;
    place_open(&p, TA_DURABILITY_SYNC);
    for (int i = 0; i < 3; i++) {
        writers[i] = (struct writer){p.wal, (uint64_t)i + 1};
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &writers[i]), 0);
    }
    for (int i = 0; i < 10; i++)
        assert_int_equal(ta_wal_cut(p.wal, &segment, NULL), TA_OK);
    for (int i = 0; i < 3; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    for (uint64_t n = 1; n <= segment; n++)
        tally_segment(p.dir, n, &t);
    assert_int_equal(t.samples, 3 * 300 * COLUMNS);
    assert_int_equal(t.wrong + t.unnamed, 0);
    place_close(&p);
}

static void segment_names_are_told_from_others(void **state)
{
    uint64_t n = 0;
    char path[64];

    (void)state;
    ta_wal_segment_path(path, sizeof(path), "d", 0xabc);
    assert_string_equal(path, "d/0000000000000abc.log");
    assert_int_equal(ta_wal_segment_number(path + 2, &n), TA_OK);
    assert_int_equal(n, 0xabc);
    assert_int_equal(ta_wal_segment_number("0000000000000abc.lo", &n), TA_EFORMAT);
    assert_int_equal(ta_wal_segment_number("0000000000000ABC.log", &n), TA_EFORMAT);
    assert_int_equal(ta_wal_segment_number("lock", &n), TA_EFORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_durable_ticket_is_in_the_segment),
        cmocka_unit_test(every_name_is_said_in_exactly_two_records),
        cmocka_unit_test(more_than_the_buffers_hold_waits_and_loses_nothing),
        cmocka_unit_test(a_cut_divides_samples_and_old_segments_can_go),
        cmocka_unit_test(a_segment_is_needed_until_its_newest_sample_is_covered),
        cmocka_unit_test(a_full_segment_is_followed_by_another),
        cmocka_unit_test(interval_mode_answers_at_once_and_writes_soon),
        cmocka_unit_test(writers_and_cuts_mix),
        cmocka_unit_test(segment_names_are_told_from_others),
    };

    return cmocka_run_group_tests_name("wal", tests, NULL, NULL);
}
