#include "parquet/stats.h"

#include "base/bytes.h"

#include <math.h>

void ta_pq_range_reset(struct ta_pq_range *r)
{
    r->has = false;
    r->too_long = false;
    r->min_len = r->max_len = 0;
}

static void set_min(struct ta_pq_range *r, struct ta_str v)
{
    if (v.len)
        memcpy(r->min, v.at, v.len);
    r->min_len = (uint16_t)v.len;
}

static void set_max(struct ta_pq_range *r, struct ta_str v)
{
    if (v.len)
        memcpy(r->max, v.at, v.len);
    r->max_len = (uint16_t)v.len;
}

void ta_pq_range_bytes(struct ta_pq_range *r, struct ta_str value)
{
    if (value.len > TA_PQ_STAT_BYTES)
        r->too_long = true;
    if (r->too_long)
        return;
    if (!r->has || ta_str_cmp(value, ta_pq_range_min(r)) < 0)
        set_min(r, value);
    if (!r->has || ta_str_cmp(value, ta_pq_range_max(r)) > 0)
        set_max(r, value);
    r->has = true;
}

/* Extremes of an array and of what min and max hold before. Four of each side by side: one alone waits for
 * itself each time. */
#define WIDEN(low, high, v)                                                                        \
    do {                                                                                           \
        (low) = (v) < (low) ? (v) : (low);                                                         \
        (high) = (v) > (high) ? (v) : (high);                                                      \
    } while (0)
#define EXTREMES(type, values, n, min, max)                                                        \
    do {                                                                                           \
        const type *v_ = (values);                                                                 \
        type low1_ = (min), low2_ = (min), low3_ = (min);                                          \
        type high1_ = (max), high2_ = (max), high3_ = (max);                                       \
        size_t i_ = 0;                                                                             \
        for (; i_ + 4 <= (n); i_ += 4) {                                                           \
            WIDEN(min, max, v_[i_]);                                                               \
            WIDEN(low1_, high1_, v_[i_ + 1]);                                                      \
            WIDEN(low2_, high2_, v_[i_ + 2]);                                                      \
            WIDEN(low3_, high3_, v_[i_ + 3]);                                                      \
        }                                                                                          \
        for (; i_ < (n); i_++)                                                                     \
            WIDEN(min, max, v_[i_]);                                                               \
        (min) = low1_ < (min) ? low1_ : (min);                                                     \
        (max) = high1_ > (max) ? high1_ : (max);                                                   \
        (min) = low2_ < (min) ? low2_ : (min);                                                     \
        (max) = high2_ > (max) ? high2_ : (max);                                                   \
        (min) = low3_ < (min) ? low3_ : (min);                                                     \
        (max) = high3_ > (max) ? high3_ : (max);                                                   \
    } while (0)

#define INTEGERS(name, type)                                                                       \
    static void name(struct ta_pq_range *r, const type *values, size_t n)                          \
    {                                                                                              \
        type min = values[0];                                                                      \
        type max = values[0];                                                                      \
        type old;                                                                                  \
        EXTREMES(type, values, n, min, max);                                                       \
        if (r->has) {                                                                              \
            memcpy(&old, r->min, sizeof(old));                                                     \
            min = old < min ? old : min;                                                           \
            memcpy(&old, r->max, sizeof(old));                                                     \
            max = old > max ? old : max;                                                           \
        }                                                                                          \
        set_min(r, (struct ta_str){(const char *)&min, sizeof(min)});                              \
        set_max(r, (struct ta_str){(const char *)&max, sizeof(max)});                              \
        r->has = true;                                                                             \
    }

INTEGERS(range_bools, uint8_t)
INTEGERS(range_i32, int32_t)
INTEGERS(range_i64, int64_t)

/* Comparisons with NaN are false, so a NaN never becomes an extreme, unless it is the start: the
 * infinities are. A zero at an end becomes the zero that lies outside. */
#define FLOATS(name, type)                                                                         \
    static void name(struct ta_pq_range *r, const type *values, size_t n)                          \
    {                                                                                              \
        type min = (type)INFINITY;                                                                 \
        type max = (type)-INFINITY;                                                                \
        type old;                                                                                  \
        EXTREMES(type, values, n, min, max);                                                       \
        if (min > max)                                                                             \
            return; /* nothing but NaN */                                                          \
        if (r->has) {                                                                              \
            memcpy(&old, r->min, sizeof(old));                                                     \
            min = old < min ? old : min;                                                           \
            memcpy(&old, r->max, sizeof(old));                                                     \
            max = old > max ? old : max;                                                           \
        }                                                                                          \
        if (!(min < 0) && !(min > 0))                                                              \
            min = (type)-0.0;                                                                      \
        if (!(max < 0) && !(max > 0))                                                              \
            max = (type)0.0;                                                                       \
        set_min(r, (struct ta_str){(const char *)&min, sizeof(min)});                              \
        set_max(r, (struct ta_str){(const char *)&max, sizeof(max)});                              \
        r->has = true;                                                                             \
    }

FLOATS(range_f32, float)
FLOATS(range_f64, double)

void ta_pq_range_numbers(struct ta_pq_range *r, enum ta_pq_type type, const void *values, size_t n)
{
    if (n == 0)
        return;
    switch (type) {
    case TA_PQ_BOOL:
        range_bools(r, values, n);
        break;
    case TA_PQ_INT32:
        range_i32(r, values, n);
        break;
    case TA_PQ_INT64:
        range_i64(r, values, n);
        break;
    case TA_PQ_FLOAT:
        range_f32(r, values, n);
        break;
    case TA_PQ_DOUBLE:
        range_f64(r, values, n);
        break;
    default:
        break;
    }
}

void ta_pq_range_join(struct ta_pq_range *into, enum ta_pq_type type,
                      const struct ta_pq_range *other)
{
    if (other->too_long)
        into->too_long = true;
    if (!other->has || into->too_long)
        return;
    if (!into->has || ta_pq_order(type, ta_pq_range_min(other), ta_pq_range_min(into)) < 0)
        set_min(into, ta_pq_range_min(other));
    if (!into->has || ta_pq_order(type, ta_pq_range_max(other), ta_pq_range_max(into)) > 0)
        set_max(into, ta_pq_range_max(other));
    into->has = true;
}

#define ORDER(type, a, b)                                                                          \
    do {                                                                                           \
        type x_;                                                                                   \
        type y_;                                                                                   \
        memcpy(&x_, (a).at, sizeof(x_));                                                           \
        memcpy(&y_, (b).at, sizeof(y_));                                                           \
        return (x_ > y_) - (x_ < y_);                                                              \
    } while (0)

int ta_pq_order(enum ta_pq_type type, struct ta_str a, struct ta_str b)
{
    switch (type) {
    case TA_PQ_BOOL:
        ORDER(uint8_t, a, b);
    case TA_PQ_INT32:
        ORDER(int32_t, a, b);
    case TA_PQ_INT64:
        ORDER(int64_t, a, b);
    case TA_PQ_FLOAT:
        ORDER(float, a, b);
    case TA_PQ_DOUBLE:
        ORDER(double, a, b);
    default:
        return ta_str_cmp(a, b);
    }
}
