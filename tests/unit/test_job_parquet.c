/* Jobs go into Parquet files and come back whole; what cannot be written is published by nobody. */
#include "fault.h"
#include "io/vfs_fault.h"
#include "io/vfs_mem.h"
#include "jobs/job_parquet.h"
#include "jobs/job_parquet_read.h"
#include "mem_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

static const char *const metas[] = {
    "tests/data/jobs/fritz-5001.meta.json",
    "tests/data/jobs/fritz-5002.meta.json",
    "tests/data/jobs/alex-6001.meta.json",
    "tests/data/jobs/fritz-9002.meta.json",
};

static struct ta_buf load(const char *path)
{
    struct ta_buf b;
    FILE *f = fopen(path, "rb");
    size_t n;

    ta_buf_init(&b, &ta_heap, 64 * MiB);
    if (!f)
        return b;
    do {
        assert_int_equal(ta_buf_reserve(&b, 64 * KiB), TA_OK);
        n = fread(b.at + b.len, 1, 64 * KiB, f);
        b.len += n;
    } while (n);
    fclose(f);
    return b;
}

/* A file system in memory with a target and a state directory. */
struct site {
    struct ta_vfs_mem mem;
    struct ta_vfs_fault fault;
    struct ta_arc_place_dir place;
    struct ta_job_parquet_conf conf;
};

static void site_init(struct site *s, struct ta_alloc *alloc)
{
    assert_int_equal(ta_vfs_mem_init(&s->mem, &ta_heap), TA_OK);
    ta_vfs_fault_init(&s->fault, &s->mem.vfs, &ta_heap);
    s->fault.left = -1;
    s->fault.sys = 5;
    assert_int_equal(ta_mkdir_all(&s->mem.vfs, "/out", 0755, NULL), TA_OK);
    assert_int_equal(ta_mkdir_all(&s->mem.vfs, "/state", 0755, NULL), TA_OK);
    ta_arc_place_dir_init(&s->place, &s->fault.vfs, "/out", 0750);
    s->conf = (struct ta_job_parquet_conf){.vfs = &s->fault.vfs,
                                           .alloc = alloc,
                                           .place = &s->place.place,
                                           .state = "/state",
                                           .date = "2026-11-28"};
}

static unsigned count_files(struct ta_vfs *vfs, const char *path)
{
    struct ta_dir *dir;
    struct ta_dirent entry;
    unsigned n = 0;

    if (vfs->open_dir(vfs, path, &dir, NULL) < 0)
        return 0;
    while (dir->ops->next(dir, &entry, NULL) > 0)
        n++;
    dir->ops->close(dir);
    return n;
}

/* Bytes as random as gzip's, from a seed, as a source; fails behind `fail_at`. */
struct noise {
    struct ta_source source;
    uint64_t seed;
    uint32_t bytes, at, fail_at;
};

static unsigned char noise_at(uint64_t seed, uint32_t i)
{
    uint64_t x = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) + i / 8;

    x ^= x >> 31;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 29;
    return (unsigned char)(x >> (i % 8 * 8));
}

static int64_t noise_read(struct ta_source *self, void *buf, size_t n, struct ta_err *err)
{
    struct noise *s = TA_CONTAINER(self, struct noise, source);
    unsigned char *to = buf;
    size_t k = 0;

    if (s->fail_at && s->at >= s->fail_at)
        return ta_fail(err, TA_EIO, "the data document cannot be read");
    for (; k < n && s->at < s->bytes; k++, s->at++)
        to[k] = noise_at(s->seed, s->at);
    return (int64_t)k;
}

static void noise_init(struct noise *s, uint64_t seed, uint32_t bytes)
{
    *s = (struct noise){.source = {noise_read}, .seed = seed, .bytes = bytes};
}

static void assert_noise(uint64_t seed, uint32_t bytes, struct ta_str found)
{
    assert_int_equal(found.len, bytes);
    for (uint32_t i = 0; i < bytes; i++)
        if ((unsigned char)found.at[i] != noise_at(seed, i))
            fail_msg("byte %u of document %llu differs", i, (unsigned long long)seed);
}

/* n jobs, from the recorded ones, with ids and data of their own. `bytes_of` says how long the data are. */
static int put_jobs(struct ta_job_parquet_writer *w, unsigned n, uint32_t (*bytes_of)(unsigned i),
                    struct ta_err *err)
{
    struct ta_arena arena;
    struct ta_job jobs[TA_COUNT(metas)];
    struct ta_buf texts[TA_COUNT(metas)];
    int r = TA_OK;

    ta_arena_init(&arena, &ta_heap, 16 * MiB);
    for (size_t i = 0; i < TA_COUNT(metas); i++) {
        texts[i] = load(metas[i]);
        assert_int_equal(
            ta_job_read_text(&jobs[i], ta_buf_view(&texts[i]), true, &arena, &ta_heap, NULL),
            TA_OK);
    }
    for (unsigned i = 0; i < n && r >= 0; i++) {
        struct ta_job job = jobs[i % TA_COUNT(metas)];
        struct noise data;
        job.id = i;
        job.submit_time = i % 3 ? job.start_time - 5 : 0;
        noise_init(&data, i, bytes_of(i));
        r = ta_job_parquet_put(w, &job, i % 7 == 6 ? NULL : &data.source, err);
    }
    for (size_t i = 0; i < TA_COUNT(metas); i++)
        ta_buf_done(&texts[i]);
    ta_arena_done(&arena);
    return r;
}

static uint32_t small(unsigned i)
{
    return i * 37 % 3000;
}

static int write_jobs(const struct ta_job_parquet_conf *conf, unsigned n,
                      uint32_t (*bytes_of)(unsigned i), char out_name[static TA_EXPORT_NAME],
                      struct ta_err *err)
{
    struct ta_job_parquet_writer *w = NULL;
    unsigned number = 0;
    int r = ta_job_parquet_begin(&w, conf, TA_STR("fritz"), err);

    if (r >= 0)
        r = put_jobs(w, n, bytes_of, err);
    if (r >= 0)
        r = ta_job_parquet_finish(w, &number, out_name, err);
    ta_job_parquet_free(w);
    return r;
}

static int check_job(unsigned i, const struct ta_job *job, struct ta_str data,
                     uint32_t (*bytes_of)(unsigned i))
{
    struct ta_buf text = load(metas[i % TA_COUNT(metas)]);
    struct ta_buf out[2];
    struct ta_job wanted;
    struct ta_arena arena;

    ta_arena_init(&arena, &ta_heap, 16 * MiB);
    assert_int_equal(ta_job_read_text(&wanted, ta_buf_view(&text), true, &arena, &ta_heap, NULL),
                     TA_OK);
    wanted.id = i;
    wanted.submit_time = i % 3 ? wanted.start_time - 5 : 0;
    for (int k = 0; k < 2; k++) {
        struct ta_json_writer w;
        ta_buf_init(&out[k], &ta_heap, MiB);
        ta_json_writer_init(&w, &out[k]);
        assert_int_equal(ta_job_write(&w, k ? job : &wanted), TA_OK);
    }
    assert_int_equal(out[0].len, out[1].len);
    assert_memory_equal(out[0].at, out[1].at, out[0].len);
    assert_noise(i, i % 7 == 6 ? 0 : bytes_of(i), data);
    ta_buf_done(&out[0]);
    ta_buf_done(&out[1]);
    ta_buf_done(&text);
    ta_arena_done(&arena);
    return TA_OK;
}

/* Reads all jobs and compares them; returns their number. */
static int64_t read_jobs(struct ta_vfs *vfs, const char *path, struct ta_alloc *alloc,
                         uint32_t (*bytes_of)(unsigned i), struct ta_err *err)
{
    struct ta_job_parquet_reader *r = NULL;
    struct ta_file *file = NULL;
    struct ta_job job;
    struct ta_str data;
    int64_t n = 0;
    int e = ta_open(vfs, path, TA_OPEN_READ, 0, &file, err);

    if (e >= 0)
        e = ta_job_parquet_open(&r, file, 0, alloc, err);
    while (e >= 0 && (e = ta_job_parquet_next(r, &job, &data, err)) > 0)
        check_job((unsigned)n++, &job, data, bytes_of);
    ta_job_parquet_close(r);
    ta_close(&file, NULL);
    return e < 0 ? e : n;
}

static void jobs_come_back_with_every_member_and_byte(void **state)
{
    struct site s;
    struct ta_err err = {0};
    char name[TA_EXPORT_NAME];

    (void)state;
    site_init(&s, &ta_heap);
    if (write_jobs(&s.conf, 300, small, name, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(name, "fritz/cc-archive-2026-11-28-001.parquet");
    assert_int_equal(count_files(&s.mem.vfs, "/state"), 0);
    int64_t n = read_jobs(&s.mem.vfs, "/out/fritz/cc-archive-2026-11-28-001.parquet", &ta_heap,
                          small, &err);
    if (n < 0)
        fail_msg("%s", err.text);
    assert_int_equal(n, 300);
    ta_vfs_mem_done(&s.mem);
}

static void a_second_run_of_a_day_takes_the_next_number(void **state)
{
    struct site s;
    char name[TA_EXPORT_NAME];

    (void)state;
    site_init(&s, &ta_heap);
    for (int i = 1; i <= 3; i++) {
        char wanted[TA_EXPORT_NAME];
        snprintf(wanted, sizeof(wanted), "fritz/cc-archive-2026-11-28-%03d.parquet", i);
        assert_int_equal(write_jobs(&s.conf, 3, small, name, NULL), TA_OK);
        assert_string_equal(name, wanted);
    }
    assert_int_equal(count_files(&s.mem.vfs, "/out/fritz"), 3);
    ta_vfs_mem_done(&s.mem);
}

static void no_jobs_make_no_file(void **state)
{
    struct site s;
    char name[TA_EXPORT_NAME];

    (void)state;
    site_init(&s, &ta_heap);
    assert_int_equal(write_jobs(&s.conf, 0, small, name, NULL), TA_OK);
    assert_string_equal(name, "");
    assert_int_equal(count_files(&s.mem.vfs, "/out"), 0);
    assert_int_equal(count_files(&s.mem.vfs, "/state"), 0);
    ta_vfs_mem_done(&s.mem);
}

static void a_cluster_that_is_no_directory_name_is_refused(void **state)
{
    static const char *const names[] = {"", ".", "..", "a/b", ".hidden", "/etc"};
    struct ta_job_parquet_writer *w;
    struct site s;

    (void)state;
    site_init(&s, &ta_heap);
    for (size_t i = 0; i < TA_COUNT(names); i++)
        assert_int_equal(ta_job_parquet_begin(&w, &s.conf, ta_str(names[i]), NULL), TA_EINVAL);
    ta_vfs_mem_done(&s.mem);
}

static void a_job_whose_data_cannot_be_read_leaves_the_others_in_the_file(void **state)
{
    struct site s;
    struct ta_job_parquet_writer *w;
    struct ta_job job = {.job_id = 1, .cluster = TA_STR("fritz"), .shared = TA_STR("none")};
    struct ta_err err = {0};
    struct noise data;
    char name[TA_EXPORT_NAME];
    unsigned number = 0;

    (void)state;
    site_init(&s, &ta_heap);
    assert_int_equal(ta_job_parquet_begin(&w, &s.conf, TA_STR("fritz"), NULL), TA_OK);
    assert_int_equal(put_jobs(w, 5, small, NULL), TA_OK);
    noise_init(&data, 1, 500000);
    data.fail_at = 200000;
    assert_int_equal(ta_job_parquet_put(w, &job, &data.source, &err), TA_EIO);
    assert_non_null(strstr(err.text, "cannot be read"));
    job.duration = INT64_C(1) << 40;
    assert_int_equal(ta_job_parquet_put(w, &job, NULL, NULL), TA_ERANGE);
    assert_false(ta_job_parquet_is_broken(w));
    assert_int_equal(ta_job_parquet_finish(w, &number, name, NULL), TA_OK);
    ta_job_parquet_free(w);
    assert_int_equal(read_jobs(&s.mem.vfs, "/out/fritz/cc-archive-2026-11-28-001.parquet", &ta_heap,
                               small, NULL),
                     5);
    ta_vfs_mem_done(&s.mem);
}

static void files_are_full_by_bytes_and_by_rows(void **state)
{
    struct site s;
    struct ta_job_parquet_writer *w;

    (void)state;
    site_init(&s, &ta_heap);
    s.conf.file_rows = 10;
    assert_int_equal(ta_job_parquet_begin(&w, &s.conf, TA_STR("fritz"), NULL), TA_OK);
    assert_int_equal(put_jobs(w, 9, small, NULL), TA_OK);
    assert_false(ta_job_parquet_is_full(w));
    assert_int_equal(put_jobs(w, 1, small, NULL), TA_OK);
    assert_true(ta_job_parquet_is_full(w));
    ta_job_parquet_free(w);
    s.conf.file_bytes = 1;
    s.conf.file_rows = 0;
    assert_int_equal(ta_job_parquet_begin(&w, &s.conf, TA_STR("fritz"), NULL), TA_OK);
    assert_int_equal(put_jobs(w, 1, small, NULL), TA_OK);
    assert_true(ta_job_parquet_is_full(w));
    ta_job_parquet_free(w);
    assert_int_equal(count_files(&s.mem.vfs, "/state"), 0);
    ta_vfs_mem_done(&s.mem);
}

static uint32_t one_is_large(unsigned i)
{
    return i == 500 ? 8 << 20 : 10000 + i * 7919 % 20000;
}

/* The figure to reach: the largest compressed job + 16 MiB, for any number of jobs. */
static void a_thousand_jobs_take_the_largest_document_and_16_mib_at_most(void **state)
{
    char dir[] = "/tmp/tarn-jobs-XXXXXX";
    char path[1024], name[TA_EXPORT_NAME];
    struct ta_arc_place_dir place;
    struct ta_budget budget[2];
    struct ta_err err = {0};

    (void)state;
    assert_non_null(mkdtemp(dir));
    ta_budget_init(&budget[0], "writing", 0, &ta_heap);
    ta_budget_init(&budget[1], "reading", 0, &ta_heap);
    ta_arc_place_dir_init(&place, &ta_vfs_posix, dir, 0750);
    struct ta_job_parquet_conf conf = {.vfs = &ta_vfs_posix,
                                       .alloc = &budget[0].alloc,
                                       .place = &place.place,
                                       .state = dir,
                                       .date = "2026-11-28"};
    if (write_jobs(&conf, 1000, one_is_large, name, &err) < 0)
        fail_msg("%s", err.text);
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    int64_t n = read_jobs(&ta_vfs_posix, path, &budget[1].alloc, one_is_large, &err);
    if (n < 0)
        fail_msg("%s", err.text);
    assert_int_equal(n, 1000);
    print_message(
        "1,000 jobs, the largest of 8 MiB: %zu KiB to write and verify, %zu KiB to read\n",
        budget[0].peak / KiB, budget[1].peak / KiB);
    assert_in_range(budget[0].peak, 1, (8 + 16) * MiB);
    assert_in_range(budget[1].peak, 1, (8 + 16) * MiB);
    assert_int_equal(budget[0].used, 0);
    assert_int_equal(budget[1].used, 0);
    unlink(path);
    snprintf(path, sizeof(path), "%s/fritz", dir);
    rmdir(path);
    assert_int_equal(rmdir(dir), 0);
}

static void every_refused_allocation_is_an_error_and_publishes_nothing(void **state)
{
    (void)state;
    for (struct fault f = {.mode = FAULT_ONCE}; fault_next(&f);) {
        struct site s;
        char name[TA_EXPORT_NAME];
        site_init(&s, &f.alloc);
        int r = write_jobs(&s.conf, 12, small, name, NULL);
        assert_int_equal(count_files(&s.mem.vfs, "/out/fritz"), r >= 0);
        if (r >= 0)
            r = (int)read_jobs(&s.mem.vfs, "/out/fritz/cc-archive-2026-11-28-001.parquet", &f.alloc,
                               small, NULL);
        assert_int_equal(count_files(&s.mem.vfs, "/state"), 0);
        ta_vfs_mem_done(&s.mem);
        fault_judge(&f, r);
    }
}

static void every_failing_call_leaves_a_whole_file_or_none(void **state)
{
    unsigned failed = 0;

    (void)state;
    /* Every fifth call, unless all are asked for (make soak). */
    for (int64_t left = 0;; left += getenv("TARN_ALL_FAULTS") ? 1 : 5) {
        struct site s;
        char name[TA_EXPORT_NAME];
        site_init(&s, &ta_heap);
        s.fault.kinds = TA_FAULT_ALL;
        s.fault.for_good = left % 2;
        s.fault.left = left / 2;
        int r = write_jobs(&s.conf, 12, small, name, NULL);
        bool hit = s.fault.hit;
        s.fault.left = -1;
        s.fault.for_good = false;
        /* After the rename a failing sync of the directory leaves the file: whole, and done again. */
        if (count_files(&s.mem.vfs, "/out/fritz"))
            assert_int_equal(read_jobs(&s.mem.vfs, "/out/fritz/cc-archive-2026-11-28-001.parquet",
                                       &ta_heap, small, NULL),
                             12);
        else
            assert_true(r < 0);
        ta_vfs_mem_done(&s.mem);
        failed += r < 0;
        if (!hit)
            break;
    }
    assert_true(failed > 10);
}

static void a_damaged_file_is_refused_or_read_but_never_followed(void **state)
{
    struct site s;
    char name[TA_EXPORT_NAME];
    struct ta_buf bytes;
    struct ta_file *file;
    uint64_t size;
    unsigned refused = 0;

    (void)state;
    site_init(&s, &ta_heap);
    assert_int_equal(write_jobs(&s.conf, 5, small, name, NULL), TA_OK);
    assert_int_equal(ta_open(&s.mem.vfs, "/out/fritz/cc-archive-2026-11-28-001.parquet",
                             TA_OPEN_READ, 0, &file, NULL),
                     TA_OK);
    assert_int_equal(file->ops->size(file, &size, NULL), TA_OK);
    ta_buf_init(&bytes, &ta_heap, size);
    assert_int_equal(ta_buf_reserve(&bytes, size), TA_OK);
    assert_int_equal(ta_pread_full(file, bytes.at, size, 0, NULL), (int64_t)size);
    ta_close(&file, NULL);
    for (size_t i = 0; i < size; i += 3) {
        struct ta_job_parquet_reader *r = NULL;
        struct mem_file m;
        struct ta_job job;
        struct ta_str data;
        char saved = bytes.at[i];
        bytes.at[i] = (char)(saved ^ 0x55);
        mem_file_init(&m, bytes.at, size);
        int e = ta_job_parquet_open(&r, &m.file, 16 * MiB, &ta_heap, NULL);
        while (e >= 0 && (e = ta_job_parquet_next(r, &job, &data, NULL)) > 0)
            ;
        ta_job_parquet_close(r);
        bytes.at[i] = saved;
        refused += e < 0;
    }
    assert_true(refused > size / 3 / 2);
    ta_buf_done(&bytes);
    ta_vfs_mem_done(&s.mem);
}

/* The file that the reference made of a job, and the metadata that it made of the same job. */
static void the_files_of_the_reference_are_read(void **state)
{
    static const struct {
        const char *parquet, *meta, *data;
    } golden[] = {
        {"parquet/emmy/cc-archive-2026-11-21-001.parquet",
         "reencoded/emmy/1403/244/1608923076/meta.json", "emmy"},
        {"parquet/fritz/cc-archive-2026-11-21-001.parquet",
         "reencoded/fritz/398/764/1675954353/meta.json", "fritz"},
    };
    const char *shared = getenv("TARN_SHARED");
    char path[512];

    (void)state;
    for (size_t i = 0; i < TA_COUNT(golden); i++) {
        struct ta_job_parquet_reader *r;
        struct ta_file *file;
        struct ta_job found, wanted;
        struct ta_str data;
        struct ta_arena arena;
        struct ta_err err = {0};
        snprintf(path, sizeof(path), "%s/golden/job-archive/%s", shared ? shared : "../shared",
                 golden[i].meta);
        struct ta_buf text = load(path);
        if (!text.len) {
            print_message("no recordings of real jobs here\n");
            skip();
        }
        snprintf(path, sizeof(path), "%s/golden/job-archive/%s", shared ? shared : "../shared",
                 golden[i].parquet);
        assert_int_equal(ta_open(&ta_vfs_posix, path, TA_OPEN_READ, 0, &file, NULL), TA_OK);
        if (ta_job_parquet_open(&r, file, 0, &ta_heap, &err) < 0 ||
            ta_job_parquet_next(r, &found, &data, &err) != 1)
            fail_msg("%s", err.text);
        ta_arena_init(&arena, &ta_heap, 16 * MiB);
        assert_int_equal(
            ta_job_read_text(&wanted, ta_buf_view(&text), false, &arena, &ta_heap, &err), TA_OK);
        /* What the reference's file has no place for. */
        wanted.shared = TA_STR("none");
        wanted.array_job_id = wanted.submit_time = wanted.requested_memory = 0;
        wanted.monitoring_status = wanted.id = 0;
        struct ta_buf out[2];
        for (int k = 0; k < 2; k++) {
            struct ta_json_writer w;
            ta_buf_init(&out[k], &ta_heap, MiB);
            ta_json_writer_init(&w, &out[k]);
            assert_int_equal(ta_job_write(&w, k ? &found : &wanted), TA_OK);
            assert_int_equal(ta_buf_byte(&out[k], 0), TA_OK);
        }
        assert_string_equal(out[1].at, out[0].at);
        assert_true(data.len > 1000 && (unsigned char)data.at[0] == 0x1f);
        assert_int_equal(ta_job_parquet_next(r, &found, &data, &err), 0);
        for (int k = 0; k < 2; k++)
            ta_buf_done(&out[k]);
        ta_arena_done(&arena);
        ta_buf_done(&text);
        ta_job_parquet_close(r);
        ta_close(&file, NULL);
    }
}

/* For tests/e2e/test_parquet_readers.py: a file of 1,000 jobs in the named directory. */
static int make_sample(const char *dir)
{
    struct ta_arc_place_dir place;
    struct ta_err err = {0};
    char name[TA_EXPORT_NAME];

    ta_arc_place_dir_init(&place, &ta_vfs_posix, dir, 0750);
    struct ta_job_parquet_conf conf = {.vfs = &ta_vfs_posix,
                                       .alloc = &ta_heap,
                                       .place = &place.place,
                                       .state = dir,
                                       .date = "2026-11-28"};
    int r = write_jobs(&conf, 1000, small, name, &err);
    puts(r < 0 ? err.text : name);
    return r < 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_come_back_with_every_member_and_byte),
        cmocka_unit_test(a_second_run_of_a_day_takes_the_next_number),
        cmocka_unit_test(no_jobs_make_no_file),
        cmocka_unit_test(a_cluster_that_is_no_directory_name_is_refused),
        cmocka_unit_test(a_job_whose_data_cannot_be_read_leaves_the_others_in_the_file),
        cmocka_unit_test(files_are_full_by_bytes_and_by_rows),
        cmocka_unit_test(a_thousand_jobs_take_the_largest_document_and_16_mib_at_most),
        cmocka_unit_test(every_refused_allocation_is_an_error_and_publishes_nothing),
        cmocka_unit_test(every_failing_call_leaves_a_whole_file_or_none),
        cmocka_unit_test(a_damaged_file_is_refused_or_read_but_never_followed),
        cmocka_unit_test(the_files_of_the_reference_are_read),
    };

    if (getenv("TARN_JOB_PARQUET_SAMPLE"))
        return make_sample(getenv("TARN_JOB_PARQUET_SAMPLE"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
