/* cmd_bench_ingest.c - `tarn bench ingest`: what collectors of many nodes send, as fast as it is
 * taken or at a rate. One POST per host and interval, all series of the node in it, in the same order. */
#include "app/bench.h"
#include "app/command.h"
#include "base/clock.h"
#include "load/fleet.h"

#include <stdio.h>

enum { BODY_MAX = 16 << 20, SERIES_OF_NODE = 68, SERIES_PER_THREAD = 8 };

struct values {
    struct ta_bench_target target;
    int64_t hosts, series, interval_ns, ticks, from_s, seed, rate;
    bool print_config;
};

#define AT(member) offsetof(struct values, member)
static const struct ta_option rows[] = {
    TA_BENCH_TARGET_ROWS(struct values, target, "fleet", "16"),
    {.name = "hosts",
     .kind = TA_OPT_INT,
     .offset = AT(hosts),
     .arg = "N",
     .rule = ">0",
     .default_ = "64",
     .help = "nodes"},
    {.name = "series",
     .kind = TA_OPT_INT,
     .offset = AT(series),
     .arg = "N",
     .rule = ">0",
     .default_ = "580",
     .help = "per node, about: 68 and 8 per hardware thread"},
    {.name = "interval",
     .kind = TA_OPT_DURATION,
     .offset = AT(interval_ns),
     .arg = "TIME",
     .rule = ">0",
     .default_ = "60s",
     .help = "between two samples of a series"},
    {.name = "ticks",
     .kind = TA_OPT_INT,
     .offset = AT(ticks),
     .arg = "N",
     .rule = ">0",
     .default_ = "120",
     .help = "intervals to send"},
    {.name = "from",
     .kind = TA_OPT_TIME,
     .offset = AT(from_s),
     .arg = "TIME",
     .help = "time of the first; so that the last is now, if not given"},
    {.name = "seed",
     .kind = TA_OPT_INT,
     .offset = AT(seed),
     .arg = "N",
     .rule = ">0",
     .default_ = "1",
     .help = "of the values: equal seeds send equal bytes"},
    {.name = "rate",
     .kind = TA_OPT_INT,
     .offset = AT(rate),
     .arg = "N",
     .rule = ">0",
     .help = "samples a second, latency from when each request was due; as fast as it is taken, if "
             "not given"},
    {.name = "print-config",
     .kind = TA_OPT_SWITCH,
     .offset = AT(print_config),
     .help = "print a configuration for `tarn serve` that knows the metrics, and exit"},
};
static const struct ta_option_table options = {rows, TA_COUNT(rows), false};

struct load {
    struct ta_pump_source source;
    struct ta_fleet fleet;
    double *values;
    uint64_t n_ticks;
    uint32_t n_hosts;
    uint64_t at; /* tick * n_hosts + host */
    struct ta_bench_work work;
};

/* All hosts of a tick, then the next tick. */
static int next(struct ta_pump_source *self, struct ta_buf *body, struct ta_err *err)
{
    struct load *l = TA_CONTAINER(self, struct load, source);

    if (l->at == l->n_ticks * l->n_hosts)
        return 0;
    int r = ta_fleet_post(&l->fleet, (uint32_t)(l->at % l->n_hosts), l->at / l->n_hosts, l->values,
                          body);
    if (r < 0)
        return ta_fail(err, r, "a body of %u lines does not fit", l->fleet.layout.n_columns);
    l->at++;
    l->work.n += l->fleet.layout.n_columns;
    return 1;
}

static int print_config(const struct load *l, int64_t interval_s, struct ta_err *err)
{
    struct ta_buf metrics;

    ta_buf_init(&metrics, &ta_heap, 1 << 20);
    int r = ta_load_metrics_json(&l->fleet.layout, interval_s, &metrics);
    if (r < 0)
        ta_fail(err, r, "no memory for the metric table");
    else
        printf("{\"main\":{\"addr\":\"127.0.0.1:8082\"},\n"
               "\"metric-store\":{\"retention-in-memory\":\"0\",\"memory-cap\":0},\n"
               "\"metrics\":%.*s}\n",
               (int)metrics.len, metrics.at);
    ta_buf_done(&metrics);
    return r;
}

static int send_all(const struct values *v, struct load *l, struct ta_err *err)
{
    size_t bytes = l->fleet.layout.n_columns * sizeof(double);
    struct ta_bench_target target = v->target;
    char path[1024];

    if (v->rate > 0) { /* at least 1 ns: 0 would be no pace */
        target.pace_ns = (int64_t)l->fleet.layout.n_columns * 1000000000 / v->rate;
        target.pace_ns += target.pace_ns == 0;
    }
    l->values = ta_alloc(&ta_heap, bytes);
    if (!l->values)
        return ta_fail(err, TA_ENOMEM, "no memory for the values of a node");
    snprintf(path, sizeof(path), "/api/write?cluster=%.255s", v->target.cluster);
    int r = ta_bench_run(&target, "POST", path, BODY_MAX, &l->source, &l->work, err);
    ta_release(&ta_heap, l->values, bytes);
    return r;
}

static int run(const struct ta_command *self, int argc, char **argv)
{
    struct values v = {0};
    struct ta_err err = {0};
    int status;

    if (!ta_command_parse(self, argc, argv, &v, NULL, &status))
        return status;
    int64_t interval_s = v.interval_ns / 1000000000;
    if (interval_s < 1 || v.hosts > 1000000 || v.series > 100000 || v.ticks > 10000000)
        return ta_command_usage(self, "at most 1000000 hosts, 100000 series, 10000000 ticks, and "
                                      "whole seconds as interval");
    struct ta_fleet_conf conf = {
        .cluster = v.target.cluster,
        .hwthreads = v.series > SERIES_OF_NODE + SERIES_PER_THREAD
                         ? (uint32_t)(v.series - SERIES_OF_NODE) / SERIES_PER_THREAD
                         : 1,
        .seed = (uint64_t)v.seed,
        .start_s = v.from_s ? v.from_s : ta_now_s(&ta_clock_system) - (v.ticks - 1) * interval_s,
        .interval_s = interval_s};
    struct load l = {.source = {next},
                     .n_ticks = (uint64_t)v.ticks,
                     .n_hosts = (uint32_t)v.hosts,
                     .work = {.name = "lines", .one = "line"}};
    int r = ta_fleet_init(&l.fleet, &ta_heap, &conf, &err);
    if (r == TA_OK)
        r = v.print_config ? print_config(&l, interval_s, &err) : send_all(&v, &l, &err);
    ta_fleet_done(&l.fleet);
    return r < 0 ? ta_command_fail(self, &err) : TA_EXIT_OK;
}

const struct ta_command ta_cmd_bench_ingest = {
    .name = "bench ingest",
    .operands = "",
    .summary = "send the load of many nodes to a store",
    .notes = "Example, against a store of its own:\n"
             "  tarn bench ingest --print-config > /tmp/c.json\n"
             "  tarn serve --config /tmp/c.json &\n"
             "  tarn bench ingest --hosts 64 --ticks 120 --server-pid $!\n",
    .options = &options,
    .run = run};
