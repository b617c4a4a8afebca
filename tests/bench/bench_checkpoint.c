/* Checkpoints and recovery of half a day on the fleet corpus: what saving and starting cost.
 *
 * Method: 64 hosts of 580 series, the given number of ticks (the default is the interval of checkpoints), put
 * into the store column by column as ingest does and kept by the keeper, so that it holds what a store of that
 * age holds. Written into .bin and loaded again on the file system of $TMPDIR (or /tmp), best of ROUNDS; then
 * logs of the reference of a third of that time, as a collector writes them (all series of a tick, then the next
 * tick) and as a conversion does (a series from beginning to end, then the next one). CPU time of the process,
 * the kernel's share included; reading happens out of the page cache.
 *
 *     bench_checkpoint [TICKS]        default 720
 */
#include "load/fleet.h"
#include "persist/ref_wal.h"
#include "persist/vault.h"
#include "store/walk.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { HOSTS = 64, WAL_HOSTS = 8, ROUNDS = 3, KEEP_EVERY = 16, KEEP_US = 1000000 };

static char base[200], root[256]; /* all of this run; the data directory in work, within it */

static void die(const char *what, const struct ta_err *err)
{
    fprintf(stderr, "bench_checkpoint: %s: %s\n", what, err ? err->text : "");
    exit(1);
}

static double seconds(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void remove_all(const char *path)
{
    char cmd[512];

    snprintf(cmd, sizeof(cmd), "rm -rf '%s'", path);
    if (system(cmd) != 0)
        die(cmd, NULL);
}

static struct ta_store *new_store(const struct ta_fleet *f)
{
    struct ta_metric defs[128];
    struct ta_store_conf conf = {.alloc = &ta_heap};
    struct ta_store *s;
    const struct ta_load_layout *l = &f->layout;

    for (uint32_t i = 0; i < l->n_metrics; i++)
        defs[i] = (struct ta_metric){ta_str(l->metrics[i].name), 60,
                                     l->metrics[i].aggregation == 'a' ? TA_AGG_AVG : TA_AGG_SUM};
    if (ta_metrics_new(&conf.metrics, &ta_heap, NULL, defs, l->n_metrics, NULL) < 0 ||
        ta_store_new(&s, &conf, NULL) < 0)
        die("store", NULL);
    ta_metrics_unref(conf.metrics);
    return s;
}

static struct ta_str element(char room[64], struct ta_str tag, struct ta_str id)
{
    int n = snprintf(room, 64, "%.*s%.*s", TA_STR_FMT(tag), TA_STR_FMT(id));

    return (struct ta_str){room, (size_t)n};
}

/* ---- the store --------------------------------------------------------------------------------- */

static void put_tick(struct ta_store *s, const struct ta_fleet *f, uint32_t host, uint64_t tick,
                     double *values)
{
    struct ta_metrics *m = ta_store_metrics(s);
    int64_t ts_s = ta_fleet_time(f, tick);
    struct ta_writer w;
    char name[16];

    ta_fleet_values(f, host, tick, values);
    if (ta_writer_begin(&w, s, ta_str(f->conf.cluster), ta_fleet_host(host, name), ts_s, NULL) < 0)
        die("writer", NULL);
    for (uint32_t i = 0; i < f->layout.n_columns; i++) {
        const struct ta_load_column *c = &f->layout.columns[i];
        int64_t column = i;
        if (tick == 0) {
            char type[64], stype[64];
            int id = ta_metrics_find(m, ta_str(f->layout.metrics[c->metric].name));
            struct ta_column_key key = {.metric = (uint32_t)id,
                                        .type = element(type, c->type, c->type_id),
                                        .stype = element(stype, c->stype, c->stype_id)};
            column = ta_writer_column(&w, &key);
        }
        if (column != (int64_t)i || ta_writer_append(&w, i, ts_s, values[i]) < 0)
            die("append", NULL);
    }
    ta_writer_end(&w);
    ta_metrics_unref(m);
}

static struct ta_store *fill(const struct ta_fleet *f, uint64_t ticks, double *values)
{
    struct ta_store *s = new_store(f);

    for (uint64_t t = 0; t < ticks; t++) {
        for (uint32_t h = 0; h < HOSTS; h++)
            put_tick(s, f, h, t, values);
        if (t % KEEP_EVERY == 0)
            while (ta_store_keep(s, ta_fleet_time(f, t), 300, KEEP_US) > 0)
                ;
    }
    return s;
}

/* ---- checkpoints --------------------------------------------------------------------------------- */

static void checkpoint(struct ta_store *s, const struct ta_fleet *f)
{
    char dir[300];
    struct ta_checkpoint_conf conf = {
        .store = s, .vfs = &ta_vfs_posix, .root = dir, .format = TA_TREE_BIN, .alloc = &ta_heap};
    struct ta_host_cut all = {.is_changed = true, .touched_from_s = INT64_MIN / 2};
    struct ta_checkpoint_counts c = {0};
    struct ta_err err = {0};
    double best = 0;
    double best_wall = 0;

    for (int i = 0; i < ROUNDS; i++) {
        char name[16];
        /* A directory for each: the file system searches what was deleted lately for names that come again. */
        snprintf(dir, sizeof(dir), i + 1 < ROUNDS ? "%s-%d" : "%s", root, i);
        if (ta_mkdir_all(&ta_vfs_posix, dir, 0750, &err) < 0)
            die(dir, &err);
        for (uint32_t h = 0; h < HOSTS; h++)
            ta_walk_uncut(s, ta_str(f->conf.cluster), ta_fleet_host(h, name), &all);
        double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
        double wall = seconds(CLOCK_MONOTONIC);
        c = (struct ta_checkpoint_counts){0};
        if (ta_checkpoint_run(&conf, TA_CHECKPOINT_ALL, 1, NULL, &c, &err) < 0)
            die("checkpoint", &err);
        cpu = (double)c.samples / (seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) / 1e6;
        wall = (double)c.samples / (seconds(CLOCK_MONOTONIC) - wall) / 1e6;
        best = cpu > best ? cpu : best;
        best_wall = wall > best_wall ? wall : best_wall;
    }
    printf("checkpoint into .bin             %6.1f M samples/s of CPU (goal 100, the reference "
           "20-27), %.1f of wall time (%.1f M samples)\n",
           best, best_wall, (double)c.samples / 1e6);
}

static void recover(const struct ta_fleet *f, const char *what, const char *goal)
{
    struct ta_store_counts c = {0};
    struct ta_err err = {0};
    double best = 0;
    double best_wall = 0;
    uint64_t n = 0;

    for (int i = 0; i < ROUNDS; i++) {
        struct ta_store *s = new_store(f);
        struct ta_vault_conf conf = {.store = s,
                                     .vfs = &ta_vfs_posix,
                                     .root = root,
                                     .alloc = &ta_heap,
                                     .clock = &ta_clock_system,
                                     .durability = TA_DURABILITY_SYNC,
                                     .format = TA_TREE_BIN,
                                     .n_workers = 1,
                                     .seed = 1};
        struct ta_vault v = {0};
        if (ta_vault_open(&v, &conf, &err) < 0)
            die("open", &err);
        double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
        double wall = seconds(CLOCK_MONOTONIC);
        if (ta_vault_load(&v, NULL, &err) < 0)
            die("load", &err);
        cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
        wall = seconds(CLOCK_MONOTONIC) - wall;
        ta_store_counts(s, &c);
        n = c.restored + c.stored;
        best = (double)n / cpu > best ? (double)n / cpu : best;
        best_wall = (double)n / wall > best_wall ? (double)n / wall : best_wall;
        if (ta_vault_close(&v, &err) < 0)
            die("close", &err);
        ta_store_free(s);
    }
    printf("recovery from %-18s %6.1f M samples/s of CPU (%s), %.1f of wall time (%.1f M samples); "
           "peak of the store's memory / what it holds then: %.2f\n",
           what, best / 1e6, goal, best_wall / 1e6, (double)n / 1e6,
           (double)c.bytes_peak / (double)(c.bytes ? c.bytes : 1));
}

/* ---- the reference's log ------------------------------------------------------------------------- */

static void put_record(const struct ta_fleet *f, uint32_t column, uint64_t tick, double value,
                       struct ta_buf *out)
{
    const struct ta_load_column *c = &f->layout.columns[column];
    char type[64], stype[64];
    struct ta_ref_wal_sample x = {.ts_s = ta_fleet_time(f, tick),
                                  .metric = ta_str(f->layout.metrics[c->metric].name),
                                  .type = element(type, c->type, c->type_id),
                                  .stype = element(stype, c->stype, c->stype_id),
                                  .value = (float)value};

    if (ta_ref_wal_put(out, &x) < 0)
        die("record", NULL);
}

static void write_wals(const struct ta_fleet *f, uint64_t ticks, bool is_by_series)
{
    uint32_t n = f->layout.n_columns;
    double *values = malloc(ticks * n * sizeof(*values));
    struct ta_buf out;

    remove_all(root);
    ta_buf_init(&out, &ta_heap, 1 << 30);
    for (uint32_t h = 0; h < WAL_HOSTS; h++) {
        char path[400], name[16];
        struct ta_str host = ta_fleet_host(h, name);
        ta_buf_reset(&out);
        for (uint64_t t = 0; t < ticks; t++)
            ta_fleet_values(f, h, t, values + t * n);
        ta_ref_wal_put_head(&out);
        for (uint64_t k = 0; k < ticks * n; k++) {
            uint64_t t = is_by_series ? k % ticks : k / n;
            uint32_t i = (uint32_t)(is_by_series ? k / ticks : k % n);
            put_record(f, i, t, values[t * n + i], &out);
        }
        snprintf(path, sizeof(path), "%s/%s/%.*s", root, f->conf.cluster, TA_STR_FMT(host));
        if (ta_mkdir_all(&ta_vfs_posix, path, 0750, NULL) < 0)
            die(path, NULL);
        snprintf(path, sizeof(path), "%s/%s/%.*s/current.wal", root, f->conf.cluster,
                 TA_STR_FMT(host));
        FILE *file = fopen(path, "w");
        if (!file || fwrite(out.at, 1, out.len, file) != out.len || fclose(file) != 0)
            die(path, NULL);
    }
    ta_buf_done(&out);
    free(values);
}

int main(int argc, char **argv)
{
    uint64_t ticks = argc > 1 ? strtoull(argv[1], NULL, 10) : 720;
    const char *tmp = getenv("TMPDIR");
    struct ta_fleet_conf fc = {.start_s =
                                   (int64_t)time(NULL) / 60 * 60 - (int64_t)ticks * 60 - 600};
    struct ta_fleet f;
    struct ta_err err = {0};

    snprintf(base, sizeof(base), "%s/tarn-bench-checkpoint-%d", tmp ? tmp : "/tmp", (int)getpid());
    snprintf(root, sizeof(root), "%s/data", base);
    if (ta_fleet_init(&f, &ta_heap, &fc, &err) < 0)
        die("fleet", &err);
    double *values = malloc(f.layout.n_columns * sizeof(*values));
    struct ta_store *s = fill(&f, ticks, values);
    checkpoint(s, &f);
    ta_store_free(s);
    recover(&f, ".bin", "goal 100, the reference 31");
    write_wals(&f, ticks / 3, false);
    recover(&f, "the reference's log", "goal 10, the reference 1.7-2.4");
    write_wals(&f, ticks / 3, true);
    recover(&f, "one by series", "goal 10");
    remove_all(base);
    free(values);
    ta_fleet_done(&f);
    return 0;
}
