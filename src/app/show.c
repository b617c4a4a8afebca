#include "app/show.h"

#include "app/plot.h"
#include "base/number.h"
#include "base/units.h"

#include <math.h>
#include <stdio.h>

enum { TREND_CELLS = 16, CSV_ROWS = 256 /* per call: some 20 KiB */ };

int ta_show_head(const struct ta_show *s, struct ta_buf *out)
{
    if (s->format == TA_SHOW_CSV)
        return ta_buf_z(out, "time,host,metric,type,id,subtype,subtype_id,value\n");
    if (s->format == TA_SHOW_TABLE)
        return ta_buf_printf(out, "%s%-16s %-20s %-14s %8s %9s %9s %9s %9s  %s%s\n",
                             s->has_colour ? "\033[1m" : "", "HOST", "METRIC", "SCOPE", "SAMPLES",
                             "AVG", "MIN", "MAX", "LAST", "TREND", s->has_colour ? "\033[0m" : "");
    return TA_OK;
}

/* Names come from the network or the shell: a terminal must not obey them. */
static void plain(char *out, size_t n, struct ta_str s)
{
    size_t len = s.len < n - 1 ? s.len : n - 1;

    for (size_t i = 0; i < len; i++)
        out[i] = (unsigned char)s.at[i] < ' ' || s.at[i] == 127 ? '?' : s.at[i];
    out[len] = 0;
}

static void scope_text(char *out, size_t n, const struct ta_show_name *name)
{
    char type[64], id[64], subtype[64], subtype_id[64];

    plain(type, sizeof(type), name->type);
    plain(id, sizeof(id), name->id);
    plain(subtype, sizeof(subtype), name->subtype);
    plain(subtype_id, sizeof(subtype_id), name->subtype_id);
    snprintf(out, n, "%s%s%s%s%s", type[0] ? type : "node", id, subtype[0] ? "/" : "", subtype,
             subtype_id);
}

/* A curve of one row of cells: eight heights, the largest value of each cell's share. */
static int put_trend(const struct ta_show *s, const struct ta_answer_series *series,
                     struct ta_buf *out)
{
    static const char *const bars[] = {"\u2581", "\u2582", "\u2583", "\u2584",
                                       "\u2585", "\u2586", "\u2587", "\u2588"};
    static const char letters[] = "_.-~=+*#";
    size_t n = series->n;
    double low = INFINITY, high = -INFINITY;
    int r = TA_OK;

    for (size_t i = 0; i < n; i++)
        if (isfinite(series->values[i])) {
            low = fmin(low, series->values[i]);
            high = fmax(high, series->values[i]);
        }
    for (size_t x = 0; r == TA_OK && n > 0 && x < TREND_CELLS; x++) {
        size_t from = x * n / TREND_CELLS, to = (x + 1) * n / TREND_CELLS;
        double top = NAN;

        for (size_t i = from; i < (to > from ? to : from + 1) && i < n; i++)
            if (isfinite(series->values[i]) && !(top >= series->values[i]))
                top = series->values[i];
        unsigned step = isnan(top) || high <= low ? 0 : (unsigned)((top - low) / (high - low) * 7);
        if (isnan(top))
            r = ta_buf_byte(out, ' ');
        else if (s->is_ascii)
            r = ta_buf_byte(out, letters[step]);
        else
            r = ta_buf_z(out, bars[step]);
    }
    return r;
}

static int put_row(const struct ta_show *s, const struct ta_show_name *name,
                   const struct ta_answer_series *series, struct ta_buf *out)
{
    char host[100], metric[100], scope[280], avg[24], min[24], max[24], last[24];
    size_t n_samples = 0;
    double newest = NAN;

    plain(host, sizeof(host), name->host);
    plain(metric, sizeof(metric), name->metric);
    scope_text(scope, sizeof(scope), name);
    if (series->error[0]) {
        char error[sizeof(series->error)];

        plain(error, sizeof(error), ta_str(series->error));
        return ta_buf_printf(out, "%-16s %-20s %-14s %s\n", host, metric, scope, error);
    }
    for (size_t i = 0; i < series->n; i++)
        if (!isnan(series->values[i])) {
            n_samples++;
            newest = series->values[i];
        }
    int r =
        ta_buf_printf(out, "%-16s %-20s %-14s %8zu %9s %9s %9s %9s  ", host, metric, scope,
                      n_samples, ta_plot_number(avg, series->avg), ta_plot_number(min, series->min),
                      ta_plot_number(max, series->max), ta_plot_number(last, newest));
    if (r == TA_OK)
        r = put_trend(s, series, out);
    return r == TA_OK ? ta_buf_byte(out, '\n') : r;
}

/* A field of CSV (RFC 4180): quoted when it must be. */
static int put_field(struct ta_str s, struct ta_buf *out)
{
    bool is_plain = true;
    int r = TA_OK;

    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] == ',' || s.at[i] == '"' || s.at[i] == '\n' || s.at[i] == '\r')
            is_plain = false;
    if (is_plain)
        r = ta_buf_str(out, s);
    else if ((r = ta_buf_byte(out, '"')) == TA_OK) {
        for (size_t i = 0; r == TA_OK && i < s.len; i++) {
            if (s.at[i] == '"')
                r = ta_buf_byte(out, '"');
            if (r == TA_OK)
                r = ta_buf_byte(out, s.at[i]);
        }
        if (r == TA_OK)
            r = ta_buf_byte(out, '"');
    }
    return r == TA_OK ? ta_buf_byte(out, ',') : r;
}

/* Samples only: a gap is no line. */
static int put_csv(const struct ta_show_name *name, const struct ta_answer_series *series,
                   size_t *row, struct ta_buf *out)
{
    size_t end = *row + CSV_ROWS < series->n ? *row + CSV_ROWS : series->n;
    const struct ta_str fields[] = {name->host, name->metric,  name->type,
                                    name->id,   name->subtype, name->subtype_id};

    for (; *row < end; (*row)++) {
        char number[TA_SHORTEST_MAX];
        double v = series->values[*row];
        int r;

        if (!isfinite(v))
            continue;
        r = ta_buf_i64(out, series->from_s + (int64_t)*row * series->step_s);
        if (r == TA_OK)
            r = ta_buf_byte(out, ',');
        for (size_t i = 0; r == TA_OK && i < TA_COUNT(fields); i++)
            r = put_field(fields[i], out);
        if (r == TA_OK)
            r = ta_buf_add(out, number, ta_print_shortest(number, v));
        if (r == TA_OK)
            r = ta_buf_byte(out, '\n');
        if (r < 0)
            return r;
    }
    return *row < series->n;
}

static int put_plot(const struct ta_show *s, const struct ta_show_name *name,
                    const struct ta_answer_series *series, struct ta_buf *out)
{
    char host[100], metric[100], scope[280], avg[24], min[24], max[24], title[700];

    plain(host, sizeof(host), name->host);
    plain(metric, sizeof(metric), name->metric);
    scope_text(scope, sizeof(scope), name);
    if (series->error[0])
        return ta_buf_printf(out, "%s %s %s: %s\n", host, metric, scope, series->error);
    snprintf(title, sizeof(title), "%s  %s  %s   every %llds   avg %s  min %s  max %s", metric,
             host, scope, (long long)series->step_s, ta_plot_number(avg, series->avg),
             ta_plot_number(min, series->min), ta_plot_number(max, series->max));
    struct ta_plot plot = {.title = title,
                           .values = series->values,
                           .n = series->n,
                           .from_s = series->from_s,
                           .step_s = series->step_s,
                           .width = s->width,
                           .height = s->height,
                           .has_colour = s->has_colour,
                           .is_ascii = s->is_ascii};
    return ta_plot_draw(&plot, out);
}

int ta_show_series(const struct ta_show *s, const struct ta_show_name *name,
                   const struct ta_answer_series *series, size_t *row, struct ta_buf *out)
{
    switch (s->format) {
    case TA_SHOW_CSV:
        return put_csv(name, series, row, out);
    case TA_SHOW_PLOT:
        return put_plot(s, name, series, out);
    case TA_SHOW_TABLE:
        break;
    }
    return put_row(s, name, series, out);
}
