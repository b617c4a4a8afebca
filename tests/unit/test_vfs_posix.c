/* The real file system through the seam: in a directory of its own under TMPDIR. */
#include "base/str.h"
#include "io/vfs.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct ta_vfs *const fs = &ta_vfs_posix;

static int enter_directory(void **state)
{
    const char *tmp = getenv("TMPDIR");
    static char path[512];

    snprintf(path, sizeof(path), "%s/tarn-vfs-XXXXXX", tmp ? tmp : "/tmp");
    *state = path;
    return mkdtemp(path) && chdir(path) == 0 ? 0 : -1;
}

static int leave_directory(void **state)
{
    char command[600];

    snprintf(command, sizeof(command), "rm -rf '%s'", (char *)*state);
    return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

static struct ta_file *open_file(const char *path, unsigned flags)
{
    struct ta_file *f = NULL;
    struct ta_err err = {0};

    if (ta_open(fs, path, flags, 0600, &f, &err) < 0)
        fail_msg("%s", err.text);
    return f;
}

static void what_is_written_is_read_back(void **state)
{
    struct ta_file *f = open_file("a", TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_CREATE);
    char buf[16] = {0};
    uint64_t size = 0;

    (void)state;
    assert_int_equal(ta_pwrite_full(f, "hello world", 11, 0, NULL), TA_OK);
    assert_int_equal(ta_sync(f, NULL), TA_OK);
    assert_int_equal(ta_pread_full(f, buf, sizeof(buf), 6, NULL), 5);
    assert_string_equal(buf, "world");
    assert_int_equal(f->ops->truncate(f, 5, NULL), TA_OK);
    assert_int_equal(f->ops->reserve(f, 65536, NULL), TA_OK);
    assert_int_equal(f->ops->size(f, &size, NULL), TA_OK);
    assert_int_equal(size, 5);
    assert_int_equal(ta_pread_full(f, buf, sizeof(buf), 5, NULL), 0);
    assert_int_equal(ta_close(&f, NULL), TA_OK);
    assert_null(f);
    assert_int_equal(ta_close(&f, NULL), TA_OK);
}

static void errors_name_the_path_and_the_kind(void **state)
{
    struct ta_file *f = NULL;
    struct ta_dir *d = NULL;
    struct ta_err err = {0};

    (void)state;
    assert_int_equal(ta_open(fs, "missing", TA_OPEN_READ, 0, &f, &err), TA_ENOTFOUND);
    assert_int_equal(err.sys, ENOENT);
    assert_non_null(strstr(err.text, "missing"));
    f = open_file("there", TA_OPEN_WRITE | TA_OPEN_CREATE);
    assert_int_equal(ta_close(&f, NULL), TA_OK);
    assert_int_equal(
        ta_open(fs, "there", TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_EXCLUSIVE, 0600, &f, NULL),
        TA_EEXIST);
    assert_int_equal(symlink("there", "link"), 0);
    assert_int_equal(ta_open(fs, "link", TA_OPEN_READ | TA_OPEN_NOFOLLOW, 0, &f, NULL), TA_EIO);
    assert_int_equal(fs->open_dir(fs, "there", &d, NULL), TA_EIO);
    assert_int_equal(fs->open_dir(fs, "nowhere", &d, NULL), TA_ENOTFOUND);
    assert_int_equal(fs->unlink(fs, "missing", NULL), TA_ENOTFOUND);
    assert_int_equal(fs->rmdir(fs, "missing", NULL), TA_ENOTFOUND);
    assert_int_equal(fs->sync_dir(fs, "missing", NULL), TA_ENOTFOUND);
    assert_int_equal(fs->space(fs, "missing", &(struct ta_space){0}, NULL), TA_ENOTFOUND);
    assert_null(f);
}

static void a_new_name_is_never_taken_twice(void **state)
{
    struct ta_file *f = open_file("x", TA_OPEN_WRITE | TA_OPEN_CREATE);
    struct ta_stat st;

    (void)state;
    assert_int_equal(ta_pwrite_full(f, "x", 1, 0, NULL), TA_OK);
    assert_int_equal(ta_close(&f, NULL), TA_OK);
    f = open_file("y", TA_OPEN_WRITE | TA_OPEN_CREATE);
    assert_int_equal(ta_close(&f, NULL), TA_OK);
    assert_int_equal(fs->rename_new(fs, "x", "y", NULL), TA_EEXIST);
    assert_int_equal(fs->rename_new(fs, "x", "z", NULL), TA_OK);
    assert_int_equal(fs->rename(fs, "z", "y", NULL), TA_OK);
    assert_int_equal(fs->stat(fs, "y", &st, NULL), TA_OK);
    assert_int_equal(st.size, 1);
    assert_int_equal(st.kind, TA_KIND_FILE);
    assert_true(st.mtime_ns > INT64_C(1000000000) * 1000000000);
    assert_int_equal(fs->stat(fs, "x", &st, NULL), TA_ENOTFOUND);
}

static void directories_are_made_listed_and_removed(void **state)
{
    struct ta_dirent e;
    struct ta_dir *d = NULL;
    struct ta_file *f;
    int dirs = 0, files = 0, r;

    (void)state;
    assert_int_equal(ta_mkdir_all(fs, "d/e//f/", 0700, NULL), TA_OK);
    assert_int_equal(ta_mkdir_all(fs, "d/e/f", 0700, NULL), TA_OK);
    f = open_file("d/file", TA_OPEN_WRITE | TA_OPEN_CREATE);
    assert_int_equal(ta_close(&f, NULL), TA_OK);
    assert_int_equal(ta_mkdir_all(fs, "d/file/g", 0700, NULL), TA_EEXIST);
    assert_int_equal(ta_mkdir_all(fs, "/", 0700, NULL), TA_OK);
    assert_int_equal(fs->open_dir(fs, "d", &d, NULL), TA_OK);
    while ((r = d->ops->next(d, &e, NULL)) == 1) {
        dirs += e.kind == TA_KIND_DIR && !strcmp(e.name, "e");
        files += e.kind == TA_KIND_FILE && !strcmp(e.name, "file");
    }
    d->ops->close(d);
    assert_int_equal(r, 0);
    assert_int_equal(dirs, 1);
    assert_int_equal(files, 1);
    assert_int_equal(fs->rmdir(fs, "d", NULL), TA_EIO);
    assert_int_equal(fs->unlink(fs, "d/file", NULL), TA_OK);
    assert_int_equal(fs->rmdir(fs, "d/e/f", NULL), TA_OK);
    assert_int_equal(fs->sync_dir(fs, "d/e", NULL), TA_OK);
}

static void a_lock_keeps_other_processes_out_until_close(void **state)
{
    struct ta_file *f = open_file("lock", TA_OPEN_WRITE | TA_OPEN_CREATE);
    struct ta_file *other = open_file("lock", TA_OPEN_WRITE);
    int status = 0;

    (void)state;
    assert_int_equal(f->ops->lock(f, NULL), TA_OK);
    assert_int_equal(other->ops->lock(other, NULL), TA_ESTATE);
    pid_t child = fork();
    if (child == 0) {
        struct ta_file *theirs = NULL;
        int r = ta_open(fs, "lock", TA_OPEN_WRITE, 0, &theirs, NULL);
        _exit(r == TA_OK && theirs->ops->lock(theirs, NULL) == TA_ESTATE ? 7 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_int_equal(ta_close(&f, NULL), TA_OK);
    assert_int_equal(other->ops->lock(other, NULL), TA_OK);
    assert_int_equal(ta_close(&other, NULL), TA_OK);
}

static void the_sink_writes_every_byte_whatever_the_pieces(void **state)
{
    unsigned char data[1000], back[1001], buf[64];

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)(i * 7);
    for (size_t piece = 1; piece < 200; piece += 3) {
        struct ta_file *f =
            open_file("sink", TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_TRUNCATE);
        struct ta_file_sink sink;
        struct ta_file_source source;
        ta_file_sink_init(&sink, f, 0, buf, sizeof(buf));
        for (size_t at = 0; at < sizeof(data); at += piece) {
            size_t n = piece < sizeof(data) - at ? piece : sizeof(data) - at;
            assert_int_equal(ta_sink_write(&sink.sink, data + at, n, NULL), TA_OK);
        }
        assert_int_equal(ta_file_sink_flush(&sink, NULL), TA_OK);
        assert_int_equal(sink.at, sizeof(data));
        ta_file_source_init(&source, f);
        assert_int_equal(ta_read_full(&source.source, back, sizeof(back), NULL), sizeof(data));
        assert_memory_equal(back, data, sizeof(data));
        assert_int_equal(ta_close(&f, NULL), TA_OK);
    }
}

static void space_is_told_for_a_directory(void **state)
{
    struct ta_space s = {0};

    (void)state;
    assert_int_equal(fs->space(fs, ".", &s, NULL), TA_OK);
    assert_true(s.total_bytes > 0 && s.free_bytes <= s.total_bytes && s.free_inodes > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(errors_name_the_path_and_the_kind),
        cmocka_unit_test(a_new_name_is_never_taken_twice),
        cmocka_unit_test(directories_are_made_listed_and_removed),
        cmocka_unit_test(a_lock_keeps_other_processes_out_until_close),
        cmocka_unit_test(the_sink_writes_every_byte_whatever_the_pieces),
        cmocka_unit_test(space_is_told_for_a_directory),
    };

    return cmocka_run_group_tests_name("vfs_posix", tests, enter_directory, leave_directory);
}
