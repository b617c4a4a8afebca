#include "columns.h"

#include <math.h>
#include <string.h>

void column_init(struct column *column, uint64_t seed)
{
    *column = (struct column){.random = seed * 0x9E3779B97F4A7C15 + 1};
    (void)column_bits(column);
}

/* splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014) */
uint64_t column_bits(struct column *column)
{
    uint64_t z = column->random += 0x9E3779B97F4A7C15;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
}

double column_uniform(struct column *column)
{
    return (double)(column_bits(column) >> 11) * 0x1p-53;
}

double column_normal(struct column *column)
{
    double sum = -6;

    for (int i = 0; i < 12; i++)
        sum += column_uniform(column);
    return sum;
}

/* A walk that begins at `level` and returns to it. */
static double walk(struct column *c, double level, double step)
{
    if (c->level == 0)
        c->level = level * (0.5 + column_uniform(c));
    c->level += step * column_normal(c) + 0.01 * (level - c->level);
    return c->level;
}

static double decimals(double v, double scale)
{
    return round(v * scale) / scale;
}

static double next_zero(struct column *c)
{
    (void)c;
    return 0;
}

static double next_gpu_util(struct column *c)
{
    return fmin(100, fmax(0, round(walk(c, 80, 9))));
}

static double next_temperature(struct column *c)
{
    return round(walk(c, 60, 0.7));
}

static double next_mem_kb(struct column *c)
{
    return 4 * floor(walk(c, 3e7, 3e5));
}

static double next_mem_bytes(struct column *c)
{
    return 4096 * floor(fabs(walk(c, 8e6, 1e4)));
}

/* A counter's difference over a measured time: no two digits alike. */
static double next_rate(struct column *c)
{
    return floor(fabs(walk(c, 3e8, 1e7))) / (60 + 0.001 * column_normal(c));
}

/* The same when nothing happens most of the time. */
static double next_burst(struct column *c)
{
    double rate = next_rate(c);

    return column_uniform(c) < 0.9 ? 0 : rate;
}

static double next_ipc(struct column *c)
{
    return floor(fabs(walk(c, 2e11, 6e9))) / floor(1.3e11 * (1 + 0.05 * column_uniform(c)));
}

static double next_clock(struct column *c)
{
    return 2400 * floor(1.0e11 + 3e9 * column_normal(c)) / floor(1.1e11 + 1e9 * column_uniform(c));
}

static double next_power(struct column *c)
{
    return floor(walk(c, 2.4e9, 6e7)) * 6.103515625e-5 / (600 + 0.01 * column_normal(c));
}

/* Jiffies of one minute. */
static double next_share(struct column *c)
{
    return round(6000 * (0.5 + 0.2 * column_normal(c))) / 6000;
}

static double next_percent(struct column *c)
{
    return next_share(c) * 100;
}

static double next_load(struct column *c)
{
    return decimals(walk(c, 60, 2), 100);
}

static double next_decimal(struct column *c)
{
    return decimals(walk(c, 250, 25), 100);
}

static double next_decimal_f32(struct column *c)
{
    return (double)(float)next_decimal(c);
}

static double next_f32(struct column *c)
{
    return (double)(float)next_rate(c);
}

/* 15 digits of the inverse of a short decimal. */
static double next_inverse(struct column *c)
{
    return decimals(1 / decimals(fmax(0.3, walk(c, 0.6, 0.05)), 100), 1e14);
}

/* Changes its nature faster than anything learned of it can serve. */
static double next_fickle(struct column *c)
{
    return c->n++ / 32 % 2 ? next_decimal(c) : next_rate(c);
}

/* Anything that fits 64 bits, not-a-numbers included. */
static double next_any(struct column *c)
{
    uint64_t bits = column_bits(c);
    double v;

    memcpy(&v, &bits, sizeof(v));
    return v;
}

static double next_special(struct column *c)
{
    static const double special[] = {
        0.0,
        -0.0,
        INFINITY,
        -INFINITY,
        0x1p-1074,
        -0x1p-1074,
        0x1p-1022,
        1e308,
        -1e308,
        1.0,
        -1.0,
        0.1,
        9007199254740993.0,
        0x1p51,
        -0x1p51,
        0x1p53,
        1e22,
        1e23,
        5e-324,
        1e-300,
        123456789012345,
        0.30000000000000004,
        NAN,
        1e15,
        0x1p63,
    };

    return special[column_bits(c) % (sizeof(special) / sizeof(special[0]))];
}

const struct column_kind column_kinds[] = {
    {"zero", 110, next_zero},
    {"gpu-util", 20, next_gpu_util},
    {"temperature", 20, next_temperature},
    {"mem-kb", 60, next_mem_kb},
    {"mem-bytes", 0, next_mem_bytes},
    {"rate", 130, next_rate},
    {"burst", 0, next_burst},
    {"ipc", 64, next_ipc},
    {"clock", 64, next_clock},
    {"power", 32, next_power},
    {"share", 40, next_share},
    {"percent", 40, next_percent},
    {"load", 0, next_load},
    {"decimal", 0, next_decimal},
    {"decimal-f32", 0, next_decimal_f32},
    {"rate-f32", 0, next_f32},
    {"inverse", 0, next_inverse},
    {"fickle", 0, next_fickle},
    {"any", 0, next_any},
    {"special", 0, next_special},
};
const unsigned n_column_kinds = sizeof(column_kinds) / sizeof(column_kinds[0]);
