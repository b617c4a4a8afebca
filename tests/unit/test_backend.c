/* A job archive behaves alike whatever holds it: a tree of files or a database. */
#include "base/alloc.h"
#include "io/vfs_mem.h"
#include "jobs/backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* One empty archive of a kind, in `state` of each test. */
struct site {
    struct ta_backend *backend;
    struct ta_vfs_mem disk;     /* files */
    char folder[64], path[128]; /* database */
};

static const struct ta_job_address job = {{"emmy", 4}, 1403244, 1608923076};

static int set_up_files(void **state)
{
    static struct site site;
    struct ta_err err = {0};

    memset(&site, 0, sizeof(site));
    if (ta_vfs_mem_init(&site.disk, &ta_heap) < 0)
        return -1;
    *state = &site;
    return ta_backend_open_files(&site.backend, &site.disk.vfs, "/jobs",
                                 &(struct ta_backend_options){.may_create = true}, &ta_heap, &err);
}

static int tear_down_files(void **state)
{
    struct site *site = *state;

    ta_backend_close(site->backend);
    ta_vfs_mem_done(&site->disk);
    return 0;
}

static int set_up_sqlite(void **state)
{
    static struct site site;
    struct ta_err err = {0};

    memset(&site, 0, sizeof(site));
    snprintf(site.folder, sizeof(site.folder), "%s/tarn-backend-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(site.folder))
        return -1;
    snprintf(site.path, sizeof(site.path), "%s/jobs.db", site.folder);
    *state = &site;
    return ta_backend_open_sqlite(&site.backend, &(struct ta_sql_options){.path = site.path},
                                  &ta_clock_system,
                                  &(struct ta_backend_options){.may_create = true}, &ta_heap, &err);
}

static int tear_down_sqlite(void **state)
{
    struct site *site = *state;

    ta_backend_close(site->backend);
    (void)unlink(site->path);
    return rmdir(site->folder);
}

static int put(struct ta_backend *b, const struct ta_job_address *at, const char *data,
               bool is_gzip, const char *meta, bool may_replace, struct ta_err *err)
{
    struct ta_mem_source src;

    ta_mem_source_init(&src, data, strlen(data), 7);
    return ta_backend_put(b, at, &(struct ta_backend_data){&src.source, strlen(data), is_gzip},
                          ta_str(meta), may_replace, err);
}

static struct ta_str meta_of(struct ta_backend *b, const struct ta_job_address *at)
{
    static char text[1000];
    struct ta_err err = {0};
    struct ta_buf buf;

    ta_buf_init(&buf, &ta_heap, sizeof(text));
    int r = ta_backend_read_meta(b, at, &buf, &err);
    size_t n = buf.len;
    if (n)
        memcpy(text, buf.at, n);
    ta_buf_done(&buf);
    return r < 0 ? (struct ta_str){NULL, 0} : (struct ta_str){text, n};
}

static struct ta_str data_of(struct ta_backend *b, const struct ta_job_address *at, bool *is_gzip)
{
    static char text[1000];
    struct ta_backend_data data;
    struct ta_err err = {0};

    if (ta_backend_open_data(b, at, &data, &err) < 0)
        return (struct ta_str){NULL, 0};
    int64_t n = ta_read_full(data.source, text, sizeof(text), &err);
    ta_backend_close_data(b);
    assert_int_equal(n, data.bytes);
    *is_gzip = data.is_gzip;
    return (struct ta_str){text, (size_t)n};
}

static void assert_text(struct ta_str s, const char *expected)
{
    assert_int_equal(s.len, strlen(expected));
    assert_memory_equal(s.at ? s.at : "", expected, s.len);
}

static void a_job_put_is_read_back_byte_by_byte(void **state)
{
    struct site *site = *state;
    struct ta_err err = {0};
    bool is_gzip = true;

    assert_int_equal(ta_backend_exists(site->backend, &job, &err), 0);
    assert_int_equal(put(site->backend, &job, "{\"x\":1}", false, "{\"jobId\":7}\n", false, &err),
                     TA_OK);
    assert_int_equal(ta_backend_exists(site->backend, &job, &err), 1);
    assert_text(meta_of(site->backend, &job), "{\"jobId\":7}\n");
    assert_text(data_of(site->backend, &job, &is_gzip), "{\"x\":1}");
    assert_false(is_gzip);
}

static void a_job_is_overwritten_only_when_that_is_said(void **state)
{
    struct site *site = *state;
    struct ta_err err = {0};
    bool is_gzip;

    assert_int_equal(put(site->backend, &job, "old", false, "m1", false, &err), TA_OK);
    assert_int_equal(put(site->backend, &job, "new", true, "m2", false, &err), TA_EEXIST);
    assert_text(data_of(site->backend, &job, &is_gzip), "old");
    err = (struct ta_err){0};
    assert_int_equal(put(site->backend, &job, "new", true, "m2", true, &err), TA_OK);
    assert_text(data_of(site->backend, &job, &is_gzip), "new");
    assert_true(is_gzip);
    assert_text(meta_of(site->backend, &job), "m2");
    assert_int_equal(put(site->backend, &job, "plain", false, "m3", true, &err), TA_OK);
    assert_text(data_of(site->backend, &job, &is_gzip), "plain");
    assert_false(is_gzip);
}

static void a_source_of_another_length_than_it_says_stores_nothing(void **state)
{
    struct site *site = *state;
    struct ta_err err = {0};
    struct ta_mem_source src;

    ta_mem_source_init(&src, "12345", 5, 0);
    assert_int_equal(ta_backend_put(site->backend, &job,
                                    &(struct ta_backend_data){&src.source, 6, false}, TA_STR("m"),
                                    false, &err),
                     TA_EFORMAT);
    ta_mem_source_init(&src, "12345", 5, 0);
    err = (struct ta_err){0};
    assert_int_equal(ta_backend_put(site->backend, &job,
                                    &(struct ta_backend_data){&src.source, 4, false}, TA_STR("m"),
                                    false, &err),
                     TA_EFORMAT);
    assert_int_equal(ta_backend_exists(site->backend, &job, NULL), 0);
}

static void one_document_of_a_job_is_replaced_alone(void **state)
{
    struct site *site = *state;
    struct ta_err err = {0};
    struct ta_mem_source src;
    bool is_gzip;

    ta_mem_source_init(&src, "zz", 2, 0);
    const struct ta_backend_data data = {&src.source, 2, true};
    assert_int_equal(ta_backend_put_meta(site->backend, &job, TA_STR("m"), NULL), TA_ENOTFOUND);
    assert_int_equal(ta_backend_put_data(site->backend, &job, &data, NULL), TA_ENOTFOUND);
    assert_int_equal(put(site->backend, &job, "d1", false, "m1", false, &err), TA_OK);
    assert_int_equal(ta_backend_put_meta(site->backend, &job, TA_STR("m2"), &err), TA_OK);
    assert_text(data_of(site->backend, &job, &is_gzip), "d1");
    assert_int_equal(ta_backend_put_data(site->backend, &job, &data, &err), TA_OK);
    assert_text(data_of(site->backend, &job, &is_gzip), "zz");
    assert_true(is_gzip);
    assert_text(meta_of(site->backend, &job), "m2");
}

static void names_that_become_paths_are_refused_when_they_are_none(void **state)
{
    static const char *const names[] = {"", ".", "..", ".x", "a/b", "/", "a\n"};
    struct site *site = *state;

    for (size_t i = 0; i < TA_COUNT(names); i++) {
        const struct ta_job_address bad = {ta_str(names[i]), 1, 1};
        assert_int_equal(ta_backend_exists(site->backend, &bad, NULL), TA_EINVAL);
        assert_int_equal(put(site->backend, &bad, "d", false, "m", true, NULL), TA_EINVAL);
        assert_int_equal(ta_backend_remove(site->backend, &bad, NULL), TA_EINVAL);
        assert_int_equal(ta_backend_put_cluster(site->backend, bad.cluster, TA_STR("{}"), NULL),
                         TA_EINVAL);
    }
    const struct ta_job_address negative = {{"emmy", 4}, -1, 1};
    assert_int_equal(ta_backend_exists(site->backend, &negative, NULL), TA_EINVAL);
}

static void all_jobs_of_a_cluster_are_listed_once_also_while_they_are_removed(void **state)
{
    struct site *site = *state;
    struct ta_backend_cursor *cursor;
    struct ta_err err = {0};
    struct ta_job_address at;
    bool seen[300] = {false};
    unsigned n = 0;

    for (int i = 0; i < 300; i++) {
        const struct ta_job_address a = {TA_STR("fritz"), i * 37, 1700000000 + i};
        assert_int_equal(put(site->backend, &a, "d", false, "m", false, &err), TA_OK);
    }
    assert_int_equal(put(site->backend, &job, "d", false, "m", false, &err), TA_OK);
    assert_int_equal(ta_backend_list(site->backend, TA_STR("fritz"), &cursor, &err), TA_OK);
    while (cursor->next(cursor, &at, &err) > 0) {
        size_t i = (size_t)(at.start_time - 1700000000);
        assert_true(i < 300 && !seen[i] && at.job_id == (int64_t)i * 37);
        assert_text(at.cluster, "fritz");
        seen[i] = true;
        n++;
        assert_int_equal(ta_backend_remove(site->backend, &at, &err), TA_OK);
    }
    cursor->close(cursor);
    assert_int_equal(n, 300);
    assert_int_equal(err.code, 0);
    assert_int_equal(ta_backend_list(site->backend, TA_STR("fritz"), &cursor, &err), TA_OK);
    assert_int_equal(cursor->next(cursor, &at, &err), 0);
    cursor->close(cursor);
    assert_int_equal(ta_backend_exists(site->backend, &job, &err), 1);
}

static void clusters_are_those_with_a_configuration_or_jobs_in_order(void **state)
{
    struct site *site = *state;
    struct ta_str_list names;
    struct ta_err err = {0};
    struct ta_arena arena;
    struct ta_buf text;

    ta_arena_init(&arena, &ta_heap, 1 * MiB);
    ta_buf_init(&text, &ta_heap, 100);
    assert_int_equal(
        ta_backend_put_cluster(site->backend, TA_STR("woody"), TA_STR("{\"w\":1}"), &err), TA_OK);
    assert_int_equal(ta_backend_put_cluster(site->backend, TA_STR("alex"), TA_STR("{}"), &err),
                     TA_OK);
    assert_int_equal(put(site->backend, &job, "d", false, "m", false, &err), TA_OK);
    assert_int_equal(ta_backend_clusters(site->backend, &arena, &names, &err), TA_OK);
    assert_int_equal(names.n, 3);
    assert_text(names.at[0], "alex");
    assert_text(names.at[1], "emmy");
    assert_text(names.at[2], "woody");
    assert_int_equal(ta_backend_read_cluster(site->backend, TA_STR("woody"), &text, &err), TA_OK);
    assert_text(ta_buf_view(&text), "{\"w\":1}");
    assert_int_equal(ta_backend_read_cluster(site->backend, TA_STR("emmy"), &text, NULL),
                     TA_ENOTFOUND);
    ta_buf_done(&text);
    ta_arena_done(&arena);
}

static void the_time_of_the_last_compression_is_kept(void **state)
{
    struct site *site = *state;
    int64_t at = 0;

    assert_int_equal(ta_backend_read_mark(site->backend, &at, NULL), TA_ENOTFOUND);
    assert_int_equal(ta_backend_put_mark(site->backend, 1700000000, NULL), TA_OK);
    assert_int_equal(ta_backend_put_mark(site->backend, 1700000001, NULL), TA_OK);
    assert_int_equal(ta_backend_read_mark(site->backend, &at, NULL), TA_OK);
    assert_int_equal(at, 1700000001);
}

static void a_metadata_document_longer_than_the_buffer_is_refused(void **state)
{
    struct site *site = *state;
    struct ta_buf small;

    ta_buf_init(&small, &ta_heap, 4);
    assert_int_equal(put(site->backend, &job, "d", false, "12345", false, NULL), TA_OK);
    assert_int_equal(ta_backend_read_meta(site->backend, &job, &small, NULL), TA_ERANGE);
    ta_buf_done(&small);
}

/* ---- what only files have ----------------------------------------------------------------------- */

static void write_text(struct ta_vfs *vfs, const char *path, const char *text)
{
    struct ta_file *file;

    assert_int_equal(
        ta_open(vfs, path, TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_TRUNCATE, 0666, &file, NULL),
        TA_OK);
    assert_int_equal(ta_pwrite_full(file, text, strlen(text), 0, NULL), TA_OK);
    assert_int_equal(ta_close(&file, NULL), TA_OK);
}

static void the_tree_is_the_one_of_the_specification(void **state)
{
    struct site *site = *state;
    struct ta_vfs *vfs = &site->disk.vfs;
    const struct ta_job_address small = {TA_STR("emmy"), 7, 12};
    struct ta_stat stat;

    assert_int_equal(put(site->backend, &job, "d", true, "m", false, NULL), TA_OK);
    assert_int_equal(put(site->backend, &small, "d", false, "m", false, NULL), TA_OK);
    assert_int_equal(vfs->stat(vfs, "/jobs/version.txt", &stat, NULL), TA_OK);
    assert_int_equal(stat.size, 2);
    assert_int_equal(vfs->stat(vfs, "/jobs/emmy/1403/244/1608923076/data.json.gz", &stat, NULL),
                     TA_OK);
    assert_int_equal(vfs->stat(vfs, "/jobs/emmy/1403/244/1608923076/meta.json", &stat, NULL),
                     TA_OK);
    assert_int_equal(vfs->stat(vfs, "/jobs/emmy/0/007/12/data.json", &stat, NULL), TA_OK);
    assert_int_equal(ta_backend_remove(site->backend, &small, NULL), TA_OK);
    assert_int_equal(vfs->stat(vfs, "/jobs/emmy/0/007", &stat, NULL), TA_ENOTFOUND);
    assert_int_equal(vfs->stat(vfs, "/jobs/emmy/0", &stat, NULL), TA_OK);
}

static void foreign_files_are_no_jobs_and_stay(void **state)
{
    struct site *site = *state;
    struct ta_vfs *vfs = &site->disk.vfs;
    struct ta_backend_cursor *cursor;
    struct ta_job_address at;

    assert_int_equal(put(site->backend, &job, "d", true, "m", false, NULL), TA_OK);
    assert_int_equal(ta_mkdir_all(vfs, "/jobs/emmy/1403/244/old", 0777, NULL), TA_OK);
    assert_int_equal(ta_mkdir_all(vfs, "/jobs/emmy/1403/44/1", 0777, NULL), TA_OK);
    assert_int_equal(ta_mkdir_all(vfs, "/jobs/emmy/1403/245/1", 0777, NULL), TA_OK);
    write_text(vfs, "/jobs/emmy/notes.txt", "x");
    write_text(vfs, "/jobs/emmy/1403/44/1/meta.json", "m");
    write_text(vfs, "/jobs/emmy/1403/245/1/data.json", "d");
    assert_int_equal(ta_backend_list(site->backend, TA_STR("emmy"), &cursor, NULL), TA_OK);
    assert_int_equal(cursor->next(cursor, &at, NULL), 1);
    assert_int_equal(at.job_id, job.job_id);
    assert_int_equal(cursor->next(cursor, &at, NULL), 0);
    cursor->close(cursor);
}

static int open_again(struct site *site, const char *root, bool old, bool create,
                      struct ta_err *err)
{
    struct ta_backend *b = NULL;
    int r = ta_backend_open_files(&b, &site->disk.vfs, root,
                                  &(struct ta_backend_options){old, create}, &ta_heap, err);

    ta_backend_close(r < 0 ? NULL : b);
    return r;
}

static void an_archive_of_another_version_is_refused_with_what_to_do(void **state)
{
    struct site *site = *state;
    struct ta_err err = {0};

    write_text(&site->disk.vfs, "/jobs/version.txt", "2\n");
    assert_int_equal(open_again(site, "/jobs", false, false, &err), TA_ESTATE);
    assert_non_null(strstr(err.text, "tarn job-archive migrate"));
    assert_int_equal(open_again(site, "/jobs", true, false, NULL), TA_OK);
    write_text(&site->disk.vfs, "/jobs/version.txt", "4");
    assert_int_equal(open_again(site, "/jobs", true, true, NULL), TA_ESTATE);
    write_text(&site->disk.vfs, "/jobs/version.txt", "three");
    assert_int_equal(open_again(site, "/jobs", true, true, NULL), TA_EFORMAT);
}

static void a_directory_with_files_and_no_version_is_no_archive(void **state)
{
    struct site *site = *state;

    assert_int_equal(ta_mkdir_all(&site->disk.vfs, "/other", 0777, NULL), TA_OK);
    write_text(&site->disk.vfs, "/other/.hidden", "x");
    assert_int_equal(open_again(site, "/other", false, false, NULL), TA_ENOTFOUND);
    assert_int_equal(open_again(site, "/other", false, true, NULL), TA_OK);
    assert_int_equal(ta_mkdir_all(&site->disk.vfs, "/full", 0777, NULL), TA_OK);
    write_text(&site->disk.vfs, "/full/x", "x");
    assert_int_equal(open_again(site, "/full", false, true, NULL), TA_EFORMAT);
}

static int open_database(struct site *site, const char *path, bool create, struct ta_err *err)
{
    struct ta_backend *b = NULL;
    int r =
        ta_backend_open_sqlite(&b, &(struct ta_sql_options){.path = path}, &ta_clock_system,
                               &(struct ta_backend_options){.may_create = create}, &ta_heap, err);

    (void)site;
    ta_backend_close(r < 0 ? NULL : b);
    return r;
}

static void a_database_that_is_missing_or_another_one_is_refused(void **state)
{
    struct site *site = *state;
    struct ta_sql sql;
    char path[160];

    snprintf(path, sizeof(path), "%s/other.db", site->folder);
    assert_int_equal(open_database(site, path, false, NULL), TA_ENOTFOUND);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(ta_sql_open(&sql, &(struct ta_sql_options){.path = path}, NULL), TA_OK);
    assert_int_equal(open_database(site, path, false, NULL), TA_ENOTFOUND);
    assert_int_equal(ta_sql_run(&sql, "CREATE TABLE t (x)", NULL), TA_OK);
    assert_int_equal(open_database(site, path, true, NULL), TA_EFORMAT);
    ta_sql_done(&sql);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(open_database(site, site->path, false, NULL), TA_OK);
}

static void a_job_put_again_keeps_its_row(void **state)
{
    struct site *site = *state;
    struct ta_sql sql;
    int64_t id = 0;

    assert_int_equal(put(site->backend, &job, "d", false, "m", false, NULL), TA_OK);
    assert_int_equal(put(site->backend, &job, "e", false, "m", true, NULL), TA_OK);
    assert_int_equal(ta_sql_open(&sql, &(struct ta_sql_options){.path = site->path}, NULL), TA_OK);
    assert_int_equal(ta_sql_i64(&sql, "SELECT max(id) FROM jobs", &id, NULL), TA_OK);
    ta_sql_done(&sql);
    assert_int_equal(id, 1);
}

#define ON_SQLITE(test) cmocka_unit_test_setup_teardown(test, set_up_sqlite, tear_down_sqlite)
#define ON_FILES(test)  cmocka_unit_test_setup_teardown(test, set_up_files, tear_down_files)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_FILES(a_job_put_is_read_back_byte_by_byte),
        ON_FILES(a_job_is_overwritten_only_when_that_is_said),
        ON_FILES(a_source_of_another_length_than_it_says_stores_nothing),
        ON_FILES(one_document_of_a_job_is_replaced_alone),
        ON_FILES(names_that_become_paths_are_refused_when_they_are_none),
        ON_FILES(all_jobs_of_a_cluster_are_listed_once_also_while_they_are_removed),
        ON_FILES(clusters_are_those_with_a_configuration_or_jobs_in_order),
        ON_FILES(the_time_of_the_last_compression_is_kept),
        ON_FILES(a_metadata_document_longer_than_the_buffer_is_refused),
        ON_SQLITE(a_job_put_is_read_back_byte_by_byte),
        ON_SQLITE(a_job_is_overwritten_only_when_that_is_said),
        ON_SQLITE(a_source_of_another_length_than_it_says_stores_nothing),
        ON_SQLITE(one_document_of_a_job_is_replaced_alone),
        ON_SQLITE(names_that_become_paths_are_refused_when_they_are_none),
        ON_SQLITE(all_jobs_of_a_cluster_are_listed_once_also_while_they_are_removed),
        ON_SQLITE(clusters_are_those_with_a_configuration_or_jobs_in_order),
        ON_SQLITE(the_time_of_the_last_compression_is_kept),
        ON_SQLITE(a_metadata_document_longer_than_the_buffer_is_refused),
        ON_SQLITE(a_database_that_is_missing_or_another_one_is_refused),
        ON_SQLITE(a_job_put_again_keeps_its_row),
        ON_FILES(the_tree_is_the_one_of_the_specification),
        ON_FILES(foreign_files_are_no_jobs_and_stay),
        ON_FILES(an_archive_of_another_version_is_refused_with_what_to_do),
        ON_FILES(a_directory_with_files_and_no_version_is_no_archive),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
