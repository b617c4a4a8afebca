/* Checkpoint files have the bytes that the reference's formats prescribe. */
#include "persist/tree_write.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct made {
    char path[64];
    unsigned char bytes[4096];
    size_t len;
};

/* The example of the formats spec, section 3: load at the host, m2 below socket0, one value missing. */
static int write_example(enum ta_tree_format format, struct ta_file *file, size_t buffer)
{
    struct ta_tree_writer w;
    unsigned char buf[TA_TREE_BUFFER];
    double load = 9.8765430450439453125;
    double m2[] = {1.10000002384185791015625, NAN};
    uint64_t bytes = 0;

    int r = ta_tree_begin(&w, format, file, buf, buffer, 0x6B00F8DD, 0x6B00F8E2, NULL);
    if (r == TA_OK)
        r = ta_tree_metric(&w, TA_STR("load"), 10, 0x6B00F8DD, 1, NULL);
    if (r == TA_OK)
        r = ta_tree_values(&w, &load, 1, NULL);
    if (r == TA_OK)
        r = ta_tree_child(&w, 0, TA_STR("socket0"), NULL);
    if (r == TA_OK)
        r = ta_tree_metric(&w, TA_STR("m2"), 2, 0x6B00F8DE, 2, NULL);
    if (r == TA_OK)
        r = ta_tree_values(&w, m2, 1, NULL);
    if (r == TA_OK)
        r = ta_tree_values(&w, m2 + 1, 1, NULL);
    return r < 0 ? r : ta_tree_end(&w, &bytes, NULL);
}

static struct made make(enum ta_tree_format format, size_t buffer)
{
    struct made m = {.path = "/tmp/tarn-tree-XXXXXX"};
    struct ta_file *file = NULL;
    int fd = mkstemp(m.path);

    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(ta_open(&ta_vfs_posix, m.path, TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_TRUNCATE,
                             0, &file, NULL),
                     TA_OK);
    assert_int_equal(write_example(format, file, buffer), TA_OK);
    int64_t got = ta_pread_full(file, m.bytes, sizeof(m.bytes), 0, NULL);
    assert_true(got > 0);
    m.len = (size_t)got;
    assert_int_equal(ta_close(&file, NULL), TA_OK);
    unlink(m.path);
    return m;
}

static const unsigned char expected[] = {
    0x01, 0x00, 0x5b, 0xcc, 0xdd, 0xf8, 0x00, 0x6b, 0,    0,    0,   0,   0xe2, 0xf8, 0x00, 0x6b,
    0,    0,    0,    0,    1,    0,    0,    0,    4,    0,    'l', 'o', 'a',  'd',  0x0a, 0,
    0,    0,    0,    0,    0,    0,    0xdd, 0xf8, 0x00, 0x6b, 0,   0,   0,    0,    1,    0,
    0,    0,    0x52, 0x06, 0x1e, 0x41, 1,    0,    0,    0,    7,   0,   's',  'o',  'c',  'k',
    'e',  't',  '0',  1,    0,    0,    0,    2,    0,    'm',  '2', 2,   0,    0,    0,    0,
    0,    0,    0,    0xde, 0xf8, 0x00, 0x6b, 0,    0,    0,    0,   2,   0,    0,    0,    0xcd,
    0xcc, 0x8c, 0x3f, 0,    0,    0xc0, 0x7f, 0,    0,    0,    0};

static void a_snapshot_is_the_published_example_whatever_the_buffer(void **state)
{
    (void)state;
    for (size_t buffer = 16; buffer < 200; buffer += 7) {
        struct made m = make(TA_TREE_BIN, buffer);
        assert_int_equal(m.len, sizeof(expected));
        assert_memory_equal(m.bytes, expected, sizeof(expected));
    }
}

static void a_json_checkpoint_has_all_keys_at_every_level(void **state)
{
    static const char text[] =
        "{\"metrics\":{\"load\":{\"frequency\":10,\"start\":1795225821,\"data\":[9.876543045043945]"
        "}},"
        "\"children\":{\"socket0\":{\"metrics\":{\"m2\":{\"frequency\":2,\"start\":1795225822,"
        "\"data\":[1.100000023841858,null]}},\"children\":{},\"from\":1795225821,\"to\":1795225826}"
        "},"
        "\"from\":1795225821,\"to\":1795225826}\n";
    struct made m = make(TA_TREE_JSON, TA_TREE_BUFFER);

    (void)state;
    m.bytes[m.len] = 0;
    assert_string_equal((char *)m.bytes, text);
}

static void levels_close_and_empty_arrays_are_written(void **state)
{
    static const char text[] =
        "{\"metrics\":{\"a\":{\"frequency\":1,\"start\":0,\"data\":[]},"
        "\"b\\u003c\":{\"frequency\":1,\"start\":0,\"data\":[]}},\"children\":{"
        "\"x\":{\"metrics\":{},\"children\":{\"y\":{\"metrics\":{},\"children\":{},"
        "\"from\":1,\"to\":2}},\"from\":1,\"to\":2},"
        "\"z\":{\"metrics\":{},\"children\":{},\"from\":1,\"to\":2}},"
        "\"from\":1,\"to\":2}\n";
    struct made m = {.path = "/tmp/tarn-tree-XXXXXX"};
    struct ta_tree_writer w;
    struct ta_file *file = NULL;
    unsigned char buf[128];
    uint64_t bytes = 0;
    int fd = mkstemp(m.path);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(ta_open(&ta_vfs_posix, m.path, TA_OPEN_READ | TA_OPEN_WRITE, 0, &file, NULL),
                     TA_OK);
    assert_int_equal(ta_tree_begin(&w, TA_TREE_JSON, file, buf, sizeof(buf), 1, 2, NULL), TA_OK);
    assert_int_equal(ta_tree_metric(&w, TA_STR("a"), 1, 0, 0, NULL), TA_OK);
    assert_int_equal(ta_tree_metric(&w, TA_STR("b<"), 1, 0, 0, NULL), TA_OK);
    assert_int_equal(ta_tree_child(&w, 0, TA_STR("x"), NULL), TA_OK);
    assert_int_equal(ta_tree_child(&w, 1, TA_STR("y"), NULL), TA_OK);
    assert_int_equal(ta_tree_child(&w, 0, TA_STR("z"), NULL), TA_OK);
    assert_int_equal(ta_tree_end(&w, &bytes, NULL), TA_OK);
    assert_int_equal(bytes, sizeof(text) - 1);
    assert_int_equal(ta_pread_full(file, m.bytes, sizeof(m.bytes), 0, NULL), bytes);
    m.bytes[bytes] = 0;
    assert_string_equal((char *)m.bytes, text);
    assert_int_equal(ta_close(&file, NULL), TA_OK);
    unlink(m.path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_is_the_published_example_whatever_the_buffer),
        cmocka_unit_test(a_json_checkpoint_has_all_keys_at_every_level),
        cmocka_unit_test(levels_close_and_empty_arrays_are_written),
    };

    return cmocka_run_group_tests_name("tree write", tests, NULL, NULL);
}
