/* The metrics of an archived job as they are asked for: in bounded memory, and whatever fails. */
#include "fault.h"
#include "io/vfs_fault.h"
#include "io/vfs_mem.h"
#include "jobs/job_answer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const struct ta_job job = {.cluster = {"c", 1}, .num_nodes = 2};

/* Opens both files, writes the answer and gives its text, or the error. */
static int answer(const struct ta_job_question *q, struct ta_source *json, struct ta_vfs *vfs,
                  struct ta_alloc *alloc, struct ta_buf *out, struct ta_err *err)
{
    const unsigned flags = TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_TRUNCATE;
    struct ta_job_files files = {.bytes_max = 1 << 30};
    struct ta_arena arena;
    struct ta_buf_sink sink;
    int r = ta_open(vfs, "/values", flags, 0600, &files.values, err);

    ta_arena_init(&arena, alloc, 1 << 20);
    ta_buf_sink_init(&sink, out);
    if (r >= 0)
        r = ta_open(vfs, "/series", flags, 0600, &files.series, err);
    if (r >= 0)
        r = ta_job_answer_archived(q, json, &files, NULL, &job, &sink.sink, &arena, alloc, err);
    ta_arena_done(&arena);
    (void)ta_close(&files.values, NULL);
    (void)ta_close(&files.series, NULL);
    return r;
}

/* A metric of nine hosts, long enough to be thinned out, with a median that is kept; and a short one. */
static const char *document(void)
{
    static char text[256 * 1024];
    size_t n = 0;

#define PUT(...) n += (size_t)snprintf(text + n, sizeof(text) - n, __VA_ARGS__)
    PUT("{\"m\":{\"node\":{\"statisticsSeries\":{\"median\":[1,2,null]},\"unit\":{\"base\":\"x\"},"
        "\"timestep\":10,\"series\":[");
    for (int host = 0; host < 9; host++) {
        PUT("%s{\"hostname\":\"n%d\",\"data\":[", host ? "," : "", host);
        for (int i = 0; i < 1200; i++)
            PUT("%s%d", i ? "," : "", (i * 7 + host) % 100);
        PUT("]}");
    }
    PUT("]}},\"flops_any\":{\"core\":{\"unit\":{\"base\":\"F\"},\"timestep\":60,\"series\":["
        "{\"hostname\":\"n0\",\"id\":\"0\",\"data\":[1,2]},"
        "{\"hostname\":\"n0\",\"id\":\"1\",\"data\":[3]}]}}}");
#undef PUT
    assert_true(n < sizeof(text) - 1);
    return text;
}

static struct ta_mem_source source_of(const char *text)
{
    struct ta_mem_source s;

    ta_mem_source_init(&s, text, strlen(text), 0);
    return s;
}

static void every_refused_allocation_is_an_error_and_nothing_leaks(void **state)
{
    const struct ta_job_question q = {.resolution_s = 60};

    (void)state;
    for (struct fault f = {0}; fault_next(&f);) {
        struct ta_mem_source json = source_of(document());
        struct ta_vfs_mem disk;
        struct ta_buf out;

        assert_int_equal(ta_vfs_mem_init(&disk, &ta_heap), TA_OK);
        ta_buf_init(&out, &ta_heap, 1 << 20);
        int r = answer(&q, &json.source, &disk.vfs, &f.alloc, &out, NULL);
        ta_buf_done(&out);
        ta_vfs_mem_done(&disk);
        fault_judge(&f, r);
    }
}

static void every_failed_access_to_a_file_is_an_error_with_its_words(void **state)
{
    const struct ta_job_question q = {.resolution_s = 60};
    int64_t n = 0;
    int r = -1;

    (void)state;
    for (; r < 0; n++) {
        struct ta_mem_source json = source_of(document());
        struct ta_vfs_mem disk;
        struct ta_vfs_fault fault;
        struct ta_err err = {0};
        struct ta_buf out;

        assert_int_equal(ta_vfs_mem_init(&disk, &ta_heap), TA_OK);
        ta_vfs_fault_init(&fault, &disk.vfs, &ta_heap);
        fault.kinds = TA_FAULT_OPEN | TA_FAULT_READ | TA_FAULT_WRITE;
        fault.left = n;
        fault.sys = EIO;
        ta_buf_init(&out, &ta_heap, 1 << 20);
        r = answer(&q, &json.source, &fault.vfs, &ta_heap, &out, &err);
        assert_true(r >= 0 || err.text[0] != '\0');
        ta_buf_done(&out);
        ta_vfs_mem_done(&disk);
    }
    assert_true(n > 20);
}

/* ---- memory ------------------------------------------------------------------------------------- */

/* A document that is made while it is read: `hosts` of `threads` with `values` each. */
struct made {
    struct ta_source source;
    int hosts, threads, values;
    int at; /* the next series */
    int value;
    char text[8192];
    size_t len, pos;
};

static void make_more(struct made *m)
{
    m->len = m->pos = 0;
    if (m->at == m->hosts * m->threads)
        return;
    if (m->value == 0)
        m->len += (size_t)snprintf(m->text, sizeof(m->text),
                                   "%s{\"hostname\":\"n%d\",\"id\":\"%d\",\"data\":[",
                                   m->at ? "," : "{\"m\":{\"hwthread\":{\"series\":[",
                                   m->at / m->threads, m->at % m->threads);
    for (int i = 0; i < 500 && m->value < m->values; i++, m->value++)
        m->len += (size_t)snprintf(m->text + m->len, sizeof(m->text) - m->len, "%s%d.25",
                                   m->value ? "," : "", (m->value + m->at) % 1000);
    if (m->value < m->values)
        return;
    m->value = 0;
    m->at++;
    m->len += (size_t)snprintf(
        m->text + m->len, sizeof(m->text) - m->len, "]}%s",
        m->at == m->hosts * m->threads ? "],\"unit\":{\"base\":\"\"},\"timestep\":60}}}" : "");
}

static int64_t read_made(struct ta_source *self, void *buf, size_t n, struct ta_err *err)
{
    struct made *m = TA_CONTAINER(self, struct made, source);

    (void)err;
    if (m->pos == m->len)
        make_more(m);
    n = m->len - m->pos < n ? m->len - m->pos : n;
    memcpy(buf, m->text + m->pos, n);
    m->pos += n;
    return (int64_t)n;
}

static int count(struct ta_sink *self, const void *buf, size_t n, struct ta_err *err)
{
    (void)self;
    (void)buf;
    (void)err;
    return n > 0 ? TA_OK : TA_EINVAL;
}

static size_t peak_of(int hosts, int values, int64_t resolution_s)
{
    const unsigned flags = TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_TRUNCATE;
    const struct ta_job_question q = {.resolution_s = resolution_s};
    struct made made = {.source = {read_made}, .hosts = hosts, .threads = 32, .values = values};
    struct ta_job_files files = {.bytes_max = 1ULL << 32};
    struct ta_sink sink = {count};
    struct ta_budget budget;
    struct ta_arena arena;
    struct ta_vfs_mem disk;
    struct ta_err err = {0};

    assert_int_equal(ta_vfs_mem_init(&disk, &ta_heap), TA_OK);
    assert_int_equal(ta_open(&disk.vfs, "/v", flags, 0600, &files.values, NULL), TA_OK);
    assert_int_equal(ta_open(&disk.vfs, "/s", flags, 0600, &files.series, NULL), TA_OK);
    ta_budget_init(&budget, "answer", 64 << 20, &ta_heap);
    ta_arena_init(&arena, &budget.alloc, 1 << 20);
    int r = ta_job_answer_archived(&q, &made.source, &files, NULL, &job, &sink, &arena,
                                   &budget.alloc, &err);
    if (r < 0)
        fail_msg("%s", err.text);
    ta_arena_done(&arena);
    assert_int_equal(ta_budget_used(&budget), 0);
    (void)ta_close(&files.values, NULL);
    (void)ta_close(&files.series, NULL);
    ta_vfs_mem_done(&disk);
    return budget.peak;
}

static void memory_is_a_window_over_the_series_however_many_they_are(void **state)
{
    size_t large = peak_of(24, 3600, 0), thin = peak_of(2, 4800, 300);

    (void)state;
    print_message("768 threads of 3,600 values: %zu KiB; 64 of 4,800 thinned out: %zu KiB\n",
                  large / 1024, thin / 1024);
    assert_true(large < 17 << 20); /* the values are 21 MiB */
    assert_true(thin < 1 << 20);   /* and these 2.3 MiB */
}

static void who_stops_waits_for_no_document_to_end(void **state)
{
    const atomic_bool stop = true;
    const struct ta_job_question q = {.stop = &stop};
    struct made made = {.source = {read_made}, .hosts = 1 << 20, .threads = 32, .values = 1000};
    struct ta_vfs_mem disk;
    struct ta_buf out;

    (void)state;
    assert_int_equal(ta_vfs_mem_init(&disk, &ta_heap), TA_OK);
    ta_buf_init(&out, &ta_heap, 1 << 20);
    assert_int_equal(answer(&q, &made.source, &disk.vfs, &ta_heap, &out, NULL), TA_ECANCELED);
    assert_true(made.at < 100);
    ta_buf_done(&out);
    ta_vfs_mem_done(&disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_refused_allocation_is_an_error_and_nothing_leaks),
        cmocka_unit_test(every_failed_access_to_a_file_is_an_error_with_its_words),
        cmocka_unit_test(who_stops_waits_for_no_document_to_end),
        cmocka_unit_test(memory_is_a_window_over_the_series_however_many_they_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
