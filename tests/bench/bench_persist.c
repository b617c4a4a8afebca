/* Log, checkpoints and recovery on the fleet corpus: what durability costs.
 *
 * Method: 64 hosts of 580 series, the given number of ticks, on the file system of $TMPDIR (or /tmp). CPU time of
 * the process (all threads, the kernel's share of writing included) and wall time are both printed; reading
 * happens out of the page cache. Ingest is timed with and without the log in one run, on the same bodies.
 *
 *     bench_persist [TICKS]        default 120
 */
#include "ingest/ingest.h"
#include "load/fleet.h"
#include "persist/vault.h"
#include "store/walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { HOSTS = 64, BLOCK = 64 * 1024 };

static char root[256];

static void die(const char *what, const struct ta_err *err)
{
    fprintf(stderr, "bench_persist: %s: %s\n", what, err ? err->text : "");
    exit(1);
}

static double seconds(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double cpu_s(void)
{
    return seconds(CLOCK_PROCESS_CPUTIME_ID);
}

static double wall_s(void)
{
    return seconds(CLOCK_MONOTONIC);
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

/* Feeds all hosts' bodies of one tick, made before; returns the CPU time. */
static double feed_tick(struct ta_ingest *in, struct ta_vault *v, const struct ta_buf *bodies,
                        int64_t now_s, uint64_t *ticket)
{
    double start = cpu_s();

    for (int h = 0; h < HOSTS; h++) {
        struct ta_feed f;
        size_t at = 0;
        if (ta_feed_init(&f, &ta_heap, (struct ta_str){0}, NULL, now_s) < 0)
            die("feed", NULL);
        while (at < bodies[h].len) {
            size_t used = 0;
            size_t n = bodies[h].len - at < BLOCK ? bodies[h].len - at : BLOCK;
            int r =
                ta_ingest_feed(in, &f, (struct ta_str){bodies[h].at + at, n}, now_s, &used, NULL);
            at += used;
            if (r == TA_EAGAIN && v)
                r = ta_wal_wait_room(v->wal, 10000);
            if (r < 0)
                die("feed", NULL);
        }
        while (ta_ingest_end(in, &f, true, now_s, NULL) == TA_EAGAIN)
            ta_wal_wait_room(v->wal, 10000);
        *ticket = f.ticket > *ticket ? f.ticket : *ticket;
        ta_feed_done(&f);
    }
    return cpu_s() - start;
}

static uint64_t files_size(const char *pattern)
{
    char cmd[512];
    unsigned long long bytes = 0;

    snprintf(cmd, sizeof(cmd),
             "find %s -name '%s' -printf '%%s\\n' | awk '{s+=$1} END {print s+0}'", root, pattern);
    FILE *p = popen(cmd, "r");
    if (!p || fscanf(p, "%llu", &bytes) != 1)
        die("find", NULL);
    pclose(p);
    return bytes;
}

static void clear_root(void)
{
    char cmd[512];

    snprintf(cmd, sizeof(cmd), "rm -rf '%s'", root);
    if (system(cmd) != 0)
        die(cmd, NULL);
}

static struct ta_vault_conf vault_conf(struct ta_store *s)
{
    return (struct ta_vault_conf){.store = s,
                                  .vfs = &ta_vfs_posix,
                                  .root = root,
                                  .alloc = &ta_heap,
                                  .clock = &ta_clock_system,
                                  .durability = TA_DURABILITY_SYNC,
                                  .format = TA_TREE_BIN,
                                  .n_workers = 1,
                                  .seed = 1};
}

/* RssAnon in bytes. */
static uint64_t anon_bytes(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    unsigned long kib = 0;

    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "RssAnon: %lu", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return (uint64_t)kib * 1024;
}

static void recover(const struct ta_fleet *f, const char *what)
{
    struct ta_store *s = new_store(f);
    struct ta_vault_conf conf = vault_conf(s);
    struct ta_vault v = {0};
    struct ta_err err = {0};
    struct ta_store_counts c;

    if (ta_vault_open(&v, &conf, &err) < 0)
        die("open", &err);
    double cpu = cpu_s();
    double wall = wall_s();
    if (ta_vault_load(&v, NULL, &err) < 0)
        die("load", &err);
    cpu = cpu_s() - cpu;
    wall = wall_s() - wall;
    ta_store_counts(s, &c);
    uint64_t n = c.restored + c.stored;
    printf("recovery from %-22s %6.1f M samples/s of CPU, %6.1f of wall time (%.2f M samples)\n",
           what, (double)n / cpu / 1e6, (double)n / wall / 1e6, (double)n / 1e6);
    printf("    peak of the store's memory / what it holds now: %.2f\n",
           (double)c.bytes_peak / (double)(c.bytes ? c.bytes : 1));
    if (ta_vault_close(&v, &err) < 0)
        die("close", &err);
    ta_store_free(s);
}

int main(int argc, char **argv)
{
    uint64_t ticks = argc > 1 ? strtoull(argv[1], NULL, 10) : 120;
    const char *tmp = getenv("TMPDIR");
    struct ta_fleet_conf fc = {.start_s =
                                   (int64_t)time(NULL) / 60 * 60 - (int64_t)ticks * 60 - 600};
    struct ta_fleet f;
    struct ta_err err = {0};
    struct ta_buf bodies[HOSTS];

    snprintf(root, sizeof(root), "%s/tarn-bench-persist-%d", tmp ? tmp : "/tmp", (int)getpid());
    if (ta_fleet_init(&f, &ta_heap, &fc, &err) < 0)
        die("fleet", &err);
    double *values = malloc(f.layout.n_columns * sizeof(*values));
    for (int h = 0; h < HOSTS; h++)
        ta_buf_init(&bodies[h], &ta_heap, 1 << 20);

    struct ta_store *plain = new_store(&f);
    struct ta_store *logged = new_store(&f);
    struct ta_vault_conf conf = vault_conf(logged);
    struct ta_vault v = {0};
    if (ta_vault_open(&v, &conf, &err) < 0 || ta_vault_load(&v, NULL, &err) < 0)
        die("open", &err);
    struct ta_ingest_conf ic = {.store = plain, .alloc = &ta_heap, .max_future_s = -1};
    struct ta_ingest *in_plain;
    struct ta_ingest *in_logged;
    if (ta_ingest_new(&in_plain, &ic, &err) < 0)
        die("ingest", &err);
    ic.store = logged;
    ic.journal = &v.gate.journal;
    if (ta_ingest_new(&in_logged, &ic, &err) < 0)
        die("ingest", &err);

    double cpu_plain = 0;
    double cpu_logged = 0;
    uint64_t samples = 0;
    uint64_t ticket = 0;
    for (uint64_t t = 0; t < ticks; t++) {
        for (int h = 0; h < HOSTS; h++) {
            ta_buf_reset(&bodies[h]);
            if (ta_fleet_post(&f, (uint32_t)h, t, values, &bodies[h]) < 0)
                die("post", NULL);
        }
        uint64_t none = 0;
        cpu_plain += feed_tick(in_plain, NULL, bodies, ta_fleet_time(&f, t), &none);
        double start = cpu_s();
        feed_tick(in_logged, &v, bodies, ta_fleet_time(&f, t), &ticket);
        if (ta_wal_wait(v.wal, ticket, 60000) != TA_TICKET_DURABLE)
            die("sync", NULL);
        cpu_logged += cpu_s() - start;
        samples += HOSTS * (uint64_t)f.layout.n_columns;
    }
    struct ta_wal_counts w;
    ta_wal_counts(v.wal, &w);
    printf("log                              %6.2f bytes a sample on disk (goal 10; the reference "
           "42, never synced)\n",
           (double)w.bytes / (double)w.samples);
    printf("ingest without log               %6.1f ns of CPU a line\n",
           cpu_plain / (double)samples * 1e9);
    printf("ingest with synced log           %6.1f ns of CPU a line, log's thread and kernel "
           "included: %.2f times\n",
           cpu_logged / (double)samples * 1e9, cpu_logged / cpu_plain);
    printf("syncs                            %6llu, mean %.2f ms, longest %.2f ms\n",
           (unsigned long long)w.syncs, (double)w.sync_ns_total / (double)w.syncs / 1e6,
           (double)w.sync_ns_max / 1e6);
    ta_ingest_free(in_plain);
    ta_ingest_free(in_logged);
    ta_store_free(plain);

    /* A crash: the log alone brings everything back. */
    if (ta_vault_close(&v, &err) < 0)
        die("close", &err);
    recover(&f, "own log");

    v = (struct ta_vault){0};
    if (ta_vault_open(&v, &conf, &err) < 0 || ta_vault_load(&v, NULL, &err) < 0)
        die("open", &err);
    struct ta_checkpoint_counts c = {0};
    uint64_t anon = anon_bytes();
    double cpu = cpu_s();
    double wall = wall_s();
    if (ta_vault_checkpoint(&v, TA_CHECKPOINT_ALL, 0, NULL, &c, &err) < 0)
        die("checkpoint", &err);
    cpu = cpu_s() - cpu;
    wall = wall_s() - wall;
    printf("checkpoint into .bin             %6.1f M samples/s of CPU (goal 100, the reference "
           "20-27), %.1f of wall "
           "time; %.2f bytes a sample, memory beside the store %.1f MiB\n",
           (double)c.samples / cpu / 1e6, (double)c.samples / wall / 1e6,
           (double)files_size("*.bin") / (double)c.samples,
           ((double)anon_bytes() - (double)anon) / 1048576);
    if (ta_vault_close(&v, &err) < 0)
        die("close", &err);
    ta_store_free(logged);
    recover(&f, ".bin");
    clear_root();
    free(values);
    for (int h = 0; h < HOSTS; h++)
        ta_buf_done(&bodies[h]);
    ta_fleet_done(&f);
    return 0;
}
