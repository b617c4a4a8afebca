/* Metadata of a job: read, written, judged. */
#include "fault.h"
#include "jobs/job.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *const written_by_the_reference[] = {
    "tests/data/jobs/fritz-5001.meta.json",
    "tests/data/jobs/fritz-5002.meta.json",
    "tests/data/jobs/alex-6001.meta.json",
    "tests/data/jobs/fritz-9002.meta.json",
};

static char file_text[64 * 1024];

static struct ta_str load(const char *path)
{
    FILE *f = fopen(path, "rb");

    if (!f)
        return (struct ta_str){0};

    size_t n = fread(file_text, 1, sizeof file_text, f);

    fclose(f);
    return (struct ta_str){file_text, n};
}

struct read_job {
    struct ta_arena arena;
    struct ta_job job;
    struct ta_err err;
    int result;
};

static void read_text(struct read_job *r, struct ta_str text, bool strict)
{
    memset(r, 0, sizeof *r);
    ta_arena_init(&r->arena, &ta_heap, 4 * MiB);
    r->result = ta_job_read_text(&r->job, text, strict, &r->arena, &ta_heap, &r->err);
}

static int print(struct ta_buf *out, const struct ta_job *job)
{
    struct ta_json_writer w;

    ta_json_writer_init(&w, out);

    int e = ta_job_write(&w, job);

    return e < 0 ? e : ta_buf_byte(out, '\n');
}

static void assert_writes(const struct ta_job *job, struct ta_str wanted)
{
    struct ta_buf out;

    ta_buf_init(&out, &ta_heap, MiB);
    assert_int_equal(print(&out, job), TA_OK);
    assert_int_equal(out.len, wanted.len);
    assert_memory_equal(out.at, wanted.at, wanted.len);
    ta_buf_done(&out);
}

static void what_the_reference_wrote_comes_back_byte_for_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < TA_COUNT(written_by_the_reference); i++) {
        struct ta_str text = load(written_by_the_reference[i]);
        struct read_job r;

        assert_true(text.len > 0);
        read_text(&r, text, true);
        assert_int_equal(r.result, TA_OK);
        assert_writes(&r.job, text);
        ta_arena_done(&r.arena);
    }
}

static void a_document_cut_anywhere_is_refused(void **state)
{
    struct ta_str text = load(written_by_the_reference[2]);

    (void)state;
    for (size_t n = 0; n + 1 < text.len; n++) {
        struct read_job r;

        read_text(&r, (struct ta_str){text.at, n}, false);
        assert_int_equal(r.result, TA_EFORMAT);
        ta_arena_done(&r.arena);
    }
}

static void an_old_document_is_rewritten_as_the_reference_does(void **state)
{
    static char wanted[64 * 1024];
    const char *shared = getenv("TARN_SHARED");
    const char *jobs[] = {"emmy/1403/244/1608923076", "fritz/398/764/1675954353"};
    char path[512];

    (void)state;
    for (size_t i = 0; i < TA_COUNT(jobs); i++) {
        struct read_job r;

        snprintf(path, sizeof path, "%s/golden/job-archive/reencoded/%s/meta.json",
                 shared ? shared : "../shared", jobs[i]);

        struct ta_str text = load(path);

        if (!text.len) {
            print_message("no recordings of real jobs here\n");
            skip();
        }
        memcpy(wanted, text.at, text.len);
        snprintf(path, sizeof path, "%s/golden/job-archive/archive-v3/%s/meta.json",
                 shared ? shared : "../shared", jobs[i]);
        read_text(&r, load(path), false);
        assert_int_equal(r.result, TA_OK);
        assert_writes(&r.job, (struct ta_str){wanted, text.len});
        ta_arena_done(&r.arena);
    }
}

static void an_unknown_key_is_an_error_only_in_a_request(void **state)
{
    struct ta_str texts[] = {
        TA_STR("{\"jobId\":7,\"stopTime\":{\"a\":[1,{}]},\"user\":\"u\"}"),
        TA_STR("{\"jobId\":7,\"resources\":[{\"hostname\":\"h\",\"x\":[1]}],\"user\":\"u\"}"),
        TA_STR("{\"jobId\":7,\"tags\":[{\"x\":[1]}],\"user\":\"u\"}"),
        TA_STR("{\"jobId\":7,\"statistics\":{\"m\":{\"x\":[1]}},\"user\":\"u\"}"),
    };

    (void)state;
    for (size_t i = 0; i < TA_COUNT(texts); i++) {
        struct read_job r;

        read_text(&r, texts[i], false);
        assert_int_equal(r.result, TA_OK);
        assert_int_equal(r.job.job_id, 7);
        assert_true(ta_str_is(r.job.user, "u"));
        ta_arena_done(&r.arena);
        read_text(&r, texts[i], true);
        assert_int_equal(r.result, TA_EFORMAT);
        assert_non_null(strstr(r.err.text, "unknown key"));
        ta_arena_done(&r.arena);
    }
}

static void a_value_of_the_wrong_kind_is_refused(void **state)
{
    const char *texts[] = {
        "[]",
        "7",
        "{\"jobId\":\"7\"}",
        "{\"jobId\":7.5}",
        "{\"user\":1}",
        "{\"resources\":{}}",
        "{\"resources\":[1]}",
        "{\"resources\":[{\"hwthreads\":[\"a\"]}]}",
        "{\"resources\":[{\"accelerators\":[1]}]}",
        "{\"metaData\":{\"a\":1}}",
        "{\"metaData\":[]}",
        "{\"footprint\":{\"a\":\"1\"}}",
        "{\"statistics\":{\"a\":{\"unit\":\"B\"}}}",
        "{\"tags\":[{\"id\":\"1\"}]}",
        "{\"concurrentJobs\":[]}",
        "{\"jobId\":7} x",
    };

    (void)state;
    for (size_t i = 0; i < TA_COUNT(texts); i++) {
        struct read_job r;

        read_text(&r, ta_str(texts[i]), true);
        assert_int_equal(r.result, TA_EFORMAT);
        assert_true(r.err.text[0] != 0);
        ta_arena_done(&r.arena);
    }
}

static void numbers_past_their_width_are_refused(void **state)
{
    const char *texts[] = {"{\"duration\":2147483648}", "{\"numNodes\":-2147483649}",
                           "{\"jobId\":9223372036854775808}", "{\"energy\":1e999}"};

    (void)state;
    for (size_t i = 0; i < TA_COUNT(texts); i++) {
        struct read_job r;

        read_text(&r, ta_str(texts[i]), true);
        assert_int_equal(r.result, TA_ERANGE);
        ta_arena_done(&r.arena);
    }
}

static void maps_are_sorted_and_the_last_of_equal_keys_counts(void **state)
{
    struct read_job r;

    (void)state;
    read_text(&r, TA_STR("{\"metaData\":{\"b\":\"1\",\"a\":\"2\",\"c\":\"3\",\"b\":\"4\"}}"), true);
    assert_int_equal(r.result, TA_OK);
    assert_int_equal(r.job.meta_data.n, 3);
    assert_true(ta_str_is(r.job.meta_data.at[0].key, "a"));
    assert_true(ta_str_is(r.job.meta_data.at[1].key, "b"));
    assert_true(ta_str_is(r.job.meta_data.at[1].value, "4"));
    assert_true(ta_str_is(r.job.meta_data.at[2].key, "c"));
    ta_arena_done(&r.arena);
}

static void an_empty_map_is_not_null(void **state)
{
    struct read_job r;

    (void)state;
    read_text(&r, TA_STR("{\"metaData\":{},\"footprint\":null,\"resources\":[]}"), true);
    assert_int_equal(r.result, TA_OK);
    assert_non_null(r.job.meta_data.at);
    assert_non_null(r.job.resources.at);
    assert_null(r.job.footprint.at);
    assert_true(ta_job_has(&r.job, TA_JOB_FOOTPRINT));
    assert_false(ta_job_has(&r.job, TA_JOB_ENERGY_FOOTPRINT));
    ta_arena_done(&r.arena);
}

static void a_map_with_too_many_members_is_refused(void **state)
{
    struct ta_buf text;
    struct read_job r;

    (void)state;
    ta_buf_init(&text, &ta_heap, MiB);
    ta_buf_z(&text, "{\"footprint\":{");
    for (int i = TA_JOB_MAP_MAX; i >= 0; i--)
        ta_buf_printf(&text, "%s\"k%05d\":1", i == TA_JOB_MAP_MAX ? "" : ",", i);
    ta_buf_z(&text, "}}");
    read_text(&r, ta_buf_view(&text), true);
    assert_int_equal(r.result, TA_ERANGE);
    ta_arena_done(&r.arena);
    ta_buf_done(&text);
}

static void a_job_larger_than_its_arena_is_refused(void **state)
{
    struct ta_arena arena;
    struct ta_job job;
    struct ta_str text = load(written_by_the_reference[0]);

    (void)state;
    ta_arena_init(&arena, &ta_heap, 512);
    assert_int_equal(ta_job_read_text(&job, text, true, &arena, &ta_heap, NULL), TA_ENOMEM);
    ta_arena_done(&arena);
}

static void running_pending_and_suspended_are_not_final(void **state)
{
    int n = 0;

    (void)state;
    for (unsigned i = 0; i < TA_JOB_STATES; i++) {
        enum ta_job_state s;

        assert_int_equal(ta_job_state_of(ta_str(ta_job_state_word((enum ta_job_state)i)), &s), 0);
        assert_int_equal(s, i);
        n += ta_job_state_is_final(s);
    }
    assert_int_equal(n, TA_JOB_STATES - 3);
}

static int read_and_write(struct ta_alloc *alloc, struct ta_str text)
{
    struct ta_arena arena;
    struct ta_job job;
    struct ta_buf out;

    ta_arena_init(&arena, alloc, MiB);
    ta_buf_init(&out, alloc, MiB);

    int e = ta_job_read_text(&job, text, true, &arena, alloc, NULL);

    if (e == TA_OK)
        e = print(&out, &job);
    ta_buf_done(&out);
    ta_arena_done(&arena);
    return e;
}

static void every_refused_allocation_is_an_error_and_leaks_nothing(void **state)
{
    struct ta_str text = load(written_by_the_reference[0]);

    (void)state;
    for (struct fault f = {0}; fault_next(&f);)
        fault_judge(&f, read_and_write(&f.alloc, text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_reference_wrote_comes_back_byte_for_byte),
        cmocka_unit_test(a_document_cut_anywhere_is_refused),
        cmocka_unit_test(an_old_document_is_rewritten_as_the_reference_does),
        cmocka_unit_test(an_unknown_key_is_an_error_only_in_a_request),
        cmocka_unit_test(a_value_of_the_wrong_kind_is_refused),
        cmocka_unit_test(numbers_past_their_width_are_refused),
        cmocka_unit_test(maps_are_sorted_and_the_last_of_equal_keys_counts),
        cmocka_unit_test(an_empty_map_is_not_null),
        cmocka_unit_test(a_map_with_too_many_members_is_refused),
        cmocka_unit_test(a_job_larger_than_its_arena_is_refused),
        cmocka_unit_test(running_pending_and_suspended_are_not_final),
        cmocka_unit_test(every_refused_allocation_is_an_error_and_leaks_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
