/* dump.c - the debug text: which buffers there are. (spec: metric-store 10)
 *
 * Almost JSON, names unescaped, as the reference prints it; in sorted order. One step prints a level's
 * opening, a series or some buffers of one; a level of the tree that turns out to have come or gone between two
 * steps is printed as it was found.
 */
#include "store/read.h"
#include "store/walk.h"

#include <string.h>

enum { BUFFERS_PER_STEP = 32, LEVELS = 4 };

enum dump_state { DUMP_START, DUMP_HOST, DUMP_SERIES, DUMP_BUFFERS, DUMP_END, DUMP_DONE };

struct ta_dump {
    struct ta_store *store;
    struct ta_alloc *alloc;
    struct ta_metrics *metrics;
    enum dump_state state;
    struct ta_name path[LEVELS];
    size_t n_path;
    struct ta_name open[LEVELS]; /* names of the levels printed: cluster, host, type, subtype */
    size_t n_open;               /* levels entered, those of `path` included */
    struct ta_host_name host;
    bool has_host, has_series, has_buffer;
    struct ta_walk_series series;
    int64_t after_s; /* the last buffer printed */
};

static struct ta_str path_str(const struct ta_dump *d, size_t i)
{
    return i < d->n_path ? ta_name_str(&d->path[i]) : (struct ta_str){0};
}

/* ---- finding ---------------------------------------------------------------------------------- */

/* The next host of the path, into d->host. */
static bool next_host(struct ta_dump *d)
{
    const struct ta_host_name *after = d->has_host ? &d->host : NULL;
    struct ta_host_name next;

    if (d->n_path < 2) {
        if (!ta_walk_hosts(d->store, path_str(d, 0), after, &next, 1))
            return false;
    } else {
        if (d->has_host || !ta_walk_find_host(d->store, path_str(d, 0), path_str(d, 1), NULL))
            return false;
        next = (struct ta_host_name){.cluster = d->path[0], .host = d->path[1]};
    }
    d->host = next;
    d->has_host = true;
    d->has_series = false;
    return true;
}

/* The next series of d->host under the path, into d->series. */
static bool next_series(struct ta_dump *d)
{
    while (ta_walk_series_next(d->store, ta_name_str(&d->host.cluster), ta_name_str(&d->host.host),
                               !d->has_series, &d->series)) {
        d->has_series = true;
        if ((d->n_path < 3 || ta_str_eq(ta_name_str(&d->series.type), path_str(d, 2))) &&
            (d->n_path < 4 || ta_str_eq(ta_name_str(&d->series.stype), path_str(d, 3))))
            return true;
    }
    return false;
}

static bool is_there(struct ta_dump *d)
{
    bool found = true;

    if (d->n_path == 0)
        return true;
    found = next_host(d) && (d->n_path < 3 || next_series(d));
    d->has_host = d->has_series = false;
    return found;
}

/* ---- printing --------------------------------------------------------------------------------- */

static int print_tabs(struct ta_buf *out, size_t n)
{
    int r = TA_OK;

    while (n-- && r >= 0)
        r = ta_buf_byte(out, '\t');
    return r;
}

/* Leaves levels until `keep` of them are entered. */
static int leave(struct ta_dump *d, struct ta_buf *out, size_t keep)
{
    int r = TA_OK;

    keep = keep < d->n_path ? d->n_path : keep;
    for (; d->n_open > keep && r >= 0; d->n_open--) {
        r = print_tabs(out, d->n_open - d->n_path);
        if (r >= 0)
            r = ta_buf_z(out, "},\n");
    }
    return r;
}

/* Enters a level unless it is the one that is entered at that depth. */
static int enter(struct ta_dump *d, struct ta_buf *out, size_t depth, const struct ta_name *name)
{
    int r;

    if (d->n_open > depth && ta_str_eq(ta_name_str(&d->open[depth]), ta_name_str(name)))
        return TA_OK;
    r = leave(d, out, depth);
    if (r < 0 || depth < d->n_path || !name->len)
        return r;
    d->open[depth] = *name;
    d->n_open = depth + 1;
    r = print_tabs(out, d->n_open - d->n_path);
    return r < 0 ? r : ta_buf_printf(out, "\"%.*s\":{\n", TA_STR_FMT(ta_name_str(name)));
}

static int print_series(struct ta_dump *d, struct ta_buf *out)
{
    struct ta_str metric = ta_metrics_at(d->metrics, d->series.metric)->name;
    size_t depth = d->series.stype.len ? 4 : d->series.type.len ? 3 : 2;
    int r = enter(d, out, 2, &d->series.type);

    if (r >= 0 && d->series.type.len)
        r = enter(d, out, 3, &d->series.stype);
    if (r >= 0)
        r = print_tabs(out, depth - d->n_path + 1);
    return r < 0 ? r : ta_buf_printf(out, "\"%.*s\":[", TA_STR_FMT(metric));
}

/* Some buffers of the series; 0 when they were the last. */
static int print_buffers(struct ta_dump *d, struct ta_buf *out)
{
    struct ta_buffer_info buffers[BUFFERS_PER_STEP];
    struct ta_column_key key = {d->series.metric, ta_name_str(&d->series.type),
                                ta_name_str(&d->series.stype)};
    size_t n = ta_walk_buffers(d->store, ta_name_str(&d->host.cluster), ta_name_str(&d->host.host),
                               &key, d->after_s, buffers, BUFFERS_PER_STEP);

    for (size_t i = 0; i < n; i++) {
        const struct ta_buffer_info *b = &buffers[i];
        int r = ta_buf_printf(out, "%s{\"start\":%lld,\"len\":%u,\"end\":%lld%s}",
                              d->has_buffer ? "," : "", (long long)b->start_s, b->len,
                              (long long)(b->start_s + b->freq_s * (int64_t)b->len),
                              b->is_restored ? ",\"saved\":true" : "");

        if (r < 0)
            return r;
        d->after_s = b->start_s;
        d->has_buffer = true;
    }
    return n == BUFFERS_PER_STEP;
}

static int step(struct ta_dump *d, struct ta_buf *out)
{
    int r = TA_OK;

    switch (d->state) {
    case DUMP_START:
        d->n_open = d->n_path;
        d->state = DUMP_HOST;
        return ta_buf_z(out, "{\"data\":{\n");
    case DUMP_HOST:
        if (!next_host(d)) {
            d->state = DUMP_END;
            return leave(d, out, 0);
        }
        d->state = DUMP_SERIES;
        r = enter(d, out, 0, &d->host.cluster);
        return r < 0 ? r : enter(d, out, 1, &d->host.host);
    case DUMP_SERIES:
        if (!next_series(d)) {
            d->state = DUMP_HOST;
            return leave(d, out, 1);
        }
        d->state = DUMP_BUFFERS;
        d->after_s = INT64_MIN;
        d->has_buffer = false;
        return print_series(d, out);
    case DUMP_BUFFERS:
        r = print_buffers(d, out);
        if (r != 0)
            return r;
        d->state = DUMP_SERIES;
        return ta_buf_z(out, "],\n");
    case DUMP_END:
        d->state = DUMP_DONE;
        return ta_buf_z(out, "}}\n");
    case DUMP_DONE:
        break;
    }
    return TA_OK;
}

/* ---- life ------------------------------------------------------------------------------------- */

int ta_dump_new(struct ta_dump **out, struct ta_store *s, struct ta_alloc *alloc,
                const struct ta_str *path, size_t n_path, struct ta_err *err)
{
    struct ta_dump *d;

    for (size_t i = 0; i < n_path; i++)
        if (n_path > LEVELS || !path[i].len || path[i].len > TA_NAME_MAX)
            return ta_fail(err, TA_ENOTFOUND, "no such level");
    d = ta_alloc_zero(alloc, 1, sizeof(*d));
    if (!d)
        return ta_fail(err, TA_ENOMEM, "no memory for a dump");
    d->store = s;
    d->alloc = alloc;
    d->metrics = ta_store_metrics(s);
    d->n_path = n_path;
    for (size_t i = 0; i < n_path; i++) {
        d->path[i].len = (uint8_t)path[i].len;
        memcpy(d->path[i].at, path[i].at, path[i].len);
        d->open[i] = d->path[i];
    }
    if (!is_there(d)) {
        ta_dump_free(d);
        return ta_fail(err, TA_ENOTFOUND, "no such level");
    }
    *out = d;
    return TA_OK;
}

int ta_dump_fill(struct ta_dump *d, struct ta_buf *room, size_t want)
{
    while (d->state != DUMP_DONE && room->len < want) {
        int r = step(d, room);

        if (r < 0)
            return r;
    }
    return d->state != DUMP_DONE;
}

void ta_dump_free(struct ta_dump *d)
{
    if (!d)
        return;
    ta_metrics_unref(d->metrics);
    ta_release(d->alloc, d, sizeof(*d));
}
