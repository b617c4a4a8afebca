/* A job archive loses nothing when calls on files fail one after the other, memory is refused, or the
 * power goes: a job is old or new, never neither, and its data are not older than its metadata. */
#include "fault.h"
#include "io/vfs_fault.h"
#include "io/vfs_mem.h"
#include "jobs/backend.h"
#include "sql_fault.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const struct ta_job_address job = {{"emmy", 4}, 1403244, 1608923076};

enum work { PUT, REPLACE, COMPRESS, REWRITE, REMOVE, WORKS };

static int put(struct ta_backend *b, const char *data, bool is_gzip, const char *meta)
{
    struct ta_mem_source src;

    ta_mem_source_init(&src, data, strlen(data), 3);
    return ta_backend_put(b, &job, &(struct ta_backend_data){&src.source, strlen(data), is_gzip},
                          ta_str(meta), true, NULL);
}

static int do_work(struct ta_backend *b, enum work work)
{
    struct ta_mem_source src;

    ta_mem_source_init(&src, "new data", 8, 3);
    switch (work) {
    case PUT:
    case REPLACE:
        return put(b, "new data", true, "new");
    case COMPRESS:
        return ta_backend_put_data(b, &job, &(struct ta_backend_data){&src.source, 8, true}, NULL);
    case REWRITE:
        return ta_backend_put_meta(b, &job, TA_STR("new"), NULL);
    default:
        return ta_backend_remove(b, &job, NULL);
    }
}

/* 'o' old, 'n' new, '-' not there, '?' anything else. */
static char meta_state(struct ta_backend *b)
{
    struct ta_buf buf;
    char state = '-';

    ta_buf_init(&buf, &ta_heap, 100);
    if (ta_backend_read_meta(b, &job, &buf, NULL) == TA_OK)
        state = ta_str_is(ta_buf_view(&buf), "old")   ? 'o'
                : ta_str_is(ta_buf_view(&buf), "new") ? 'n'
                                                      : '?';
    ta_buf_done(&buf);
    return state;
}

static char data_state(struct ta_backend *b)
{
    struct ta_backend_data data;
    char text[32];

    if (ta_backend_open_data(b, &job, &data, NULL) < 0)
        return '-';
    int64_t n = ta_read_full(data.source, text, sizeof(text), NULL);
    ta_backend_close_data(b);
    struct ta_str s = {text, n < 0 ? 0 : (size_t)n};
    return ta_str_is(s, "old data") && !data.is_gzip  ? 'o'
           : ta_str_is(s, "new data") && data.is_gzip ? 'n'
                                                      : '?';
}

static void judge(struct ta_backend *b, enum work work, int result)
{
    static const char *const may[WORKS] = {"-- nn", "oo on nn", "oo on", "oo no", "oo --"};
    static const char *const must[WORKS] = {"nn", "nn", "on", "no", "--"};
    bool is_there = ta_backend_exists(b, &job, NULL) > 0;
    /* Data without metadata are no job. */
    char state[3] = {is_there ? meta_state(b) : '-', is_there ? data_state(b) : '-', 0};

    if (!strstr(result >= 0 ? must[work] : may[work], state))
        fail_msg("work %d answered %d and left %s", work, result, state);
}

static struct ta_backend *open_tree(struct ta_vfs *vfs, struct ta_alloc *alloc)
{
    struct ta_backend *b = NULL;
    int r = ta_backend_open_files(&b, vfs, "/jobs",
                                  &(struct ta_backend_options){.may_create = true}, alloc, NULL);

    return r < 0 ? NULL : b;
}

static void begin(struct ta_vfs *vfs, enum work work)
{
    struct ta_backend *b = open_tree(vfs, &ta_heap);

    assert_non_null(b);
    assert_int_equal(ta_backend_put_cluster(b, job.cluster, TA_STR("{}"), NULL), TA_OK);
    if (work != PUT)
        assert_int_equal(put(b, "old data", false, "old"), TA_OK);
    ta_backend_close(b);
}

static void judge_tree(struct ta_vfs *vfs, enum work work, int result)
{
    struct ta_backend *b = open_tree(vfs, &ta_heap);

    assert_non_null(b);
    judge(b, work, result);
    ta_backend_close(b);
}

static void every_call_on_a_tree_fails_in_turn_then_the_power_goes(void **state)
{
    static const int errors[] = {EIO, ENOSPC};
    unsigned runs = 0;

    (void)state;
    for (unsigned w = 0; w < WORKS; w++) {
        for (unsigned i = 0; i < 2 * TA_COUNT(errors); i++) {
            bool hit = true;

            for (int64_t n = 0; hit; n++, runs++) {
                struct ta_vfs_mem disk;
                struct ta_vfs_fault fault;

                assert_int_equal(ta_vfs_mem_init(&disk, &ta_heap), TA_OK);
                begin(&disk.vfs, (enum work)w);
                ta_vfs_fault_init(&fault, &disk.vfs, &ta_heap);
                fault.kinds = TA_FAULT_ALL;
                fault.left = n;
                fault.sys = errors[i / 2];
                fault.for_good = i % 2;
                struct ta_backend *b = open_tree(&fault.vfs, &ta_heap);
                int r = b ? do_work(b, (enum work)w) : TA_EIO;
                ta_backend_close(b);
                hit = fault.hit;
                judge_tree(&disk.vfs, (enum work)w, r);
                for (uint64_t seed = 0; seed < 8; seed++) {
                    struct ta_vfs_mem cut;

                    assert_int_equal(ta_vfs_mem_copy(&cut, &disk), TA_OK);
                    ta_vfs_mem_power_cut(&cut, seed);
                    judge_tree(&cut.vfs, (enum work)w, r);
                    ta_vfs_mem_done(&cut);
                }
                ta_vfs_mem_done(&disk);
                assert_true(n < 1000);
            }
        }
    }
    print_message("%u runs, 8 power cuts each\n", runs);
}

static int run_with(struct ta_alloc *alloc, struct ta_vfs *vfs)
{
    struct ta_backend *b = open_tree(vfs, alloc);
    struct ta_backend_cursor *cursor;
    struct ta_job_address at;
    int r = b ? do_work(b, REPLACE) : TA_ENOMEM;

    if (r >= 0 && (r = ta_backend_list(b, job.cluster, &cursor, NULL)) >= 0) {
        r = cursor->next(cursor, &at, NULL);
        cursor->close(cursor);
    }
    ta_backend_close(b);
    return r;
}

static void every_allocation_of_a_tree_fails_in_turn(void **state)
{
    (void)state;
    for (struct fault f = {0}; fault_next(&f);) {
        struct ta_vfs_mem disk;

        assert_int_equal(ta_vfs_mem_init(&disk, &ta_heap), TA_OK);
        begin(&disk.vfs, REPLACE);
        int r = run_with(&f.alloc, &disk.vfs);
        fault_judge(&f, r);
        judge_tree(&disk.vfs, REPLACE, r);
        ta_vfs_mem_done(&disk);
    }
}

static char folder[64], path[128];

static struct ta_backend *open_database(const char *vfs)
{
    struct ta_sql_options sql = {.path = path, .vfs = vfs, .busy_timeout_ms = 100};
    struct ta_backend *b = NULL;
    int r =
        ta_backend_open_sqlite(&b, &sql, &ta_clock_system,
                               &(struct ta_backend_options){.may_create = true}, &ta_heap, NULL);

    return r < 0 ? NULL : b;
}

static void remove_database(void)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    char name[160];

    for (size_t i = 0; i < TA_COUNT(ends); i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        (void)unlink(name);
    }
}

static void every_call_on_a_database_fails_in_turn(void **state)
{
    unsigned runs = 0;

    (void)state;
    for (unsigned w = 0; w < WORKS; w++) {
        for (unsigned for_good = 0; for_good < 2; for_good++) {
            bool hit = true;

            for (long n = 0; hit; n++, runs++) {
                remove_database();
                sql_fault_arm(-1, false);
                struct ta_backend *b = open_database(NULL);
                assert_non_null(b);
                if (w != PUT)
                    assert_int_equal(put(b, "old data", false, "old"), TA_OK);
                ta_backend_close(b);
                sql_fault_arm(n, for_good);
                b = open_database(SQL_FAULT_VFS);
                int r = b ? do_work(b, (enum work)w) : TA_EIO;
                ta_backend_close(b);
                hit = sql_fault_hit();
                sql_fault_arm(-1, false);
                b = open_database(NULL);
                assert_non_null(b);
                judge(b, (enum work)w, r);
                ta_backend_close(b);
                assert_true(n < 1000);
            }
        }
    }
    print_message("%u runs\n", runs);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "%s/tarn-backend-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/jobs.db", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remove_database();
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_on_a_tree_fails_in_turn_then_the_power_goes),
        cmocka_unit_test(every_allocation_of_a_tree_fails_in_turn),
        cmocka_unit_test_setup_teardown(every_call_on_a_database_fails_in_turn, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
