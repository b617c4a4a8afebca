/* fleet.h - the fleet corpus: many equal nodes with hard values.
 *
 * Deterministic, and random access by (host, tick), so hosts and time multiply without state. 580 series
 * a host by default. Half of the values are full doubles of 16 and 17 digits, because collectors compute rates
 * as float64(diff)/dt and ratios of counters; the rest is zeros, percent of jiffies, integers and short
 * decimals. Every series has its own level and noise: nothing repeats between hosts.
 */
#ifndef TARN_LOAD_FLEET_H
#define TARN_LOAD_FLEET_H

#include "load/layout.h"

struct ta_fleet_conf {
    const char *cluster; /* NULL = "fleet"; borrowed for the fleet's life */
    uint32_t hwthreads;  /* per host; 0 = 64, which makes 580 series; each one more adds 8 */
    uint64_t seed;       /* 0 = 1 */
    int64_t start_s;     /* time of tick 0; 0 = 1700000000 */
    int64_t interval_s;  /* 0 = 60 */
};

struct ta_fleet {
    struct ta_load_layout layout;
    struct ta_fleet_conf conf;
};

int ta_fleet_init(struct ta_fleet *f, struct ta_alloc *alloc, const struct ta_fleet_conf *conf,
                  struct ta_err *err);
void ta_fleet_done(struct ta_fleet *f); /* fine on a zeroed struct */

/* "n0001" for host 0; room for 16 bytes. */
struct ta_str ta_fleet_host(uint32_t host, char *room);

static inline int64_t ta_fleet_time(const struct ta_fleet *f, uint64_t tick)
{
    return f->conf.start_s + (int64_t)tick * f->conf.interval_s;
}

/* out[i] = the value of layout.columns[i]; all finite. About 15 ns a value. */
void ta_fleet_values(const struct ta_fleet *f, uint32_t host, uint64_t tick, double *out);
/* The batch that the host posts at this tick, added to `out`. `values` is scratch for
 * layout.n_columns numbers. */
int ta_fleet_post(const struct ta_fleet *f, uint32_t host, uint64_t tick, double *values,
                  struct ta_buf *out);

#endif
