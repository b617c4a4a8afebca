/* clock.h - time as a parameter, so that tests can set it, stop it and step it backwards. */
#ifndef TARN_BASE_CLOCK_H
#define TARN_BASE_CLOCK_H

#include <stdint.h>

struct ta_clock {
    /* Wall clock, Unix time in nanoseconds; may jump either way. */
    int64_t (*wall_ns)(struct ta_clock *self);
    /* Monotonic nanoseconds from an arbitrary start. */
    int64_t (*mono_ns)(struct ta_clock *self);
};

/* The system's clocks. */
extern struct ta_clock ta_clock_system;

/* A clock that moves only when told to. */
struct ta_clock_manual {
    struct ta_clock clock;
    _Atomic int64_t wall, mono; /* ns */
};

void ta_clock_manual_init(struct ta_clock_manual *c, int64_t wall_s);
/* Moves both clocks by `ns` (>= 0). */
void ta_clock_manual_advance(struct ta_clock_manual *c, int64_t ns);
/* Steps the wall clock alone, in either direction. */
void ta_clock_manual_step(struct ta_clock_manual *c, int64_t ns);

/* Unix seconds, floored. */
static inline int64_t ta_now_s(struct ta_clock *c)
{
    int64_t ns = c->wall_ns(c);

    return ns / 1000000000 - (ns % 1000000000 < 0);
}

static inline int64_t ta_mono_ns(struct ta_clock *c)
{
    return c->mono_ns(c);
}

#endif
