/* Documents held against rules: what is told, where, and how much of it. */
#include "fault.h"
#include "jobs/document_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct verdict {
    struct ta_buf lines;
    struct ta_err err;
    uint64_t n;
    int result;
};

static const char *judge(struct verdict *v, const struct ta_rule *rule, const char *text)
{
    struct ta_mem_source src;

    memset(v, 0, sizeof(*v));
    ta_buf_init(&v->lines, &ta_heap, 64 * KiB);
    ta_mem_source_init(&src, text, strlen(text), 3);
    v->result = ta_document_check(&src.source, 0, "doc", rule, &v->lines, &v->n, &ta_heap, &v->err);
    assert_int_equal(ta_buf_byte(&v->lines, 0), TA_OK);
    return v->lines.at;
}

static void each_broken_rule_is_told_with_its_document_and_path(void **state)
{
    static const struct {
        const struct ta_rule *rule;
        const char *text, *says;
        uint64_t n;
    } cases[] = {
        {&ta_rules_of_meta, "[]", "doc: /: is a list, must be an object\n", 1},
        {&ta_rules_of_meta, "{}", "doc: /: lacks \"jobId\"\n", 12},
        {&ta_rules_of_meta, "{\"numAcc\":0}", "doc: /numAcc: must be above 0\n", 13},
        {&ta_rules_of_meta, "{\"smt\":1.5}", "doc: /smt: is a fraction, must be a whole number\n",
         13},
        {&ta_rules_of_meta, "{\"smt\":2.0,\"energy\":1e999}", "doc: /: lacks", 12},
        {&ta_rules_of_meta, "{\"jobState\":\"canceled\"}",
         "doc: /jobState: is \"canceled\", must be one of \"boot_fail\", \"cancelled\", ", 12},
        {&ta_rules_of_meta, "{\"footprint\":{\"a/b~c\":null}}",
         "doc: /footprint/a~1b~0c: is null, must be a number\n", 13},
        {&ta_rules_of_meta,
         "{\"tags\":[{\"type\":\"a\",\"name\":\"b\"},{\"name\":\"b\",\"type\":\"a\"}]}",
         "doc: /tags/1: is there twice\n", 13},
        {&ta_rules_of_meta, "{\"tags\":[1,2,1.0,[{}],{},[{}]]}", "doc: /tags/5: is there twice\n",
         21},
        {&ta_rules_of_meta, "{\"statistics\":{\"filesystems\":[]}}",
         "doc: /statistics/filesystems: has 0 items, must have 1 or more\n", 17},
        {&ta_rules_of_data, "{\"flops_any\":{}}",
         "doc: /flops_any: has 0 members, must have 1 or more\n", 7},
        {&ta_rules_of_data, "{\"flops_any\":7}", "doc: /: lacks \"cpu_user\"\n", 6},
        {&ta_rules_of_data,
         "{\"ipc\":{\"core\":{\"unit\":{\"base\":\"IPC\"},\"timestep\":1,\"series\":[{\"hostname\":"
         "\"\","
         "\"data\":[null,-1],\"statistics\":{\"min\":0,\"avg\":-0.5,\"max\":0}}]}}}",
         "doc: /ipc/core/series/0/data: has no number that is not below 0\n", 9},
        {&ta_rules_of_cluster, "{\"name\":\"x\",\"subClusters\":[3],\"metricConfig\":[]}",
         "doc: /subClusters/0: is a number, must be an object\n", 2},
    };

    (void)state;
    for (size_t i = 0; i < TA_COUNT(cases); i++) {
        struct verdict v;

        if (!strstr(judge(&v, cases[i].rule, cases[i].text), cases[i].says))
            fail_msg("%s", v.lines.at);
        assert_int_equal(v.result, TA_OK);
        assert_int_equal(v.n, cases[i].n);
        ta_buf_done(&v.lines);
    }
}

static void what_is_no_json_is_an_error(void **state)
{
    static const char *const texts[] = {"", "{", "{\"a\":1}x", "{\"tags\":[{\"a\":]}"};

    (void)state;
    for (size_t i = 0; i < TA_COUNT(texts); i++) {
        struct verdict v;

        judge(&v, &ta_rules_of_meta, texts[i]);
        assert_int_equal(v.result, TA_EFORMAT);
        ta_buf_done(&v.lines);
    }
}

static void of_many_broken_rules_twenty_are_told_and_all_are_counted(void **state)
{
    struct ta_buf text;
    struct verdict v;
    size_t lines = 0;

    (void)state;
    ta_buf_init(&text, &ta_heap, MiB);
    ta_buf_z(&text, "{\"footprint\":{\"0\":true");
    for (int i = 1; i < 1000; i++)
        ta_buf_printf(&text, ",\"%d\":true", i);
    ta_buf_z(&text, "}}");
    ta_buf_byte(&text, 0);
    judge(&v, &ta_rules_of_meta, text.at);
    assert_int_equal(v.n, 1000 + 12);
    for (const char *at = v.lines.at; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, TA_DOCUMENT_LINES_MAX);
    ta_buf_done(&v.lines);
    ta_buf_done(&text);
}

static void names_and_words_are_cut_between_characters_and_cannot_break_a_line(void **state)
{
    char text[2048];
    char name[601] = {0};
    struct verdict v;

    (void)state;
    for (size_t i = 0; i < 300; i++)
        memcpy(name + 2 * i, "\xc3\xbc", 2);
    snprintf(text, sizeof(text), "{\"footprint\":{\"a%s\":0,\"b%s\":[]},\"shared\":\"\\n%s\"}",
             name, name, name);
    judge(&v, &ta_rules_of_meta, text);
    assert_non_null(strstr(v.lines.at, "/footprint/b\xc3\xbc"));
    assert_non_null(strstr(v.lines.at, "\xc3\xbc...: is a list, must be a number\n"));
    assert_non_null(strstr(v.lines.at, "/shared: is \"?\xc3\xbc"));
    assert_non_null(strstr(v.lines.at, "\xc3\xbc...\", must be one of \"none\""));
    assert_null(strstr(v.lines.at, "\xc3."));
    ta_buf_done(&v.lines);
}

static int check_once(struct ta_alloc *alloc)
{
    static const char text[] =
        "{\"shared\":\"x\",\"numNodes\":0,\"tags\":[{},{}],\"footprint\":null}";
    struct ta_mem_source src;
    struct ta_buf lines;
    uint64_t n = 0;

    ta_buf_init(&lines, alloc, 4 * KiB);
    ta_mem_source_init(&src, text, strlen(text), 0);
    int r =
        ta_document_check(&src.source, 4 * KiB, "doc", &ta_rules_of_meta, &lines, &n, alloc, NULL);
    ta_buf_done(&lines);
    return r;
}

static void every_refused_allocation_is_an_error_and_leaks_nothing(void **state)
{
    (void)state;
    for (struct fault f = {0}; fault_next(&f);)
        fault_judge(&f, check_once(&f.alloc));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_broken_rule_is_told_with_its_document_and_path),
        cmocka_unit_test(what_is_no_json_is_an_error),
        cmocka_unit_test(of_many_broken_rules_twenty_are_told_and_all_are_counted),
        cmocka_unit_test(names_and_words_are_cut_between_characters_and_cannot_break_a_line),
        cmocka_unit_test(every_refused_allocation_is_an_error_and_leaks_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
