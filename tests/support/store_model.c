#include "store_model.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void model_done(struct model_series *m)
{
    while (m->n)
        model_drop_oldest(m);
    free(m->buffers);
    memset(m, 0, sizeof(*m));
}

static struct model_buffer *insert(struct model_series *m, size_t at, int64_t start_s,
                                   uint32_t capacity)
{
    struct model_buffer *b = calloc(1, sizeof(*b));

    assert(b && capacity >= 1 && capacity <= MODEL_SLOTS);
    if (m->n == m->cap) {
        m->cap = m->cap ? 2 * m->cap : 8;
        m->buffers = realloc(m->buffers, m->cap * sizeof(struct model_buffer *));
        assert(m->buffers);
    }
    memmove(m->buffers + at + 1, m->buffers + at, (m->n - at) * sizeof(struct model_buffer *));
    m->buffers[at] = b;
    m->n++;
    b->start_s = start_s;
    b->capacity = capacity;
    for (int i = 0; i < MODEL_SLOTS; i++)
        b->cells[i] = NAN;
    return b;
}

static void put(const struct model_series *m, struct model_buffer *b, int64_t ts_s, double v)
{
    uint32_t slot = (uint32_t)((ts_s - b->start_s) / m->freq_s);

    assert(slot < b->capacity);
    b->cells[slot] = v;
    b->len = b->len > slot ? b->len : slot + 1;
}

static int64_t cap_end(const struct model_series *m, const struct model_buffer *b)
{
    return b->start_s + (int64_t)b->capacity * m->freq_s;
}

int model_write(struct model_series *m, int64_t ts_s, double v, int64_t oldest_s)
{
    int64_t start_s = ts_s - m->freq_s / 2;
    size_t i = m->n;

    while (i > 0 && m->buffers[i - 1]->start_s > ts_s)
        i--;
    if (i > 0 && ts_s < cap_end(m, m->buffers[i - 1])) {
        put(m, m->buffers[i - 1], ts_s, v);
        return i < m->n;
    }
    if (i == m->n) {
        put(m, insert(m, m->n, start_s, MODEL_SLOTS), ts_s, v);
        return 0;
    }
    if (i == 0 && ts_s < oldest_s)
        return -1;

    int64_t next_s = m->buffers[i]->start_s, capacity;

    if (start_s > next_s - m->freq_s)
        start_s = next_s - m->freq_s;
    capacity = (next_s - start_s) / m->freq_s;
    if (capacity > MODEL_SLOTS)
        capacity = MODEL_SLOTS;
    put(m, insert(m, i, start_s, (uint32_t)capacity), ts_s, v);
    return 1;
}

bool model_has(const struct model_series *m, int64_t start_s, int64_t end_s)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->buffers[i]->start_s < end_s && cap_end(m, m->buffers[i]) > start_s)
            return true;
    return false;
}

void model_restore(struct model_series *m, int64_t start_s, const double *v, uint32_t n)
{
    size_t i = 0;
    struct model_buffer *b;

    while (i < m->n && m->buffers[i]->start_s < start_s)
        i++;
    b = insert(m, i, start_s, n);
    memcpy(b->cells, v, n * sizeof(*v));
    b->len = n;
    b->is_restored = true;
}

size_t model_read(const struct model_series *m, int64_t from_s, int64_t to_s, bool is_raised,
                  int64_t *out_from_s, double *out, size_t max)
{
    size_t k = m->n - 1, n = 0;
    int64_t t;

    while (from_s < m->buffers[k]->start_s + m->freq_s / 2) {
        if (k == 0) {
            if (is_raised)
                from_s = m->buffers[0]->start_s + m->freq_s / 2;
            break;
        }
        k--;
    }
    for (t = from_s; t < to_s; t += m->freq_s) {
        const struct model_buffer *b = m->buffers[k];
        double v = NAN;
        int64_t slot;

        while ((t - b->start_s) / m->freq_s >= b->capacity && k + 1 < m->n)
            b = m->buffers[++k];
        slot = (t - b->start_s) / m->freq_s;
        if (slot >= b->capacity)
            break;
        if (slot >= b->len) {
            if (k + 1 == m->n || to_s <= m->buffers[k + 1]->start_s)
                break;
        } else if (t >= b->start_s) {
            v = b->cells[slot];
        }
        if (out && n < max)
            out[n] = v;
        n++;
    }
    *out_from_s = from_s;
    return n;
}

void model_drop_oldest(struct model_series *m)
{
    free(m->buffers[0]);
    m->n--;
    memmove(m->buffers, m->buffers + 1, m->n * sizeof(struct model_buffer *));
}

size_t model_free_before(struct model_series *m, int64_t t)
{
    size_t n = 0;

    while (m->n &&
           m->buffers[0]->start_s + m->freq_s / 2 + (int64_t)m->buffers[0]->len * m->freq_s < t) {
        model_drop_oldest(m);
        n++;
    }
    return n;
}
