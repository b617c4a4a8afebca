/* read.c - what a selection covers, and its values on a time grid.
 *
 * At time t a series is read from the oldest buffer of its chain whose capacity reaches beyond t: the
 * buffer to which the reference's loop has stepped by then, however many short ones lie between. A t
 * before that buffer's start lies in a gap.
 */
#include "store/read.h"
#include "store/store_int.h"

#include <assert.h>
#include <math.h>

/* Smallest n >= 0 with from + n * freq >= t. */
int64_t ta_read_steps(int64_t from_s, int64_t freq_s, int64_t t)
{
    return t <= from_s ? 0 : (t - from_s + freq_s - 1) / freq_s;
}

/* First group that can reach beyond t. */
uint32_t ta_read_first(const struct ta_host *h, int64_t t)
{
    return ta_host_after(h, t < INT64_MIN + h->span_max_s ? INT64_MIN : t - h->span_max_s);
}

/* The next buffer of the chain from group i on whose capacity reaches beyond t. */
uint32_t ta_read_next(const struct ta_host *h, uint32_t col, int64_t freq_s, uint32_t i, int64_t t,
                      uint32_t *out_pos)
{
    while ((i = ta_host_chain(h, col, freq_s, i, out_pos)) < h->n_groups)
        if (ta_group_cap_end(h->groups[i++]) > t)
            return i - 1;
    return h->n_groups;
}

/* ---- spans ------------------------------------------------------------------------------------ */

/* From where the reference would read: `from` raised to the first sample when it is earlier. */
static int64_t raise_from(const struct ta_host *h, uint32_t col, int64_t freq_s, int64_t from_s)
{
    uint32_t pos;
    uint32_t i = ta_host_chain(h, col, freq_s, 0, &pos);
    int64_t first_s = h->groups[i]->start_s + freq_s / 2;

    return from_s < first_s ? first_s : from_s;
}

/* Cells that reading [from, to) yields: until the samples end. (metric-store 4.3) */
static int64_t count_cells(const struct ta_host *h, uint32_t col, int64_t freq_s, int64_t from_s,
                           int64_t to_s)
{
    int64_t total = ta_read_steps(from_s, freq_s, to_s), n = 0;
    uint32_t pos, next_pos;
    uint32_t i = ta_read_next(h, col, freq_s, ta_read_first(h, from_s), from_s, &pos);

    while (i < h->n_groups && n < total) {
        const struct ta_group *g = h->groups[i];
        uint32_t next = ta_host_chain(h, col, freq_s, i + 1, &next_pos);

        if (next == h->n_groups || to_s <= h->groups[next]->start_s) {
            /* The last buffer that counts, unless it is full: then the next is looked at first. */
            uint32_t len = ta_group_len(g, pos);
            int64_t n_len = ta_read_steps(from_s, freq_s, g->start_s + (int64_t)len * freq_s);

            n_len = n_len < n ? n : n_len;
            if (next == h->n_groups || len < g->capacity)
                return n_len < total ? n_len : total;
        }
        n = ta_read_steps(from_s, freq_s, ta_group_cap_end(g));
        i = ta_read_next(h, col, freq_s, next, from_s + n * freq_s, &pos);
    }
    return n < total ? n : total;
}

int ta_read_span(struct ta_store *s, const struct ta_selection *sel, int64_t from_s, int64_t to_s,
                 struct ta_span *out)
{
    struct ta_span span = {.from_s = INT64_MAX};
    int64_t first_s = INT64_MAX;
    struct ta_found found;
    struct ta_shard *sd;
    struct ta_host *h;
    uint32_t col;

    if (from_s > to_s)
        return TA_EINVAL;
    h = ta_store_rdlock(s, sel->cluster, sel->host, &sd);
    if (!h)
        return TA_ENOTFOUND;
    ta_found_init(&found, h, sel);
    while (ta_found_next(&found, &col)) {
        int64_t freq_s = ta_host_head(h, col)->freq_s;
        int64_t start_s = raise_from(h, col, freq_s, from_s);

        span.freq_s = freq_s;
        if (start_s < first_s)
            first_s = start_s;
        if (start_s < span.from_s && count_cells(h, col, freq_s, start_s, to_s) > 0)
            span.from_s = start_s;
    }
    if (span.from_s == INT64_MAX)
        span.from_s = first_s; /* no samples in the range: an empty span */
    for (ta_found_rewind(&found); ta_found_next(&found, &col);) {
        uint64_t n = (uint64_t)count_cells(h, col, span.freq_s, span.from_s, to_s);

        if (n > span.n_slots)
            span.n_slots = n;
    }
    ta_shard_unlock(sd);
    span.n_series = found.n;
    if (!found.n)
        return TA_ENOTFOUND;
    span.to_s = span.from_s + (int64_t)span.n_slots * span.freq_s;
    *out = span;
    return TA_OK;
}

/* ---- values ----------------------------------------------------------------------------------- */

static void add_missing(double *acc, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        acc[i] = NAN;
}

static void add_series(const struct ta_host *h, uint32_t col, int64_t freq_s, int64_t from_s,
                       double *acc, int64_t n)
{
    uint32_t i = ta_read_first(h, from_s), pos;
    int64_t at = 0;

    while (at < n) {
        i = ta_read_next(h, col, freq_s, i, from_s + at * freq_s, &pos);
        if (i == h->n_groups)
            break;

        const struct ta_group *g = h->groups[i++];
        int64_t first = ta_read_steps(from_s, freq_s, g->start_s);
        int64_t end = ta_read_steps(from_s, freq_s, ta_group_cap_end(g));

        first = first < at ? at : first < n ? first : n;
        end = end < n ? end : n;
        add_missing(acc + at, first - at);
        if (first < end)
            ta_group_add(g, pos, (uint32_t)((from_s + first * freq_s - g->start_s) / freq_s),
                         (uint32_t)(end - first), acc + first);
        at = first < end ? end : first;
    }
    add_missing(acc + at, n - at);
}

/* One lock hold: as many cells as the series allow. Returns them, or TA_ENOTFOUND; *out_series. */
static int64_t sum_slice(struct ta_store *s, const struct ta_selection *sel, int64_t from_s,
                         double *out, size_t n, int64_t *out_freq_s, uint32_t *out_series)
{
    struct ta_shard *sd;
    struct ta_host *h = ta_store_rdlock(s, sel->cluster, sel->host, &sd);
    struct ta_found found;
    int64_t cells = 0;
    uint32_t col;

    if (!h)
        return TA_ENOTFOUND;
    ta_found_init(&found, h, sel);
    if (found.n)
        cells = TA_READ_HOLD / found.n + 1;
    cells = cells < (int64_t)n ? cells : (int64_t)n;
    for (int64_t i = 0; i < cells; i++)
        out[i] = found.n == 1 ? -0.0 : 0.0; /* -0.0 + v is v, bit for bit, for every v */
    while (ta_found_next(&found, &col)) {
        *out_freq_s = ta_host_head(h, col)->freq_s;
        add_series(h, col, *out_freq_s, from_s, out, cells);
    }
    ta_shard_unlock(sd);
    *out_series = found.n;
    return found.n ? cells : TA_ENOTFOUND;
}

int64_t ta_read_sum(struct ta_store *s, const struct ta_selection *sel, int64_t from_s, double *out,
                    size_t n)
{
    uint32_t n_series = 0, n_max = 0;

    while (n) {
        int64_t freq_s = 0;
        int64_t cells = sum_slice(s, sel, from_s, out, n, &freq_s, &n_series);

        if (cells < 0) {
            add_missing(out, (int64_t)n);
            return n_max;
        }
        n_max = n_series > n_max ? n_series : n_max;
        out += cells;
        n -= (size_t)cells;
        from_s += cells * freq_s;
    }
    return n_max;
}
