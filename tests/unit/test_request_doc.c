/* Request documents become records: which fields, from where, and what is refused. */
#include "fault.h"
#include "sweep/answer_read.h"
#include "sweep/doc_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { MAX = 64 * 1024, SUMMARY_MAX = 2048 };

static int read_doc(const char *text, size_t step, struct ta_alloc *alloc, size_t max,
                    struct ta_record **out, struct ta_err *err)
{
    struct ta_json_limits limits = {
        .buffer = 256, .depth = TA_JSON_DEPTH_MAX, .accepts_nonfinite = true};
    struct ta_mem_source src;
    struct ta_json_reader *j;
    struct ta_arena scratch;

    ta_mem_source_init(&src, text, strlen(text), step);
    int r = ta_json_reader_new(&j, &src.source, &limits, alloc);
    if (r < 0)
        return r;
    ta_arena_init(&scratch, alloc, 4 * max + 1024 * 1024); /* as answers are read */
    r = ta_doc_read(j, &scratch, max, alloc, out, err);
    if (r == TA_OK || r == TA_EINVAL)
        assert_int_equal(ta_json_finish(j, NULL), TA_OK);
    ta_arena_done(&scratch);
    ta_json_reader_free(j);
    return r;
}

static void put_names(struct ta_buf *b, char mark, const struct ta_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        assert_int_equal(ta_buf_printf(b, " %c=%.*s", mark, TA_STR_FMT(names->at[i])), TA_OK);
}

/* "name status type i=.. p=.. o=.. flags", or the error's words. */
static void summarize(const char *text, size_t step, char *out)
{
    struct ta_record *r = NULL;
    struct ta_err err = {0};
    struct ta_buf b;

    ta_buf_init(&b, &ta_heap, SUMMARY_MAX - 1);
    if (read_doc(text, step, &ta_heap, MAX, &r, &err) < 0) {
        snprintf(out, SUMMARY_MAX, "!%s", err.text);
        return;
    }
    ta_buf_printf(&b, "%.*s %.*s %.*s", TA_STR_FMT(r->name), TA_STR_FMT(r->status),
                  TA_STR_FMT(r->type));
    put_names(&b, 'i', &r->inputs);
    put_names(&b, 'p', &r->parents);
    put_names(&b, 'o', &r->outputs);
    if (r->has_input)
        ta_buf_printf(&b, " set");
    if (r->has_many_inputs)
        ta_buf_printf(&b, " many");
    if (r->include_parents)
        ta_buf_printf(&b, " include");
    if (!r->parentage_resolved)
        ta_buf_printf(&b, " unresolved");
    if (r->has_transition)
        ta_buf_printf(&b, " since=%lld", (long long)r->transition_s);
    if (r->broken_history)
        ta_buf_printf(&b, " broken");
    snprintf(out, SUMMARY_MAX, "%.*s", (int)b.len, b.at);
    ta_buf_done(&b);
    ta_record_free(r);
}

#define W             "\"RequestName\":\"w\",\"RequestStatus\":\"announced\",\"RequestType\":\"T\""
#define HISTORY(list) "{" W ",\"RequestTransition\":" list "}"

static const struct {
    const char *document, *summary;
} cases[] = {
    {"{" W "}", "w announced T"},
    {"{" W ",\"InputDataset\":\"/a\"}", "w announced T i=/a set"},
    {"{" W ",\"InputDataset\":null,\"Task1\":{\"InputDataset\":\"/a\"}}",
     "w announced T i=/a set many"},
    {"{" W ",\"Task1\":{\"InputDataset\":\"/a\"},\"Task2\":{\"InputDataset\":\"/a\"}}",
     "w announced T i=/a set"},
    {"{" W ",\"Task1\":{\"InputDataset\":\"/a\"},\"Task2\":[{\"InputDataset\":\"/b\"}]}",
     "w announced T i=/a i=/b set many"},
    {"{" W ",\"InputDataset\":\"\"}", "w announced T"},
    {"{" W ",\"InputDataset\":[]}", "w announced T"},
    {"{" W ",\"InputDataset\":[\"/a\"]}", "w announced T i=/a set many"},
    {"{" W ",\"Input\\u0044ataset\":\"/a\"}", "w announced T i=/a set"},
    {"{" W ",\"InputDataset\":\"/a\",\"InputDataset\":\"/b\"}", "w announced T i=/b set"},
    {"{" W ",\"T\":{\"InputDataset\":\"/a\"},\"T\":{\"X\":{\"IncludeParents\":true}}}",
     "w announced T include"},
    {"{" W ",\"T\":{\"X\":[{\"InputDataset\":\"/a\"}]},\"U\":{\"InputDataset\":\"/b\"},\"T\":1}",
     "w announced T i=/b set"},
    {"{" W ",\"T\":[{\"InputDataset\":\"/a\"},{\"InputDataset\":\"/b\"}],\"V\":{\"T\":0}}",
     "w announced T i=/a i=/b set many"},
    {"{" W ",\"T\":{\"InputDataset\":\"/a\"},\"T\":{\"InputDataset\":\"/b\"},\"T\":{}}",
     "w announced T"},
    {"{" W ",\"InputDataset\":7}", "!a dataset is neither a string nor null nor a list of those"},
    {"{" W ",\"InputDataset\":{\"InputDataset\":\"/a\"}}",
     "!a dataset is neither a string nor null nor a list of those"},
    {"{" W ",\"InputDataset\":\"/a\\ud800\"}", "!a captured value is not valid UTF-8"},
    {"{" W ",\"Other\":\"\\ud800\",\"N\":[NaN,-Infinity,Infinity,1e999]}", "w announced T"},
    {"{" W ",\"OutputDatasets\":[[\"/b\"],[\"/a\",null,\"\",\"/b\"]]}",
     "w announced T o=/b o=/a o=/b"},
    {"{" W ",\"OutputDatasets\":[\"/b\"],\"Step\":{\"OutputDatasets\":[\"/a\",\"/b\"]}}",
     "w announced T o=/b o=/a"},
    {"{" W ",\"OutputDatasets\":\"/b\",\"ParentDataset\":\"/p\"}", "w announced T p=/p o=/b"},
    {"{" W ",\"IncludeParents\":false,\"T\":{\"IncludeParents\":true}}", "w announced T include"},
    {"{" W ",\"IncludeParents\":[{\"InputDataset\":\"/a\"}]}", "w announced T i=/a set include"},
    {"{" W ",\"IncludeParents\":[],\"ParentageResolved\":{}}", "w announced T unresolved"},
    {"{" W ",\"IncludeParents\":0.0,\"ParentageResolved\":\"False\"}", "w announced T"},
    {"{" W ",\"ParentageResolved\":null}", "w announced T unresolved"},
    {"{" W ",\"ForceArchive\":true,\"TransferDone\":true,\"IsClean\":true}", "w announced T"},
    {"{" W ",\"T\":{\"RequestName\":\"v\",\"RequestStatus\":\"new\"}}", "w announced T"},
    {"{\"RequestName\":1}", "!its name, type or status is not a string"},
    {"[1,{\"RequestName\":\"w\"}]", "!it is not an object"},
    {"null", "!it is not an object"},
    {HISTORY("[{\"Status\":\"announced\",\"UpdateTime\":5}]"), "w announced T since=5"},
    {HISTORY("[{\"Status\":\"announced\",\"UpdateTime\":5.9},{\"Status\":\"x\"}]"),
     "w announced T since=5"},
    {HISTORY("[{\"Status\":\"announced\",\"UpdateTime\":5},{\"UpdateTime\":6}]"),
     "w announced T broken"},
    {HISTORY("[{\"Status\":\"announced\"}]"), "w announced T broken"},
    {HISTORY("[7,{\"Status\":\"announced\",\"UpdateTime\":5}]"), "w announced T since=5"},
    {HISTORY("[{\"Status\":\"announced\",\"UpdateTime\":5},[]]"), "w announced T broken"},
    {HISTORY("{\"Status\":\"announced\",\"UpdateTime\":5}"), "w announced T"},
    {HISTORY("[{\"Status\":\"announced\",\"UpdateTime\":\"5\"}]"), "w announced T broken"},
};

static void fields_come_from_where_they_count_whatever_the_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < TA_COUNT(cases); i++)
        for (size_t step = 0; step <= 9; step++) {
            char summary[SUMMARY_MAX];
            summarize(cases[i].document, step, summary);
            if (strcmp(summary, cases[i].summary) != 0)
                fail_msg("%s\n  gives  %s\n  not    %s", cases[i].document, summary,
                         cases[i].summary);
        }
}

static void a_refused_allocation_is_an_error_and_leaks_nothing(void **state)
{
    static const char text[] = "{" W ",\"InputDataset\":[\"/a\",\"/b\"],\"OutputDatasets\":\"/c\","
                               "\"RequestTransition\":[{\"Status\":\"announced\","
                               "\"UpdateTime\":5}],\"T\":{\"IncludeParents\":true}}";

    (void)state;
    for (struct fault f = {0}; fault_next(&f);) {
        struct ta_record *r = NULL;
        int got = read_doc(text, 0, &f.alloc, MAX, &r, NULL);
        ta_record_free(r);
        fault_judge(&f, got);
    }
}

static void captured_text_over_its_limit_fails_only_its_document(void **state)
{
    struct ta_buf b;
    struct ta_record *r = NULL;
    struct ta_err err = {0};

    (void)state;
    ta_buf_init(&b, &ta_heap, 1024 * 1024);
    ta_buf_z(&b, "{" W ",\"OutputDatasets\":[");
    for (int i = 0; i < 1000; i++)
        ta_buf_printf(&b, "%s\"/dataset/number/%d\"", i ? "," : "", i);
    ta_buf_z(&b, "]}");
    ta_buf_byte(&b, 0);
    assert_int_equal(read_doc(b.at, 0, &ta_heap, 4096, &r, &err), TA_EINVAL);
    assert_non_null(strstr(err.text, "maxWorkflowBytes"));
    assert_int_equal(read_doc(b.at, 0, &ta_heap, 256 * 1024, &r, NULL), TA_OK);
    assert_int_equal(r->outputs.n, 1000);
    ta_record_free(r);
    ta_buf_done(&b);
}

static void any_number_of_fields_fails_only_its_document(void **state)
{
    (void)state;
    for (size_t k = 0; k < 4; k++) {
        struct ta_record *r = NULL;
        struct ta_buf b;

        ta_buf_init(&b, &ta_heap, 16 * 1024 * 1024);
        ta_buf_z(&b, "{" W);
        for (int i = 0; i < 100000; i++) {
            char field[100];
            snprintf(field, sizeof(field),
                     k == 0   ? ",\"T%d\":{\"U\":{\"IncludeParents\":false}}"
                     : k == 1 ? ",\"T%d\":[[{\"InputDataset\":null}]]"
                     : k == 2 ? ",\"T%d\":{\"OutputDatasets\":[null,\"\"]}"
                              : ",\"RequestName\":\"name%d\"",
                     i);
            ta_buf_z(&b, field);
        }
        ta_buf_z(&b, "}");
        ta_buf_byte(&b, 0);
        assert_int_equal(read_doc(b.at, 0, &ta_heap, MAX, &r, NULL), TA_EINVAL);
        ta_buf_done(&b);
    }
}

static void a_history_without_end_counts_as_unreadable(void **state)
{
    struct ta_buf b;
    struct ta_record *r = NULL;

    (void)state;
    ta_buf_init(&b, &ta_heap, 1024 * 1024);
    ta_buf_z(&b, "{" W ",\"RequestTransition\":[");
    for (int i = 0; i < 5000; i++)
        ta_buf_printf(&b, "%s{\"Status\":\"announced\",\"UpdateTime\":%d}", i ? "," : "", i);
    ta_buf_z(&b, "]}");
    ta_buf_byte(&b, 0);
    assert_int_equal(read_doc(b.at, 0, &ta_heap, MAX * 16, &r, NULL), TA_OK);
    assert_true(r->broken_history && !r->has_transition);
    ta_record_free(r);
    ta_buf_done(&b);
}

/* ---- whole answers ------------------------------------------------------------------------------ */

static int read_answer(const char *text, size_t len, struct ta_chunk_slot *slots, size_t n)
{
    struct ta_answer_reader reader;
    struct ta_chunk chunk = {slots, n};
    struct ta_mem_source src;

    ta_answer_reader_init(&reader, MAX, NULL, &ta_heap);
    ta_mem_source_init(&src, text, len, 3);
    int r = reader.reader.read(&reader.reader, &src.source, &chunk, NULL);
    ta_answer_reader_done(&reader);
    return r;
}

static const char answer[] = "{\"desc\": 1, \"result\": [\n {\"w\": {" W "}, \"x\": {}, \"v\": {" W
                             "}, \"w\": {" W ", \"InputDataset\": \"/second\"}}\n]}\n";

static void an_answer_fills_the_slots_of_what_was_asked(void **state)
{
    struct ta_chunk_slot slots[3] = {
        {.name = TA_STR("u")}, {.name = TA_STR("v")}, {.name = TA_STR("w")}};

    (void)state;
    assert_int_equal(read_answer(answer, sizeof(answer) - 1, slots, 3), TA_OK);
    assert_int_equal(slots[0].state, TA_CHUNK_MISSING);
    assert_int_equal(slots[1].state, TA_CHUNK_UNUSABLE); /* its RequestName is not its key */
    assert_int_equal(slots[2].state, TA_CHUNK_FOUND);
    assert_int_equal(((struct ta_record *)slots[2].item)->inputs.n, 0); /* the first of two */
    ta_record_free(slots[2].item);
}

static void an_answer_cut_anywhere_is_an_error(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof(answer) - 2; len++) { /* the newline at the end may go */
        struct ta_chunk_slot slots[1] = {{.name = TA_STR("w")}};
        assert_true(read_answer(answer, len, slots, 1) < 0);
        ta_record_free(slots[0].item);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_come_from_where_they_count_whatever_the_pieces),
        cmocka_unit_test(a_refused_allocation_is_an_error_and_leaks_nothing),
        cmocka_unit_test(captured_text_over_its_limit_fails_only_its_document),
        cmocka_unit_test(any_number_of_fields_fails_only_its_document),
        cmocka_unit_test(a_history_without_end_counts_as_unreadable),
        cmocka_unit_test(an_answer_fills_the_slots_of_what_was_asked),
        cmocka_unit_test(an_answer_cut_anywhere_is_an_error),
    };

    return cmocka_run_group_tests_name("request documents", tests, NULL, NULL);
}
