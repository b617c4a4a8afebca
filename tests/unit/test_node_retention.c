/* States of nodes leave the database for Parquet files: none lost, none twice, whatever fails. */
#include "fault.h"
#include "io/vfs_fault.h"
#include "io/vfs_mem.h"
#include "jobs/node_parquet.h"
#include "jobs/node_retention.h"
#include "jobs/schema.h"
#include "parquet/reader.h"
#include "sql_fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

enum { CUTOFF = 1700010000, START = 1700000000, ROWS_MAX = 4096 };

static char dir[64], database[96];

static int open_database(struct ta_sql *sql)
{
    const struct ta_sql_options options = {.path = database, .vfs = SQL_FAULT_VFS};

    return ta_sql_open(sql, &options, NULL);
}

/* Copies a file of the directory. */
static void copy(const char *from, const char *to)
{
    static char bytes[64 * 1024];
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    size_t n;

    assert_true(in && out);
    while ((n = fread(bytes, 1, sizeof(bytes), in)) > 0)
        assert_int_equal(fwrite(bytes, 1, n, out), n);
    assert_int_equal(fclose(in) + fclose(out), 0);
}

/* `hosts` nodes with `ticks` states each, a minute apart, those from CUTOFF on included; every 50th without node. The
 * memory of a state is its number, from 1 on. */
static void fill(unsigned hosts, unsigned ticks)
{
    const struct ta_job_schema_options options = {.may_upgrade = true};
    struct ta_sql sql;
    struct ta_err err = {0};
    char text[2048], template[128];
    const char *suffixes[] = {"", "-wal", "-shm"};
    static unsigned last_hosts, last_ticks; /* of the template: the last database that was filled */

    sql_fault_arm(-1, false);
    for (size_t i = 0; i < TA_COUNT(suffixes); i++) {
        snprintf(text, sizeof(text), "%s%s", database, suffixes[i]);
        unlink(text);
    }
    snprintf(template, sizeof(template), "%s.template", database);
    if (hosts == last_hosts && ticks == last_ticks) {
        copy(template, database);
        return;
    }
    last_hosts = hosts;
    last_ticks = ticks;
    assert_int_equal(open_database(&sql), TA_OK);
    assert_int_equal(ta_job_schema_ready(&sql, &options, &err), TA_OK);
    snprintf(
        text, sizeof(text),
        "PRAGMA synchronous = OFF; BEGIN;"
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %u - 1)"
        "INSERT INTO node SELECT i + 1, printf('n%%04d', i * 7 %% %u), 'c' || (i %% 2), "
        "'s' || (i %% 3), NULL FROM n;"
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %u - 1)"
        "INSERT INTO node_state SELECT i + 1, %d + i / %u * 60, i %% 5, i %% 64, i + 1, i %% 4,"
        "CASE i %% 3 WHEN 0 THEN 'allocated' WHEN 1 THEN 'idle' ELSE 'down' END,"
        "CASE i %% 2 WHEN 0 THEN 'full' ELSE 'partial' END,"
        "CASE i %% 4 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE '{\"missing\":[\"m' || (i %% 9) || "
        "'\"]}' END, CASE i %% 50 WHEN 49 THEN NULL ELSE i %% %u + 1 END FROM n; COMMIT;",
        hosts, hosts, hosts * ticks, START, hosts, hosts);
    if (ta_sql_run(&sql, text, &err) < 0)
        fail_msg("%s", err.text);
    ta_sql_done(&sql);
    copy(database, template);
}

/* How often each state was found, by its number. */
static unsigned char seen[ROWS_MAX + 1];

static int64_t count(const char *text)
{
    struct ta_sql sql;
    int64_t n;

    assert_int_equal(open_database(&sql), TA_OK);
    assert_int_equal(ta_sql_i64(&sql, text, &n, NULL), TA_OK);
    ta_sql_done(&sql);
    return n;
}

static void see_database(void)
{
    sqlite3_stmt *statement;
    struct ta_sql sql;

    assert_int_equal(open_database(&sql), TA_OK);
    assert_int_equal(
        sqlite3_prepare_v2(sql.db, "SELECT memory_allocated FROM node_state", -1, &statement, NULL),
        SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW)
        seen[sqlite3_column_int64(statement, 0)]++;
    sqlite3_finalize(statement);
    ta_sql_done(&sql);
}

static uint64_t see_file(struct ta_vfs *vfs, const char *path)
{
    struct ta_pq_reader *reader;
    struct ta_pq_cursor *cursor;
    struct ta_file *file;
    struct ta_pq_batch batch;
    int e;

    assert_int_equal(ta_open(vfs, path, TA_OPEN_READ, 0, &file, NULL), TA_OK);
    assert_int_equal(ta_pq_reader_open(&reader, file, NULL, &ta_heap, NULL), TA_OK);
    assert_int_equal(ta_pq_cursor_new(&cursor, reader, NULL), TA_OK);
    for (uint32_t g = 0; g < ta_pq_reader_groups(reader); g++) {
        assert_int_equal(ta_pq_cursor_open(cursor, g, TA_NODE_COL_MEMORY, NULL), TA_OK);
        while ((e = ta_pq_cursor_next(cursor, 0, &batch, NULL)) > 0)
            for (uint64_t i = 0; i < batch.n; i++)
                seen[((const int64_t *)batch.numbers)[batch.is_run ? 0 : i]]++;
        assert_int_equal(e, 0);
    }
    uint64_t rows = ta_pq_reader_rows(reader);
    ta_pq_cursor_free(cursor);
    ta_pq_reader_close(reader);
    ta_close(&file, NULL);
    return rows;
}

/* Counts every state of the database and of the published files; returns the number of files. */
static unsigned see_all(struct ta_vfs *vfs)
{
    struct ta_dir *listing;
    struct ta_dirent entry;
    unsigned n = 0;

    memset(seen, 0, sizeof(seen));
    see_database();
    assert_int_equal(vfs->open_dir(vfs, "/out", &listing, NULL), TA_OK);
    while (listing->ops->next(listing, &entry, NULL) > 0) {
        char path[512];
        snprintf(path, sizeof(path), "/out/%s", entry.name);
        see_file(vfs, path);
        n++;
    }
    listing->ops->close(listing);
    return n;
}

static void assert_each_once(unsigned rows)
{
    for (unsigned i = 1; i <= rows; i++)
        if (seen[i] != 1)
            fail_msg("state %u of %u is there %u times", i, rows, seen[i]);
}

struct site {
    struct ta_vfs_mem mem;
    struct ta_vfs_fault fault;
    struct ta_arc_place_dir place;
    struct ta_sql sql;
    struct ta_node_retention conf;
};

static void site_init(struct site *s, struct ta_alloc *alloc)
{
    assert_int_equal(ta_vfs_mem_init(&s->mem, &ta_heap), TA_OK);
    ta_vfs_fault_init(&s->fault, &s->mem.vfs, &ta_heap);
    s->fault.left = -1;
    s->fault.sys = 28;
    assert_int_equal(ta_mkdir_all(&s->mem.vfs, "/out", 0755, NULL), TA_OK);
    assert_int_equal(ta_mkdir_all(&s->mem.vfs, "/state", 0755, NULL), TA_OK);
    ta_arc_place_dir_init(&s->place, &s->fault.vfs, "/out", 0750);
    assert_int_equal(open_database(&s->sql), TA_OK);
    s->conf = (struct ta_node_retention){.sql = &s->sql,
                                         .cutoff_s = CUTOFF,
                                         .vfs = &s->fault.vfs,
                                         .alloc = alloc,
                                         .place = &s->place.place,
                                         .state = "/state",
                                         .date = "2026-11-28"};
}

static void site_done(struct site *s)
{
    ta_sql_done(&s->sql);
    ta_vfs_mem_done(&s->mem);
}

/* What goes, by the rule and not by our statements. */
static const char old_rows[] =
    "SELECT count(*) FROM node_state AS s WHERE time_stamp < 1700010000 AND (node_id IS NULL OR "
    "time_stamp < (SELECT max(time_stamp) FROM node_state WHERE node_id = s.node_id))";

static void old_states_move_and_current_ones_stay(void **state)
{
    struct site s;
    struct ta_node_retained done;
    struct ta_err err = {0};

    (void)state;
    fill(10, 300);
    int64_t old = count(old_rows);
    assert_in_range(old, 1500, 2000);
    site_init(&s, &ta_heap);
    if (ta_node_states_move(&s.conf, &done, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(done.exported, old);
    assert_int_equal(done.deleted, old);
    assert_int_equal(done.files, 1);
    assert_int_equal(done.odd, 0);
    assert_int_equal(count(old_rows), 0);
    assert_int_equal(see_all(&s.mem.vfs), 1);
    assert_each_once(3000);
    site_done(&s);
}

static void the_newest_states_of_silent_nodes_stay(void **state)
{
    struct site s;
    struct ta_node_retained done;

    (void)state;
    fill(10, 20); /* all before the cutoff */
    site_init(&s, &ta_heap);
    assert_int_equal(ta_node_states_move(&s.conf, &done, NULL), TA_OK);
    assert_int_equal(count("SELECT count(*) FROM node_state"), 10);
    assert_int_equal(count("SELECT count(DISTINCT node_id) FROM node_state"), 10);
    see_all(&s.mem.vfs);
    assert_each_once(200);
    site_done(&s);
}

static void files_roll_and_take_the_next_numbers(void **state)
{
    struct site s;
    struct ta_node_retained done;
    struct ta_stat st;

    (void)state;
    fill(10, 300);
    site_init(&s, &ta_heap);
    s.conf.file_bytes = 50000;
    s.conf.batch_rows = 7;
    assert_int_equal(ta_node_states_move(&s.conf, &done, NULL), TA_OK);
    assert_in_range(done.files, 3, 10);
    assert_int_equal(see_all(&s.mem.vfs), done.files);
    assert_each_once(3000);
    assert_int_equal(
        s.mem.vfs.stat(&s.mem.vfs, "/out/cc-nodestate-2026-11-28-003.parquet", &st, NULL), TA_OK);
    /* A second run finds nothing to do. */
    assert_int_equal(ta_node_states_move(&s.conf, &done, NULL), TA_OK);
    assert_int_equal(done.files, 0);
    assert_int_equal(done.deleted, 0);
    site_done(&s);
}

static void deleting_leaves_what_moving_would_leave(void **state)
{
    struct site s;
    struct ta_node_retained done;

    (void)state;
    for (unsigned batch = 0; batch < 3; batch++) {
        fill(10, 300);
        int64_t old = count(old_rows);
        site_init(&s, &ta_heap);
        s.conf.batch_rows = batch * 13;
        assert_int_equal(ta_node_states_delete(&s.conf, &done, NULL), TA_OK);
        assert_int_equal(done.deleted, old);
        assert_int_equal(count(old_rows), 0);
        assert_int_equal(count("SELECT count(*) FROM node_state"), 3000 - old);
        site_done(&s);
    }
}

static void a_state_that_fits_no_column_stays_and_is_counted(void **state)
{
    struct site s;
    struct ta_node_retained done;

    (void)state;
    fill(10, 300);
    site_init(&s, &ta_heap);
    assert_int_equal(
        ta_sql_run(&s.sql, "UPDATE node_state SET cpus_allocated = 5000000000 WHERE id = 12", NULL),
        TA_OK);
    assert_int_equal(ta_node_states_move(&s.conf, &done, NULL), TA_OK);
    assert_int_equal(done.odd, 1);
    assert_int_equal(count("SELECT count(*) FROM node_state WHERE id = 12"), 1);
    see_all(&s.mem.vfs);
    assert_each_once(3000);
    site_done(&s);
}

static void a_second_run_at_the_same_time_is_refused(void **state)
{
    struct site s;
    struct ta_file *held;
    struct ta_node_retained done;

    (void)state;
    fill(2, 10);
    site_init(&s, &ta_heap);
    assert_int_equal(
        ta_open(&s.mem.vfs, "/state/lock", TA_OPEN_WRITE | TA_OPEN_CREATE, 0600, &held, NULL),
        TA_OK);
    assert_int_equal(held->ops->lock(held, NULL), TA_OK);
    assert_int_equal(ta_node_states_move(&s.conf, &done, NULL), TA_ESTATE);
    ta_close(&held, NULL);
    assert_int_equal(ta_node_states_move(&s.conf, &done, NULL), TA_OK);
    site_done(&s);
}

/* A row that took the id of a deleted one is not the exported row. */
static void a_new_row_with_the_id_of_a_moved_one_is_not_deleted(void **state)
{
    struct site s;
    struct ta_node_retained done;
    struct ta_moved_rows moved;

    (void)state;
    fill(2, 10);
    site_init(&s, &ta_heap);
    assert_int_equal(ta_moved_rows_begin(&moved, &s.mem.vfs, "/state", &ta_heap, NULL), TA_OK);
    for (int64_t i = 1; i <= 4; i++)
        assert_int_equal(
            ta_moved_rows_add(&moved, (struct ta_moved_row){i, START + (i > 2) * 999}, NULL),
            TA_OK);
    assert_int_equal(ta_moved_rows_seal(&moved, NULL), TA_OK);
    assert_int_equal(ta_moved_rows_commit(&moved, "file", NULL), TA_OK);
    ta_moved_rows_done(&moved);
    struct ta_file *file;
    assert_int_equal(
        ta_open(&s.mem.vfs, "/out/file", TA_OPEN_WRITE | TA_OPEN_CREATE, 0600, &file, NULL), TA_OK);
    ta_close(&file, NULL);
    s.conf.cutoff_s = 0;
    assert_int_equal(ta_node_states_move(&s.conf, &done, NULL), TA_OK);
    assert_int_equal(done.deleted, 2);
    assert_int_equal(count("SELECT count(*) FROM node_state WHERE id IN (3, 4)"), 2);
    site_done(&s);
}

static void a_published_file_that_vanished_has_its_rows_exported_again(void **state)
{
    struct site s;
    struct ta_node_retained done;
    struct ta_moved_rows moved;

    (void)state;
    fill(10, 300);
    site_init(&s, &ta_heap);
    assert_int_equal(ta_moved_rows_begin(&moved, &s.mem.vfs, "/state", &ta_heap, NULL), TA_OK);
    assert_int_equal(ta_moved_rows_add(&moved, (struct ta_moved_row){1, START}, NULL), TA_OK);
    assert_int_equal(ta_moved_rows_seal(&moved, NULL), TA_OK);
    assert_int_equal(ta_moved_rows_commit(&moved, "gone.parquet", NULL), TA_OK);
    ta_moved_rows_done(&moved);
    assert_int_equal(ta_node_states_move(&s.conf, &done, NULL), TA_OK);
    see_all(&s.mem.vfs);
    assert_each_once(3000);
    site_done(&s);
}

/* One run in which the n-th call fails, then runs until one succeeds. True when nothing failed. */
static bool run_failing_files(int64_t n, bool for_good)
{
    struct site s;
    struct ta_node_retained done;

    fill(5, 220);
    site_init(&s, &ta_heap);
    s.conf.file_bytes = 40000;
    s.conf.batch_rows = 100;
    s.fault.kinds = TA_FAULT_ALL & ~TA_FAULT_READ;
    s.fault.for_good = for_good;
    s.fault.left = n;
    (void)ta_node_states_move(&s.conf, &done, NULL);
    bool hit = s.fault.hit;
    s.fault.left = -1;
    s.fault.for_good = false;
    s.fault.hit = false;
    ta_vfs_mem_kill(&s.mem);
    if (n % 2)
        ta_vfs_mem_power_cut(&s.mem, (uint64_t)n);
    assert_int_equal(ta_node_states_move(&s.conf, &done, NULL), TA_OK);
    assert_int_equal(count(old_rows), 0);
    see_all(&s.mem.vfs);
    assert_each_once(1100);
    site_done(&s);
    return !hit;
}

/* Every `stride`-th call only: all of them take minutes, and `make soak` has the time. */
static unsigned stride(void)
{
    return getenv("TARN_ALL_FAULTS") ? 1 : 17;
}

static void after_any_failing_file_call_nothing_is_lost_or_doubled(void **state)
{
    unsigned runs = 0;

    (void)state;
    for (int for_good = 0; for_good < 2; for_good++)
        for (int64_t n = 0; !run_failing_files(n, for_good); n += (stride() + 1) / 2)
            runs++;
    print_message("%u runs with a failing file call, crash or power cut, and a rerun\n", runs);
    assert_true(runs > 10);
}

static void after_any_failing_sql_call_nothing_is_lost_or_doubled(void **state)
{
    unsigned runs = 0;
    bool hit = true;

    (void)state;
    for (long n = 0; hit; n += stride()) {
        struct site s;
        struct ta_node_retained done;
        fill(5, 220);
        site_init(&s, &ta_heap);
        s.conf.file_bytes = 40000;
        s.conf.batch_rows = 100;
        sql_fault_arm(n, n % 2);
        (void)ta_node_states_move(&s.conf, &done, NULL);
        hit = sql_fault_hit();
        sql_fault_arm(-1, false);
        ta_sql_done(&s.sql); /* a new process */
        assert_int_equal(open_database(&s.sql), TA_OK);
        assert_int_equal(ta_node_states_move(&s.conf, &done, NULL), TA_OK);
        assert_int_equal(count(old_rows), 0);
        see_all(&s.mem.vfs);
        assert_each_once(1100);
        site_done(&s);
        runs++;
    }
    print_message("%u runs with a failing SQL call, and a rerun\n", runs);
    assert_true(runs > 10);
}

static void every_refused_allocation_is_an_error_and_loses_nothing(void **state)
{
    (void)state;
    for (struct fault f = {.mode = FAULT_ONCE}; fault_next(&f);) {
        struct site s;
        struct ta_node_retained done;
        fill(2, 200);
        site_init(&s, &f.alloc);
        int r = ta_node_states_move(&s.conf, &done, NULL);
        s.conf.alloc = &ta_heap;
        assert_int_equal(ta_node_states_move(&s.conf, &done, NULL), TA_OK);
        see_all(&s.mem.vfs);
        assert_each_once(400);
        site_done(&s);
        fault_judge(&f, r);
    }
}

/* The figure to reach: 24 MiB, for any number of rows. SQLite's memory and ours together. */
static void memory_does_not_grow_with_the_rows(void **state)
{
    static const unsigned ticks[] = {500, 900};
    size_t peak[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct site s;
        struct ta_budget budget;
        struct ta_node_retained done;
        char out[128];
        fill(100, ticks[i]);
        ta_budget_init(&budget, "moving", 0, &ta_heap);
        site_init(&s, &budget.alloc);
        ta_arc_place_dir_init(&s.place, &ta_vfs_posix, dir, 0750);
        s.conf.vfs = &ta_vfs_posix;
        s.conf.state = dir;
        s.conf.cutoff_s = INT64_C(1) << 40;
        sqlite3_memory_highwater(1);
        assert_int_equal(ta_node_states_move(&s.conf, &done, NULL), TA_OK);
        peak[i] = budget.peak + (size_t)sqlite3_memory_highwater(0);
        print_message("%llu states moved: %zu KiB at most\n", (unsigned long long)done.exported,
                      peak[i] / KiB);
        assert_int_equal(done.exported, done.deleted);
        assert_int_equal(budget.used, 0);
        site_done(&s);
        snprintf(out, sizeof(out), "%s/cc-nodestate-2026-11-28-001.parquet", dir);
        unlink(out);
    }
    assert_in_range(peak[1], 1, 24 * MiB);
    assert_in_range(peak[1], 1, peak[0] + MiB);
}

/* The file that the reference made, against the same rows as it printed them. */
static void the_schema_is_the_one_of_the_reference(void **state)
{
    const char *shared = getenv("TARN_SHARED");
    struct ta_pq_reader *reader;
    struct ta_file *file;
    char path[512];

    (void)state;
    snprintf(path, sizeof(path),
             "%s/golden/job-archive/nodestate/cc-nodestate-2026-11-21-001.parquet",
             shared ? shared : "../shared");
    if (ta_open(&ta_vfs_posix, path, TA_OPEN_READ, 0, &file, NULL) < 0) {
        print_message("no recordings here\n");
        skip();
    }
    assert_int_equal(ta_pq_reader_open(&reader, file, NULL, &ta_heap, NULL), TA_OK);
    assert_int_equal(ta_pq_reader_columns(reader), TA_NODE_COLUMNS);
    for (unsigned i = 0; i < TA_NODE_COLUMNS; i++) {
        const struct ta_pq_field *found = ta_pq_reader_field(reader, i);
        const struct ta_pq_column *ours = &ta_node_parquet_schema.columns[i];
        assert_true(ta_str_is(found->name, ours->name));
        assert_int_equal(found->type, ours->type);
        assert_int_equal(found->logical == TA_PQ_STRING, ours->logical == TA_PQ_STRING);
        assert_int_equal(found->optional, ours->optional);
    }
    ta_pq_reader_close(reader);
    ta_close(&file, NULL);
}

/* For tests/e2e/test_parquet_readers.py: the database, and what moving makes of it, in the named directory. */
static int make_sample(const char *where)
{
    struct site s;
    struct ta_node_retained done;
    struct ta_err err = {0};

    snprintf(database, sizeof(database), "%s/job.db", where);
    fill(10, 300);
    site_init(&s, &ta_heap);
    ta_arc_place_dir_init(&s.place, &ta_vfs_posix, where, 0750);
    s.conf.vfs = &ta_vfs_posix;
    s.conf.state = where;
    int r = ta_node_states_move(&s.conf, &done, &err);
    puts(r < 0 ? err.text : "cc-nodestate-2026-11-28-001.parquet");
    site_done(&s);
    return r < 0;
}

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/tarn-nodes-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(database, sizeof(database), "%s/job.db", dir);
    return 0;
}

static int drop_dir(void **state)
{
    const char *names[] = {"job.db", "job.db-wal", "job.db-shm", "job.db.template", "lock"};
    char path[128];

    (void)state;
    for (size_t i = 0; i < TA_COUNT(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        unlink(path);
    }
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_states_move_and_current_ones_stay),
        cmocka_unit_test(the_newest_states_of_silent_nodes_stay),
        cmocka_unit_test(files_roll_and_take_the_next_numbers),
        cmocka_unit_test(deleting_leaves_what_moving_would_leave),
        cmocka_unit_test(a_state_that_fits_no_column_stays_and_is_counted),
        cmocka_unit_test(a_second_run_at_the_same_time_is_refused),
        cmocka_unit_test(a_new_row_with_the_id_of_a_moved_one_is_not_deleted),
        cmocka_unit_test(a_published_file_that_vanished_has_its_rows_exported_again),
        cmocka_unit_test(after_any_failing_file_call_nothing_is_lost_or_doubled),
        cmocka_unit_test(after_any_failing_sql_call_nothing_is_lost_or_doubled),
        cmocka_unit_test(every_refused_allocation_is_an_error_and_loses_nothing),
        cmocka_unit_test(memory_does_not_grow_with_the_rows),
        cmocka_unit_test(the_schema_is_the_one_of_the_reference),
    };

    sql_fault_arm(-1, false);
    if (getenv("TARN_NODE_PARQUET_SAMPLE"))
        return make_sample(getenv("TARN_NODE_PARQUET_SAMPLE"));
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
