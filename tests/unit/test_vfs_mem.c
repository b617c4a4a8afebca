/* The file system in memory behaves as one, and loses at a power cut only what was not synced. */
#include "fault.h"
#include "io/vfs_mem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { CREATE = TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_CREATE, SEEDS = 200 };

static int put(struct ta_vfs *v, const char *path, const char *text, bool sync)
{
    struct ta_file *f = NULL;
    int r = ta_open(v, path, CREATE | TA_OPEN_TRUNCATE, 0600, &f, NULL);

    if (r == TA_OK)
        r = ta_pwrite_full(f, text, strlen(text), 0, NULL);
    if (r == TA_OK && sync)
        r = ta_sync(f, NULL);
    ta_close(&f, NULL);
    return r;
}

/* The text of a file of up to 2,000 bytes, or NULL. */
static const char *get(struct ta_vfs *v, const char *path)
{
    static char text[2001];
    struct ta_file *f = NULL;

    if (ta_open(v, path, TA_OPEN_READ, 0, &f, NULL) < 0)
        return NULL;
    int64_t n = ta_pread_full(f, text, sizeof(text) - 1, 0, NULL);
    assert_true(n >= 0);
    text[n] = 0;
    ta_close(&f, NULL);
    return text;
}

static void files_and_directories_behave_as_on_a_disk(void **state)
{
    struct ta_vfs_mem m;
    struct ta_stat st;
    struct ta_dir *d = NULL;
    struct ta_dirent e;
    int n = 0;

    (void)state;
    assert_int_equal(ta_vfs_mem_init(&m, &ta_heap), TA_OK);
    struct ta_vfs *v = &m.vfs;
    assert_int_equal(ta_mkdir_all(v, "/a/b/c", 0700, NULL), TA_OK);
    assert_int_equal(put(v, "/a/b/x", "hello", false), TA_OK);
    assert_string_equal(get(v, "a//b/./x"), "hello");
    assert_int_equal(put(v, "/none/x", "", false), TA_ENOTFOUND);
    assert_int_equal(v->stat(v, "/a/b", &st, NULL), TA_OK);
    assert_int_equal(st.kind, TA_KIND_DIR);
    assert_int_equal(v->rmdir(v, "/a/b", NULL), TA_EIO);
    assert_int_equal(v->unlink(v, "/a/b", NULL), TA_EIO);
    assert_int_equal(v->rename_new(v, "/a/b/x", "/a/b/c", NULL), TA_EEXIST);
    assert_int_equal(v->rename(v, "/a/b/x", "/a/y", NULL), TA_OK);
    assert_null(get(v, "/a/b/x"));
    assert_string_equal(get(v, "/a/y"), "hello");
    assert_int_equal(v->open_dir(v, "/a", &d, NULL), TA_OK);
    while (d->ops->next(d, &e, NULL) == 1)
        n++;
    d->ops->close(d);
    assert_int_equal(n, 2);
    assert_int_equal(v->rmdir(v, "/a/b/c", NULL), TA_OK);
    assert_int_equal(v->unlink(v, "/a/y", NULL), TA_OK);
    assert_null(get(v, "/a/y"));
    ta_vfs_mem_done(&m);
}

static void a_listing_gives_each_name_once_while_those_given_are_removed(void **state)
{
    struct ta_vfs_mem m;
    struct ta_vfs *v = &m.vfs;
    struct ta_dirent e;
    struct ta_dir *d;
    char path[32];
    int n = 0;

    (void)state;
    assert_int_equal(ta_vfs_mem_init(&m, &ta_heap), TA_OK);
    for (int i = 0; i < 20; i++) {
        snprintf(path, sizeof(path), "/%d", i);
        assert_int_equal(v->mkdir(v, path, 0777, NULL), TA_OK);
    }
    assert_int_equal(v->open_dir(v, "/", &d, NULL), TA_OK);
    while (d->ops->next(d, &e, NULL) == 1) {
        snprintf(path, sizeof(path), "/%.20s", e.name);
        assert_int_equal(v->rmdir(v, path, NULL), TA_OK);
        n++;
    }
    d->ops->close(d);
    assert_int_equal(n, 20);
    ta_vfs_mem_done(&m);
}

static void what_was_synced_survives_every_power_cut(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct ta_vfs_mem m;
        assert_int_equal(ta_vfs_mem_init(&m, &ta_heap), TA_OK);
        struct ta_vfs *v = &m.vfs;
        assert_int_equal(ta_mkdir_all(v, "/d", 0700, NULL), TA_OK);
        assert_int_equal(put(v, "/d/tmp", "old", true), TA_OK);
        assert_int_equal(v->rename(v, "/d/tmp", "/d/f", NULL), TA_OK);
        assert_int_equal(v->sync_dir(v, "/d", NULL), TA_OK);
        assert_int_equal(put(v, "/d/tmp", "new", true), TA_OK);
        assert_int_equal(v->rename(v, "/d/tmp", "/d/f", NULL), TA_OK);
        ta_vfs_mem_power_cut(&m, seed);
        const char *text = get(v, "/d/f");
        assert_non_null(text);
        assert_true(!strcmp(text, "old") || !strcmp(text, "new"));
        char before[8];
        strcpy(before, text);
        ta_vfs_mem_power_cut(&m, seed + 1);
        assert_string_equal(get(v, "/d/f"), before);
        ta_vfs_mem_done(&m);
    }
}

static void what_was_not_synced_is_lost_torn_or_kept_each_at_some_seed(void **state)
{
    struct ta_vfs_mem m, cut;
    char old_text[1025], new_text[1025];
    bool seen_old = false, seen_new = false, seen_torn = false, seen_gone = false;

    (void)state;
    memset(old_text, 'o', 1024);
    memset(new_text, 'n', 1024);
    old_text[1024] = new_text[1024] = 0;
    assert_int_equal(ta_vfs_mem_init(&m, &ta_heap), TA_OK);
    assert_int_equal(put(&m.vfs, "/f", old_text, true), TA_OK);
    assert_int_equal(m.vfs.sync_dir(&m.vfs, "/", NULL), TA_OK);
    struct ta_file *f = NULL;
    assert_int_equal(ta_open(&m.vfs, "/f", TA_OPEN_WRITE, 0, &f, NULL), TA_OK);
    assert_int_equal(ta_pwrite_full(f, new_text, 1024, 0, NULL), TA_OK);
    assert_int_equal(ta_close(&f, NULL), TA_OK);
    assert_int_equal(put(&m.vfs, "/g", "x", true), TA_OK);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        assert_int_equal(ta_vfs_mem_copy(&cut, &m), TA_OK);
        ta_vfs_mem_power_cut(&cut, seed);
        const char *text = get(&cut.vfs, "/f");
        assert_non_null(text);
        assert_int_equal(strlen(text), 1024);
        seen_old |= !strcmp(text, old_text);
        seen_new |= !strcmp(text, new_text);
        seen_torn |= text[0] != text[512];
        assert_true(text[0] == text[511] && text[512] == text[1023]);
        seen_gone |= get(&cut.vfs, "/g") == NULL;
        ta_vfs_mem_done(&cut);
    }
    assert_true(seen_old && seen_new && seen_torn && seen_gone);
    assert_string_equal(get(&m.vfs, "/f"), new_text);
    ta_vfs_mem_done(&m);
}

static void limits_are_enospc_and_read_only_is_erofs(void **state)
{
    struct ta_vfs_mem m;
    struct ta_err err = {0};
    struct ta_file *f = NULL;

    (void)state;
    assert_int_equal(ta_vfs_mem_init(&m, &ta_heap), TA_OK);
    m.capacity = 10;
    m.inodes_max = 2;
    assert_int_equal(put(&m.vfs, "/a", "0123456789", false), TA_OK);
    assert_int_equal(put(&m.vfs, "/b", "x", false), TA_EIO);
    assert_int_equal(ta_open(&m.vfs, "/c", CREATE, 0, &f, &err), TA_EIO);
    assert_int_equal(err.sys, ENOSPC);
    assert_int_equal(m.vfs.unlink(&m.vfs, "/a", NULL), TA_OK);
    assert_int_equal(put(&m.vfs, "/b", "x", false), TA_OK);
    m.read_only = true;
    err = (struct ta_err){0};
    assert_int_equal(ta_open(&m.vfs, "/b", TA_OPEN_WRITE, 0, &f, &err), TA_EIO);
    assert_int_equal(err.sys, EROFS);
    assert_string_equal(get(&m.vfs, "/b"), "x");
    ta_vfs_mem_done(&m);
}

static void locks_and_open_files_die_with_the_process(void **state)
{
    struct ta_vfs_mem m;
    struct ta_file *f = NULL, *g = NULL;

    (void)state;
    assert_int_equal(ta_vfs_mem_init(&m, &ta_heap), TA_OK);
    assert_int_equal(ta_open(&m.vfs, "/lock", CREATE, 0, &f, NULL), TA_OK);
    assert_int_equal(f->ops->lock(f, NULL), TA_OK);
    assert_int_equal(ta_open(&m.vfs, "/lock", CREATE, 0, &g, NULL), TA_OK);
    assert_int_equal(g->ops->lock(g, NULL), TA_ESTATE);
    assert_int_equal(ta_close(&g, NULL), TA_OK);
    ta_vfs_mem_kill(&m);
    assert_int_equal(ta_pwrite_full(f, "x", 1, 0, NULL), TA_EIO);
    assert_int_equal(ta_open(&m.vfs, "/lock", TA_OPEN_READ, 0, &g, NULL), TA_OK);
    assert_int_equal(g->ops->lock(g, NULL), TA_OK);
    assert_int_equal(ta_close(&f, NULL), TA_OK);
    assert_int_equal(ta_close(&g, NULL), TA_OK);
    ta_vfs_mem_done(&m);
}

static int use_all(struct ta_alloc *alloc)
{
    struct ta_vfs_mem m, copy = {0};
    int r = ta_vfs_mem_init(&m, alloc);

    if (r == TA_OK)
        r = ta_mkdir_all(&m.vfs, "/a/b", 0700, NULL);
    for (int i = 0; i < 20 && r == TA_OK; i++)
        r = put(&m.vfs, (char[]){'/', (char)('c' + i), 0}, "text", true);
    if (r == TA_OK)
        r = ta_vfs_mem_copy(&copy, &m);
    ta_vfs_mem_done(&copy);
    ta_vfs_mem_done(&m);
    return r;
}

static void every_failing_allocation_is_clean(void **state)
{
    (void)state;
    for (struct fault f = {0}; fault_next(&f);)
        fault_judge(&f, use_all(&f.alloc));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_and_directories_behave_as_on_a_disk),
        cmocka_unit_test(a_listing_gives_each_name_once_while_those_given_are_removed),
        cmocka_unit_test(what_was_synced_survives_every_power_cut),
        cmocka_unit_test(what_was_not_synced_is_lost_torn_or_kept_each_at_some_seed),
        cmocka_unit_test(limits_are_enospc_and_read_only_is_erofs),
        cmocka_unit_test(locks_and_open_files_die_with_the_process),
        cmocka_unit_test(every_failing_allocation_is_clean),
    };

    return cmocka_run_group_tests_name("vfs_mem", tests, NULL, NULL);
}
