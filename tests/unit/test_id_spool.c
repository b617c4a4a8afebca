/* Names go into a spool and come back in order, from memory and from a file; sets of hashes. */
#include "fault.h"
#include "rest/hash_set.h"
#include "rest/id_spool.h"
#include "rest/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct ta_str name_of(unsigned i, char *out)
{
    int n = i % 3 == 0 ? snprintf(out, 64, "%032x", i * 2654435761u) /* packed to half */
                       : snprintf(out, 64, "workflow_%u-%0*u", i, (int)(i % 40) + 1, i);

    return (struct ta_str){out, (size_t)n};
}

static void check_names(struct ta_id_spool *s, unsigned n)
{
    struct ta_id_cursor c;
    struct ta_str got;
    char text[64];

    ta_id_cursor_init(&c, s);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(ta_id_cursor_next(&c, &got, NULL), 1);
        assert_true(ta_str_eq(got, name_of(i, text)));
    }
    assert_int_equal(ta_id_cursor_next(&c, &got, NULL), 0);
    ta_id_cursor_done(&c);
}

static void fill(struct ta_id_spool *s, unsigned from, unsigned to)
{
    char text[64];

    for (unsigned i = from; i < to; i++)
        assert_int_equal(ta_id_spool_add(s, name_of(i, text), NULL), TA_OK);
    assert_int_equal(s->n, to);
}

static void names_come_back_in_order_from_memory_and_from_a_file(void **state)
{
    static const size_t memory[] = {0, 100, 70000, 300000};

    (void)state;
    for (size_t i = 0; i < TA_COUNT(memory); i++) {
        struct ta_id_spool s;
        ta_id_spool_init(&s, &ta_vfs_posix, "/tmp", memory[i], &ta_heap);
        check_names(&s, 0);
        fill(&s, 0, 20000);
        check_names(&s, 20000);
        fill(&s, 20000, 30000);
        check_names(&s, 30000);
        assert_true(memory[i] == 0 ? s.file == NULL : s.file != NULL);
        ta_id_spool_done(&s);
    }
}

static void a_spool_beyond_its_memory_keeps_one_buffer(void **state)
{
    struct ta_budget budget;
    struct ta_id_spool s;

    (void)state;
    ta_budget_init(&budget, "spool", 320 * 1024, &ta_heap);
    ta_id_spool_init(&s, &ta_vfs_posix, "/tmp", 128 * 1024, &budget.alloc);
    fill(&s, 0, 200000);
    check_names(&s, 200000);
    ta_id_spool_done(&s);
    assert_int_equal(ta_budget_used(&budget), 0);
}

static void a_list_can_be_cut_back_to_a_mark(void **state)
{
    static const unsigned marks[] = {0, 10, 5000, 9999};

    (void)state;
    for (size_t i = 0; i < TA_COUNT(marks); i++) {
        struct ta_id_spool s;
        ta_id_spool_init(&s, &ta_vfs_posix, "/tmp", 1000, &ta_heap);
        fill(&s, 0, marks[i]);
        struct ta_id_mark mark = ta_id_spool_mark(&s);
        fill(&s, marks[i], 10000);
        ta_id_spool_cut(&s, mark);
        check_names(&s, marks[i]);
        fill(&s, marks[i], 12000);
        check_names(&s, 12000);
        ta_id_spool_done(&s);
    }
}

static void refused_memory_and_failing_files_are_errors(void **state)
{
    char text[64];

    (void)state;
    for (struct fault f = {0}; fault_next(&f);) {
        struct ta_id_spool s;
        int r = TA_OK;
        ta_id_spool_init(&s, &ta_vfs_posix, "/tmp", 2000, &f.alloc);
        for (unsigned i = 0; r == TA_OK && i < 3000; i++)
            r = ta_id_spool_add(&s, name_of(i, text), NULL);
        ta_id_spool_done(&s);
        fault_judge(&f, r);
    }
    struct ta_id_spool s;
    ta_id_spool_init(&s, &ta_vfs_posix, "/nonexistent", 100, &ta_heap);
    int r = TA_OK;
    for (unsigned i = 0; r == TA_OK && i < 10000; i++)
        r = ta_id_spool_add(&s, name_of(i, text), NULL);
    assert_true(r < 0);
    ta_id_spool_done(&s);
}

static void empty_and_overlong_names_are_refused(void **state)
{
    static char text[TA_ID_MAX + 1];
    struct ta_id_spool s;

    (void)state;
    memset(text, 'x', sizeof(text));
    ta_id_spool_init(&s, &ta_vfs_posix, "/tmp", 0, &ta_heap);
    assert_int_equal(ta_id_spool_add(&s, TA_STR(""), NULL), TA_ERANGE);
    assert_int_equal(ta_id_spool_add(&s, (struct ta_str){text, sizeof(text)}, NULL), TA_ERANGE);
    assert_int_equal(ta_id_spool_add(&s, (struct ta_str){text, TA_ID_MAX}, NULL), TA_OK);
    assert_int_equal(s.n, 1);
    ta_id_spool_done(&s);
}

static void a_set_holds_what_was_added_and_nothing_else(void **state)
{
    struct ta_hash_set s;
    char text[64];

    (void)state;
    ta_hash_set_init(&s, 42, &ta_heap);
    assert_false(ta_hash_set_has(&s, TA_STR("a")));
    for (unsigned i = 0; i < 10000; i++)
        assert_int_equal(ta_hash_set_add(&s, name_of(i, text)), 1);
    for (unsigned i = 0; i < 10000; i++)
        assert_int_equal(ta_hash_set_add(&s, name_of(i, text)), 0);
    for (unsigned i = 0; i < 20000; i++)
        assert_int_equal(ta_hash_set_has(&s, name_of(i, text)), i < 10000);
    assert_true(s.n == 10000 && s.cap == 16384);
    ta_hash_set_done(&s);
}

static void the_end_of_a_token_is_read_from_its_claims(void **state)
{
    (void)state; /* {"exp": 1765000000, "sub": "x"} and {"sub": "x"} */
    assert_int_equal(ta_token_end_s(TA_STR("e30.eyJleHAiOiAxNzY1MDAwMDAwLCAic3ViIjogIngifQ.c2ln")),
                     1765000000);
    assert_int_equal(ta_token_end_s(TA_STR("e30.eyJzdWIiOiAieCJ9.c2ln")), INT64_MAX);
    assert_int_equal(ta_token_end_s(TA_STR("opaque")), INT64_MAX);
    assert_int_equal(ta_token_end_s(TA_STR("..")), INT64_MAX);
    assert_int_equal(ta_token_end_s(TA_STR("a.!!.b")), INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_come_back_in_order_from_memory_and_from_a_file),
        cmocka_unit_test(a_spool_beyond_its_memory_keeps_one_buffer),
        cmocka_unit_test(a_list_can_be_cut_back_to_a_mark),
        cmocka_unit_test(refused_memory_and_failing_files_are_errors),
        cmocka_unit_test(empty_and_overlong_names_are_refused),
        cmocka_unit_test(a_set_holds_what_was_added_and_nothing_else),
        cmocka_unit_test(the_end_of_a_token_is_read_from_its_claims),
    };

    return cmocka_run_group_tests_name("id spool", tests, NULL, NULL);
}
