/* A job on each of its ways (archived, copied, moved) between archives of each form, while the n-th call on a
 * file, on the database, or the n-th request to the bucket's server fails: the job is whole where it was or
 * where it goes, and the next try brings it there.
 *
 * With TARN_ALL_FAULTS every n is tried, else every few. */
#include "archive/place_s3.h"
#include "archive_site.h"
#include "jobs/archive_work.h"
#include "jobs/job_parquet_read.h"
#include "jobs/job_retention.h"
#include "mem_file.h"
#include "shaky_archive.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct archive_site site;
static const struct ta_job_address job = {{"c", 1}, 1001, SITE_START_S};
static struct ta_buf whole_meta, whole_data;

/* ---- what there is ------------------------------------------------------------------------------ */

static bool read_data(struct ta_backend *b, struct ta_buf *out)
{
    struct ta_backend_data data;
    char piece[4096];
    int64_t n;

    ta_buf_reset(out);
    int r = ta_backend_open_data(b, &job, &data, NULL);
    if (r == TA_ENOTFOUND)
        return false;
    assert_int_equal(r, TA_OK);
    assert_true(data.is_gzip);
    while ((n = data.source->read(data.source, piece, sizeof(piece), NULL)) > 0)
        assert_int_equal(ta_buf_add(out, piece, (size_t)n), TA_OK);
    assert_int_equal(n, 0);
    ta_backend_close_data(b);
    return true;
}

/* Whether the job is there; if it is, then whole. *has_data also when it is not: what is left of it. */
static bool is_in(struct archive *a, bool *has_data)
{
    struct ta_buf meta, data;
    struct ta_err err = {0};

    ta_buf_init(&meta, &ta_heap, 1 << 20);
    ta_buf_init(&data, &ta_heap, 1 << 20);
    assert_int_equal(shaky_open(a), TA_OK);
    int there = ta_backend_exists(a->backend, &job, &err);
    if (there < 0)
        fail_msg("%s", err.text);
    bool has = read_data(a->backend, &data);
    if (there) {
        assert_int_equal(ta_backend_read_meta(a->backend, &job, &meta, NULL), TA_OK);
        assert_true(ta_str_eq(ta_buf_view(&meta), ta_buf_view(&whole_meta)));
        assert_true(has && ta_str_eq(ta_buf_view(&data), ta_buf_view(&whole_data)));
    }
    shaky_close(a);
    ta_buf_done(&meta);
    ta_buf_done(&data);
    if (has_data)
        *has_data = has;
    return there;
}

static int64_t rows(const char *condition)
{
    char text[128];

    snprintf(text, sizeof(text), "SELECT count(*) FROM job WHERE %s", condition);
    return archive_site_ask(&site, text);
}

static void put_whole(struct archive *a)
{
    struct ta_mem_source src;

    assert_int_equal(shaky_open(a), TA_OK);
    ta_mem_source_init(&src, whole_data.at, whole_data.len, 0);
    const struct ta_backend_data data = {&src.source, whole_data.len, true};
    assert_int_equal(ta_backend_put_cluster(a->backend, job.cluster, TA_STR("{}"), NULL), TA_OK);
    assert_int_equal(ta_backend_put(a->backend, &job, &data, ta_buf_view(&whole_meta), true, NULL),
                     TA_OK);
    shaky_close(a);
}

static void set_row(int status)
{
    char text[64];

    assert_int_equal(ta_sql_run(&site.sql, "DELETE FROM job", NULL), TA_OK);
    archive_site_job(&site, job.job_id, 2, 1800, "completed");
    snprintf(text, sizeof(text), "UPDATE job SET monitoring_status = %d", status);
    assert_int_equal(ta_sql_run(&site.sql, text, NULL), TA_OK);
}

/* ---- the ways ----------------------------------------------------------------------------------- */

struct way {
    const char *name;
    void (*begin)(struct archive *from, struct archive *to);
    int (*go)(struct archive *from, struct archive *to, struct ta_data_spool *spool);
    /* After a run that may have failed, and after one that may not. */
    void (*judge)(struct archive *from, struct archive *to, int result);
    void (*judge_last)(struct archive *from, struct archive *to);
};

/* From the store, as a worker does. */
static void begin_archive(struct archive *from, struct archive *to)
{
    char path[160];

    (void)from;
    (void)to;
    set_row(1);
    shaky_path(path, "cluster.json");
    FILE *f = fopen(path, "w");
    assert_true(f && fputs("{}", f) > 0 && fclose(f) == 0);
}

static int take_next(struct ta_archive_queue *queue, struct archive *to,
                     struct ta_data_spool *spool, struct ta_arena *arena)
{
    char path[160];
    bool is_configured = false;
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    const struct ta_archive_bench bench = {
        .store = site.store,
        .clusters = site.clusters,
        .n_clusters = 1,
        .configurations = {(const char *const[]){path}, shaky_files(), &lock, &is_configured},
        .backend = to->backend,
        .spool = spool,
        .rules = {.load = {8, false}},
        .clock = &ta_clock_system,
        .alloc = &ta_heap};
    struct ta_archived done;
    struct ta_job next;
    unsigned attempts;
    int64_t row;

    shaky_path(path, "cluster.json");
    int r = ta_archive_queue_next(queue, INT64_MAX - 1, NULL, 0, &row, &attempts, NULL);
    if (r <= 0)
        return r;
    r = ta_archive_queue_load(queue, row, arena, &next, NULL);
    if (r >= 0)
        r = ta_archive_job(&bench, &next, false, arena, &done, NULL);
    return r < 0 ? r : ta_archive_queue_done(queue, &next, done.first_tag, done.missing, NULL);
}

static int go_archive(struct archive *from, struct archive *to, struct ta_data_spool *spool)
{
    const struct ta_sql_options options = shaky_database(site.database);
    struct ta_archive_queue *queue = NULL;
    struct ta_arena arena;

    (void)from;
    ta_arena_init(&arena, &ta_heap, 16 << 20);
    int r = ta_archive_queue_open(&queue, &options, &ta_heap, NULL);
    if (r >= 0)
        r = shaky_open(to);
    if (r >= 0)
        r = take_next(queue, to, spool, &arena);
    shaky_close(to);
    ta_archive_queue_close(queue);
    ta_arena_done(&arena);
    return r;
}

/* The job's cluster has its configuration there. */
static bool is_configured(struct archive *a)
{
    struct ta_buf text;

    ta_buf_init(&text, &ta_heap, 1 << 20);
    assert_int_equal(shaky_open(a), TA_OK);
    bool has = ta_backend_read_cluster(a->backend, job.cluster, &text, NULL) >= 0 &&
               ta_str_eq(ta_buf_view(&text), TA_STR("{}"));
    shaky_close(a);
    ta_buf_done(&text);
    return has;
}

static void judge_archive(struct archive *from, struct archive *to, int result)
{
    bool there = whole_meta.len == 0 || is_in(to, NULL);
    bool is_done = rows("monitoring_status = 3") == 1;

    (void)from;
    assert_true(there || !is_done);
    assert_true(!is_done || is_configured(to));
    assert_true(is_done || rows("monitoring_status = 1") == 1);
    assert_true(is_done || result < 0);
}

static void judge_archived(struct archive *from, struct archive *to)
{
    (void)from;
    assert_true(rows("monitoring_status = 3") == 1 && is_in(to, NULL));
}

/* From one archive into another, as convert and import do. */
static void begin_copy(struct archive *from, struct archive *to)
{
    (void)to;
    put_whole(from);
}

static int copy_all(struct archive *from, struct archive *to, struct ta_archive_work *work)
{
    struct ta_backend_cursor *cursor;
    struct ta_job_address next;
    int r = ta_backend_read_cluster(from->backend, job.cluster, &work->other, NULL);

    if (r >= 0)
        r = ta_backend_put_cluster(to->backend, job.cluster, ta_buf_view(&work->other), NULL);
    if (r >= 0)
        r = ta_backend_list(from->backend, job.cluster, &cursor, NULL);
    if (r < 0)
        return r;
    while ((r = cursor->next(cursor, &next, NULL)) > 0) {
        r = ta_backend_exists(to->backend, &next, NULL);
        if (r == 0)
            r = ta_archive_copy(work, from->backend, to->backend, &next, false, NULL);
        if (r < 0)
            break;
    }
    cursor->close(cursor);
    return r;
}

static int go_copy(struct archive *from, struct archive *to, struct ta_data_spool *spool)
{
    struct ta_archive_work work;

    ta_archive_work_init(&work, spool, &ta_heap);
    int r = shaky_open(from);
    if (r >= 0)
        r = shaky_open(to);
    if (r >= 0)
        r = copy_all(from, to, &work);
    shaky_close(from);
    shaky_close(to);
    ta_archive_work_done(&work);
    return r;
}

static void judge_copy(struct archive *from, struct archive *to, int result)
{
    bool there = is_in(to, NULL);

    assert_true(is_in(from, NULL));
    assert_true(there || result < 0);
}

static void judge_copied(struct archive *from, struct archive *to)
{
    assert_true(is_in(from, NULL) && is_in(to, NULL));
}

/* Out of one archive and the database into another archive, as retention does. */
static void begin_move(struct archive *from, struct archive *to)
{
    (void)to;
    set_row(3);
    put_whole(from);
}

static int go_move(struct archive *from, struct archive *to, struct ta_data_spool *spool)
{
    const struct ta_sql_options options = shaky_database(site.database);
    struct ta_jobs_retained done = {0};
    struct ta_sql sql = {0};

    (void)spool;
    int r = ta_sql_open(&sql, &options, NULL);
    if (r >= 0)
        r = shaky_open(from);
    if (r >= 0)
        r = shaky_open(to);
    if (r >= 0) {
        const struct ta_job_retention conf = {.sql = &sql,
                                              .archive = from->backend,
                                              .policy = TA_JOBS_MOVE,
                                              .cutoff_s = SITE_START_S + 1,
                                              .alloc = &ta_heap,
                                              .to = to->backend};
        r = ta_jobs_retain(&conf, &done, NULL);
    }
    shaky_close(from);
    shaky_close(to);
    ta_sql_done(&sql);
    return done.failed ? TA_EIO : r;
}

static void judge_move(struct archive *from, struct archive *to, int result)
{
    bool is_here = is_in(from, NULL), is_there = is_in(to, NULL), has_row = rows("1") == 1;

    assert_true(is_here || is_there);
    assert_true(has_row || (is_there && !is_here));
    assert_true(!has_row || result < 0);
}

static void judge_moved(struct archive *from, struct archive *to)
{
    bool has_data;

    assert_false(is_in(from, &has_data));
    assert_false(has_data);
    assert_true(is_in(to, NULL));
    assert_int_equal(rows("1"), 0);
}

/* Out of one archive and the database into Parquet files, likewise. */
static void begin_files(struct archive *from, struct archive *to)
{
    char path[160];

    begin_move(from, to);
    shaky_path(path, "state");
    assert_int_equal(ta_mkdir_all(&ta_vfs_posix, path, 0700, NULL), TA_OK);
    shaky_path(path, to->name);
    assert_int_equal(ta_mkdir_all(&ta_vfs_posix, path, 0700, NULL), TA_OK);
}

static int move_to(struct archive *from, struct ta_sql *sql, struct ta_arc_place *place)
{
    struct ta_jobs_retained done = {0};
    char state[160];

    shaky_path(state, "state");
    const struct ta_job_retention conf = {.sql = sql,
                                          .archive = from->backend,
                                          .policy = TA_JOBS_MOVE,
                                          .cutoff_s = SITE_START_S + 1,
                                          .alloc = &ta_heap,
                                          .parquet = {.vfs = shaky_files(),
                                                      .alloc = &ta_heap,
                                                      .place = place,
                                                      .state = state,
                                                      .date = "2026-11-28"}};
    int r = ta_jobs_retain(&conf, &done, NULL);
    return done.failed ? TA_EIO : r;
}

static int go_files(struct archive *from, struct archive *to, struct ta_data_spool *spool)
{
    const struct ta_sql_options options = shaky_database(site.database);
    struct ta_arc_place_dir in_files;
    struct ta_arc_place_s3 in_bucket;
    struct ta_sql sql = {0};
    char path[160];

    (void)spool;
    shaky_path(path, to->name);
    int r = ta_sql_open(&sql, &options, NULL);
    if (r >= 0)
        r = shaky_open(from);
    if (r >= 0 && to->form == BUCKET)
        r = shaky_open_client(to);
    if (r >= 0) {
        if (to->form == BUCKET)
            ta_arc_place_s3_init(&in_bucket, shaky_files(), to->s3, "", &ta_heap);
        else
            ta_arc_place_dir_init(&in_files, shaky_files(), path, 0750);
        r = move_to(from, &sql, to->form == BUCKET ? &in_bucket.place : &in_files.place);
    }
    shaky_close(from);
    shaky_close(to);
    ta_sql_done(&sql);
    return r;
}

static unsigned count_in(const void *at, size_t len)
{
    struct ta_job_parquet_reader *r;
    struct mem_file file;
    struct ta_str data;
    struct ta_job one;
    unsigned n = 0;
    int e;

    mem_file_init(&file, at, len);
    assert_int_equal(ta_job_parquet_open(&r, &file.file, 0, &ta_heap, NULL), TA_OK);
    for (; (e = ta_job_parquet_next(r, &one, &data, NULL)) > 0; n++) {
        assert_int_equal(one.job_id, job.job_id);
        assert_true(ta_str_eq(data, ta_buf_view(&whole_data)));
    }
    assert_int_equal(e, 0);
    ta_job_parquet_close(r);
    return n;
}

static unsigned count_of_path(const char *path)
{
    static char text[1 << 20];
    FILE *f = fopen(path, "rb");

    assert_non_null(f);
    size_t n = fread(text, 1, sizeof(text), f);
    fclose(f);
    return count_in(text, n);
}

/* How often the job stands in published files; each of them is whole. */
static unsigned in_parquet(const struct archive *to)
{
    const struct s3_server *s = shaky_server();
    unsigned n = 0;
    glob_t found;
    char path[180];

    for (size_t i = 0; to->form == BUCKET && i < s->n_objects; i++)
        if (strstr(s->objects[i].key, "/to/c/") && strstr(s->objects[i].key, ".parquet"))
            n += count_in(s->objects[i].at, s->objects[i].len);
    snprintf(path, sizeof(path), "%s/%s/c/*.parquet", site.dir, to->name);
    if (to->form == BUCKET || glob(path, 0, NULL, &found) != 0)
        return n;
    for (size_t i = 0; i < found.gl_pathc; i++)
        n += count_of_path(found.gl_pathv[i]);
    globfree(&found);
    return n;
}

static void judge_files(struct archive *from, struct archive *to, int result)
{
    bool is_here = is_in(from, NULL), has_row = rows("1") == 1;
    unsigned n = in_parquet(to);

    assert_true(n <= 1 && (is_here || n == 1));
    assert_true(has_row || (n == 1 && !is_here));
    assert_true(!has_row || result < 0);
}

static void judge_filed(struct archive *from, struct archive *to)
{
    bool has_data;

    assert_false(is_in(from, &has_data));
    assert_false(has_data);
    assert_int_equal(in_parquet(to), 1);
    assert_int_equal(rows("1"), 0);
}

static const struct way ways[] = {
    {"archived", begin_archive, go_archive, judge_archive, judge_archived},
    {"copied", begin_copy, go_copy, judge_copy, judge_copied},
    {"moved", begin_move, go_move, judge_move, judge_moved},
    {"moved into Parquet files", begin_files, go_files, judge_files, judge_filed},
};

/* ---- trouble ------------------------------------------------------------------------------------ */

static int go(const struct way *way, struct archive *from, struct archive *to)
{
    struct ta_data_spool spool = {0};
    char path[128];

    snprintf(path, sizeof(path), "%s/spool", site.dir);
    int r = ta_data_spool_init(&spool, shaky_files(), path, &ta_heap, NULL);
    if (r >= 0)
        r = way->go(from, to, &spool);
    ta_data_spool_done(&spool);
    return r;
}

/* Whether the n-th call was reached. */
static bool run(const struct way *way, struct archive *from, struct archive *to,
                enum shaky_trouble trouble, long n, bool for_good)
{
    way->begin(from, to);
    shaky_arm(trouble, n, for_good);
    int r = go(way, from, to);
    bool hit = shaky_disarm();
    if (r < 0 && !hit)
        fail_msg("%s: %s without a failure", way->name, ta_strerror(r));
    way->judge(from, to, r);
    (void)go(way, from, to);
    way->judge_last(from, to);
    shaky_wipe(from);
    shaky_wipe(to);
    shaky_wipe(&(const struct archive){.name = "state"});
    return hit;
}

static long stride(enum shaky_trouble trouble)
{
    static const long few[TROUBLES] = {
        [WITH_FILES] = 11, 23, 3, 3, 3, 3, [WITH_REQUESTS + S3_SILENT] = 6};

    return getenv("TARN_ALL_FAULTS") ? 1 : few[trouble];
}

static unsigned try_all(const struct way *way, enum shaky_form from_form, enum shaky_form to_form)
{
    struct archive from = {.form = from_form, .name = "from"};
    struct archive to = {.form = to_form, .name = "to"};
    unsigned runs = 0;

    for (enum shaky_trouble t = 0; t < TROUBLES; t++)
        for (int for_good = 0; for_good < 2; for_good++) {
            long step = stride(t), n = step / 2 * for_good; /* other calls than once */

            for (; run(way, &from, &to, t, n, for_good); n += step, runs++)
                assert_true(n < 10000);
        }
    return runs;
}

/* What the job's documents are when all is well. */
static void learn(void)
{
    struct archive to = {.form = FILES, .name = "to"};

    begin_archive(&to, &to);
    assert_int_equal(go(&ways[0], &to, &to), TA_OK);
    assert_int_equal(shaky_open(&to), TA_OK);
    assert_int_equal(ta_backend_read_meta(to.backend, &job, &whole_meta, NULL), TA_OK);
    assert_true(read_data(to.backend, &whole_data));
    shaky_close(&to);
    assert_non_null(memmem(whole_meta.at, whole_meta.len, "\"monitoringStatus\":3", 20));
    shaky_wipe(&to);
}

static void whatever_fails_on_the_way_no_job_is_lost(void **state)
{
    static const char *const forms[FORMS] = {"files", "database", "bucket"};

    (void)state;
    for (size_t w = 0; w < TA_COUNT(ways); w++)
        for (enum shaky_form to = 0; to < FORMS; to++) {
            /* Each form once as where it comes from, once as where it goes. */
            enum shaky_form from = (to + 1) % FORMS;
            if (ways[w].begin == begin_files && to == DATABASE)
                continue;
            unsigned runs = try_all(&ways[w], from, to);

            print_message("%s from %s to %s: %u failures, none lost a job\n", ways[w].name,
                          w ? forms[from] : "the store", forms[to], runs);
            assert_true(runs > 5);
        }
}

static int set_up(void **state)
{
    (void)state;
    archive_site_open(&site, 2, 30);
    shaky_start(site.dir);
    ta_buf_init(&whole_meta, &ta_heap, 1 << 20);
    ta_buf_init(&whole_data, &ta_heap, 1 << 20);
    learn();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ta_buf_done(&whole_meta);
    ta_buf_done(&whole_data);
    shaky_stop();
    archive_site_close(&site);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whatever_fails_on_the_way_no_job_is_lost, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
