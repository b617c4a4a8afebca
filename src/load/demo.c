/* demo.c - what the demo cluster's nodes measure, and how it describes itself. */
#include "load/demo.h"

#include <math.h>

enum { SOCKETS = 2, HWTHREADS = 32, ACCELERATORS = 4, LINKS = 4 };

/* What a metric follows. */
enum kind {
    BUSY,      /* threads at work */
    MEMORY,    /* gigabytes in use */
    FLOPS,     /* floating point, per thread */
    BANDWIDTH, /* of memory, per socket */
    PERCENT,   /* of the thread's time */
    CLOCK,     /* MHz */
    IPC,
    POWER, /* of the socket */
    NETWORK,
    FILES,
    ACC_BUSY, /* percent */
    ACC_MEMORY,
    ACC_POWER,
    ACC_HEAT
};

static const struct ta_load_metric metrics[] = {
    {"cpu_load", "", TA_LOAD_NODE, false, 'a', BUSY, 32},
    {"mem_used", "", TA_LOAD_NODE, false, 's', MEMORY, 180},
    {"ib_recv", "", TA_LOAD_NODE, false, 's', NETWORK, 6e8},
    {"ib_xmit", "", TA_LOAD_NODE, false, 's', NETWORK, 6e8},
    {"lustre_write_bytes", "", TA_LOAD_NODE, false, 's', FILES, 9e8},
    {"mem_bw", "", TA_LOAD_SOCKET, false, 's', BANDWIDTH, 140},
    {"cpu_power", "", TA_LOAD_SOCKET, false, 's', POWER, 240},
    {"cpu_user", "Percent", TA_LOAD_HWTHREAD, false, 'a', PERCENT, 99},
    {"flops_any", "", TA_LOAD_HWTHREAD, false, 's', FLOPS, 24},
    {"clock", "", TA_LOAD_HWTHREAD, false, 'a', CLOCK, 2900},
    {"ipc", "", TA_LOAD_HWTHREAD, false, 'a', IPC, 2.2},
    {"acc_utilization", "", TA_LOAD_ACCELERATOR, false, 'a', ACC_BUSY, 97},
    {"acc_mem_used", "", TA_LOAD_ACCELERATOR, false, 's', ACC_MEMORY, 38},
    {"acc_power", "", TA_LOAD_ACCELERATOR, false, 's', ACC_POWER, 380},
    {"nv_temp", "", TA_LOAD_ACCELERATOR, false, 'a', ACC_HEAT, 78},
    {"nvlink_bw", "", TA_LOAD_LINK, false, 's', NETWORK, 8e9},
};

/* For the cluster's description, in the order of `metrics`. */
static const struct unit {
    const char *base, *prefix;
} units[TA_COUNT(metrics)] = {{"", ""},     {"B", "G"},   {"B/s", ""},  {"B/s", ""},
                              {"B/s", ""},  {"B/s", "G"}, {"W", ""},    {"", ""},
                              {"F/s", "G"}, {"Hz", "M"},  {"IPC", ""},  {"", ""},
                              {"B", "G"},   {"W", ""},    {"degC", ""}, {"B/s", ""}};

int ta_demo_init(struct ta_demo *d, struct ta_alloc *alloc, const char *cluster, uint64_t seed,
                 struct ta_err *err)
{
    struct ta_load_shape shape = {.sockets = SOCKETS, .hwthreads = HWTHREADS};

    *d = (struct ta_demo){.cluster = cluster ? cluster : "demo", .seed = seed};
    int r =
        ta_load_layout_init(&d->cpu, alloc, d->cluster, metrics, TA_COUNT(metrics), &shape, err);
    shape.accelerators = ACCELERATORS;
    shape.links = LINKS;
    if (r == TA_OK)
        r = ta_load_layout_init(&d->accelerated, alloc, d->cluster, metrics, TA_COUNT(metrics),
                                &shape, err);
    if (r < 0)
        ta_demo_done(d);
    return r;
}

void ta_demo_done(struct ta_demo *d)
{
    ta_load_layout_done(&d->cpu);
    ta_load_layout_done(&d->accelerated);
}

const struct ta_load_layout *ta_demo_layout(const struct ta_demo *d, uint32_t host)
{
    return host < TA_DEMO_CPU_HOSTS ? &d->cpu : &d->accelerated;
}

/* How hard a job drives the parts of its node at one moment, 0 .. 1 each. */
struct drive {
    double threads; /* share of the threads at work */
    double compute, bandwidth, memory, network, files, accelerators;
};

static struct drive drive_of(const struct ta_demo_job *j, int64_t t_s)
{
    static const struct drive typical[TA_DEMO_N_PROFILES] = {
        [TA_DEMO_COMPUTE] = {1, .95, .35, .3, .25, .01, .95},
        [TA_DEMO_MEMORY] = {1, .3, .97, .6, .3, .01, .6},
        [TA_DEMO_PERIODIC] = {1, .8, .6, .45, .5, .01, .9},
        [TA_DEMO_IO] = {1, .7, .5, .5, .2, .02, .8},
        [TA_DEMO_LEAK] = {1, .6, .45, .1, .15, .01, .7},
        [TA_DEMO_ONE_CORE] = {1.0 / HWTHREADS, .7, .1, .1, .01, .01, .25},
    };
    struct drive d = typical[j->profile];
    double run = (double)(t_s - j->start_s), share = run / (double)(j->end_s - j->start_s);
    double warm = run < 240 ? 0.3 + 0.7 * run / 240 : 1; /* reading input */

    if (j->profile == TA_DEMO_PERIODIC && sin(run / 140) < -0.2) {
        d.compute *= 0.25;
        d.network = 0.95;
    }
    if (j->profile == TA_DEMO_IO && fmod(run, 1800) > 1620) {
        d.compute *= 0.1;
        d.bandwidth *= 0.3;
        d.accelerators *= 0.1;
        d.files = 0.9;
    }
    if (j->profile == TA_DEMO_LEAK)
        d.memory += 0.85 * share;
    d.compute *= warm;
    d.bandwidth *= warm;
    d.accelerators *= warm;
    return d;
}

/* `load` is the drive behind the metric, `noise` of this sample, both 0 .. 1. */
static double measure(enum kind kind, double level, const struct drive *d, bool is_busy,
                      double noise)
{
    double jitter = 0.97 + 0.06 * noise;
    double work = is_busy ? 1 : 0;

    switch (kind) {
    case BUSY:
        return floor((level * d->threads + 0.3 * noise) * 100) / 100;
    case MEMORY:
        return floor((6 + level * d->memory) * (0.995 + 0.01 * noise) * 1e6) / 1e6;
    case FLOPS:
        return floor(work * level * d->compute * jitter * 6e10) / 6e10;
    case BANDWIDTH:
        return floor((0.4 * noise + level * d->bandwidth * jitter) * 6e9) / 6e9;
    case PERCENT: /* of 6,000 jiffies */
        return 100 * floor(fmin(60 * work * level * jitter + 6 * noise, 6000)) / 6000;
    case CLOCK:
        return is_busy ? level * (1 - 0.12 * d->compute) * (0.995 + 0.01 * noise)
                       : 800 + 400 * noise;
    case IPC:
        return is_busy ? level * (0.25 + 0.75 * d->compute) * jitter : 0.3 + 0.4 * noise;
    case POWER:
        return (70 + (level - 70) * (0.5 * d->threads + 0.5 * d->compute * d->threads)) * jitter;
    case NETWORK:
        return floor((2e3 * noise + level * d->network * jitter) * 60) / 60;
    case FILES:
        return floor(level * d->files * (noise < 0.5 && d->files < 0.1 ? 0 : jitter) * 60) / 60;
    case ACC_BUSY:
        return floor(fmin(level * d->accelerators * jitter, 100));
    case ACC_MEMORY:
        return floor((0.4 + (d->accelerators > 0 ? level * d->memory : 0)) * 100) / 100;
    case ACC_POWER:
        return floor((48 + (level - 48) * d->accelerators) * jitter * 1000) / 1000;
    case ACC_HEAT:
        return floor(34 + (level - 34) * d->accelerators + 2 * noise);
    }
    return 0;
}

void ta_demo_values(const struct ta_demo *d, uint32_t host, int64_t t_s, double *out)
{
    const struct ta_load_layout *l = ta_demo_layout(d, host);
    struct ta_demo_job job;
    struct drive idle = {0}, drive = idle;
    bool is_running = ta_demo_job_at(d, host, t_s, &job);

    if (is_running)
        drive = drive_of(&job, t_s);
    for (uint32_t i = 0; i < l->n_columns; i++) {
        const struct ta_load_column *c = &l->columns[i];
        const struct ta_load_metric *m = &l->metrics[c->metric];
        uint64_t series = (uint64_t)host * TA_DEMO_COLUMNS_MAX + i;
        bool is_thread = m->scope == TA_LOAD_HWTHREAD;
        bool is_busy = is_running && (!is_thread || c->component < drive.threads * HWTHREADS);
        double noise = ta_load_noise(d->seed + 7, series, (uint64_t)t_s);
        out[i] = measure((enum kind)m->kind, m->level, is_busy ? &drive : &idle, is_busy, noise);
    }
}

int ta_demo_post(const struct ta_demo *d, uint32_t host, int64_t t_s, double *values,
                 struct ta_buf *out)
{
    char room[16];

    ta_demo_values(d, host, t_s, values);
    return ta_load_lines(ta_demo_layout(d, host), ta_demo_host(host, room), t_s, values, out);
}

int ta_demo_metrics_json(const struct ta_demo *d, int64_t frequency_s, struct ta_buf *out)
{
    return ta_load_metrics_json(&d->accelerated, frequency_s, out);
}

/* "0,1,2" from..to-1, each in brackets of its own if `is_nested`. */
static int add_numbers(struct ta_buf *out, int from, int to, bool is_nested)
{
    int r = TA_OK;

    for (int i = from; r == TA_OK && i < to; i++)
        r = ta_buf_printf(out, is_nested ? "%s[%d]" : "%s%d", i > from ? "," : "", i);
    return r;
}

static int add_sockets(struct ta_buf *out, const char *key)
{
    int r = ta_buf_printf(out, ",\"%s\":[", key);

    for (int s = 0; r == TA_OK && s < SOCKETS; s++) {
        r = ta_buf_z(out, s ? "],[" : "[");
        if (r == TA_OK)
            r = add_numbers(out, s * HWTHREADS / SOCKETS, (s + 1) * HWTHREADS / SOCKETS, false);
    }
    return r < 0 ? r : ta_buf_z(out, "]]");
}

static int add_subcluster(const struct ta_load_layout *l, const char *name, const char *nodes,
                          struct ta_buf *out)
{
    int r, n = 0;

    r = ta_buf_printf(
        out,
        "{\"name\":\"%s\",\"nodes\":\"%s\",\"processorType\":\"Demo 2 x 16\","
        "\"socketsPerNode\":%d,\"coresPerSocket\":%d,\"threadsPerCore\":1,"
        "\"flopRateScalar\":{\"unit\":{\"base\":\"F/s\",\"prefix\":\"G\"},\"value\":190},"
        "\"flopRateSimd\":{\"unit\":{\"base\":\"F/s\",\"prefix\":\"G\"},\"value\":1500},"
        "\"memoryBandwidth\":{\"unit\":{\"base\":\"B/s\",\"prefix\":\"G\"},\"value\":280},"
        "\"topology\":{\"node\":[",
        name, nodes, SOCKETS, HWTHREADS / SOCKETS);
    if (r < 0 || (r = add_numbers(out, 0, HWTHREADS, false)) < 0 ||
        (r = ta_buf_byte(out, ']')) < 0 || (r = add_sockets(out, "socket")) < 0 ||
        (r = add_sockets(out, "memoryDomain")) < 0 || (r = ta_buf_z(out, ",\"core\":[")) < 0 ||
        (r = add_numbers(out, 0, HWTHREADS, true)) < 0 || (r = ta_buf_byte(out, ']')) < 0)
        return r;
    for (uint32_t i = 0; r == TA_OK && i < l->n_columns; i++) {
        const struct ta_load_column *c = &l->columns[i];
        if (l->metrics[c->metric].kind != ACC_BUSY)
            continue;
        r = ta_buf_printf(out, "%s{\"id\":\"%.*s\",\"type\":\"Demo GPU\",\"model\":\"D100\"}",
                          n++ ? "," : ",\"accelerators\":[", TA_STR_FMT(c->type_id));
    }
    return r < 0 ? r : ta_buf_z(out, n ? "]}}" : "}}");
}

int ta_demo_cluster_json(const struct ta_demo *d, int64_t frequency_s, struct ta_buf *out)
{
    static const char *const scopes[] = {"node", "socket", "hwthread", "accelerator",
                                         "accelerator"};
    int r = ta_buf_printf(out, "{\"name\":\"%s\",\"metricConfig\":[", d->cluster);

    for (size_t i = 0; r == TA_OK && i < TA_COUNT(metrics); i++) {
        const struct ta_load_metric *m = &metrics[i];
        r = ta_buf_printf(out, "%s{\"name\":\"%s\",\"unit\":{\"base\":\"%s\"", i ? "," : "",
                          m->name, units[i].base);
        if (r == TA_OK && units[i].prefix[0])
            r = ta_buf_printf(out, ",\"prefix\":\"%s\"", units[i].prefix);
        if (r == TA_OK)
            r = ta_buf_printf(
                out,
                "},\"scope\":\"%s\",\"aggregation\":\"%s\",\"timestep\":%lld,\"peak\":%g,"
                "\"normal\":%g,\"caution\":%g,\"alert\":%g}",
                scopes[m->scope], m->aggregation == 's' ? "sum" : "avg", (long long)frequency_s,
                m->level, m->level * 0.7, m->level * 0.2, m->level * 0.05);
    }
    if (r < 0 || (r = ta_buf_z(out, "],\"subClusters\":[")) < 0 ||
        (r = add_subcluster(&d->cpu, "cpu", "d[001-024]", out)) < 0 ||
        (r = ta_buf_byte(out, ',')) < 0 ||
        (r = add_subcluster(&d->accelerated, "gpu", "d[025-032]", out)) < 0)
        return r;
    return ta_buf_z(out, "]}");
}
