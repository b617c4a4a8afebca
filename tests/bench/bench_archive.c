/* bench_archive - checkpoints to Parquet: rows a second and core, bytes a row, memory.
 *
 * Method: a tree of .bin files in $TMPDIR (else /tmp), 64 hosts with the series of the fleet (columns.h), each
 * series with noise of its own; archived with --keep three times, best CPU time of the process (user and
 * system). The read-back is timed again alone, on the finished file, and taken off. $BENCH_TICKS: values a
 * series (default 120, two hours). $BENCH_KEEP: leave the tree and the archive there. $BENCH_DEFAULT_ONLY: not
 * the other levels and encodings.
 */
#include "archive/archive.h"
#include "archive/host_rows.h"
#include "columns.h"
#include "parquet/reader.h"
#include "persist/tree_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { HOSTS = 64, PASSES = 3, START_S = 1700006400, FREQ_S = 60 };

static double cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(int r, const struct ta_err *err)
{
    if (r >= 0)
        return;
    fprintf(stderr, "bench_archive: %s\n", err->text);
    exit(1);
}

/* All series of a kind: as many on hardware threads as its weight says. */
static void put_kind(struct ta_tree_writer *w, unsigned kind, unsigned thread, unsigned host,
                     unsigned ticks, double *values, struct ta_err *err)
{
    struct column column;

    column_init(&column, (uint64_t)host * 1000003 + kind * 1009 + thread);
    for (unsigned i = 0; i < ticks; i++)
        values[i] = column_kinds[kind].next(&column);
    must(ta_tree_metric(w, ta_str(column_kinds[kind].name), FREQ_S, START_S, ticks, err), err);
    must(ta_tree_values(w, values, ticks, err), err);
}

static void make_host(const char *root, unsigned host, unsigned ticks, double *values)
{
    static char buf[TA_TREE_BUFFER];
    struct ta_tree_writer w;
    struct ta_file *file = NULL;
    struct ta_err err = {0};
    char path[512];
    uint64_t bytes;

    snprintf(path, sizeof(path), "%s/fleet/n%04u", root, host);
    must(ta_mkdir_all(&ta_vfs_posix, path, 0755, &err), &err);
    snprintf(path, sizeof(path), "%s/fleet/n%04u/%d.bin", root, host, START_S);
    must(ta_open(&ta_vfs_posix, path, TA_OPEN_WRITE | TA_OPEN_CREATE, 0644, &file, &err), &err);
    must(ta_tree_begin(&w, TA_TREE_BIN, file, buf, sizeof(buf), START_S,
                       START_S + (int64_t)ticks * FREQ_S, &err),
         &err);
    unsigned most = 0;
    for (unsigned k = 0; k < n_column_kinds; k++)
        most = column_kinds[k].weight > most ? column_kinds[k].weight : most;
    for (unsigned t = 0; t < most; t++) {
        char name[32];
        snprintf(name, sizeof(name), "hwthread%u", t);
        must(ta_tree_child(&w, 0, ta_str(name), &err), &err);
        for (unsigned k = 0; k < n_column_kinds; k++)
            if (t < column_kinds[k].weight)
                put_kind(&w, k, t, host, ticks, values, &err);
    }
    must(ta_tree_end(&w, &bytes, &err), &err);
    must(ta_close(&file, &err), &err);
}

/* CPU seconds of reading the newest output back as the archiver does. */
static double read_back(const char *path, bool plain)
{
    uint64_t digests[TA_ARC_COLUMNS];
    struct ta_pq_reader *r = NULL;
    struct ta_file *file = NULL;
    struct ta_err err = {0};
    double best = 1e9;

    must(ta_open(&ta_vfs_posix, path, TA_OPEN_READ, 0, &file, &err), &err);
    for (int i = 0; i < PASSES; i++) {
        double begin = cpu_s();
        must(ta_pq_reader_open(&r, file, NULL, &ta_heap, &err), &err);
        must(ta_pq_reader_digests(r, ta_arc_schema(plain), digests, &err), &err);
        ta_pq_reader_close(r);
        double took = cpu_s() - begin;
        best = took < best ? took : best;
    }
    must(ta_close(&file, &err), &err);
    return best;
}

static void bench(const char *dir, const char *name, int level, bool plain)
{
    struct ta_archive_result result = {0};
    struct ta_err err = {0};
    char root[512];
    char out[512];
    char path[600];
    double best = 1e9;
    int64_t last = 0;

    snprintf(root, sizeof(root), "%s/tree", dir);
    snprintf(out, sizeof(out), "%s/archive-%s", dir, name);
    for (int i = 0; i < PASSES; i++) {
        last = START_S + 10000000 + i;
        const struct ta_archive_conf conf = {.vfs = &ta_vfs_posix,
                                             .checkpoints = root,
                                             .archive = out,
                                             .before_s = last,
                                             .keep = true,
                                             .plain = plain,
                                             .zstd_level = level,
                                             .alloc = &ta_heap};
        double begin = cpu_s();
        must(ta_archive_run(&conf, &result, &err), &err);
        double took = cpu_s() - begin;
        best = took < best ? took : best;
    }
    snprintf(path, sizeof(path), "%s/fleet/%lld.parquet", out, (long long)last);
    double check = read_back(path, plain);
    double rows = (double)result.done.rows;
    printf("%-8s rows=%.0f Mrows/s/core=%.1f with_read_back=%.1f bytes/row=%.3f "
           "memory_peak_MiB=%.1f\n",
           name, rows, rows / (best - check) / 1e6, rows / best / 1e6,
           (double)result.done.bytes_out / rows, (double)result.memory_peak / MiB);
}

int main(void)
{
    const char *tmp = getenv("TMPDIR");
    const char *ticks_text = getenv("BENCH_TICKS");
    unsigned ticks = ticks_text ? (unsigned)strtoul(ticks_text, NULL, 10) : 120;
    double *values = ta_alloc_zero(&ta_heap, ticks, sizeof(*values));
    char dir[256];
    char root[300];
    char command[320];

    snprintf(dir, sizeof(dir), "%s/bench-archive-XXXXXX", tmp ? tmp : "/tmp");
    if (!values || !mkdtemp(dir))
        return 1;
    snprintf(root, sizeof(root), "%s/tree", dir);
    for (unsigned h = 0; h < HOSTS; h++)
        make_host(root, h, ticks, values);
    printf("tree: %s, %d hosts, %u values a series\n", root, HOSTS, ticks);
    bench(dir, "zstd-1", 1, false);
    if (!getenv("BENCH_DEFAULT_ONLY")) {
        bench(dir, "zstd-3", 3, false);
        bench(dir, "plain", 0, true);
    }
    ta_release(&ta_heap, values, ticks * sizeof(*values));
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return getenv("BENCH_KEEP") ? 0 : system(command);
}
