/* Changes of archived jobs: from the database into the archive's metadata, whatever fails meanwhile. */
#include "archive_site.h"
#include "fault.h"
#include "io/vfs_mem.h"
#include "jobs/archive_edit.h"
#include "jobs/repository.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define ARCHIVED "SELECT count(*) FROM job WHERE monitoring_status = 3"
#define EDITS    "SELECT count(*) FROM tarn_edit"

/* ---- the document alone ------------------------------------------------------------------------- */

static const struct ta_job_address address = {{"emmy", 4}, 1403244, 1608923076};
static struct ta_vfs_mem disk;

static struct ta_backend *open_disk(struct ta_alloc *alloc)
{
    struct ta_backend *b = NULL;

    (void)ta_backend_open_files(&b, &disk.vfs, "/jobs",
                                &(struct ta_backend_options){.may_create = true}, alloc, NULL);
    return b;
}

static void put(const char *meta)
{
    struct ta_backend *b = open_disk(&ta_heap);
    struct ta_mem_source src;

    ta_mem_source_init(&src, "data", 4, 0);
    assert_int_equal(ta_backend_put(b, &address, &(struct ta_backend_data){&src.source, 4, false},
                                    ta_str(meta), true, NULL),
                     TA_OK);
    ta_backend_close(b);
}

static const char *kept(void)
{
    static char text[4096];
    struct ta_backend *b = open_disk(&ta_heap);
    struct ta_buf buf;

    ta_buf_init(&buf, &ta_heap, sizeof(text) - 1);
    assert_int_equal(ta_backend_read_meta(b, &address, &buf, NULL), TA_OK);
    if (buf.len)
        memcpy(text, buf.at, buf.len);
    text[buf.len] = 0;
    ta_buf_done(&buf);
    ta_backend_close(b);
    return text;
}

/* With the tags and metadata of `job` as text. */
static int edit_with(struct ta_alloc *alloc, const char *job, struct ta_err *err)
{
    struct ta_backend *b = open_disk(alloc);
    struct ta_arena arena;
    struct ta_job changed;
    int r = b ? TA_OK : TA_ENOMEM;

    ta_arena_init(&arena, alloc, 1 << 20);
    if (r >= 0)
        r = ta_job_read_text(&changed, ta_str(job), false, &arena, alloc, err);
    if (r >= 0) {
        changed.cluster = address.cluster;
        changed.job_id = address.job_id;
        changed.start_time = address.start_time;
        r = ta_archive_edit(b, &changed, &arena, alloc, err);
    }
    ta_arena_done(&arena);
    ta_backend_close(b);
    return r;
}

static int edit(const char *job)
{
    return edit_with(&ta_heap, job, NULL);
}

static int set_up_disk(void **state)
{
    (void)state;
    return ta_vfs_mem_init(&disk, &ta_heap);
}

static int tear_down_disk(void **state)
{
    (void)state;
    ta_vfs_mem_done(&disk);
    return 0;
}

static const char document[] =
    "{\"jobId\":1403244,\"tags\":[{\"type\":\"a\",\"name\":\"b\",\"scope\":\"global\"}],"
    "\"later\":{ \"x\" : [1, 2.50e3] },\"metaData\":{\"jobName\":\"n\",\"only\":\"here\"},"
    "\"energy\":-0.0}\n";

static void
tags_and_metadata_become_those_of_the_job_and_every_other_member_keeps_its_bytes(void **state)
{
    (void)state;
    put(document);
    assert_int_equal(edit("{\"tags\":[{\"type\":\"c\",\"name\":\"d\",\"scope\":\"u\",\"id\":7}],"
                          "\"metaData\":{\"jobName\":\"m <\",\"note\":\"z\"}}"),
                     1);
    assert_string_equal(
        kept(),
        "{\"jobId\":1403244,\"tags\":[{\"type\":\"c\",\"name\":\"d\",\"scope\":\"u\",\"id\":"
        "7}],\"later\":{ \"x\" : [1, 2.50e3] },\"metaData\":{\"jobName\":\"m \\u003c\","
        "\"note\":\"z\",\"only\":\"here\"},\"energy\":-0.0}\n");
}

static void what_the_archive_says_already_is_not_written(void **state)
{
    (void)state;
    put(document);
    assert_int_equal(edit("{\"tags\":[{\"type\":\"c\",\"name\":\"d\",\"scope\":\"u\"}]}"), 1);
    assert_int_equal(edit("{\"tags\":[{\"type\":\"c\",\"name\":\"d\",\"scope\":\"u\"}]}"), 0);
    assert_int_equal(edit("{\"tags\":[{\"type\":\"c\",\"name\":\"d\",\"scope\":\"u\"}],"
                          "\"metaData\":{\"only\":\"here\"}}"),
                     0);
}

static void members_that_are_missing_are_added_and_tags_that_are_gone_leave_no_list(void **state)
{
    (void)state;
    put("{}");
    assert_int_equal(edit("{\"tags\":[{\"type\":\"c\",\"name\":\"d\",\"scope\":\"u\"}]}"), 1);
    assert_string_equal(kept(),
                        "{\"tags\":[{\"type\":\"c\",\"name\":\"d\",\"scope\":\"u\",\"id\":0}"
                        "],\"metaData\":null}\n");
    assert_int_equal(edit("{\"metaData\":{\"k\":\"v\"}}"), 1);
    assert_string_equal(kept(), "{\"metaData\":{\"k\":\"v\"}}\n");
}

static void a_damaged_document_is_named_and_stays(void **state)
{
    static const char *const damaged[] = {
        "", "[]", "{\"a\":1", "{\"metaData\":3}", "{\"metaData\":{}} x", "{\"tags\":[}"};

    (void)state;
    for (size_t i = 0; i < TA_COUNT(damaged); i++) {
        struct ta_err err = {0};

        put(damaged[i]);
        assert_int_equal(edit_with(&ta_heap, "{\"metaData\":{\"k\":\"v\"}}", &err), TA_EFORMAT);
        assert_non_null(strstr(err.text, "/jobs: metadata in the archive: "));
        assert_string_equal(kept(), damaged[i]);
    }
}

static void a_job_that_the_archive_does_not_have_is_not_made(void **state)
{
    (void)state;
    ta_backend_close(open_disk(&ta_heap));
    assert_int_equal(edit("{}"), TA_ENOTFOUND);
}

static void refused_memory_leaves_the_document_old_or_new(void **state)
{
    static char changed[4096];

    (void)state;
    put(document);
    assert_int_equal(edit("{\"metaData\":{\"k\":\"v\"}}"), 1);
    snprintf(changed, sizeof(changed), "%s", kept());
    for (struct fault f = {0}; fault_next(&f);) {
        put(document);
        int r = edit_with(&f.alloc, "{\"metaData\":{\"k\":\"v\"}}", NULL);

        assert_string_equal(kept(), r >= 0 ? changed : document);
        fault_judge(&f, r);
    }
}

/* ---- from the database to the archive ----------------------------------------------------------- */

static struct archive_site site;
static struct ta_archiver *archiver;
static struct ta_repository *repository;

static int set_up(void **state)
{
    const struct ta_sql_options options = {.path = site.database};

    (void)state;
    archive_site_open(&site, 2, 30);
    assert_int_equal(ta_repository_open(&repository, &options, &ta_heap, NULL), TA_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ta_repository_close(repository);
    archive_site_close(&site);
    return 0;
}

static void start(const struct ta_archiver_conf *conf)
{
    struct ta_err err = {0};

    if (ta_archiver_start(&archiver, conf, &err) < 0)
        fail_msg("%s", err.text);
}

static void stop(void)
{
    assert_int_equal(ta_archiver_stop(archiver, 60000), 0);
}

/* An archive whose writes wait, or fail, while a test says so. */
static atomic_bool waits, fails;
static _Atomic int entered;

struct odd_backend {
    struct ta_backend backend;
    struct ta_backend *real;
};

static struct ta_backend *real_of(struct ta_backend *b)
{
    return TA_CONTAINER(b, struct odd_backend, backend)->real;
}

static int odd_exists(struct ta_backend *b, const struct ta_job_address *job, struct ta_err *err)
{
    return ta_backend_exists(real_of(b), job, err);
}

static int odd_read_meta(struct ta_backend *b, const struct ta_job_address *job, struct ta_buf *out,
                         struct ta_err *err)
{
    return ta_backend_read_meta(real_of(b), job, out, err);
}

static int odd_put(struct ta_backend *b, const struct ta_job_address *job,
                   const struct ta_backend_data *data, struct ta_str meta, struct ta_err *err)
{
    entered++;
    while (waits)
        usleep(1000);
    return ta_backend_put(real_of(b), job, data, meta, true, err);
}

static int odd_put_meta(struct ta_backend *b, const struct ta_job_address *job, struct ta_str meta,
                        struct ta_err *err)
{
    entered++;
    return fails ? ta_fail(err, TA_EIO, "the archive is full")
                 : ta_backend_put_meta(real_of(b), job, meta, err);
}

static void odd_close(struct ta_backend *b)
{
    ta_backend_close(real_of(b));
    free(TA_CONTAINER(b, struct odd_backend, backend));
}

static int open_odd(void *self, struct ta_backend **out, struct ta_alloc *alloc, struct ta_err *err)
{
    static const struct ta_backend_ops ops = {.exists = odd_exists,
                                              .read_meta = odd_read_meta,
                                              .put = odd_put,
                                              .put_meta = odd_put_meta,
                                              .close = odd_close};
    struct odd_backend *b = calloc(1, sizeof(*b));

    assert_non_null(b);
    *b = (struct odd_backend){.backend = {&ops, "odd", TA_BACKEND_VERSION}};
    *out = &b->backend;
    return archive_site_backend(self, &b->real, alloc, err);
}

static void set_meta(int64_t row, const char *value)
{
    assert_int_equal(ta_repository_set_meta(repository, row, TA_STR("note"), ta_str(value), NULL),
                     TA_OK);
}

static void set_tag(int64_t row, const char *name)
{
    struct ta_job_tag tag = {TA_STR("test"), ta_str(name), TA_STR("global"), 0};

    assert_int_equal(ta_repository_tag(repository, row, &(struct ta_job_tags){&tag, 1}, NULL),
                     TA_OK);
}

/* Nothing lags behind. */
static void wait_for_edits(void)
{
    ta_archiver_wake(archiver);
    archive_site_wait(&site, EDITS, 0);
}

static bool archived_has(int64_t job_id, const char *text)
{
    return strstr(archive_site_read(&site, job_id, "meta.json"), text) != NULL;
}

static void each_change_of_an_archived_job_reaches_the_archive(void **state)
{
    struct ta_archiver_conf conf = archive_site_conf(&site);
    struct ta_job_tag tag = {TA_STR("test"), TA_STR("t"), TA_STR("global"), 0};
    struct ta_job_tags tags = {&tag, 1};
    struct ta_archiver_counts counts;
    static char before[8192];

    (void)state;
    int64_t row = archive_site_job(&site, 1001, 1, 1800, "completed");
    start(&conf);
    archive_site_wait(&site, ARCHIVED, 1);
    snprintf(before, sizeof(before), "%s", archive_site_read(&site, 1001, "meta.json"));
    set_meta(row, "one");
    wait_for_edits();
    assert_true(archived_has(1001, "\"metaData\":{\"jobName\":\"x\",\"note\":\"one\",\"tarn."));
    set_tag(row, "t");
    wait_for_edits();
    assert_true(
        archived_has(1001, "\"tags\":[{\"type\":\"test\",\"name\":\"t\",\"scope\":\"global\""));
    assert_int_equal(ta_repository_untag(repository, row, &tags, NULL), TA_OK);
    wait_for_edits();
    assert_false(archived_has(1001, "\"tags\""));
    set_tag(row, "t");
    wait_for_edits();
    assert_true(archived_has(1001, "\"tags\""));
    assert_int_equal(ta_repository_drop_tags(repository, &tags, NULL), 1);
    wait_for_edits();
    assert_false(archived_has(1001, "\"tags\""));
    ta_archiver_counts(archiver, &counts);
    stop();
    assert_int_equal(counts.edits_failed, 0);
    assert_true(archived_has(1001, strstr(before, "\"concurrentJobs\""))); /* all the rest */
}

static void a_change_while_the_job_is_being_archived_is_in_the_archive_afterwards(void **state)
{
    struct ta_archiver_conf conf = archive_site_conf(&site);

    (void)state;
    int64_t row = archive_site_job(&site, 1001, 1, 1800, "completed");
    waits = true;
    fails = false;
    entered = 0;
    conf.open_backend = open_odd;
    start(&conf);
    while (entered == 0)
        usleep(1000);
    set_meta(row, "late");
    set_tag(row, "late");
    waits = false;
    archive_site_wait(&site, ARCHIVED, 1);
    wait_for_edits();
    stop();
    assert_true(archived_has(1001, "\"note\":\"late\""));
    assert_true(archived_has(1001, "\"name\":\"late\""));
}

static void a_change_that_cannot_be_written_waits_with_its_reason_and_beyond_a_stop(void **state)
{
    struct ta_archiver_conf conf = archive_site_conf(&site);
    struct ta_archiver_counts counts;

    (void)state;
    int64_t row = archive_site_job(&site, 1001, 1, 1800, "completed");
    waits = false;
    fails = true;
    entered = 0;
    conf.open_backend = open_odd;
    start(&conf);
    archive_site_wait(&site, ARCHIVED, 1);
    set_meta(row, "kept");
    ta_archiver_wake(archiver);
    archive_site_wait(&site,
                      "SELECT count(*) FROM tarn_edit WHERE attempts >= 2 AND reason = 'the "
                      "archive is full'",
                      1);
    archive_site_job(&site, 1002, 1, 1800, "completed"); /* is not held up */
    ta_archiver_wake(archiver);
    archive_site_wait(&site, ARCHIVED, 2);
    ta_archiver_counts(archiver, &counts);
    stop();
    assert_true(counts.edits_failed >= 2);
    assert_int_equal(counts.failed + counts.edits_written, 0);
    assert_false(archived_has(1001, "kept"));
    assert_int_equal(archive_site_ask(&site, EDITS), 1);
    fails = false;
    start(&conf);
    wait_for_edits();
    stop();
    assert_true(archived_has(1001, "\"note\":\"kept\""));
}

static void only_changes_that_the_archive_must_learn_are_marked(void **state)
{
    static const struct {
        const char *state;
        int status;
        int64_t marks;
    } jobs[] = {{"running", 1, 0},
                {"completed", 0, 0},
                {"completed", 2, 0},
                {"completed", 1, 1},
                {"completed", 3, 1}};

    (void)state;
    for (size_t i = 0; i < TA_COUNT(jobs); i++) {
        int64_t row = archive_site_job(&site, 1001 + (int64_t)i, 1, 1800, jobs[i].state);
        char sql[128];

        snprintf(sql, sizeof(sql), "UPDATE job SET monitoring_status = %d WHERE id = %" PRId64,
                 jobs[i].status, row);
        assert_int_equal(ta_sql_run(&site.sql, sql, NULL), TA_OK);
        set_meta(row, "x");
        set_tag(row, "x");
        assert_int_equal(archive_site_ask(&site, EDITS), jobs[i].marks);
        if (jobs[i].marks)
            assert_int_equal(archive_site_ask(&site, "SELECT revision FROM tarn_edit"), 2);
        assert_int_equal(ta_repository_delete(repository, row, NULL), TA_OK);
        assert_int_equal(archive_site_ask(&site, EDITS), 0);
    }
}

static void a_tag_of_thousands_of_jobs_goes_in_several_transactions_and_marks_each(void **state)
{
    struct ta_job_tag tag = {TA_STR("test"), TA_STR("t"), TA_STR("global"), 0};

    (void)state;
    int64_t row = archive_site_job(&site, 1, 1, 1800, "completed");
    set_tag(row, "t");
    assert_int_equal(
        ta_sql_run(&site.sql,
                   "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) "
                   "INSERT INTO job (job_id, cluster, subcluster, start_time, hpc_user, project, "
                   "duration, walltime, job_state, resources, num_nodes, shared) SELECT i, 'c', "
                   "'main', i, 'u', 'p', 1, 1, 'completed', '[]', 1, 'none' FROM n; INSERT INTO "
                   "jobtag (job_id, tag_id) SELECT job.id, tag.id FROM job, tag WHERE job.id > 1; "
                   "UPDATE job SET monitoring_status = 3; DELETE FROM tarn_edit",
                   NULL),
        TA_OK);
    assert_int_equal(ta_repository_drop_tags(repository, &(struct ta_job_tags){&tag, 1}, NULL), 1);
    assert_int_equal(archive_site_ask(&site, EDITS), 2500);
    assert_int_equal(archive_site_ask(&site, "SELECT count(*) FROM jobtag"), 0);
    assert_int_equal(archive_site_ask(&site, "SELECT count(*) FROM tag"), 0);
}

static void a_job_with_hundreds_of_tags_takes_all_of_them_along(void **state)
{
    struct ta_archiver_conf conf = archive_site_conf(&site);

    (void)state;
    archive_site_job(&site, 1001, 1, 1800, "completed");
    assert_int_equal(
        ta_sql_run(&site.sql,
                   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 700) "
                   "INSERT INTO tag (tag_type, tag_name) SELECT 't', i FROM n; INSERT INTO jobtag "
                   "(job_id, tag_id) SELECT job.id, tag.id FROM job, tag",
                   NULL),
        TA_OK);
    start(&conf);
    archive_site_wait(&site, ARCHIVED, 1);
    stop();
    const char *at = archive_site_read(&site, 1001, "meta.json");
    int n = 0;
    while ((at = strstr(at, "\"scope\":\"global\"")) != NULL) {
        at++;
        n++;
    }
    assert_int_equal(n, 700);
}

int main(void)
{
#define ALONE(name) cmocka_unit_test_setup_teardown(name, set_up_disk, tear_down_disk)
#define TEST(name)  cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ALONE(tags_and_metadata_become_those_of_the_job_and_every_other_member_keeps_its_bytes),
        ALONE(what_the_archive_says_already_is_not_written),
        ALONE(members_that_are_missing_are_added_and_tags_that_are_gone_leave_no_list),
        ALONE(a_damaged_document_is_named_and_stays),
        ALONE(a_job_that_the_archive_does_not_have_is_not_made),
        ALONE(refused_memory_leaves_the_document_old_or_new),
        TEST(each_change_of_an_archived_job_reaches_the_archive),
        TEST(a_change_while_the_job_is_being_archived_is_in_the_archive_afterwards),
        TEST(a_change_that_cannot_be_written_waits_with_its_reason_and_beyond_a_stop),
        TEST(only_changes_that_the_archive_must_learn_are_marked),
        TEST(a_tag_of_thousands_of_jobs_goes_in_several_transactions_and_marks_each),
        TEST(a_job_with_hundreds_of_tags_takes_all_of_them_along),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
