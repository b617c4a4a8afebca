/* values.c - see values.h. */
#include "query/values.h"

#include <assert.h>
#include <math.h>

void ta_summary_add(struct ta_summary *s, const double *v, size_t n)
{
    struct ta_summary t = *s;

    for (size_t i = 0; i < n; i++) {
        if (isnan(v[i]))
            continue;
        if (t.count++ == 0)
            t.min = t.max = v[i];
        t.sum += v[i];
        t.min = v[i] < t.min ? v[i] : t.min;
        t.max = v[i] > t.max ? v[i] : t.max;
    }
    *s = t;
}

struct ta_stats ta_summary_stats(const struct ta_summary *s)
{
    if (s->count == 0)
        return (struct ta_stats){NAN, NAN, NAN};
    return (struct ta_stats){s->sum / (double)s->count, s->min, s->max};
}

void ta_stats_scale(struct ta_stats *s, double by)
{
    if (!ta_scale_is_on(by))
        return;
    s->avg *= by;
    s->min *= by;
    s->max *= by;
}

void ta_scale(double *v, size_t n, double by)
{
    if (!ta_scale_is_on(by))
        return;
    for (size_t i = 0; i < n; i++)
        v[i] *= by;
}

int64_t ta_padding(int64_t data_from, int64_t from, int64_t freq_s)
{
    assert(freq_s > 0);

    int64_t have = data_from / freq_s, want = from / freq_s, pad;

    if (have <= want)
        return 0;
    return __builtin_sub_overflow(have, want, &pad) ? INT64_MAX : pad;
}
