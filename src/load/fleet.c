/* fleet.c - values of the fleet corpus. */
#include "load/fleet.h"

#include <math.h>
#include <stdio.h>

/* How a value comes about (research: performance 4.1). */
enum kind {
    ZERO,    /* a counter that never moves */
    RATE,    /* a counter's difference over the interval */
    RATIO,   /* one counter's difference over another's */
    ENERGY,  /* RAPL units over the interval */
    JIFFIES, /* percent of 6,000 jiffies */
    BYTES,   /* a gauge in whole units */
    GIGAS,   /* the same in units of 10^9 */
    PERCENT, /* whole percent */
    DEGREES, /* a slow small integer */
    LOAD     /* two decimals */
};

static const struct ta_load_metric metrics[] = {
    {"cpu_load", "", TA_LOAD_NODE, false, 'a', LOAD, 60},
    {"mem_used", "", TA_LOAD_NODE, false, 's', GIGAS, 90},
    {"mem_cached", "", TA_LOAD_NODE, false, 's', GIGAS, 20},
    {"mem_free", "", TA_LOAD_NODE, true, 's', BYTES, 1.6e8},
    {"net_bytes_in", "", TA_LOAD_NODE, false, 's', RATE, 1e4},
    {"net_bytes_out", "", TA_LOAD_NODE, false, 's', RATE, 2e4},
    {"net_pkts_in", "", TA_LOAD_NODE, false, 's', RATE, 1e2},
    {"net_pkts_out", "", TA_LOAD_NODE, false, 's', RATE, 2e2},
    {"ib_recv", "", TA_LOAD_NODE, false, 's', RATE, 3e8},
    {"ib_xmit", "", TA_LOAD_NODE, false, 's', RATE, 3e8},
    {"ib_recv_pkts", "", TA_LOAD_NODE, false, 's', RATE, 1.2e5},
    {"ib_xmit_pkts", "", TA_LOAD_NODE, false, 's', RATE, 1.4e5},
    {"lustre_open", "", TA_LOAD_NODE, true, 's', ZERO, 0},
    {"lustre_close", "", TA_LOAD_NODE, true, 's', ZERO, 0},
    {"lustre_read_bytes", "", TA_LOAD_NODE, false, 's', RATE, 5e5},
    {"lustre_write_bytes", "", TA_LOAD_NODE, false, 's', RATE, 8e5},
    {"nfs4_read", "", TA_LOAD_NODE, false, 's', ZERO, 0},
    {"nfs4_write", "", TA_LOAD_NODE, false, 's', ZERO, 0},
    {"nfs4_total", "", TA_LOAD_NODE, false, 's', RATE, 2},
    {"disk_free", "", TA_LOAD_NODE, true, 's', BYTES, 4e8},
    {"proc_run", "", TA_LOAD_NODE, true, 's', DEGREES, 60},
    {"proc_total", "", TA_LOAD_NODE, true, 's', DEGREES, 900},
    {"mem_bw", "", TA_LOAD_SOCKET, false, 's', RATE, 3e10},
    {"cpu_power", "", TA_LOAD_SOCKET, false, 's', ENERGY, 250},
    {"mem_power", "", TA_LOAD_SOCKET, false, 's', ENERGY, 17},
    {"acc_utilization", "", TA_LOAD_ACCELERATOR, false, 'a', PERCENT, 80},
    {"acc_mem_util", "", TA_LOAD_ACCELERATOR, false, 'a', PERCENT, 50},
    {"acc_mem_used", "", TA_LOAD_ACCELERATOR, false, 's', BYTES, 3.2e7},
    {"acc_power", "", TA_LOAD_ACCELERATOR, false, 's', ENERGY, 300},
    {"nv_temp", "", TA_LOAD_ACCELERATOR, false, 'a', DEGREES, 55},
    {"nv_fan_speed", "", TA_LOAD_ACCELERATOR, false, 'a', ZERO, 0},
    {"nv_sm_clock", "", TA_LOAD_ACCELERATOR, false, 'a', DEGREES, 1400},
    {"nv_ecc_errors", "", TA_LOAD_ACCELERATOR, true, 's', ZERO, 0},
    {"nv_pcie_recv", "", TA_LOAD_ACCELERATOR, false, 's', RATE, 1e9},
    {"nv_pcie_xmit", "", TA_LOAD_ACCELERATOR, false, 's', RATE, 1e9},
    {"cpu_user", "Percent", TA_LOAD_HWTHREAD, false, 'a', JIFFIES, 95},
    {"cpu_system", "Percent", TA_LOAD_HWTHREAD, false, 'a', JIFFIES, 2},
    {"cpu_iowait", "Percent", TA_LOAD_HWTHREAD, false, 'a', ZERO, 0},
    {"flops_sp", "", TA_LOAD_HWTHREAD, false, 's', ZERO, 0},
    {"flops_dp", "", TA_LOAD_HWTHREAD, false, 's', RATE, 3e9},
    {"ipc", "", TA_LOAD_HWTHREAD, false, 'a', RATIO, 1.4},
    {"clock", "", TA_LOAD_HWTHREAD, false, 'a', RATIO, 2400},
    {"l3_bw", "", TA_LOAD_HWTHREAD, false, 's', RATE, 8e8},
};

int ta_fleet_init(struct ta_fleet *f, struct ta_alloc *alloc, const struct ta_fleet_conf *conf,
                  struct ta_err *err)
{
    struct ta_load_shape shape = {.sockets = 2, .hwthreads = 64, .accelerators = 4};

    *f = (struct ta_fleet){.conf = conf ? *conf : (struct ta_fleet_conf){0}};
    f->conf.cluster = f->conf.cluster ? f->conf.cluster : "fleet";
    f->conf.seed = f->conf.seed ? f->conf.seed : 1;
    f->conf.start_s = f->conf.start_s ? f->conf.start_s : 1700000000;
    f->conf.interval_s = f->conf.interval_s ? f->conf.interval_s : 60;
    if (f->conf.hwthreads)
        shape.hwthreads = f->conf.hwthreads;
    return ta_load_layout_init(&f->layout, alloc, f->conf.cluster, metrics, TA_COUNT(metrics),
                               &shape, err);
}

void ta_fleet_done(struct ta_fleet *f)
{
    ta_load_layout_done(&f->layout);
}

struct ta_str ta_fleet_host(uint32_t host, char *room)
{
    return (struct ta_str){room, (size_t)snprintf(room, 16, "n%04u", host + 1)};
}

static double value(enum kind kind, double level, double slow, double noise, double interval)
{
    double now = level * (0.4 + slow + 0.1 * noise);

    switch (kind) {
    case ZERO:
        return 0;
    case RATE:
        return floor(now * interval) / interval;
    case RATIO: /* 1e10 to 2e11 events against as many cycles */
        return floor(now * 1e11) / floor(1e11 * (0.9 + 0.2 * noise));
    case ENERGY:
        return floor(now * interval / 6.103515625e-05) * 6.103515625e-05 / interval;
    case JIFFIES:
        return 100.0 * floor(fmin(60 * level * (0.9 + 0.1 * noise), 6000)) / 6000;
    case BYTES:
        return floor(now);
    case GIGAS:
        return floor(now * 1e6) * 1024 / 1e9;
    case PERCENT:
        return fmin(floor(now), 100);
    case DEGREES:
        return floor(level * (0.9 + 0.2 * slow));
    case LOAD:
        return floor(now * 100) / 100;
    }
    return 0;
}

void ta_fleet_values(const struct ta_fleet *f, uint32_t host, uint64_t tick, double *out)
{
    const struct ta_load_layout *l = &f->layout;
    double interval = (double)f->conf.interval_s;

    for (uint32_t i = 0; i < l->n_columns; i++) {
        const struct ta_load_metric *m = &l->metrics[l->columns[i].metric];
        uint64_t series = (uint64_t)host * l->n_columns + i;
        double own = 0.5 + ta_load_noise(f->conf.seed + 2, series, 0);
        out[i] = value((enum kind)m->kind, m->kind == JIFFIES ? m->level : m->level * own,
                       ta_load_slow(f->conf.seed, series, tick, 40),
                       ta_load_noise(f->conf.seed, series, tick), interval);
    }
}

int ta_fleet_post(const struct ta_fleet *f, uint32_t host, uint64_t tick, double *values,
                  struct ta_buf *out)
{
    char room[16];

    ta_fleet_values(f, host, tick, values);
    return ta_load_lines(&f->layout, ta_fleet_host(host, room), ta_fleet_time(f, tick), values,
                         out);
}
