#include "arc_tree.h"

#include "archive/host_rows.h"
#include "parquet/reader.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <xxhash.h>

#include <cmocka.h>

enum { VALUES = 10, FREQ_S = 60, COLUMNS_TEXT = 5 };

static void add_row(struct arc_rows *rows, const struct ta_str text[COLUMNS_TEXT], int64_t time_s,
                    int64_t freq_s, float value)
{
    char line[512];
    int n = snprintf(line, sizeof(line), "%.*s|%.*s|%.*s|%.*s|%.*s|%" PRId64 "|%" PRId64 "|%a",
                     TA_STR_FMT(text[0]), TA_STR_FMT(text[1]), TA_STR_FMT(text[2]),
                     TA_STR_FMT(text[3]), TA_STR_FMT(text[4]), time_s, freq_s, (double)value);

    rows->n++;
    rows->sum += XXH3_64bits(line, (size_t)n);
}

static void put_metric(struct ta_tree_writer *w, const char *cluster, const char *host,
                       const char *metric, const char *scope, const char *id, int64_t from_s,
                       unsigned kind, struct arc_rows *rows)
{
    const struct ta_str text[COLUMNS_TEXT] = {ta_str(cluster), ta_str(host), ta_str(metric),
                                              ta_str(scope), ta_str(id)};
    double v[VALUES];

    for (unsigned i = 0; i < VALUES; i++) {
        bool is_missing = kind == 9 || (i * 7 + kind) % 5 == 0;
        v[i] = is_missing ? (double)NAN : (double)(float)(kind * 1000 + i + 0.25);
        if (!is_missing)
            add_row(rows, text, from_s + (int64_t)i * FREQ_S, FREQ_S, (float)v[i]);
    }
    assert_int_equal(ta_tree_metric(w, ta_str(metric), FREQ_S, from_s, VALUES, NULL), TA_OK);
    assert_int_equal(ta_tree_values(w, v, VALUES, NULL), TA_OK);
}

void arc_tree_file(struct ta_vfs *vfs, const char *root, const char *cluster, const char *host,
                   int64_t from_s, enum ta_tree_format format, struct arc_rows *rows)
{
    static char buf[TA_TREE_BUFFER];
    struct ta_tree_writer w;
    struct ta_file *file = NULL;
    char path[512];
    uint64_t bytes;

    snprintf(path, sizeof(path), "%s/%s/%s", root, cluster, host);
    assert_int_equal(ta_mkdir_all(vfs, path, 0755, NULL), TA_OK);
    snprintf(path, sizeof(path), "%s/%s/%s/%" PRId64 ".%s", root, cluster, host, from_s,
             format == TA_TREE_BIN ? "bin" : "json");
    assert_int_equal(
        ta_open(vfs, path, TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_CREATE, 0644, &file, NULL),
        TA_OK);
    assert_int_equal(
        ta_tree_begin(&w, format, file, buf, sizeof(buf), from_s, from_s + VALUES * FREQ_S, NULL),
        TA_OK);
    put_metric(&w, cluster, host, "load", "node", "", from_s, 1, rows);
    put_metric(&w, cluster, host, "all_missing", "node", "", from_s, 9, rows);
    put_metric(&w, cluster, host, "clock", "node", "", from_s, 2, rows);
    for (unsigned a = 0; a < 2; a++) {
        char name[32];
        snprintf(name, sizeof(name), "accelerator%u", a);
        assert_int_equal(ta_tree_child(&w, 0, ta_str(name), NULL), TA_OK);
        put_metric(&w, cluster, host, "power", "accelerator", a ? "1" : "0", from_s, 3 + a, rows);
        assert_int_equal(ta_tree_child(&w, 1, TA_STR("nvlink0"), NULL), TA_OK);
        put_metric(&w, cluster, host, "bw", "nvlink0", "", from_s, 5 + a, rows);
    }
    assert_int_equal(ta_tree_end(&w, &bytes, NULL), TA_OK);
    assert_int_equal(ta_sync(file, NULL), TA_OK);
    assert_int_equal(ta_close(&file, NULL), TA_OK);
    path[strlen(path) - strlen(strrchr(path, '/'))] = 0;
    assert_int_equal(vfs->sync_dir(vfs, path, NULL), TA_OK);
}

void arc_tree_make(struct ta_vfs *vfs, const char *root, const char *cluster, unsigned n_hosts,
                   struct arc_rows *rows)
{
    for (unsigned h = 0; h < n_hosts; h++) {
        char host[32];
        snprintf(host, sizeof(host), "n%04u", h);
        arc_tree_file(vfs, root, cluster, host, 1700000000, TA_TREE_JSON, rows);
        arc_tree_file(vfs, root, cluster, host, 1700000600, TA_TREE_BIN, rows);
    }
}

/* A cell of a batch; numbers by their bytes. */
static struct ta_str cell(const struct ta_pq_batch *b, uint64_t k, size_t width)
{
    k = b->is_run ? 0 : k;
    return width ? (struct ta_str){(const char *)b->numbers + k * width, width} : b->strings[k];
}

/* Where each column stands: its batch and how much of it is used. */
struct column {
    struct ta_pq_cursor *cursor;
    struct ta_pq_batch batch;
    uint64_t used;
    size_t width;
};

static struct ta_str next_cell(struct column *c)
{
    if (c->used == c->batch.n) {
        assert_int_equal(ta_pq_cursor_next(c->cursor, 0, &c->batch, NULL), 1);
        c->used = 0;
    }
    return cell(&c->batch, c->used++, c->width);
}

static int compare_rows(const struct ta_str a[TA_ARC_COLUMNS], char last[TA_ARC_COLUMNS][128])
{
    for (unsigned c = TA_ARC_HOSTNAME; c <= TA_ARC_SCOPE_ID; c++) {
        int d = ta_str_cmp(a[c], ta_str(last[c]));
        if (d)
            return d;
    }
    int64_t t;
    int64_t before;
    memcpy(&t, a[TA_ARC_TIMESTAMP].at, sizeof(t));
    memcpy(&before, last[TA_ARC_TIMESTAMP], sizeof(before));
    return (t > before) - (t < before);
}

static void read_group(struct ta_pq_reader *r, uint32_t group, struct column *columns,
                       struct arc_rows *rows)
{
    char last[TA_ARC_COLUMNS][128] = {{0}};
    const struct ta_pq_group *g;

    assert_int_equal(ta_pq_reader_group(r, group, &g, NULL), TA_OK);
    uint64_t n = g->rows;
    for (unsigned c = 0; c < TA_ARC_COLUMNS; c++) {
        assert_int_equal(ta_pq_cursor_open(columns[c].cursor, group, c, NULL), TA_OK);
        columns[c].used = columns[c].batch.n = 0;
        columns[c].width = ta_pq_type_width(ta_pq_reader_field(r, c)->type);
    }
    for (uint64_t i = 0; i < n; i++) {
        struct ta_str cells[TA_ARC_COLUMNS];
        for (unsigned c = 0; c < TA_ARC_COLUMNS; c++)
            cells[c] = next_cell(&columns[c]);
        assert_true(i == 0 || compare_rows(cells, last) >= 0);
        for (unsigned c = 0; c < TA_ARC_COLUMNS; c++) {
            assert_in_range(cells[c].len, 0, 127);
            memset(last[c], 0, sizeof(last[c]));
            memcpy(last[c], cells[c].at, cells[c].len);
        }
        int64_t time_s;
        int64_t freq_s;
        float value;
        memcpy(&time_s, cells[TA_ARC_TIMESTAMP].at, 8);
        memcpy(&freq_s, cells[TA_ARC_FREQUENCY].at, 8);
        memcpy(&value, cells[TA_ARC_VALUE].at, 4);
        add_row(rows, cells, time_s, freq_s, value);
    }
}

static void read_file(struct ta_vfs *vfs, const char *path, struct arc_rows *rows)
{
    struct column columns[TA_ARC_COLUMNS] = {{0}};
    struct ta_pq_reader *r = NULL;
    struct ta_file *file = NULL;
    struct ta_err err = {0};

    assert_int_equal(ta_open(vfs, path, TA_OPEN_READ, 0, &file, NULL), TA_OK);
    if (ta_pq_reader_open(&r, file, NULL, &ta_heap, &err) < 0)
        fail_msg("%s: %s", path, err.text);
    for (unsigned c = 0; c < TA_ARC_COLUMNS; c++)
        assert_int_equal(ta_pq_cursor_new(&columns[c].cursor, r, NULL), TA_OK);
    for (uint32_t g = 0; g < ta_pq_reader_groups(r); g++)
        read_group(r, g, columns, rows);
    for (unsigned c = 0; c < TA_ARC_COLUMNS; c++)
        ta_pq_cursor_free(columns[c].cursor);
    ta_pq_reader_close(r);
    assert_int_equal(ta_close(&file, NULL), TA_OK);
}

static bool ends_with(const char *name, const char *suffix)
{
    size_t n = strlen(name);
    size_t k = strlen(suffix);

    return n >= k && strcmp(name + n - k, suffix) == 0;
}

struct arc_rows arc_tree_archived(struct ta_vfs *vfs, const char *dir, const char *cluster)
{
    struct arc_rows rows = {0};
    struct ta_dirent entry;
    struct ta_dir *d = NULL;
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", dir, cluster);
    if (vfs->open_dir(vfs, path, &d, NULL) < 0)
        return rows;
    while (d->ops->next(d, &entry, NULL) > 0) {
        assert_true(ends_with(entry.name, ".parquet"));
        snprintf(path, sizeof(path), "%s/%s/%s", dir, cluster, entry.name);
        read_file(vfs, path, &rows);
    }
    d->ops->close(d);
    return rows;
}

static unsigned count_in(struct ta_vfs *vfs, const char *path, const char *suffix)
{
    struct ta_dirent entry;
    struct ta_dir *d = NULL;
    unsigned n = 0;

    if (vfs->open_dir(vfs, path, &d, NULL) < 0)
        return 0;
    while (d->ops->next(d, &entry, NULL) > 0)
        n += entry.kind == TA_KIND_FILE && ends_with(entry.name, suffix);
    d->ops->close(d);
    return n;
}

unsigned arc_tree_count(struct ta_vfs *vfs, const char *root, const char *cluster,
                        const char *suffix)
{
    struct ta_dirent entry;
    struct ta_dir *d = NULL;
    char path[512];
    unsigned n = 0;

    snprintf(path, sizeof(path), "%s/%s", root, cluster);
    if (vfs->open_dir(vfs, path, &d, NULL) < 0)
        return 0;
    while (d->ops->next(d, &entry, NULL) > 0) {
        snprintf(path, sizeof(path), "%s/%s/%s", root, cluster, entry.name);
        n += count_in(vfs, path, suffix);
    }
    d->ops->close(d);
    return n;
}
