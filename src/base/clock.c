#include "base/clock.h"

#include "base/str.h"

#include <stdatomic.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec ts = {0};

    (void)clock_gettime(id, &ts); /* cannot fail for these two ids on Linux */
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int64_t system_wall(struct ta_clock *self)
{
    (void)self;
    return read_clock(CLOCK_REALTIME);
}

static int64_t system_mono(struct ta_clock *self)
{
    (void)self;
    return read_clock(CLOCK_MONOTONIC);
}

struct ta_clock ta_clock_system = {system_wall, system_mono};

static int64_t manual_wall(struct ta_clock *self)
{
    return atomic_load(&TA_CONTAINER(self, struct ta_clock_manual, clock)->wall);
}

static int64_t manual_mono(struct ta_clock *self)
{
    return atomic_load(&TA_CONTAINER(self, struct ta_clock_manual, clock)->mono);
}

void ta_clock_manual_init(struct ta_clock_manual *c, int64_t wall_s)
{
    c->clock = (struct ta_clock){manual_wall, manual_mono};
    atomic_init(&c->wall, wall_s * 1000000000);
    atomic_init(&c->mono, 1);
}

void ta_clock_manual_advance(struct ta_clock_manual *c, int64_t ns)
{
    atomic_fetch_add(&c->wall, ns);
    atomic_fetch_add(&c->mono, ns);
}

void ta_clock_manual_step(struct ta_clock_manual *c, int64_t ns)
{
    atomic_fetch_add(&c->wall, ns);
}
