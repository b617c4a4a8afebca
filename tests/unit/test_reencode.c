/* Documents of job archives written anew: the reference's order and numbers, whatever the source looks like. */
#include "fault.h"
#include "io/vfs_fault.h"
#include "io/vfs_mem.h"
#include "jobs/backend_reencoded.h"
#include "jobs/cluster_document.h"
#include "jobs/data_reencode.h"
#include "mem_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct outcome {
    struct ta_buf text;
    struct ta_err err;
    int result;
};

static const char *reencode(struct outcome *o, const char *text)
{
    struct mem_file file;
    struct ta_buf_sink sink;

    memset(o, 0, sizeof(*o));
    ta_buf_init(&o->text, &ta_heap, 16 * MiB);
    ta_buf_sink_init(&sink, &o->text);
    mem_file_init(&file, text, strlen(text));
    o->result = ta_data_reencode(&file.file, strlen(text), &sink.sink, &ta_heap, &o->err);
    assert_int_equal(ta_buf_byte(&o->text, 0), TA_OK);
    return o->text.at;
}

#define ONE_SERIES                                                                                 \
    "[{\"hostname\":\"a\",\"statistics\":{\"min\":0.00,\"avg\":0.00,\"max\":0.00},\"data\":[]}]"

static void members_come_in_the_references_order_and_metrics_and_scopes_by_name(void **state)
{
    struct outcome o;

    (void)state;
    assert_string_equal(
        reencode(
            &o,
            " {\"b\" : {\"socket\":{\"timestep\":60,\"series\":[{\"data\":[1,null,2.005],"
            "\"statistics\":{\"max\":3,\"x\":[1],\"min\":1e-3,\"avg\":2.345},\"id\":\"0\",\"y\":{},"
            "\"hostname\":\"n<1>\"}],\"scope\":\"socket\",\"unit\":{\"prefix\":\"G\",\"base\":\"B/"
            "s\"},"
            "\"statisticsSeries\":{\"max\":[3],\"mean\":[1.005,null],\"min\":[],\"percentiles\":{"
            "\"25\":[1],"
            "\"10\":[2]}}},"
            "\"node\":{\"unit\":{\"base\":\"\"},\"timestep\":60.0,\"series\":[]}},\n"
            "\"a\":{}}\n"),
        "{\"a\":{},\"b\":{\"node\":{\"unit\":{\"base\":\"\"},\"series\":[],\"timestep\":60},"
        "\"socket\":{\"statisticsSeries\":{\"percentiles\":{\"25\":[1.00],\"10\":[2.00]},\"mean\":["
        "1.00,null],"
        "\"median\":null,\"min\":[],\"max\":[3.00]},\"unit\":{\"base\":\"B/"
        "s\",\"prefix\":\"G\"},\"series\":["
        "{\"hostname\":\"n\\u003c1\\u003e\",\"id\":\"0\",\"statistics\":{\"min\":0.00,\"avg\":2.35,"
        "\"max\":3.00},"
        "\"data\":[1.00,null,2.01]}],\"timestep\":60}}}\n");
    assert_int_equal(o.result, TA_OK);
    ta_buf_done(&o.text);
}

static void data_are_those_of_the_nearest_binary32_and_statistics_of_the_double(void **state)
{
    struct outcome o;

    (void)state;
    reencode(
        &o,
        "{\"m\":{\"node\":{\"unit\":{\"base\":\"\"},\"timestep\":1,\"series\":[{\"hostname\":\"a\","
        "\"statistics\":{\"min\":16777217,\"avg\":0.015,\"max\":-0.0},"
        "\"data\":[16777217,0.015,1e300,-0.001]}],\"statisticsSeries\":{\"median\":[16777217,0.015]"
        "}}}}");
    assert_non_null(strstr(o.text.at, "{\"min\":16777217.00,\"avg\":0.01,\"max\":-0.00}"));
    assert_non_null(strstr(o.text.at, "\"data\":[16777216.00,0.01,null,-0.00]"));
    assert_non_null(strstr(o.text.at, "\"median\":[16777217.00,0.01]"));
    ta_buf_done(&o.text);
}

static void old_units_and_missing_statistics_become_what_version_3_has(void **state)
{
    struct outcome o;

    (void)state;
    assert_string_equal(
        reencode(
            &o,
            "{\"m\":{\"node\":{\"unit\":\"GB/s\",\"timestep\":1,\"series\":[{\"hostname\":\"a\","
            "\"statistics\":null,\"data\":[]}]}},\"l\":{\"node\":{\"unit\":\"load\",\"timestep\":1,"
            "\"series\":[{\"hostname\":\"a\",\"data\":[]}],\"statisticsSeries\":null}}}"),
        "{\"l\":{\"node\":{\"unit\":{\"base\":\"load\"},\"series\":" ONE_SERIES ",\"timestep\":1}},"
        "\"m\":{\"node\":{\"unit\":{\"base\":\"B/s\",\"prefix\":\"G\"},\"series\":" ONE_SERIES
        ",\"timestep\":1}}}\n");
    ta_buf_done(&o.text);
}

static void of_equal_names_the_last_one_counts(void **state)
{
    static const char part[] = "{\"unit\":{\"base\":\"%d\"},\"timestep\":1,\"series\":[]}";
    char p[5][64];
    char text[1024];
    struct outcome o;

    (void)state;
    for (int i = 0; i < 5; i++)
        snprintf(p[i], sizeof(p[i]), part, i);
    snprintf(
        text, sizeof(text),
        "{\"m\":{\"node\":%s,\"core\":%s},\"k\":{\"node\":%s},\"m\":{\"node\":%s,\"node\":%s}}",
        p[0], p[1], p[2], p[3], p[4]);
    assert_string_equal(
        reencode(&o, text),
        "{\"k\":{\"node\":{\"unit\":{\"base\":\"2\"},\"series\":[],\"timestep\":1}},"
        "\"m\":{\"node\":{\"unit\":{\"base\":\"4\"},\"series\":[],\"timestep\":1}}}\n");
    ta_buf_done(&o.text);
}

static void what_was_written_anew_stays_the_same(void **state)
{
    struct ta_buf text;
    struct outcome once, twice;

    (void)state;
    ta_buf_init(&text, &ta_heap, 16 * MiB);
    ta_buf_z(&text, "{");
    for (int m = 60; m > 0; m--) {
        ta_buf_printf(&text, "%s\"m%d\":{\"node\":{\"series\":[", m < 60 ? "," : "", m);
        for (int s = 0; s < 5; s++) {
            ta_buf_printf(&text, "%s{\"data\":[0", s ? "," : "");
            for (int i = 0; i < 5000; i++)
                ta_buf_printf(&text, i % 7 ? ",%d.%03d" : ",null", i, i % 1000);
            ta_buf_z(&text, "],\"hostname\":\"n\"}");
        }
        ta_buf_z(&text, "],\"timestep\":60,\"unit\":{\"base\":\"W\"}}}");
    }
    ta_buf_z(&text, "}");
    ta_buf_byte(&text, 0);
    reencode(&once, text.at);
    assert_int_equal(once.result, TA_OK);
    assert_true(once.text.len > 5 * MiB);
    reencode(&twice, once.text.at);
    assert_string_equal(once.text.at, twice.text.at);
    ta_buf_done(&twice.text);
    ta_buf_done(&once.text);
    ta_buf_done(&text);
}

#define IN(series)                                                                                 \
    "{\"mem_bw\":{\"node\":{\"unit\":{\"base\":\"\"},\"timestep\":1,\"series\":" series "}}}"

static void what_is_no_data_is_refused_with_metric_and_scope_or_line(void **state)
{
    static const struct {
        const char *text, *says;
        int code;
    } cases[] = {
        {"", "EOF", TA_EFORMAT},
        {"{}x", "after top-level value", TA_EFORMAT},
        {"{\"filesystems\":[]}", "expected the scopes of a metric", TA_EFORMAT},
        {"{\"m\":{\"node\":{\"unit\":{},\"timestep\":0,\"series\":[]}}}", "time step", TA_EFORMAT},
        {"{\"m\":{\"node\":{\"unit\":{},\"timestep\":1}}}", "without \"series\"", TA_EFORMAT},
        {"{\"m\":{\"node\":{\"unit\":{},\"series\":[]}}}", "without \"timestep\"", TA_EFORMAT},
        {"{\"m\":{\"node\":{\"unit\":7}}}", "a unit", TA_EFORMAT},
        {IN("[7]"), "mem_bw, node: line 1:2: expected a series", TA_EFORMAT},
        {IN("[{\"data\":[1]}]"), "mem_bw, node: a series without \"hostname\"", TA_EFORMAT},
        {IN("[{\"hostname\":\"a\",\"data\":[true]}]"), "a number or null", TA_EFORMAT},
        {IN("[{\"hostname\":\"a\",\"data\":[1e999]}]"), "out of range", TA_ERANGE},
        {IN("[{\"hostname\":\"a\",\"data\":[],\"statistics\":{\"min\":\"x\"}}]"),
         "a number or null", TA_EFORMAT},
        {"{\"m\":{\"node\":{\"unit\":{},\"timestep\":1,\"series\":[],\"statisticsSeries\":{\"min\":"
         "{}}}}}",
         "m, node: line 1:8: expected a list of values", TA_EFORMAT},
    };

    (void)state;
    for (size_t i = 0; i < TA_COUNT(cases); i++) {
        struct outcome o;

        reencode(&o, cases[i].text);
        assert_int_equal(o.result, cases[i].code);
        if (!strstr(o.err.text, cases[i].says))
            fail_msg("%s: %s", cases[i].text, o.err.text);
        ta_buf_done(&o.text);
    }
}

static void a_configuration_gets_what_the_reference_adds(void **state)
{
    static const char text[] = "{\"subClusters\":[{\"name\":\"s\",\"x\":1,\"topology\":{\"core\":[["
                               "0],[1]],\"node\":[0,1]},"
                               "\"flopRateSimd\":{\"value\":1.5},\"footprint\":[\"a\"]}],"
                               "\"metricConfig\":[{\"timestep\":60,"
                               "\"name\":\"a\",\"subClusters\":[{\"remove\":true,\"name\":\"s\"}],"
                               "\"peak\":12.50}],\"name\":\"c\"}";
    static const char expected[] =
        "{\"name\":\"c\",\"metricConfig\":[{\"name\":\"a\",\"unit\":{\"base\":\"\"},\"peak\":12.5,"
        "\"normal\":0,"
        "\"caution\":0,\"alert\":0,\"energy\":\"\",\"scope\":\"\",\"aggregation\":\"\","
        "\"subClusters\":[{\"name\":\"s\","
        "\"unit\":{\"base\":\"\"},\"peak\":0,\"normal\":0,\"caution\":0,\"alert\":0,\"energy\":"
        "\"\","
        "\"lowerIsBetter\":false,\"restrict\":false,\"remove\":true}],\"timestep\":60,\"restrict\":"
        "false,"
        "\"lowerIsBetter\":false}],\"subClusters\":[{\"name\":\"s\",\"nodes\":\"\","
        "\"processorType\":\"\","
        "\"topology\":{\"node\":[0,1],\"socket\":[],\"memoryDomain\":[],\"core\":[[0],[1]]},"
        "\"flopRateScalar\":{\"unit\":{\"base\":\"\"},\"value\":0},\"flopRateSimd\":{\"unit\":{"
        "\"base\":\"\"},"
        "\"value\":1.5},\"memoryBandwidth\":{\"unit\":{\"base\":\"\"},\"value\":0},\"footprint\":["
        "\"a\"],"
        "\"socketsPerNode\":0,\"coresPerSocket\":0,\"threadsPerCore\":0}]}\n";
    struct ta_mem_source src;
    struct ta_buf out;
    struct ta_err err = {0};

    (void)state;
    ta_buf_init(&out, &ta_heap, MiB);
    for (struct fault f = {0}; fault_next(&f);) {
        ta_mem_source_init(&src, text, strlen(text), 7);
        fault_judge(&f, ta_cluster_document_write(&src.source, &out, &f.alloc, NULL));
    }
    ta_buf_byte(&out, 0);
    assert_string_equal(out.at, expected);
    ta_mem_source_init(&src, "{\"metricConfig\":[{\"unit\":\"B\"}]}", 31, 0);
    assert_int_equal(ta_cluster_document_write(&src.source, &out, &ta_heap, &err), TA_EFORMAT);
    assert_non_null(strstr(err.text, "unit"));
    ta_buf_done(&out);
}

/* ---- an archive read through it ----------------------------------------------------------------- */

static const char old_data[] = IN("[{\"hostname\":\"a\",\"data\":[0.126]}]");
static const struct ta_job_address address = {{"c", 1}, 1001, 60};

static int fill(struct ta_vfs *vfs, const char *meta)
{
    const struct ta_backend_options options = {.may_create = true};
    struct ta_mem_source src;
    struct ta_backend *b;
    int r = ta_backend_open_files(&b, vfs, "/jobs", &options, &ta_heap, NULL);

    ta_mem_source_init(&src, old_data, strlen(old_data), 0);
    const struct ta_backend_data data = {&src.source, strlen(old_data), false};
    if (r >= 0)
        r = ta_backend_put(b, &address, &data, ta_str(meta), false, NULL);
    ta_backend_close(b);
    return r;
}

static int read_all(struct ta_vfs *vfs, struct ta_alloc *alloc, struct ta_buf *meta,
                    struct ta_buf *text, struct ta_err *err)
{
    struct ta_backend *inner = NULL;
    struct ta_backend *b = NULL;
    struct ta_backend_data data;
    char piece[4096];
    int64_t n = 0;
    int r =
        ta_backend_open_files(&inner, vfs, "/jobs", &(struct ta_backend_options){0}, alloc, err);

    if (r >= 0)
        r = ta_backend_open_reencoded(&b, inner, vfs, "/spool", alloc, err);
    if (r >= 0)
        r = ta_backend_read_meta(b, &address, meta, err);
    if (r >= 0)
        r = ta_backend_open_data(b, &address, &data, err);
    if (r >= 0) {
        while ((n = data.source->read(data.source, piece, sizeof(piece), err)) > 0)
            ta_buf_add(text, piece, (size_t)n);
        r = (int)n;
        ta_backend_close_data(b);
    }
    if (r >= 0 && (ta_backend_remove(b, &address, NULL) != TA_ESTATE ||
                   ta_backend_put_meta(b, &address, TA_STR("{}"), NULL) != TA_ESTATE))
        r = TA_EINVAL;
    ta_backend_close(b);
    ta_backend_close(inner);
    return r;
}

static void an_archive_is_read_anew_and_never_written_and_every_failure_is_an_error(void **state)
{
    struct ta_vfs_mem disk;
    struct ta_vfs_fault broken;
    struct ta_buf meta, text;
    struct ta_stat stat;
    bool was_hit = true;

    (void)state;
    assert_int_equal(ta_vfs_mem_init(&disk, &ta_heap), TA_OK);
    assert_int_equal(
        fill(&disk.vfs, "{\"startTime\":60,\"jobId\":1001,\"stopTime\":3,\"cluster\":\"c\"}"),
        TA_OK);
    ta_buf_init(&meta, &ta_heap, MiB);
    ta_buf_init(&text, &ta_heap, MiB);
    for (struct fault f = {0}; fault_next(&f);) {
        ta_buf_reset(&text);
        fault_judge(&f, read_all(&disk.vfs, &f.alloc, &meta, &text, NULL));
    }
    for (int64_t at = 0; was_hit; at++) {
        ta_vfs_fault_init(&broken, &disk.vfs, &ta_heap);
        broken.kinds = TA_FAULT_OPEN | TA_FAULT_READ | TA_FAULT_WRITE;
        broken.left = at;
        broken.sys = 5; /* EIO */
        ta_buf_reset(&text);
        int r = read_all(&broken.vfs, &ta_heap, &meta, &text, NULL);
        was_hit = broken.hit;
        assert_true(was_hit ? r < 0 : r >= 0);
    }
    ta_buf_byte(&text, 0);
    ta_buf_byte(&meta, 0);
    assert_non_null(strstr(text.at, "\"data\":[0.13]}],\"timestep\":1}}}\n"));
    assert_null(strstr(meta.at, "stopTime"));
    assert_non_null(strstr(
        meta.at, "\"concurrentJobs\":{\"items\":null,\"count\":0},\"energy\":0,\"jobId\":1001"));
    assert_int_equal(disk.vfs.stat(&disk.vfs, "/spool.plain", &stat, NULL), TA_ENOTFOUND);
    assert_int_equal(disk.vfs.stat(&disk.vfs, "/spool.packed", &stat, NULL), TA_ENOTFOUND);
    ta_buf_done(&meta);
    ta_buf_done(&text);
    ta_vfs_mem_done(&disk);
}

static void metadata_of_another_job_are_refused(void **state)
{
    struct ta_vfs_mem disk;
    struct ta_buf meta, text;
    struct ta_err err = {0};

    (void)state;
    assert_int_equal(ta_vfs_mem_init(&disk, &ta_heap), TA_OK);
    assert_int_equal(fill(&disk.vfs, "{\"startTime\":61,\"jobId\":1001,\"cluster\":\"c\"}"), TA_OK);
    ta_buf_init(&meta, &ta_heap, MiB);
    ta_buf_init(&text, &ta_heap, MiB);
    assert_int_equal(read_all(&disk.vfs, &ta_heap, &meta, &text, &err), TA_EFORMAT);
    assert_non_null(strstr(err.text, "began at 61"));
    ta_buf_done(&meta);
    ta_buf_done(&text);
    ta_vfs_mem_done(&disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_come_in_the_references_order_and_metrics_and_scopes_by_name),
        cmocka_unit_test(data_are_those_of_the_nearest_binary32_and_statistics_of_the_double),
        cmocka_unit_test(old_units_and_missing_statistics_become_what_version_3_has),
        cmocka_unit_test(of_equal_names_the_last_one_counts),
        cmocka_unit_test(what_was_written_anew_stays_the_same),
        cmocka_unit_test(what_is_no_data_is_refused_with_metric_and_scope_or_line),
        cmocka_unit_test(a_configuration_gets_what_the_reference_adds),
        cmocka_unit_test(an_archive_is_read_anew_and_never_written_and_every_failure_is_an_error),
        cmocka_unit_test(metadata_of_another_job_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
