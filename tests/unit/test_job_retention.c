/* Old jobs leave archive and database for Parquet files or another archive: none lost, none twice, whatever fails. */
#include "io/vfs_fault.h"
#include "io/vfs_mem.h"
#include "jobs/archive_queue.h"
#include "jobs/gzip_source.h"
#include "jobs/job_parquet_read.h"
#include "jobs/job_retention.h"
#include "jobs/schema.h"
#include "sql_fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

enum { JOBS = 40, START = 1700000000, CUTOFF = START + 30 * 100 };

static char dir[64], database[96], list[96];

struct site {
    struct ta_vfs_mem mem;
    struct ta_vfs_fault fault;
    struct ta_arc_place_dir place;
    struct ta_sql sql;
    struct ta_backend *archive, *target;
    struct ta_job_retention conf;
};

static const char *cluster_of(unsigned i)
{
    return i % 3 ? "fritz" : "alex";
}

static struct ta_job_address address_of(unsigned i)
{
    return (struct ta_job_address){ta_str(cluster_of(i)), 1000 + i, START + i * 100};
}

/* What becomes of job i: 5 runs, 6 waits for the archiver, 7 is in no archive; 8 has a user's tag, 9 an application's. */
static bool must_stay(unsigned i, enum ta_job_tag_rule rule)
{
    return i >= 30 || i == 5 || i == 6 || i == 7 || (i == 8 && rule != TA_JOBS_ALL) ||
           (i == 9 && rule == TA_JOBS_UNTAGGED);
}

static void put_job(struct ta_backend *to, unsigned i)
{
    const struct ta_job_address address = address_of(i);
    struct ta_mem_source source;
    char meta[512], data[64];

    snprintf(meta, sizeof(meta),
             "{\"cluster\":\"%s\",\"subCluster\":\"main\",\"jobId\":%u,\"startTime\":%u,"
             "\"user\":\"u\",\"project\":\"p\",\"jobState\":\"completed\",\"shared\":\"none\","
             "\"resources\":[{\"hostname\":\"n%u\"}],\"statistics\":{},\"duration\":60,"
             "\"numNodes\":1}\n",
             cluster_of(i), 1000 + i, START + i * 100, i);
    int n = snprintf(data, sizeof(data), "{\"job\":%u}", i);
    ta_mem_source_init(&source, data, (size_t)n, 0);
    assert_int_equal(
        ta_backend_put(to, &address,
                       &(struct ta_backend_data){&source.source, (uint64_t)n, i % 2 == 0},
                       ta_str(meta), false, NULL),
        TA_OK);
}

static void open_database(struct site *s)
{
    const struct ta_sql_options options = {.path = database, .vfs = SQL_FAULT_VFS};

    assert_int_equal(ta_sql_open(&s->sql, &options, NULL), TA_OK);
}

static void fill_database(struct site *s)
{
    const struct ta_job_schema_options options = {.may_upgrade = true};
    char text[1024];

    assert_int_equal(ta_job_schema_ready(&s->sql, &options, NULL), TA_OK);
    snprintf(text, sizeof(text),
             "PRAGMA synchronous = OFF; BEGIN; INSERT INTO tag (id, tag_type, tag_name) VALUES (1, "
             "'note', 'keep'), (2, 'app', 'vasp');"
             "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d - 1)"
             "INSERT INTO job (id, job_id, cluster, subcluster, start_time, hpc_user, project, "
             "duration, walltime, job_state, resources, num_nodes, shared, monitoring_status) "
             "SELECT i + 1, 1000 + i, CASE WHEN i %% 3 THEN 'fritz' ELSE 'alex' END, 'main', "
             "%d + i * 100, 'u', 'p', 60, 60, CASE i WHEN 5 THEN 'running' ELSE 'completed' END, "
             "'[]', 1, 'none', CASE i WHEN 6 THEN 1 ELSE 3 END FROM n;"
             "INSERT INTO jobtag (job_id, tag_id) VALUES (9, 1), (10, 2); COMMIT;",
             JOBS, START);
    assert_int_equal(ta_sql_run(&s->sql, text, NULL), TA_OK);
}

static void open_archives(struct site *s)
{
    const struct ta_backend_options options = {.may_create = true};

    assert_int_equal(
        ta_backend_open_files(&s->archive, &s->fault.vfs, "/jobs", &options, &ta_heap, NULL),
        TA_OK);
    assert_int_equal(
        ta_backend_open_files(&s->target, &s->fault.vfs, "/copy", &options, &ta_heap, NULL), TA_OK);
    s->conf.archive = s->archive;
}

static void drop_database(void)
{
    const char *suffixes[] = {"", "-wal", "-shm"};
    char path[128];

    for (size_t i = 0; i < TA_COUNT(suffixes); i++) {
        snprintf(path, sizeof(path), "%s%s", database, suffixes[i]);
        unlink(path);
        snprintf(path, sizeof(path), "%s%s", list, suffixes[i]);
        unlink(path);
    }
}

static void site_init(struct site *s, enum ta_job_policy policy)
{
    memset(s, 0, sizeof(*s));
    sql_fault_arm(-1, false);
    drop_database();
    open_database(s);
    fill_database(s);
    assert_int_equal(ta_vfs_mem_init(&s->mem, &ta_heap), TA_OK);
    ta_vfs_fault_init(&s->fault, &s->mem.vfs, &ta_heap);
    s->fault.left = -1;
    s->fault.sys = 28;
    assert_int_equal(ta_mkdir_all(&s->mem.vfs, "/out", 0755, NULL), TA_OK);
    assert_int_equal(ta_mkdir_all(&s->mem.vfs, "/state", 0755, NULL), TA_OK);
    ta_arc_place_dir_init(&s->place, &s->fault.vfs, "/out", 0750);
    s->conf = (struct ta_job_retention){.sql = &s->sql,
                                        .policy = policy,
                                        .cutoff_s = CUTOFF,
                                        .alloc = &ta_heap,
                                        .parquet = {.vfs = &s->fault.vfs,
                                                    .alloc = &ta_heap,
                                                    .place = &s->place.place,
                                                    .state = "/state",
                                                    .date = "2026-11-28"}};
    open_archives(s);
    for (unsigned i = 0; i < JOBS; i++)
        if (i != 7)
            put_job(s->archive, i);
}

static void site_done(struct site *s)
{
    ta_backend_close(s->archive);
    ta_backend_close(s->target);
    ta_sql_done(&s->sql);
    ta_vfs_mem_done(&s->mem);
}

/* How often job i stands in Parquet files, with the data that it had. */
static unsigned in_files[JOBS];

static void inflate_text(struct ta_str packed, char *out, size_t room)
{
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)packed.at,
                  .avail_in = (unsigned)packed.len,
                  .next_out = (unsigned char *)out,
                  .avail_out = (unsigned)room - 1};

    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    out[z.total_out] = 0;
    inflateEnd(&z);
}

static void see_file(struct ta_vfs *vfs, const char *path)
{
    struct ta_job_parquet_reader *r;
    struct ta_file *file;
    struct ta_job job;
    struct ta_str data;
    int e;

    assert_int_equal(ta_open(vfs, path, TA_OPEN_READ, 0, &file, NULL), TA_OK);
    assert_int_equal(ta_job_parquet_open(&r, file, 0, &ta_heap, NULL), TA_OK);
    while ((e = ta_job_parquet_next(r, &job, &data, NULL)) > 0) {
        unsigned i = (unsigned)(job.job_id - 1000);
        char wanted[64], found[64];
        snprintf(wanted, sizeof(wanted), "{\"job\":%u}", i);
        if (i % 2) /* it was plain */
            inflate_text(data, found, sizeof(found));
        else
            snprintf(found, sizeof(found), "%.*s", (int)data.len, data.at);
        assert_string_equal(found, wanted);
        assert_int_equal(job.start_time, START + i * 100);
        assert_true(ta_str_is(job.cluster, cluster_of(i)));
        in_files[i]++;
    }
    assert_int_equal(e, 0);
    ta_job_parquet_close(r);
    ta_close(&file, NULL);
}

static unsigned see_files(struct ta_vfs *vfs)
{
    static const char *const clusters[] = {"alex", "fritz"};
    unsigned n = 0;

    memset(in_files, 0, sizeof(in_files));
    for (size_t c = 0; c < TA_COUNT(clusters); c++) {
        struct ta_dir *listing;
        struct ta_dirent entry;
        char path[512];
        snprintf(path, sizeof(path), "/out/%s", clusters[c]);
        if (vfs->open_dir(vfs, path, &listing, NULL) < 0)
            continue;
        while (listing->ops->next(listing, &entry, NULL) > 0) {
            if (!strstr(entry.name, ".parquet"))
                continue;
            snprintf(path, sizeof(path), "/out/%s/%s", clusters[c], entry.name);
            see_file(vfs, path);
            n++;
        }
        listing->ops->close(listing);
    }
    return n;
}

static bool has_row(struct site *s, unsigned i)
{
    char text[128];
    int64_t n = 0;

    snprintf(text, sizeof(text), "SELECT count(*) FROM job WHERE job_id = %u", 1000 + i);
    assert_int_equal(ta_sql_i64(&s->sql, text, &n, NULL), TA_OK);
    return n == 1;
}

static bool has_job(struct ta_backend *b, unsigned i)
{
    const struct ta_job_address address = address_of(i);
    int r = ta_backend_exists(b, &address, NULL);

    assert_true(r >= 0);
    return r;
}

static void assert_moved_to_files(struct site *s, enum ta_job_tag_rule rule)
{
    see_files(&s->mem.vfs);
    for (unsigned i = 0; i < JOBS; i++) {
        bool stays = must_stay(i, rule);
        assert_int_equal(in_files[i], !stays);
        assert_int_equal(has_job(s->archive, i), stays && i != 7);
        assert_int_equal(has_row(s, i), stays);
    }
}

static void old_jobs_move_into_files_of_their_cluster(void **state)
{
    static const unsigned goes[] = {27, 25, 26};

    (void)state;
    for (unsigned rule = 0; rule < TA_JOB_TAG_RULES; rule++) {
        struct site s;
        struct ta_jobs_retained done;
        struct ta_err err = {0};
        site_init(&s, TA_JOBS_MOVE);
        s.conf.tags = rule;
        struct ta_stat st;
        assert_int_equal(ta_backend_put_cluster(s.archive, TA_STR("alex"), TA_STR("{}"), NULL),
                         TA_OK);
        if (ta_jobs_retain(&s.conf, &done, &err) < 0)
            fail_msg("%s", err.text);
        assert_int_equal(s.mem.vfs.stat(&s.mem.vfs, "/out/alex/cluster.json", &st, NULL), TA_OK);
        assert_int_equal(st.size, 2);
        assert_int_equal(done.files, 2);
        assert_int_equal(done.copied, goes[rule]);
        assert_int_equal(done.removed, goes[rule]);
        assert_int_equal(done.absent, 1);
        assert_int_equal(done.failed, 0);
        assert_moved_to_files(&s, rule);
        /* Again: nothing is left to do. */
        assert_int_equal(ta_jobs_retain(&s.conf, &done, &err), TA_OK);
        assert_int_equal(done.files, 0);
        site_done(&s);
    }
}

static void a_job_that_cannot_be_read_stays_and_the_others_go(void **state)
{
    const struct ta_job_address address = address_of(3);
    struct site s;
    struct ta_jobs_retained done;

    (void)state;
    site_init(&s, TA_JOBS_MOVE);
    assert_int_equal(ta_backend_put_meta(s.archive, &address, ta_str("{\"jobId\":"), NULL), TA_OK);
    assert_int_equal(ta_jobs_retain(&s.conf, &done, NULL), TA_OK);
    assert_int_equal(done.failed, 1);
    assert_non_null(strstr(done.first.text, "job 1003 of alex: "));
    assert_int_equal(done.removed, 26);
    assert_true(has_row(&s, 3) && has_job(s.archive, 3));
    assert_false(has_row(&s, 4) || has_job(s.archive, 4));
    site_done(&s);
}

static void files_roll_by_their_rows(void **state)
{
    struct site s;
    struct ta_jobs_retained done;

    (void)state;
    site_init(&s, TA_JOBS_MOVE);
    s.conf.parquet.file_rows = 4;
    assert_int_equal(ta_jobs_retain(&s.conf, &done, NULL), TA_OK);
    assert_int_equal(done.files, 3 + 5); /* 9 jobs of alex, 18 of fritz */
    assert_moved_to_files(&s, TA_JOBS_ALL);
    site_done(&s);
}

static void copying_leaves_everything_and_goes_on_from_the_mark(void **state)
{
    struct site s;
    struct ta_jobs_retained done;

    (void)state;
    site_init(&s, TA_JOBS_COPY);
    s.conf.from_s = START + 10 * 100;
    assert_int_equal(ta_jobs_retain(&s.conf, &done, NULL), TA_OK);
    assert_int_equal(done.copied, 20);
    assert_int_equal(done.removed, 0);
    see_files(&s.mem.vfs);
    for (unsigned i = 0; i < JOBS; i++) {
        assert_int_equal(in_files[i], i >= 10 && i < 30);
        assert_true(has_row(&s, i));
        assert_int_equal(has_job(s.archive, i), i != 7);
    }
    site_done(&s);
}

/* Each job that may be copied stands in one file, and nothing is gone. */
static void assert_copied_to_files(struct site *s)
{
    see_files(&s->mem.vfs);
    for (unsigned i = 0; i < JOBS; i++) {
        assert_int_equal(in_files[i], !must_stay(i, s->conf.tags));
        assert_true(has_row(s, i));
        assert_int_equal(has_job(s->archive, i), i != 7);
    }
}

static void a_listed_copy_is_not_made_again_and_a_late_job_comes_later(void **state)
{
    struct site s;
    struct ta_jobs_retained done;

    (void)state;
    for (int to_archive = 0; to_archive < 2; to_archive++) {
        site_init(&s, TA_JOBS_COPY);
        s.conf.copied = list;
        s.conf.to = to_archive ? s.target : NULL;
        s.conf.parquet.file_rows = 4;
        assert_int_equal(ta_jobs_retain(&s.conf, &done, NULL), TA_OK);
        assert_int_equal(done.copied, 27);
        if (!to_archive)
            assert_copied_to_files(&s);
        assert_int_equal(ta_jobs_retain(&s.conf, &done, NULL), TA_OK);
        assert_int_equal(done.copied + done.files, 0);
        /* One that ran at the time. Ids given anew, as after a rebuild of the database, change nothing. */
        assert_int_equal(ta_sql_run(&s.sql,
                                    "PRAGMA foreign_keys = OFF; UPDATE job SET id = id + 100; "
                                    "UPDATE job SET job_state = "
                                    "'completed' WHERE job_id = 1005",
                                    NULL),
                         TA_OK);
        assert_int_equal(ta_jobs_retain(&s.conf, &done, NULL), TA_OK);
        assert_int_equal(done.copied, 1);
        see_files(&s.mem.vfs);
        assert_int_equal(to_archive ? has_job(s.target, 5) : (int)in_files[5], 1);
        s.conf.copied = NULL; /* without a list all are copied again */
        assert_int_equal(ta_jobs_retain(&s.conf, &done, NULL), TA_OK);
        assert_int_equal(done.copied, 28);
        site_done(&s);
    }
}

static void a_list_that_is_no_database_is_named_and_nothing_is_copied(void **state)
{
    struct site s;
    struct ta_jobs_retained done;
    struct ta_err err = {0};

    (void)state;
    site_init(&s, TA_JOBS_COPY);
    FILE *f = fopen(list, "w");
    assert_non_null(f);
    for (int i = 0; i < 1000; i++)
        fputs("no database ", f);
    fclose(f);
    s.conf.copied = list;
    assert_true(ta_jobs_retain(&s.conf, &done, &err) < 0);
    assert_non_null(strstr(err.text, list));
    assert_int_equal(see_files(&s.mem.vfs), 0);
    site_done(&s);
}

static void old_jobs_move_into_another_archive(void **state)
{
    struct site s;
    struct ta_jobs_retained done;

    (void)state;
    site_init(&s, TA_JOBS_MOVE);
    s.conf.to = s.target;
    assert_int_equal(ta_backend_put_cluster(s.archive, TA_STR("fritz"), TA_STR("{}"), NULL), TA_OK);
    put_job(s.target, 4); /* as an earlier run that died may have left it */
    assert_int_equal(ta_jobs_retain(&s.conf, &done, NULL), TA_OK);
    assert_int_equal(done.copied, 27);
    for (unsigned i = 0; i < JOBS; i++) {
        bool stays = must_stay(i, TA_JOBS_ALL);
        assert_int_equal(has_job(s.target, i), !stays);
        assert_int_equal(has_job(s.archive, i), stays && i != 7);
        assert_int_equal(has_row(&s, i), stays);
    }
    struct ta_buf text;
    ta_buf_init(&text, &ta_heap, KiB);
    assert_int_equal(ta_backend_read_cluster(s.target, TA_STR("fritz"), &text, NULL), TA_OK);
    ta_buf_done(&text);
    site_done(&s);
}

static void a_job_whose_change_the_archive_does_not_have_yet_is_moved_later(void **state)
{
    struct site s;
    struct ta_jobs_retained done;

    (void)state;
    site_init(&s, TA_JOBS_MOVE);
    s.conf.to = s.target;
    assert_int_equal(ta_archive_queue_tables(&s.sql, NULL), TA_OK);
    assert_int_equal(
        ta_sql_run(&s.sql, "INSERT INTO tarn_edit (job, revision) VALUES (5, 1)", NULL), TA_OK);
    assert_int_equal(ta_jobs_retain(&s.conf, &done, NULL), TA_OK);
    assert_int_equal(done.copied, 26);
    assert_true(has_job(s.archive, 4) && has_row(&s, 4) && !has_job(s.target, 4));
    assert_int_equal(ta_sql_run(&s.sql, "DELETE FROM tarn_edit", NULL), TA_OK);
    assert_int_equal(ta_jobs_retain(&s.conf, &done, NULL), TA_OK);
    assert_int_equal(done.copied, 1);
    assert_true(!has_job(s.archive, 4) && !has_row(&s, 4) && has_job(s.target, 4));
    site_done(&s);
}

static void a_different_job_at_the_target_is_not_taken_for_a_copy(void **state)
{
    const struct ta_job_address address = address_of(4);
    struct site s;
    struct ta_jobs_retained done;

    (void)state;
    site_init(&s, TA_JOBS_MOVE);
    s.conf.to = s.target;
    put_job(s.target, 4);
    assert_int_equal(ta_backend_put_meta(s.target, &address, ta_str("{\"jobId\":1}"), NULL), TA_OK);
    assert_int_equal(ta_jobs_retain(&s.conf, &done, NULL), TA_OK);
    assert_int_equal(done.failed, 1);
    assert_true(has_job(s.archive, 4) && has_row(&s, 4));
    site_done(&s);
}

static void deleting_leaves_nothing_behind_and_rows_if_wanted(void **state)
{
    (void)state;
    for (int keep = 0; keep < 2; keep++) {
        struct site s;
        struct ta_jobs_retained done;
        site_init(&s, TA_JOBS_DELETE);
        s.conf.keep_rows = keep;
        assert_int_equal(ta_jobs_retain(&s.conf, &done, NULL), TA_OK);
        for (unsigned i = 0; i < JOBS; i++) {
            bool stays = must_stay(i, TA_JOBS_ALL) && i != 7;
            assert_int_equal(has_job(s.archive, i), stays);
            assert_int_equal(has_row(&s, i), keep || stays);
        }
        site_done(&s);
    }
}

/* Every `stride`-th call only, unless all are asked for (make soak). */
static unsigned stride(void)
{
    return getenv("TARN_ALL_FAULTS") ? 1 : 23;
}

static void assert_done(struct site *s)
{
    if (s->conf.policy == TA_JOBS_COPY)
        assert_copied_to_files(s);
    else
        assert_moved_to_files(s, TA_JOBS_ALL);
}

static void fail_file_calls(enum ta_job_policy policy)
{
    unsigned runs = 0;
    bool hit = true;

    for (int64_t n = 0; hit; n += stride()) {
        struct site s;
        struct ta_jobs_retained done;
        struct ta_err err = {0};
        site_init(&s, policy);
        s.conf.copied = list;
        s.conf.parquet.file_rows = 10;
        s.fault.kinds = TA_FAULT_ALL;
        s.fault.for_good = n / stride() % 2;
        s.fault.hit = false;
        s.fault.left = n;
        (void)ta_jobs_retain(&s.conf, &done, NULL);
        hit = s.fault.hit;
        s.fault.left = -1;
        s.fault.for_good = s.fault.hit = false;
        ta_backend_close(s.archive);
        ta_backend_close(s.target);
        ta_vfs_mem_kill(&s.mem);
        open_archives(&s);
        if (ta_jobs_retain(&s.conf, &done, &err) < 0)
            fail_msg("call %ld: %s", (long)n, err.text);
        assert_done(&s);
        site_done(&s);
        runs++;
    }
    print_message("%u runs with a failing file call, and a rerun\n", runs);
    assert_true(runs > 10);
}

static void after_any_failing_file_call_no_job_is_lost_or_doubled(void **state)
{
    (void)state;
    fail_file_calls(TA_JOBS_MOVE);
    fail_file_calls(TA_JOBS_COPY);
}

static void fail_sql_calls(enum ta_job_policy policy)
{
    unsigned runs = 0;
    bool hit = true;

    for (long n = 0; hit; n += (long)(stride() + 3) / 4) {
        struct site s;
        struct ta_jobs_retained done;
        site_init(&s, policy);
        s.conf.copied = list;
        s.conf.parquet.file_rows = 10;
        sql_fault_arm(n, runs % 2);
        (void)ta_jobs_retain(&s.conf, &done, NULL);
        hit = sql_fault_hit();
        sql_fault_arm(-1, false);
        ta_sql_done(&s.sql);
        open_database(&s);
        assert_int_equal(ta_jobs_retain(&s.conf, &done, NULL), TA_OK);
        assert_done(&s);
        site_done(&s);
        runs++;
    }
    print_message("%u runs with a failing SQL call, and a rerun\n", runs);
    assert_true(runs > 3);
}

static void after_any_failing_sql_call_no_job_is_lost_or_doubled(void **state)
{
    (void)state;
    fail_sql_calls(TA_JOBS_MOVE);
    fail_sql_calls(TA_JOBS_COPY);
}

static void what_is_compressed_unpacks_to_what_it_was(void **state)
{
    static char plain[300000], packed[300000], back[300001];

    (void)state;
    for (size_t i = 0; i < sizeof(plain); i++)
        plain[i] = (char)('a' + i * i / 7 % 23);
    for (size_t step = 1; step < sizeof(plain); step = step * 13 + 1) {
        struct ta_mem_source from;
        struct ta_gzip_source gzip;
        ta_mem_source_init(&from, plain, sizeof(plain), step);
        assert_int_equal(ta_gzip_source_init(&gzip, &from.source, 6, &ta_heap, NULL), TA_OK);
        int64_t n = ta_read_full(&gzip.source, packed, sizeof(packed), NULL);
        ta_gzip_source_done(&gzip);
        assert_in_range(n, 1, sizeof(packed) - 1);
        inflate_text((struct ta_str){packed, (size_t)n}, back, sizeof(back));
        assert_memory_equal(back, plain, sizeof(plain));
    }
}

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/tarn-retention-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(database, sizeof(database), "%s/job.db", dir);
    snprintf(list, sizeof(list), "%s/copied.db", dir);
    return 0;
}

static int drop_dir(void **state)
{
    (void)state;
    drop_database();
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_jobs_move_into_files_of_their_cluster),
        cmocka_unit_test(a_job_that_cannot_be_read_stays_and_the_others_go),
        cmocka_unit_test(files_roll_by_their_rows),
        cmocka_unit_test(copying_leaves_everything_and_goes_on_from_the_mark),
        cmocka_unit_test(a_listed_copy_is_not_made_again_and_a_late_job_comes_later),
        cmocka_unit_test(a_list_that_is_no_database_is_named_and_nothing_is_copied),
        cmocka_unit_test(old_jobs_move_into_another_archive),
        cmocka_unit_test(a_job_whose_change_the_archive_does_not_have_yet_is_moved_later),
        cmocka_unit_test(a_different_job_at_the_target_is_not_taken_for_a_copy),
        cmocka_unit_test(deleting_leaves_nothing_behind_and_rows_if_wanted),
        cmocka_unit_test(after_any_failing_file_call_no_job_is_lost_or_doubled),
        cmocka_unit_test(after_any_failing_sql_call_no_job_is_lost_or_doubled),
        cmocka_unit_test(what_is_compressed_unpacks_to_what_it_was),
    };

    sql_fault_arm(-1, false);
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
