/* cmd_bench_demo.c - `tarn bench demo`: a cluster that looks alive, for a demonstration.
 *
 * First the past, as fast as the store takes it; then the present, one interval at a time, until
 * the time is over or a signal comes. What is sent depends on host and time alone, so a run that
 * is started again goes on where the last one ended.
 */
#include "app/bench.h"
#include "app/command.h"
#include "app/signals.h"
#include "base/clock.h"
#include "load/demo.h"

#include <stdio.h>
#include <string.h>

enum { BODY_MAX = 1 << 20, TICK_MS = 200 };

struct values {
    struct ta_bench_target target;
    int64_t fill_ns, for_ns, interval_ns, port;
    bool print_config;
};

#define AT(member) offsetof(struct values, member)
static const struct ta_option rows[] = {
    TA_BENCH_TARGET_ROWS(struct values, target, "demo", "4"),
    {.name = "fill",
     .kind = TA_OPT_DURATION,
     .offset = AT(fill_ns),
     .arg = "TIME",
     .rule = ">=0",
     .default_ = "24h",
     .help = "how much of the past to send first"},
    {.name = "for",
     .kind = TA_OPT_DURATION,
     .offset = AT(for_ns),
     .arg = "TIME",
     .default_ = "-1s",
     .help = "how long to go on then; negative: until a signal"},
    {.name = "interval",
     .kind = TA_OPT_DURATION,
     .offset = AT(interval_ns),
     .arg = "TIME",
     .rule = ">0",
     .default_ = "30s",
     .help = "between two samples of a series"},
    {.name = "print-config",
     .kind = TA_OPT_SWITCH,
     .offset = AT(print_config),
     .help = "print a configuration for `tarn serve` that knows the metrics, and exit"},
    {.name = "port",
     .kind = TA_OPT_INT,
     .offset = AT(port),
     .arg = "PORT",
     .rule = ">=0",
     .default_ = "8082",
     .help = "of the configuration printed"},
};
static const struct ta_option_table options = {rows, TA_COUNT(rows), false};

struct load {
    struct ta_pump_source source;
    struct ta_demo demo;
    int64_t at_s, end_s, interval_s; /* the next time to send, and the first not to */
    uint32_t host;
    struct ta_bench_work work;
    double values[TA_DEMO_COLUMNS_MAX];
};

static int next(struct ta_pump_source *self, struct ta_buf *body, struct ta_err *err)
{
    struct load *l = TA_CONTAINER(self, struct load, source);

    if (l->at_s >= l->end_s)
        return 0;
    int r = ta_demo_post(&l->demo, l->host, l->at_s, l->values, body);
    if (r < 0)
        return ta_fail(err, r, "the lines of a node do not fit");
    l->work.n += ta_demo_layout(&l->demo, l->host)->n_columns;
    if (++l->host == TA_DEMO_HOSTS) {
        l->host = 0;
        l->at_s += l->interval_s;
    }
    return 1;
}

static int print_config(const struct load *l, int64_t port, struct ta_err *err)
{
    struct ta_buf metrics;

    ta_buf_init(&metrics, &ta_heap, 1 << 20);
    int r = ta_demo_metrics_json(&l->demo, l->interval_s, &metrics);
    if (r < 0)
        ta_fail(err, r, "no memory for the metric table");
    else
        printf("{\"main\":{\"addr\":\"127.0.0.1:%lld\"},\n"
               "\"metric-store\":{\"retention-in-memory\":\"48h\",\"memory-cap\":1},\n"
               "\"metrics\":%.*s}\n",
               (long long)port, (int)metrics.len, metrics.at);
    ta_buf_done(&metrics);
    return r;
}

/* One interval, quietly. */
static int send_interval(const struct values *v, struct load *l, const char *path,
                         struct ta_err *err)
{
    struct ta_pump_conf conf = {.url = v->target.url,
                                .method = "POST",
                                .path = path,
                                .connections = 1,
                                .body_max = BODY_MAX,
                                .alloc = &ta_heap};
    struct ta_pump_result result;

    l->end_s = l->at_s + l->interval_s;
    int r = ta_pump_run(&conf, &l->source, &result, err);
    if (r == TA_OK && result.bad)
        return ta_fail(err, TA_EDENIED, "the store refused a batch: %s", result.first_bad);
    return r;
}

static int live(const struct values *v, struct load *l, const char *path, struct ta_err *err)
{
    int64_t begun = ta_mono_ns(&ta_clock_system);
    int r = ta_signals_block(err);

    while (r == TA_OK && ta_signals_wait(TICK_MS) != TA_SIGNAL_STOP) {
        if (v->for_ns >= 0 && ta_mono_ns(&ta_clock_system) - begun >= v->for_ns)
            break;
        if (ta_now_s(&ta_clock_system) >= l->at_s)
            r = send_interval(v, l, path, err);
    }
    return r;
}

static int demonstrate(const struct values *v, struct load *l, struct ta_err *err)
{
    int64_t now_s = ta_now_s(&ta_clock_system);
    char path[1024];
    int r = TA_OK;

    snprintf(path, sizeof(path), "/api/write?cluster=%.255s", v->target.cluster);
    l->end_s = now_s / l->interval_s * l->interval_s + l->interval_s;
    l->at_s = l->end_s - v->fill_ns / 1000000000 / l->interval_s * l->interval_s;
    if (l->at_s < l->end_s)
        r = ta_bench_run(&v->target, "POST", path, BODY_MAX, &l->source, &l->work, err);
    l->at_s = l->end_s;
    return r == TA_OK && v->for_ns != 0 ? live(v, l, path, err) : r;
}

static int run(const struct ta_command *self, int argc, char **argv)
{
    struct load *l = ta_alloc_zero(&ta_heap, 1, sizeof(*l));
    struct values v = {0};
    struct ta_err err = {0};
    int status = TA_EXIT_FAILED;

    if (!l)
        return status;
    if (ta_command_parse(self, argc, argv, &v, NULL, &status)) {
        l->source.next = next;
        l->work.name = "samples";
        l->work.one = "sample";
        l->interval_s = v.interval_ns / 1000000000;
        if (l->interval_s < 1 || v.port > 65535) {
            status =
                ta_command_usage(self, "--interval is at least a second, --port at most 65535");
        } else {
            int r = ta_demo_init(&l->demo, &ta_heap, v.target.cluster, 0, &err);
            if (r == TA_OK)
                r = v.print_config ? print_config(l, v.port, &err) : demonstrate(&v, l, &err);
            ta_demo_done(&l->demo);
            status = r < 0 ? ta_command_fail(self, &err) : TA_EXIT_OK;
        }
    }
    ta_release(&ta_heap, l, sizeof(*l));
    return status;
}

const struct ta_command ta_cmd_bench_demo = {.name = "bench demo",
                                             .operands = "",
                                             .summary =
                                                 "a cluster that looks alive, past and present",
                                             .options = &options,
                                             .run = run};
