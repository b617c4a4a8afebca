/* layout.c - columns of a node and their lines. */
#include "load/layout.h"

#include "base/number.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

enum { LAYOUT_BYTES_MAX = 16 << 20, LINE_MAX_BYTES = 512 };

static uint32_t count_of(const struct ta_load_shape *s, enum ta_load_scope scope)
{
    const uint32_t counts[TA_LOAD_N_SCOPES] = {
        [TA_LOAD_NODE] = 1,
        [TA_LOAD_SOCKET] = s->sockets,
        [TA_LOAD_HWTHREAD] = s->hwthreads,
        [TA_LOAD_ACCELERATOR] = s->accelerators,
        [TA_LOAD_LINK] = s->accelerators * s->links,
    };

    return counts[scope];
}

static const char *const type_names[TA_LOAD_N_SCOPES] = {
    [TA_LOAD_NODE] = "node",         [TA_LOAD_SOCKET] = "socket",
    [TA_LOAD_HWTHREAD] = "hwthread", [TA_LOAD_ACCELERATOR] = "accelerator",
    [TA_LOAD_LINK] = "accelerator",
};

__attribute__((format(printf, 2, 3))) static struct ta_str print(struct ta_arena *a,
                                                                 const char *fmt, ...)
{
    char text[LINE_MAX_BYTES];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return ta_arena_copy(a, (struct ta_str){text, (size_t)n});
}

static bool column_init(struct ta_load_column *c, struct ta_arena *a, const char *cluster,
                        const struct ta_load_metric *m, const struct ta_load_shape *shape)
{
    uint32_t part = c->component;
    bool is_link = m->scope == TA_LOAD_LINK;
    const char *comma = m->unit[0] ? ",unit=" : "";

    if (is_link)
        part /= shape->links;
    c->type = ta_str(type_names[m->scope]);
    if (m->scope == TA_LOAD_ACCELERATOR || is_link) /* PCI addresses, as drivers name devices */
        c->type_id = print(a, "00000000:%02X:00.0", (0x0e + 0x23 * part) & 0xff);
    else if (m->scope != TA_LOAD_NODE)
        c->type_id = print(a, "%u", part);
    if (is_link) {
        c->stype = TA_STR("nvlink");
        c->stype_id = print(a, "%u", c->component % shape->links);
    }
    c->before = print(a, "%s,cluster=%s,hostname=", m->name, cluster);
    c->after = print(a, "%s%.*s%s%.*s,type=%s%s%.*s%s%s value=", is_link ? ",stype=" : "",
                     TA_STR_FMT(c->stype), is_link ? ",stype-id=" : "", TA_STR_FMT(c->stype_id),
                     type_names[m->scope], c->type_id.len ? ",type-id=" : "",
                     TA_STR_FMT(c->type_id), comma, m->unit);
    return c->before.at && c->after.at && (!c->type_id.len || c->type_id.at);
}

int ta_load_layout_init(struct ta_load_layout *l, struct ta_alloc *alloc, const char *cluster,
                        const struct ta_load_metric *metrics, uint32_t n_metrics,
                        const struct ta_load_shape *shape, struct ta_err *err)
{
    uint32_t n = 0;

    *l = (struct ta_load_layout){.metrics = metrics, .n_metrics = n_metrics};
    ta_arena_init(&l->arena, alloc, LAYOUT_BYTES_MAX);
    for (uint32_t i = 0; i < n_metrics; i++)
        l->n_columns += count_of(shape, metrics[i].scope);
    l->columns = ta_arena_get(&l->arena, l->n_columns * sizeof(*l->columns));
    for (uint32_t i = 0; l->columns && i < n_metrics; i++) {
        for (uint32_t k = 0; k < count_of(shape, metrics[i].scope); k++, n++) {
            l->columns[n] = (struct ta_load_column){.metric = i, .component = k};
            if (!column_init(&l->columns[n], &l->arena, cluster, &metrics[i], shape))
                goto refused;
        }
    }
    if (l->columns)
        return TA_OK;
refused:
    ta_load_layout_done(l);
    return ta_fail(err, TA_ENOMEM, "no memory for the series of a node");
}

void ta_load_layout_done(struct ta_load_layout *l)
{
    if (l->arena.parent)
        ta_arena_done(&l->arena);
}

static int add_value(struct ta_buf *out, bool is_integer, double v)
{
    if (is_integer) {
        int r = ta_buf_i64(out, (int64_t)v);
        return r < 0 ? r : ta_buf_byte(out, 'i');
    }
    int r = ta_buf_reserve(out, TA_SHORTEST_MAX);
    if (r == TA_OK)
        out->len += ta_load_print_g(out->at + out->len, v);
    return r;
}

int ta_load_lines(const struct ta_load_layout *l, struct ta_str host, int64_t ts_s,
                  const double *values, struct ta_buf *out)
{
    char end[32] = " ";
    struct ta_buf time = {.at = end, .len = 1, .cap = sizeof(end), .max = sizeof(end)};
    int r = ta_buf_i64(&time, ts_s);

    if (r == TA_OK)
        r = ta_buf_byte(&time, '\n');
    for (uint32_t i = 0; r == TA_OK && i < l->n_columns; i++) {
        const struct ta_load_column *c = &l->columns[i];
        if (isnan(values[i]))
            continue;
        if ((r = ta_buf_str(out, c->before)) < 0 || (r = ta_buf_str(out, host)) < 0 ||
            (r = ta_buf_str(out, c->after)) < 0 ||
            (r = add_value(out, l->metrics[c->metric].is_integer, values[i])) < 0)
            break;
        r = ta_buf_str(out, ta_buf_view(&time));
    }
    return r;
}

int ta_load_metrics_json(const struct ta_load_layout *l, int64_t frequency_s, struct ta_buf *out)
{
    int r = ta_buf_byte(out, '{');

    for (uint32_t i = 0; r == TA_OK && i < l->n_metrics; i++) {
        const struct ta_load_metric *m = &l->metrics[i];
        bool is_known = false;
        for (uint32_t k = 0; k < i; k++)
            is_known |= strcmp(l->metrics[k].name, m->name) == 0;
        if (is_known)
            continue;
        r = ta_buf_printf(out, "%s\"%s\":{\"frequency\":%lld,\"aggregation\":\"%s\"}", i ? "," : "",
                          m->name, (long long)frequency_s,
                          m->aggregation == 's'   ? "sum"
                          : m->aggregation == 'a' ? "avg"
                                                  : "");
    }
    return r < 0 ? r : ta_buf_byte(out, '}');
}
