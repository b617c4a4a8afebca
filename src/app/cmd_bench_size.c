/* cmd_bench_size.c - `tarn bench size`: the memory that a site needs, measured.
 *
 * A store of one node is filled with the generated load of the whole retention and looked at; the
 * rest is multiplication. No guess is in it but the kind of values: the generator sends half of them
 * as doubles of full precision, which is what collectors that compute rates send and what
 * compresses worst; --decimals rounds all of them.
 */
#include "app/command.h"
#include "base/units.h"
#include "load/fleet.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <tarn/tarn.h>

enum {
    NODE_SERIES = 68,  /* of the generated node, whatever its threads */
    THREAD_SERIES = 8, /* per hardware thread */
    SERIES_MAX = 100000,
    HOSTS_MAX = 1000000,
    SAMPLES_MAX = 200000000,
    LINES_MAX = 64 << 20,
    KEEP_US = 1000000,
    KEEP_TICKS = 64,
    PROCESS_MIB = 20 /* program, buffers, workers: an idle server */
};

struct values {
    int64_t hosts, series, interval_ns, retention_ns, decimals;
    bool is_json;
};

#define AT(member) offsetof(struct values, member)
static const struct ta_option rows[] = {
    {.name = "hosts",
     .kind = TA_OPT_INT,
     .offset = AT(hosts),
     .arg = "N",
     .rule = ">0",
     .default_ = "1000",
     .help = "nodes"},
    {.name = "series",
     .kind = TA_OPT_INT,
     .offset = AT(series),
     .arg = "N",
     .rule = ">0",
     .default_ = "580",
     .help = "per node"},
    {.name = "interval",
     .kind = TA_OPT_DURATION,
     .offset = AT(interval_ns),
     .arg = "TIME",
     .rule = ">0",
     .default_ = "60s",
     .help = "between two samples of a series"},
    {.name = "retention",
     .kind = TA_OPT_DURATION,
     .offset = AT(retention_ns),
     .arg = "TIME",
     .rule = ">0",
     .default_ = "48h",
     .help = "how long samples stay"},
    {.name = "decimals",
     .kind = TA_OPT_INT,
     .offset = AT(decimals),
     .arg = "N",
     .rule = ">=0",
     .default_ = "17",
     .help = "digits after the point that the collectors send; 17: all"},
    {.name = "json", .kind = TA_OPT_SWITCH, .offset = AT(is_json), .help = "one JSON object"},
};
static const struct ta_option_table options = {rows, TA_COUNT(rows), false};

struct trial {
    struct ta_fleet fleet;
    struct tarn_store *store;
    struct ta_buf lines;
    double *values;
    uint64_t n_samples;
    uint64_t bytes_first; /* after one sample per series */
};

static void round_values(double *v, size_t n, int64_t decimals)
{
    double scale = pow(10, (double)decimals);

    for (size_t i = 0; decimals <= 15 && i < n; i++)
        v[i] = round(v[i] * scale) / scale;
}

static bool is_first_of_name(const struct ta_load_layout *l, uint32_t i)
{
    for (uint32_t k = 0; k < i; k++)
        if (strcmp(l->metrics[k].name, l->metrics[i].name) == 0)
            return false;
    return true;
}

static int open_store(struct trial *t, int64_t interval_s, struct tarn_error *err)
{
    const struct ta_load_layout *l = &t->fleet.layout;
    size_t bytes = l->n_metrics * sizeof(struct tarn_metric);
    struct tarn_metric *metrics = ta_alloc(&ta_heap, bytes);
    struct tarn_config config = {.metrics = metrics};

    if (!metrics)
        return TA_ENOMEM;
    for (uint32_t i = 0; i < l->n_metrics; i++)
        if (is_first_of_name(l, i))
            metrics[config.n_metrics++] =
                (struct tarn_metric){l->metrics[i].name, interval_s, TARN_AGG_NONE};
    int r = tarn_open(&t->store, &config, err);
    ta_release(&ta_heap, metrics, bytes);
    return r;
}

/* All of the retention of one node, as collectors send it. */
static int fill(struct trial *t, const struct values *v, uint64_t n_ticks, struct tarn_error *err)
{
    const struct ta_load_layout *l = &t->fleet.layout;
    char room[16];
    int r = TA_OK;

    for (uint64_t tick = 0; r == TA_OK && tick < n_ticks; tick++) {
        struct tarn_lines got;

        ta_buf_reset(&t->lines);
        ta_fleet_values(&t->fleet, 0, tick, t->values);
        round_values(t->values, l->n_columns, v->decimals);
        r = ta_load_lines(l, ta_fleet_host(0, room), ta_fleet_time(&t->fleet, tick), t->values,
                          &t->lines);
        if (r == TA_OK)
            r = tarn_write_lines(t->store, NULL, t->lines.at, t->lines.len, &got, err);
        if (r == TA_OK)
            t->n_samples += got.n_stored;
        if (tick % KEEP_TICKS == 0 || tick + 1 == n_ticks)
            while (r == TA_OK && tarn_keep(t->store, KEEP_US) > 0)
                continue;
        if (tick == 0)
            t->bytes_first = tarn_size(t->store);
    }
    return r;
}

static void report(const struct values *v, const struct trial *t, uint64_t n_ticks)
{
    uint64_t n_columns = t->fleet.layout.n_columns;
    double bytes = (double)tarn_size(t->store);
    double per_sample = t->n_samples ? bytes / (double)t->n_samples : 0;
    double per_host = bytes * (double)v->series / (double)n_columns;
    double total = per_host * (double)v->hosts + PROCESS_MIB * 1048576.0;
    char size[32], host[32];

    if (v->is_json) {
        printf("{\"bytes_per_sample\":%.3f,\"bytes_per_series_at_first\":%.0f,"
               "\"bytes_per_host\":%.0f,\"bytes\":%.0f}\n",
               per_sample, (double)t->bytes_first / (double)n_columns, per_host, total);
        return;
    }
    printf("measured: %llu series of one node, %llu samples of each: %.2f bytes a sample\n"
           "(after one sample of each: %.0f bytes a series)\n\n",
           (unsigned long long)n_columns, (unsigned long long)n_ticks, per_sample,
           (double)t->bytes_first / (double)n_columns);
    printf("%lld nodes with %lld series: %s (%s a node)\n", (long long)v->hosts,
           (long long)v->series, ta_format_size(size, (uint64_t)total),
           ta_format_size(host, (uint64_t)per_host));
    printf("set memory-cap to about %.0f (GB)\n", ceil(total * 1.1 / 1e9));
}

static int measure(const struct values *v, struct trial *t, struct tarn_error *err)
{
    int64_t interval_s = v->interval_ns / 1000000000;
    uint64_t n_ticks = (uint64_t)(v->retention_ns / v->interval_ns);
    struct ta_fleet_conf conf = {.hwthreads =
                                     v->series > NODE_SERIES + THREAD_SERIES
                                         ? (uint32_t)(v->series - NODE_SERIES) / THREAD_SERIES
                                         : 1,
                                 .interval_s = interval_s};
    size_t bytes;

    int r = ta_fleet_init(&t->fleet, &ta_heap, &conf, NULL);
    if (r < 0)
        return r;
    bytes = t->fleet.layout.n_columns * sizeof(double);
    t->values = ta_alloc(&ta_heap, bytes);
    r = t->values ? open_store(t, interval_s, err) : TA_ENOMEM;
    if (r == TA_OK)
        r = fill(t, v, n_ticks, err);
    if (r == TA_OK)
        report(v, t, n_ticks);
    ta_release(&ta_heap, t->values, bytes);
    return r;
}

static int run(const struct ta_command *self, int argc, char **argv)
{
    struct trial t = {0};
    struct values v = {0};
    struct tarn_error why = {0};
    int status;

    if (!ta_command_parse(self, argc, argv, &v, NULL, &status))
        return status;
    if (v.interval_ns % 1000000000 || v.interval_ns > v.retention_ns || v.series > SERIES_MAX ||
        v.hosts > HOSTS_MAX || v.series * (v.retention_ns / v.interval_ns) > SAMPLES_MAX)
        return ta_command_usage(self,
                                "the interval is whole seconds within the retention; at most "
                                "100000 series, 1000000 hosts, and 200 million samples a node");
    ta_buf_init(&t.lines, &ta_heap, LINES_MAX);
    int r = measure(&v, &t, &why);
    tarn_close(t.store);
    ta_fleet_done(&t.fleet);
    ta_buf_done(&t.lines);
    if (r == TA_OK)
        return TA_EXIT_OK;
    struct ta_err err = {0};
    ta_fail(&err, r, "%s", why.text[0] ? why.text : ta_strerror(r));
    return ta_command_fail(self, &err);
}

const struct ta_command ta_cmd_bench_size = {
    .name = "bench size",
    .operands = "",
    .summary = "the memory that a site needs, measured",
    .notes =
        "Values that collectors compute from counters (rates, ratios) are doubles of full\n"
        "precision, which no exact codec makes smaller than some 6 bytes; half of the generated\n"
        "values are such. --decimals 2 shows what rounding them in the collector would save.\n",
    .options = &options,
    .run = run};
