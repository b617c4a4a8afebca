/* Tags by rules: what a rule may say, when it holds, and what is wrong with a file. */
#include "fault.h"
#include "jobs/tag_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct ta_arena arena;

static int set_up(void **state)
{
    (void)state;
    ta_arena_init(&arena, &ta_heap, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ta_arena_done(&arena);
    return 0;
}

static int read_rules(struct ta_tag_rules **out, const char *text, struct ta_alloc *alloc,
                      struct ta_err *err)
{
    struct ta_mem_source src;

    ta_mem_source_init(&src, text, strlen(text), 0);
    return ta_tag_rules_new(out, &src.source, alloc, err);
}

static struct ta_job a_job(void)
{
    static struct ta_job_statistic statistics[] = {
        {TA_STR("cpu_load"), TA_STR(""), TA_STR(""), 0.25, 0, 1},
        {TA_STR("mem_used"), TA_STR("B"), TA_STR("G"), 10, 5, 240},
    };
    static struct ta_job_text texts[] = {
        {TA_STR("jobName"), TA_STR("water")},
        {TA_STR("jobScript"), TA_STR("#!/bin/sh\nsrun gmx_mpi  mdrun -s x\n")},
    };

    return (struct ta_job){.cluster = TA_STR("fritz"),
                           .user = TA_STR("usera"),
                           .num_nodes = 4,
                           .duration = 7200,
                           .statistics = {statistics, 2},
                           .meta_data = {texts, 2}};
}

/* The names of the tags that a job earns, or the error. */
static const char *earned(const char *rules_text, struct ta_job *job)
{
    static char text[512];
    struct ta_tag_rules *rules = NULL;
    struct ta_err err = {0};
    size_t first = 0;

    if (read_rules(&rules, rules_text, &ta_heap, &err) < 0) {
        snprintf(text, sizeof(text), "error: %s", err.text);
        return text;
    }
    text[0] = 0;
    assert_true(ta_tag_rules_apply(rules, job, &arena, &ta_heap, &first) >= 0);
    for (size_t i = first; i < job->tags.n; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%.*s/%.*s/%.*s ",
                 TA_STR_FMT(job->tags.at[i].type), TA_STR_FMT(job->tags.at[i].name),
                 TA_STR_FMT(job->tags.at[i].scope));
    ta_tag_rules_free(rules);
    return text;
}

#define RULES(conditions)                                                                          \
    "{\"rules\":[{\"type\":\"jobClass\",\"name\":\"x\",\"if\":[" conditions "]}]}"

static void a_rule_holds_when_all_its_conditions_do(void **state)
{
    static const struct {
        const char *rules, *tags;
    } cases[] = {
        {RULES("{\"field\":\"cpu_load_avg\",\"is\":\"<\",\"value\":0.5}"), "jobClass/x/global "},
        {RULES("{\"field\":\"cpu_load_max\",\"is\":\"<\",\"value\":0.5}"), ""},
        {RULES("{\"field\":\"mem_used_max\",\"is\":\">=\",\"value\":240},{\"field\":\"numNodes\","
               "\"is\":\"==\",\"value\":4}"),
         "jobClass/x/global "},
        {RULES("{\"field\":\"mem_used_max\",\"is\":\">=\",\"value\":240},{\"field\":\"numNodes\","
               "\"is\":\"!=\",\"value\":4}"),
         ""},
        {RULES("{\"field\":\"jobScript\",\"matches\":\"gmx(_mpi)? +mdrun\"}"),
         "jobClass/x/global "},
        {RULES("{\"field\":\"jobScript\",\"matches\":\"^vasp\"}"), ""},
        {RULES("{\"field\":\"user\",\"matches\":\"^user[ab]$\"}"), "jobClass/x/global "},
        {RULES("{\"field\":\"flops_any_avg\",\"is\":\">=\",\"value\":0}"), ""},
        {RULES("{\"field\":\"note\",\"matches\":\".*\"}"), ""},
    };

    (void)state;
    for (size_t i = 0; i < TA_COUNT(cases); i++) {
        struct ta_job job = a_job();
        assert_string_equal(earned(cases[i].rules, &job), cases[i].tags);
    }
}

static void a_tag_that_the_job_has_is_not_given_again(void **state)
{
    static struct ta_job_tag tags[] = {{TA_STR("jobClass"), TA_STR("x"), TA_STR("admin"), 7}};
    struct ta_job job = a_job();

    (void)state;
    job.tags = (struct ta_job_tags){tags, 1};
    assert_string_equal(earned(RULES("{\"field\":\"numNodes\",\"is\":\">\",\"value\":0}"), &job),
                        "");
    assert_int_equal(job.tags.n, 1);
    assert_int_equal(job.tags.at[0].id, 7);
}

static void a_bad_rule_is_named(void **state)
{
    struct ta_job job = a_job();

    (void)state;
    assert_string_equal(earned("{\"rules\":[{\"type\":\"a\",\"name\":\"b\"}]}", &job),
                        "error: rule 1 (b): a rule needs 1 to 64 conditions");
    assert_string_equal(earned(RULES("{\"field\":\"x\",\"is\":\"~\",\"value\":1}"), &job),
                        "error: rule 1 (x): condition 1: \"~\" is no comparison");
    assert_string_equal(earned(RULES("{\"field\":\"x\",\"matches\":\"(\"}"), &job),
                        "error: rule 1 (x): condition 1: \"(\": Unmatched ( or \\(");
    assert_string_equal(
        earned(RULES("{\"field\":\"x\",\"is\":\"<\",\"matches\":\"a\"}"), &job),
        "error: rule 1 (x): condition 1: either \"is\" with \"value\", or \"matches\"");
    assert_non_null(strstr(earned("{\"rules\":[{\"typ\":1}]}", &job), "error: "));
}

static void memory_that_is_refused_is_an_error_and_leaves_nothing(void **state)
{
    static const char text[] = RULES("{\"field\":\"jobName\",\"matches\":\"w\"}");

    (void)state;
    for (struct fault f = {0}; fault_next(&f);) {
        struct ta_tag_rules *rules = NULL;
        struct ta_job job = a_job();
        size_t first;
        int r = read_rules(&rules, text, &f.alloc, NULL);

        if (r >= 0)
            r = ta_tag_rules_apply(rules, &job, &arena, &f.alloc, &first);
        ta_tag_rules_free(rules);
        fault_judge(&f, r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_rule_holds_when_all_its_conditions_do, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_tag_that_the_job_has_is_not_given_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_bad_rule_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_that_is_refused_is_an_error_and_leaves_nothing,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
