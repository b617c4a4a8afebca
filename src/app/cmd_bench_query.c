/* cmd_bench_query.c - `tarn bench query`: questions as a job's page asks them, as fast as they are
 * answered. Each request asks one host for one metric, hosts and metrics in turn. */
#include "app/bench.h"
#include "app/command.h"
#include "base/clock.h"
#include "io/json_write.h"

#include <stdio.h>

enum { BODY_MAX = 1 << 20 };

struct values {
    struct ta_bench_target target;
    struct ta_opt_list hosts, metrics, ids;
    const char *type;
    int64_t last_ns, to_s, resolution_s, requests;
    bool aggregate, no_data;
};

#define AT(member) offsetof(struct values, member)
static const struct ta_option rows[] = {
    TA_BENCH_TARGET_ROWS(struct values, target, "fleet", "4"),
    {.name = "host",
     .kind = TA_OPT_LIST,
     .offset = AT(hosts),
     .arg = "NAME,...",
     .default_ = "n0001,n0002,n0003,n0004",
     .help = "hosts to ask for, in turn"},
    {.name = "metric",
     .kind = TA_OPT_LIST,
     .offset = AT(metrics),
     .arg = "NAME,...",
     .default_ = "cpu_load",
     .help = "metrics to ask for, in turn"},
    {.name = "type",
     .kind = TA_OPT_TEXT,
     .offset = AT(type),
     .arg = "TYPE",
     .default_ = "",
     .help = "below the host: hwthread, socket, ..."},
    {.name = "ids",
     .kind = TA_OPT_LIST,
     .offset = AT(ids),
     .arg = "ID,...",
     .help = "which ones of that type"},
    {.name = "aggregate",
     .kind = TA_OPT_SWITCH,
     .offset = AT(aggregate),
     .help = "one series over all ids"},
    {.name = "no-data", .kind = TA_OPT_SWITCH, .offset = AT(no_data), .help = "statistics only"},
    {.name = "last",
     .kind = TA_OPT_DURATION,
     .offset = AT(last_ns),
     .arg = "TIME",
     .rule = ">0",
     .default_ = "2h",
     .help = "length of the range"},
    {.name = "to",
     .kind = TA_OPT_TIME,
     .offset = AT(to_s),
     .arg = "TIME",
     .help = "end of the range; default now"},
    {.name = "resolution",
     .kind = TA_OPT_INT,
     .offset = AT(resolution_s),
     .arg = "SECONDS",
     .rule = ">=0",
     .default_ = "0",
     .help = "thin out to this; 0: as stored"},
    {.name = "requests",
     .kind = TA_OPT_INT,
     .offset = AT(requests),
     .arg = "N",
     .rule = ">0",
     .default_ = "10000",
     .help = "how many"},
};
static const struct ta_option_table options = {rows, TA_COUNT(rows), false};

struct load {
    struct ta_pump_source source;
    const struct values *v;
    struct ta_bench_work work;
};

static int next(struct ta_pump_source *self, struct ta_buf *body, struct ta_err *err)
{
    struct load *l = TA_CONTAINER(self, struct load, source);
    const struct values *v = l->v;
    struct ta_json_writer w;
    uint64_t i = l->work.n;

    if (i == (uint64_t)v->requests)
        return 0;
    ta_json_writer_init(&w, body);
    ta_json_put_object(&w);
    ta_json_member_z(&w, "cluster", v->target.cluster);
    ta_json_member_i64(&w, "from", v->to_s - v->last_ns / 1000000000);
    ta_json_member_i64(&w, "to", v->to_s);
    ta_json_member_bool(&w, "with-data", !v->no_data);
    ta_json_put_key(&w, "queries");
    ta_json_put_array(&w);
    ta_json_put_object(&w);
    ta_json_member_str(&w, "host", v->hosts.item[i % v->hosts.n]);
    ta_json_member_str(&w, "metric", v->metrics.item[i / v->hosts.n % v->metrics.n]);
    ta_json_member_i64(&w, "resolution", v->resolution_s);
    if (v->type[0]) {
        ta_json_member_bool(&w, "aggreg", v->aggregate);
        ta_json_member_z(&w, "type", v->type);
        ta_json_put_key(&w, "type-ids");
        ta_json_put_array(&w);
        for (size_t k = 0; k < v->ids.n; k++)
            ta_json_put_str(&w, v->ids.item[k]);
        ta_json_put_array_end(&w);
    }
    ta_json_put_object_end(&w);
    ta_json_put_array_end(&w);
    if (ta_json_put_object_end(&w) < 0)
        return ta_fail(err, TA_ERANGE, "a request is larger than %d bytes", BODY_MAX);
    l->work.n++;
    return 1;
}

static int run(const struct ta_command *self, int argc, char **argv)
{
    struct values *v = ta_alloc_zero(&ta_heap, 1, sizeof(*v)); /* too large for a stack */
    struct load l = {.source = {next}, .v = v, .work = {.name = "queries", .one = "query"}};
    struct ta_err err = {0};
    int status = TA_EXIT_FAILED;

    if (!v)
        return status;
    if (ta_command_parse(self, argc, argv, v, NULL, &status)) {
        if (v->type[0] && v->ids.n == 0) {
            status = ta_command_usage(self, "--type needs --ids");
        } else {
            if (!v->to_s)
                v->to_s = ta_now_s(&ta_clock_system);
            int r =
                ta_bench_run(&v->target, "GET", "/api/query", BODY_MAX, &l.source, &l.work, &err);
            status = r < 0 ? ta_command_fail(self, &err) : TA_EXIT_OK;
        }
    }
    ta_release(&ta_heap, v, sizeof(*v));
    return status;
}

const struct ta_command ta_cmd_bench_query = {.name = "bench query",
                                              .operands = "",
                                              .summary = "ask a store as fast as it answers",
                                              .options = &options,
                                              .run = run};
