/* The reference's checkpoint trees, whole and damaged, come back as the values recorded beside them. */
#include "base/rand.h"
#include "io/json_read.h"
#include "io/vfs_mem.h"
#include "persist/vault.h"
#include "store/read.h"
#include "store/walk.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DATA "tests/data/recovery/"
enum { METRICS = 64, VALUES = 256, FILE_BYTES = 1 << 20 };

struct site {
    struct ta_vfs_mem disk;
    struct ta_clock_manual clock;
    struct ta_store *store;
    struct ta_vault vault;
    int64_t retention_s; /* 0: none */
};

static size_t read_whole(const char *path, void *out, size_t room)
{
    struct ta_file *f = NULL;

    assert_int_equal(ta_open(&ta_vfs_posix, path, TA_OPEN_READ, 0, &f, NULL), TA_OK);
    int64_t n = ta_pread_full(f, out, room, 0, NULL);
    assert_true(n >= 0);
    assert_int_equal(ta_close(&f, NULL), TA_OK);
    return (size_t)n;
}

static void copy_tree(struct ta_vfs *to, const char *from_path, const char *to_path)
{
    static unsigned char bytes[FILE_BYTES];
    struct ta_dir *dir = NULL;
    struct ta_dirent e;

    assert_int_equal(ta_mkdir_all(to, to_path, 0755, NULL), TA_OK);
    assert_int_equal(ta_vfs_posix.open_dir(&ta_vfs_posix, from_path, &dir, NULL), TA_OK);
    while (dir->ops->next(dir, &e, NULL) > 0) {
        char a[512], b[512];
        snprintf(a, sizeof(a), "%s/%s", from_path, e.name);
        snprintf(b, sizeof(b), "%s/%s", to_path, e.name);
        if (e.kind == TA_KIND_DIR) {
            copy_tree(to, a, b);
            continue;
        }
        struct ta_file *f = NULL;
        size_t n = read_whole(a, bytes, sizeof(bytes));
        assert_int_equal(ta_open(to, b, TA_OPEN_WRITE | TA_OPEN_CREATE, 0644, &f, NULL), TA_OK);
        assert_int_equal(ta_pwrite_full(f, bytes, n, 0, NULL), TA_OK);
        assert_int_equal(ta_close(&f, NULL), TA_OK);
    }
    dir->ops->close(dir);
}

static struct ta_metrics *read_metrics(void)
{
    static char text[16384], names[METRICS][64];
    struct ta_metric defs[METRICS];
    struct ta_metrics *out = NULL;
    struct ta_json_reader *r = NULL;
    struct ta_mem_source src;
    struct ta_json_token t;
    size_t n = 0;

    ta_mem_source_init(&src, text, read_whole(DATA "metrics.json", text, sizeof(text)), 0);
    assert_int_equal(ta_json_reader_new(&r, &src.source, NULL, &ta_heap), TA_OK);
    while (ta_json_next(r, &t, NULL) > 0)
        if (t.kind == TA_JSON_KEY && t.depth == 2 && n < METRICS) {
            snprintf(names[n], sizeof(names[n]), "%.*s", TA_STR_FMT(t.text));
            defs[n] = (struct ta_metric){ta_str(names[n]), 60, TA_AGG_NONE};
            n++;
        }
    ta_json_reader_free(r);
    assert_int_equal(ta_metrics_new(&out, &ta_heap, NULL, defs, n, NULL), TA_OK);
    return out;
}

static void site_open_store(struct site *s)
{
    struct ta_store_conf conf = {.alloc = &ta_heap, .metrics = read_metrics()};

    assert_int_equal(ta_store_new(&s->store, &conf, NULL), TA_OK);
    ta_metrics_unref(conf.metrics);
    struct ta_vault_conf vault = {.store = s->store,
                                  .vfs = &s->disk.vfs,
                                  .root = "root",
                                  .alloc = &ta_heap,
                                  .clock = &s->clock.clock,
                                  .retention_s = s->retention_s,
                                  .n_workers = 2};
    assert_int_equal(ta_vault_open(&s->vault, &vault, NULL), TA_OK);
    assert_int_equal(ta_vault_load(&s->vault, NULL, NULL), TA_OK);
}

static void site_open(struct site *s, const char *tree)
{
    char path[256];

    snprintf(path, sizeof(path), DATA "%s", tree);
    assert_int_equal(ta_vfs_mem_init(&s->disk, &ta_heap), TA_OK);
    copy_tree(&s->disk.vfs, path, "root");
    ta_clock_manual_init(&s->clock, 1699930000);
    site_open_store(s);
}

static void site_close_store(struct site *s)
{
    assert_int_equal(ta_vault_close(&s->vault, NULL), TA_OK);
    ta_store_free(s->store);
}

static void site_close(struct site *s)
{
    site_close_store(s);
    ta_vfs_mem_done(&s->disk);
}

static const struct ta_recover_counts *counts(const struct site *s, enum ta_recover_kind kind)
{
    return &ta_recover_report(s->vault.recover)->kind[kind];
}

/* ---- recorded rows ------------------------------------------------------------------------------ */

struct row {
    char path[4][64], metric[64];
    size_t n_path, n;
    int64_t from_s;
    double v[VALUES]; /* NaN: null */
};

static int next_row(struct ta_json_reader *r, struct row *out)
{
    struct ta_json_token t;
    char key[16] = "";
    int e;

    memset(out, 0, sizeof(*out));
    while ((e = ta_json_next(r, &t, NULL)) > 0) {
        if (t.kind == TA_JSON_KEY)
            snprintf(key, sizeof(key), "%.*s", TA_STR_FMT(t.text));
        else if (t.kind == TA_JSON_STRING && strcmp(key, "path") == 0 && out->n_path < 4)
            snprintf(out->path[out->n_path++], 64, "%.*s", TA_STR_FMT(t.text));
        else if (t.kind == TA_JSON_STRING)
            snprintf(out->metric, sizeof(out->metric), "%.*s", TA_STR_FMT(t.text));
        else if (t.kind == TA_JSON_NUMBER && strcmp(key, "from") == 0)
            assert_int_equal(ta_json_i64(&t, &out->from_s), TA_OK);
        else if (t.kind == TA_JSON_NULL && out->n < VALUES)
            out->v[out->n++] = NAN;
        else if (t.kind == TA_JSON_NUMBER && out->n < VALUES)
            assert_int_equal(ta_json_f64(&t, &out->v[out->n++]), TA_OK);
    }
    assert_true(e == 0 || out->n == 0);
    ta_json_again(r);
    return e == 0 && out->n > 0;
}

static double value_at(struct site *s, const struct row *row, int64_t ts)
{
    struct ta_metrics *m = ta_store_metrics(s->store);
    struct ta_sel path[2];
    struct ta_span span;
    double v = NAN;

    for (size_t i = 2; i < row->n_path; i++)
        path[i - 2] = (struct ta_sel){.kind = TA_SEL_EXACT, .name = ta_str(row->path[i])};
    struct ta_selection sel = {ta_str(row->path[0]), ta_str(row->path[1]), path, row->n_path - 2,
                               (uint32_t)ta_metrics_find(m, ta_str(row->metric))};
    ta_metrics_unref(m);
    if (ta_read_span(s->store, &sel, ts, ts + 60, &span) == TA_OK && span.from_s == ts)
        (void)ta_read_sum(s->store, &sel, ts, &v, 1);
    return v;
}

/* Every value that the reference read is there, `shift_s` before where its restart moved it to. */
static void compare(const char *tree, int64_t shift_s)
{
    static char text[FILE_BYTES];
    static struct site s;
    struct ta_json_reader *r = NULL;
    struct ta_mem_source src;
    struct row row;
    size_t n = 0, differ = 0;
    char path[256];

    snprintf(path, sizeof(path), DATA "%s.read.jsonl", tree);
    ta_mem_source_init(&src, text, read_whole(path, text, sizeof(text)), 0);
    assert_int_equal(ta_json_reader_new(&r, &src.source, NULL, &ta_heap), TA_OK);
    site_open(&s, tree);
    while (next_row(r, &row)) {
        for (size_t i = 0; i < row.n; i++) {
            double v = value_at(&s, &row, row.from_s - shift_s + (int64_t)i * 60);
            differ += isnan(row.v[i]) ? 0 : (float)v != (float)row.v[i];
            n += isnan(row.v[i]) ? 0u : 1u;
        }
    }
    ta_json_reader_free(r);
    print_message("%s: %zu values compared, %zu differ\n", tree, n, differ);
    assert_true(n > 4000);
    assert_int_equal(differ, 0);
    site_close(&s);
}

static void snapshots_load_to_the_recorded_values(void **state)
{
    (void)state;
    compare("bin", 30);
    compare("json", 30);
}

static void a_reference_log_loads_to_the_recorded_values(void **state)
{
    (void)state;
    compare("wal", 0);
}

static void mixed_trees_load_every_sample_of_their_files(void **state)
{
    static struct site s;

    (void)state;
    site_open(&s, "two-bin-plus-wal");
    assert_int_equal(counts(&s, TA_RECOVER_BIN)->files, 6);
    assert_int_equal(counts(&s, TA_RECOVER_REF_WAL)->files, 3);
    assert_true(counts(&s, TA_RECOVER_REF_WAL)->samples > 0);
    assert_int_equal(ta_recover_report(s.vault.recover)->n_places, 0);
    site_close(&s);
    site_open(&s, "json-then-bin");
    assert_int_equal(counts(&s, TA_RECOVER_JSON)->files + counts(&s, TA_RECOVER_BIN)->files, 2);
    assert_int_equal(ta_recover_report(s.vault.recover)->n_places, 0);
    site_close(&s);
}

/* ---- damage ------------------------------------------------------------------------------------- */

static bool is_there(struct site *s, const char *path)
{
    struct ta_stat st;

    return s->disk.vfs.stat(&s->disk.vfs, path, &st, NULL) == TA_OK;
}

static void damaged_logs_give_every_record_but_the_one_hit(void **state)
{
    static struct site s;

    (void)state;
    site_open(&s, "wal-damaged");
    const struct ta_recover_counts *c = counts(&s, TA_RECOVER_REF_WAL);
    print_message("wal-damaged: %llu files, %llu damaged, %llu samples, %llu places, %llu torn\n",
                  (unsigned long long)c->files, (unsigned long long)c->files_damaged,
                  (unsigned long long)c->samples, (unsigned long long)c->damaged,
                  (unsigned long long)c->torn);
    assert_int_equal(c->files, 15);
    /* Twelve files hold 125 whole records each, and one of those lost its magic. */
    assert_int_equal(c->samples, 12 * 125 - 1);
    struct ta_checkpoint_counts done = {0};
    assert_int_equal(ta_vault_checkpoint(&s.vault, TA_CHECKPOINT_ALL, 0, NULL, &done, NULL), TA_OK);
    assert_false(is_there(&s, "root/taurus/clean/current.wal"));
    assert_false(is_there(&s, "root/taurus/crc-bad-middle/current.wal"));
    assert_true(is_there(&s, "root/taurus/crc-bad-middle/current.wal.corrupt"));
    assert_true(is_there(&s, "root/taurus/crc-bad-middle/current.wal.corrupt.note"));
    site_close(&s);
}

/* A start on the tree works; the sound host is there; what is bad is aside, and gone from its place once a
 * checkpoint holds its good part. */
static uint64_t start_on(struct site *s, const char *tree, const char *bad)
{
    char aside[512], note[512];

    site_open(s, tree);
    snprintf(aside, sizeof(aside), "%s.corrupt", bad);
    snprintf(note, sizeof(note), "%s.corrupt.note", bad);
    assert_true(is_there(s, aside));
    assert_true(is_there(s, note));
    assert_true(ta_walk_find_host(s->store, TA_STR("taurus"), TA_STR("n0002"), NULL) == 1);
    struct ta_store_counts n;
    ta_store_counts(s->store, &n);
    struct ta_checkpoint_counts done = {0};
    assert_int_equal(ta_vault_checkpoint(&s->vault, TA_CHECKPOINT_ALL, 0, NULL, &done, NULL),
                     TA_OK);
    site_close_store(s);
    site_open_store(s); /* all that was good, and nothing damaged any more */
    assert_int_equal(ta_recover_report(s->vault.recover)->n_places, 0);
    struct ta_store_counts again;
    ta_store_counts(s->store, &again);
    assert_int_equal(again.restored, n.restored);
    site_close(s);
    return n.restored;
}

static void a_damaged_snapshot_stops_no_start_and_is_kept(void **state)
{
    static struct site s;

    (void)state;
    uint64_t none = start_on(&s, "damaged-bin-empty", "root/taurus/n0001/1699920000.bin");
    assert_int_equal(start_on(&s, "damaged-bin-bad-magic", "root/taurus/n0001/1699920000.bin"),
                     none);
    assert_int_equal(start_on(&s, "damaged-odd-name", "root/taurus/n0001/abc.json"), none);
    assert_true(start_on(&s, "damaged-bin-truncated", "root/taurus/n0001/1699920000.bin") > none);
    assert_int_equal(start_on(&s, "damaged-json-truncated", "root/taurus/n0001/1699920000.json"),
                     none);
}

static void foreign_files_in_a_host_are_left_alone(void **state)
{
    static struct site s;

    (void)state;
    site_open(&s, "damaged-leading-note");
    assert_int_equal(ta_recover_report(s.vault.recover)->n_places, 0);
    assert_true(is_there(&s, "root/taurus/n0001/README.txt"));
    site_close(&s);
    site_open(&s, "damaged-bin-tmp-left");
    assert_int_equal(ta_recover_report(s.vault.recover)->n_places, 0);
    site_close(&s);
}

static void files_above_the_hosts_are_moved_to_lost_and_found(void **state)
{
    static struct site s;
    struct ta_file *f = NULL;

    (void)state;
    site_open(&s, "bin");
    site_close_store(&s);
    assert_int_equal(
        ta_open(&s.disk.vfs, "root/notes.txt", TA_OPEN_WRITE | TA_OPEN_CREATE, 0644, &f, NULL),
        TA_OK);
    assert_int_equal(ta_close(&f, NULL), TA_OK);
    assert_int_equal(ta_open(&s.disk.vfs, "root/taurus/current.wal", TA_OPEN_WRITE | TA_OPEN_CREATE,
                             0644, &f, NULL),
                     TA_OK);
    assert_int_equal(ta_close(&f, NULL), TA_OK);
    site_open_store(&s);
    assert_int_equal(ta_recover_report(s.vault.recover)->strays, 2);
    assert_true(is_there(&s, "root/.tarn/lost+found/notes.txt.stray"));
    assert_true(is_there(&s, "root/.tarn/lost+found/current.wal.stray"));
    assert_false(is_there(&s, "root/taurus/current.wal"));
    site_close(&s);
}

/* The files cover 1699920000 to 1699924800; it is 1699930000. */
static void files_are_chosen_by_the_range_they_cover_not_by_their_name(void **state)
{
    static struct site s;

    (void)state;
    s.retention_s = 8000; /* begins within their range, after the time that is their name */
    site_open(&s, "bin");
    assert_int_equal(counts(&s, TA_RECOVER_BIN)->files, 3);
    assert_true(counts(&s, TA_RECOVER_BIN)->samples > 4000);
    site_close(&s);
    s.retention_s = 4000; /* begins behind it */
    site_open(&s, "bin");
    assert_int_equal(counts(&s, TA_RECOVER_BIN)->files, 0);
    assert_int_equal(counts(&s, TA_RECOVER_BIN)->files_old, 3);
    site_close(&s);
    s.retention_s = 0;
}

static void a_second_server_is_refused(void **state)
{
    static struct site s;
    struct ta_data_dir d;

    (void)state;
    site_open(&s, "bin");
    assert_int_equal(ta_data_dir_open(&d, &s.disk.vfs, "root", NULL), TA_ESTATE);
    site_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(snapshots_load_to_the_recorded_values),
        cmocka_unit_test(a_reference_log_loads_to_the_recorded_values),
        cmocka_unit_test(mixed_trees_load_every_sample_of_their_files),
        cmocka_unit_test(damaged_logs_give_every_record_but_the_one_hit),
        cmocka_unit_test(a_damaged_snapshot_stops_no_start_and_is_kept),
        cmocka_unit_test(foreign_files_in_a_host_are_left_alone),
        cmocka_unit_test(files_above_the_hosts_are_moved_to_lost_and_found),
        cmocka_unit_test(files_are_chosen_by_the_range_they_cover_not_by_their_name),
        cmocka_unit_test(a_second_server_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
