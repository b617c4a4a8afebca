/* Both shapes of the backend's answer are understood, and the last one survives a restart. */
#include "app/used_nodes.h"
#include "io/vfs_mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int parse(struct ta_used_nodes *u, const char *text, struct ta_err *err)
{
    struct ta_mem_source src;

    ta_used_nodes_init(u, &ta_heap);
    ta_mem_source_init(&src, text, strlen(text), 3);
    return ta_used_nodes_parse(u, &src.source, err);
}

static void expect_three(const struct ta_used_nodes *u)
{
    assert_int_equal(u->n, 3);
    assert_true(ta_str_is(u->at[0].cluster, "alex") && ta_str_is(u->at[0].host, "a1"));
    assert_true(ta_str_is(u->at[1].cluster, "alex") && ta_str_is(u->at[1].host, "a2"));
    assert_true(ta_str_is(u->at[2].cluster, "fritz") && ta_str_is(u->at[2].host, "f1"));
}

static void the_bare_map_and_the_wrapped_one_mean_the_same(void **state)
{
    static const char *const texts[] = {
        "{\"alex\":[\"a1\",\"a2\"],\"none\":null,\"fritz\":[\"f1\"]}",
        "{\"usedNodes\":{\"alex\":[\"a1\",\"a2\"],\"fritz\":[\"f1\"]}}"};
    struct ta_used_nodes u;

    (void)state;
    for (size_t i = 0; i < TA_COUNT(texts); i++) {
        assert_int_equal(parse(&u, texts[i], NULL), TA_OK);
        expect_three(&u);
        ta_used_nodes_done(&u);
    }
    /* A cluster may have any name. */
    assert_int_equal(parse(&u, "{\"usedNodes\":[\"x\"]}", NULL), TA_OK);
    assert_true(u.n == 1 && ta_str_is(u.at[0].cluster, "usedNodes"));
    ta_used_nodes_done(&u);
}

static void anything_else_is_refused_and_leaves_no_nodes(void **state)
{
    static const char *const texts[] = {"[]",
                                        "{\"alex\":[1]}",
                                        "{\"alex\":\"a1\"}",
                                        "{\"alex\":[\"a1\"",
                                        "",
                                        "{\"a\":[\"x\"],\"b\":{\"c\":[]}}"};
    struct ta_used_nodes u;

    (void)state;
    for (size_t i = 0; i < TA_COUNT(texts); i++) {
        struct ta_err err = {0};
        assert_int_equal(parse(&u, texts[i], &err), TA_EFORMAT);
        assert_int_equal(u.n, 0);
        assert_true(err.text[0] != 0);
        ta_used_nodes_done(&u);
    }
}

static void what_is_saved_is_loaded(void **state)
{
    struct ta_vfs_mem mem;
    struct ta_used_nodes u;
    struct ta_used_nodes back;

    (void)state;
    assert_int_equal(ta_vfs_mem_init(&mem, &ta_heap), TA_OK);
    ta_used_nodes_init(&back, &ta_heap);
    assert_int_equal(ta_used_nodes_load(&back, &mem.vfs, "nodes.json", NULL), TA_OK);
    assert_int_equal(back.n, 0);
    assert_int_equal(parse(&u, "{\"alex\":[\"a1\",\"a2\"],\"fritz\":[\"f1\"]}", NULL), TA_OK);
    assert_int_equal(ta_used_nodes_save(&u, &mem.vfs, "nodes.json", NULL), TA_OK);
    assert_int_equal(ta_used_nodes_load(&back, &mem.vfs, "nodes.json", NULL), TA_OK);
    expect_three(&back);
    ta_used_nodes_done(&u);
    ta_used_nodes_done(&back);
    ta_vfs_mem_done(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bare_map_and_the_wrapped_one_mean_the_same),
        cmocka_unit_test(anything_else_is_refused_and_leaves_no_nodes),
        cmocka_unit_test(what_is_saved_is_loaded),
    };

    return cmocka_run_group_tests_name("used nodes", tests, NULL, NULL);
}
