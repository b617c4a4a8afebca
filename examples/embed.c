/* embed.c - a program with a metric store of its own.
 *
 *     cc -o embed embed.c $(pkg-config --cflags --libs tarn)
 *     ./embed
 *
 * Stores an hour of a node's load and of four threads' performance, and asks for them. With a
 * directory as argument, `./embed DIR` also writes a checkpoint there and reads it back.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <tarn/files.h>
#include <tarn/tarn.h>
#include <time.h>

static int failed(const struct tarn_error *err)
{
    fprintf(stderr, "embed: %s\n", err->text);
    return 1;
}

static int fill(struct tarn_store *store, int64_t now, struct tarn_error *err)
{
    const struct tarn_path node = {.cluster = "fritz", .host = "f0101"};
    char lines[4096];
    int n = 0;

    for (int64_t t = now - 3600; t <= now; t += 60) {
        int r = tarn_write(store, &node, "cpu_load", t, (double)(t % 7200) / 100, err);
        if (r < 0)
            return r;
    }
    for (int thread = 0; thread < 4; thread++)
        n += snprintf(lines + n, sizeof(lines) - (size_t)n,
                      "flops_any,hostname=f0101,type=hwthread,type-id=%d value=%d.5 %" PRId64 "\n",
                      thread, thread, now);
    return tarn_write_lines(store, "fritz", lines, (size_t)n, NULL, err);
}

static int ask(struct tarn_store *store, int64_t now, struct tarn_error *err)
{
    const struct tarn_selection node = {.cluster = "fritz", .host = "f0101"};
    struct tarn_series series;
    struct tarn_stats stats;
    int r = tarn_read(store, &node, "cpu_load", now - 3600, now + 60, 0, &series, err);

    if (r < 0)
        return r;
    printf("cpu_load: %zu values, one every %" PRId64 " s, the last is %.2f\n", series.n,
           series.step_s, series.values[series.n - 1]);
    tarn_series_done(&series);

    r = tarn_statistics(store, &node, "cpu_load", now - 3600, now + 60, &stats, err);
    if (r < 0)
        return r;
    printf("cpu_load: %" PRIu64 " samples, avg %.2f, min %.2f, max %.2f\n", stats.n_samples,
           stats.avg, stats.min, stats.max);

    /* The node has no flops_any of its own: its threads are summed up, as the table says. */
    r = tarn_read(store, &node, "flops_any", now - 60, now + 60, 0, &series, err);
    if (r < 0)
        return r;
    printf("flops_any of the node: %.1f\n", series.values[series.n - 1]);
    tarn_series_done(&series);
    return TARN_OK;
}

/* Through files into a second store. */
static int keep(struct tarn_store *store, const struct tarn_config *config, const char *directory,
                struct tarn_error *err)
{
    struct tarn_files written, read;
    struct tarn_store *other;
    int r = tarn_checkpoint(store, directory, TARN_FORMAT_JSON, INT64_MAX, &written, err);

    if (r < 0 || (r = tarn_open(&other, config, err)) < 0)
        return r;
    r = tarn_restore(other, directory, &read, err);
    tarn_close(other);
    if (r == TARN_OK)
        printf("checkpoint: %" PRIu64 " samples written, %" PRIu64 " read back\n",
               written.n_samples, read.n_samples);
    return r;
}

int main(int argc, char **argv)
{
    const struct tarn_metric metrics[] = {{"cpu_load", 60, TARN_AGG_NONE},
                                          {"flops_any", 60, TARN_AGG_SUM}};
    const struct tarn_config config = {.metrics = metrics,
                                       .n_metrics = 2,
                                       .retention_s = 48 * 3600,
                                       .memory_cap_bytes = 100 << 20};
    const struct tarn_path node = {.cluster = "fritz", .host = "f0101"};
    int64_t now = (int64_t)time(NULL) / 60 * 60;
    struct tarn_error err = {0};
    struct tarn_store *store;
    struct tarn_names names;

    if (tarn_open(&store, &config, &err) < 0)
        return failed(&err);
    int r = fill(store, now, &err);
    if (r == TARN_OK)
        r = ask(store, now, &err);
    if (r == TARN_OK && (r = tarn_children(store, &node, &names, &err)) == TARN_OK) {
        printf("below the node:");
        for (size_t i = 0; i < names.n; i++)
            printf(" %s", names.at[i]);
        printf("\n%" PRIu64 " bytes in use\n", tarn_size(store));
        tarn_names_done(&names);
    }
    if (r == TARN_OK && argc > 1)
        r = keep(store, &config, argv[1], &err);
    tarn_close(store);
    return r < 0 ? failed(&err) : 0;
}
