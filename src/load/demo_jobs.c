/* demo_jobs.c - which job runs where and when, without a schedule to keep.
 *
 * The nodes are cut into fixed blocks. Each block has its own rhythm of periods of six hours; a hash of
 * block and period says where in it a job begins, how long it lasts and what it does. At night and at
 * weekends fewer are submitted.
 */
#include "load/demo.h"

#include <stdio.h>

enum { PERIOD_S = 6 * 3600, SETUP_S = 300 };

/* First hosts of the blocks; the last entry closes the last one. */
static const uint8_t blocks[] = {0, 8, 12, 16, 18, 20, 21, 22, 23, 24, 26, 28, 29, 30, 31, 32};

struct ta_str ta_demo_host(uint32_t host, char *room)
{
    return (struct ta_str){room, (size_t)snprintf(room, 16, "d%03u", host + 1)};
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Chance that somebody submits at this time (UTC): full on working days, less at night and weekends. */
static double demand(int64_t t_s)
{
    int64_t day = floor_div(t_s, 86400), hour = floor_div(t_s - day * 86400, 3600);
    bool is_weekend = (day + 4) % 7 == 0 || (day + 4) % 7 == 6; /* day 0 was a Thursday */

    return (hour >= 8 && hour < 20 ? 0.97 : 0.8) - (is_weekend ? 0.2 : 0);
}

bool ta_demo_job_at(const struct ta_demo *d, uint32_t host, int64_t t_s, struct ta_demo_job *out)
{
    uint32_t block = 0;

    while (blocks[block + 1] <= host)
        block++;
    int64_t shift = (int64_t)(ta_load_noise(d->seed, block, 1) * PERIOD_S);
    int64_t period = floor_div(t_s + shift, PERIOD_S), begin = period * PERIOD_S - shift;
    uint64_t key = block + (uint64_t)period * TA_COUNT(blocks);
    double lead = ta_load_noise(d->seed, key, 2), length = ta_load_noise(d->seed, key, 3);
    int64_t start = begin + SETUP_S + (int64_t)(lead * lead * PERIOD_S / 3);
    int64_t end = start + (int64_t)((0.6 + 0.4 * length) * (double)(begin + PERIOD_S - start - 60));

    if (t_s < start || t_s >= end || ta_load_noise(d->seed, key, 4) > demand(start))
        return false;
    *out = (struct ta_demo_job){
        .id = key,
        .start_s = start,
        .end_s = end,
        .first_host = blocks[block],
        .n_hosts = (uint32_t)(blocks[block + 1] - blocks[block]),
        .profile = (enum ta_demo_profile)(ta_load_noise(d->seed, key, 5) * TA_DEMO_N_PROFILES)};
    return true;
}
