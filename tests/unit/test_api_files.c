#include "persist/data_dir.h"

#include <tarn/files.h>

#include <dirent.h>
#include <ftw.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { N = 100 };

static const struct tarn_metric metrics[] = {{"load", 60, TARN_AGG_NONE},
                                             {"flops", 60, TARN_AGG_SUM}};
static const struct tarn_path node = {.cluster = "c", .host = "h"};

struct site {
    char dir[64];
    struct tarn_store *store;
    int64_t from_s; /* recent: no retention takes it */
};

static struct tarn_store *new_store(void)
{
    const struct tarn_config config = {.metrics = metrics, .n_metrics = 2};
    struct tarn_store *s;

    assert_int_equal(tarn_open(&s, &config, NULL), TARN_OK);
    return s;
}

static double value(int i)
{
    return sqrt(i + 2);
}

static int set_up(void **state)
{
    static struct site site;

    snprintf(site.dir, sizeof(site.dir), "/tmp/tarn-api-XXXXXX");
    if (!mkdtemp(site.dir))
        return -1;
    site.store = new_store();
    site.from_s = (int64_t)time(NULL) / 60 * 60 - N * 60;
    for (int i = 0; i < N; i++)
        if (tarn_write(site.store, &node, "load", site.from_s + i * 60, value(i), NULL) < 0)
            return -1;
    *state = &site;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *walk)
{
    (void)st;
    (void)flag;
    (void)walk;
    return remove(path);
}

static int tear_down(void **state)
{
    struct site *site = *state;

    tarn_close(site->store);
    return nftw(site->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The first value that is not as it was written, rounded by `as`; N: all are. */
static int compare(const struct site *site, struct tarn_store *s, double (*as)(double))
{
    const struct tarn_selection what = {.cluster = "c", .host = "h"};
    struct tarn_series series;
    int i = 0;

    assert_int_equal(
        tarn_read(s, &what, "load", site->from_s, site->from_s + N * 60, 0, &series, NULL),
        TARN_OK);
    assert_int_equal(series.from_s, site->from_s);
    while (i < (int)series.n && series.values[i] == as(value(i)))
        i++;
    tarn_series_done(&series);
    return i;
}

static double exactly(double v)
{
    return v;
}

static double as_binary32(double v)
{
    return (float)v;
}

/* The path of the one file of the host. */
static void checkpoint_path(const struct site *site, char *out, size_t room)
{
    char host[128];

    snprintf(host, sizeof(host), "%s/c/h", site->dir);
    DIR *d = opendir(host);
    assert_non_null(d);
    *out = 0;
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.')
            snprintf(out, room, "%s/%.100s", host, e->d_name);
    closedir(d);
}

static void a_json_checkpoint_comes_back_bit_for_bit(void **state)
{
    struct site *site = *state;
    struct tarn_store *other = new_store();
    struct tarn_files files;

    assert_int_equal(
        tarn_checkpoint(site->store, site->dir, TARN_FORMAT_JSON, INT64_MAX, &files, NULL),
        TARN_OK);
    assert_int_equal(files.n_files, 1);
    assert_int_equal(files.n_samples, N);
    assert_int_equal(tarn_restore(other, site->dir, &files, NULL), TARN_OK);
    assert_int_equal(files.n_samples, N);
    assert_int_equal(files.n_damaged, 0);
    assert_int_equal(compare(site, other, exactly), N);
    tarn_close(other);
}

static void a_binary_checkpoint_comes_back_as_the_nearest_binary32(void **state)
{
    struct site *site = *state;
    struct tarn_store *other = new_store();

    assert_int_equal(
        tarn_checkpoint(site->store, site->dir, TARN_FORMAT_BINARY, INT64_MAX, NULL, NULL),
        TARN_OK);
    assert_int_equal(tarn_restore(other, site->dir, NULL, NULL), TARN_OK);
    assert_int_equal(compare(site, other, as_binary32), N);
    tarn_close(other);
}

static void a_checkpoint_has_what_lies_before_its_boundary(void **state)
{
    struct site *site = *state;
    struct tarn_files files;

    assert_int_equal(
        tarn_checkpoint(site->store, site->dir, TARN_FORMAT_JSON, site->from_s + 600, &files, NULL),
        TARN_OK);
    assert_in_range(files.n_samples, 9, 11); /* a slot belongs by its centre */
}

static void a_directory_in_use_is_refused(void **state)
{
    struct site *site = *state;
    struct ta_data_dir dir = {0};
    struct tarn_error err = {0};

    assert_int_equal(ta_data_dir_open(&dir, &ta_vfs_posix, site->dir, NULL), TA_OK);
    assert_int_equal(
        tarn_checkpoint(site->store, site->dir, TARN_FORMAT_JSON, INT64_MAX, NULL, &err),
        TARN_ESTATE);
    assert_non_null(strstr(err.text, site->dir));
    assert_int_equal(tarn_restore(site->store, site->dir, NULL, NULL), TARN_ESTATE);
    ta_data_dir_close(&dir);
}

/* Leaves the file's content (named by the seal at its end, persist/seal.h) without its last n bytes. */
static void cut_content(const char *path, uint64_t n)
{
    unsigned char seal[48];
    uint64_t content = 0;
    FILE *f = fopen(path, "r+");

    assert_non_null(f);
    assert_int_equal(fseek(f, -(long)sizeof(seal), SEEK_END), 0);
    assert_int_equal(fread(seal, 1, sizeof(seal), f), sizeof(seal));
    assert_memory_equal(seal, "TARNSUM1", 8);
    for (int i = 7; i >= 0; i--)
        content = content << 8 | seal[8 + i];
    assert_int_equal(ftruncate(fileno(f), (off_t)(content - n)), 0);
    fclose(f);
}

static void of_a_cut_file_the_good_part_is_restored(void **state)
{
    struct site *site = *state;
    struct tarn_store *other = new_store();
    struct tarn_files files;
    char path[256];

    assert_int_equal(
        tarn_checkpoint(site->store, site->dir, TARN_FORMAT_BINARY, INT64_MAX, NULL, NULL),
        TARN_OK);
    checkpoint_path(site, path, sizeof(path));
    cut_content(path, 10 * 4 + 4); /* ten values, n of children */
    assert_int_equal(tarn_restore(other, site->dir, &files, NULL), TARN_OK);
    assert_int_equal(files.n_damaged, 1);
    assert_int_equal(files.n_samples, N - 10);
    tarn_close(other);
}

static void a_file_that_lost_only_its_checksums_is_restored_whole(void **state)
{
    struct site *site = *state;
    struct tarn_store *other = new_store();
    struct tarn_files files;
    char path[256];

    assert_int_equal(
        tarn_checkpoint(site->store, site->dir, TARN_FORMAT_BINARY, INT64_MAX, NULL, NULL),
        TARN_OK);
    checkpoint_path(site, path, sizeof(path));
    cut_content(path, 0);
    assert_int_equal(tarn_restore(other, site->dir, &files, NULL), TARN_OK);
    assert_int_equal(files.n_samples, N);
    assert_int_equal(compare(site, other, as_binary32), N);
    tarn_close(other);
}

static void checkpoints_become_an_archive(void **state)
{
    struct site *site = *state;
    char root[128], archive[128], path[256];
    struct tarn_files files;

    snprintf(archive, sizeof(archive), "%s/archive", site->dir);
    snprintf(root, sizeof(root), "%s/store", site->dir);
    const struct tarn_archive what = {
        .checkpoints = root, .archive = archive, .before_s = site->from_s + 2 * N * 60};
    assert_int_equal(tarn_checkpoint(site->store, root, TARN_FORMAT_BINARY, INT64_MAX, NULL, NULL),
                     TARN_OK);
    assert_int_equal(tarn_archive(&what, &files, NULL), TARN_OK);
    assert_int_equal(files.n_files, 1);
    assert_int_equal(files.n_samples, N);
    snprintf(path, sizeof(path), "%s/c/%lld.parquet", archive, (long long)what.before_s);
    assert_int_equal(access(path, R_OK), 0);
    assert_int_equal(tarn_archive(&what, &files, NULL), TARN_OK);
    assert_int_equal(files.n_files, 0); /* it has gone into the archive */
}

static void what_cannot_be_written_is_told(void **state)
{
    struct site *site = *state;
    struct tarn_error err = {0};
    char file[128];

    snprintf(file, sizeof(file), "%s/file", site->dir);
    fclose(fopen(file, "w"));
    assert_true(tarn_checkpoint(site->store, file, TARN_FORMAT_JSON, INT64_MAX, NULL, &err) < 0);
    assert_non_null(strstr(err.text, file));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_json_checkpoint_comes_back_bit_for_bit),
        TEST(a_binary_checkpoint_comes_back_as_the_nearest_binary32),
        TEST(a_checkpoint_has_what_lies_before_its_boundary),
        TEST(a_directory_in_use_is_refused),
        TEST(of_a_cut_file_the_good_part_is_restored),
        TEST(a_file_that_lost_only_its_checksums_is_restored_whole),
        TEST(checkpoints_become_an_archive),
        TEST(what_cannot_be_written_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
