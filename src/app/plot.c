#include "app/plot.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

enum {
    LABEL = 9, /* cells left of the axis */
    DOTS_X = 2,
    DOTS_Y = 4,
    CURVE_MAX = TA_PLOT_WIDTH_MAX * DOTS_X
};

#define COLOUR_CURVE "\033[32m"
#define COLOUR_AXIS  "\033[2m"
#define COLOUR_OFF   "\033[0m"

struct span {
    double low, high; /* NaN: no sample */
};

struct canvas {
    unsigned width, height; /* cells of the curve */
    double low, high;       /* values at the lower and upper edge */
    struct span column[CURVE_MAX];
};

char *ta_plot_number(char *out, double v)
{
    static const struct {
        double unit;
        char letter;
    } units[] = {{1e15, 'P'}, {1e12, 'T'}, {1e9, 'G'}, {1e6, 'M'}, {1e3, 'k'}};
    double size = fabs(v);

    if (size >= 1e18 || (size < 1e-3 && size > 0)) {
        snprintf(out, 24, "%.0e", v);
        return out;
    }
    for (size_t i = 0; i < TA_COUNT(units); i++)
        if (size >= units[i].unit) {
            snprintf(out, 24, "%.4g%c", v / units[i].unit, units[i].letter);
            return out;
        }
    snprintf(out, 24, "%.4g", v);
    return out;
}

static void add(struct span *s, double v)
{
    if (isnan(s->low) || v < s->low)
        s->low = v;
    if (isnan(s->high) || v > s->high)
        s->high = v;
}

/* Spreads the values over the columns of dots; neighbours are joined so that a steep rise is a
 * line and not two far points. Returns how many values there were. */
static size_t spread(const struct ta_plot *p, struct canvas *c)
{
    size_t columns = (size_t)c->width * DOTS_X, n = 0, last_column = 0;
    double last = NAN;

    for (size_t x = 0; x < columns; x++)
        c->column[x] = (struct span){NAN, NAN};
    c->low = INFINITY;
    c->high = -INFINITY;
    for (size_t i = 0; i < p->n; i++) {
        double v = p->values[i];
        size_t x = p->n > 1 ? i * (columns - 1) / (p->n - 1) : 0;

        if (!isfinite(v)) {
            last = NAN;
            continue;
        }
        n++;
        c->low = fmin(c->low, v);
        c->high = fmax(c->high, v);
        if (!isnan(last)) {
            for (size_t between = last_column + 1; between < x; between++)
                add(&c->column[between], last + (v - last) * (double)(between - last_column) /
                                                    (double)(x - last_column));
            if (x != last_column)
                add(&c->column[x], last + (v - last) * 0.5);
        }
        add(&c->column[x], v);
        last = v;
        last_column = x;
    }
    if (n > 0 && c->high - c->low <= fabs(c->high) * 1e-12) { /* a flat line stands in the middle */
        double room = c->high != 0 ? fabs(c->high) * 0.5 : 1;
        c->low -= room;
        c->high += room;
    }
    return n;
}

/* Row of dots of a value, counted from the bottom. */
static unsigned dot_row(const struct canvas *c, double v)
{
    double rows = (double)(c->height * DOTS_Y - 1);
    double at = (v - c->low) / (c->high - c->low) * rows + 0.5;

    return at <= 0 ? 0 : at >= rows ? (unsigned)rows : (unsigned)at;
}

static int put_utf8(struct ta_buf *out, unsigned code)
{
    char bytes[3] = {(char)(0xe0 | code >> 12), (char)(0x80 | (code >> 6 & 0x3f)),
                     (char)(0x80 | (code & 0x3f))};

    return ta_buf_add(out, bytes, 3);
}

/* One cell of the curve, `row` counted from the bottom. */
static int put_cell(const struct canvas *c, unsigned x, unsigned row, bool is_ascii,
                    struct ta_buf *out)
{
    /* Bits of U+2800: dots 1-3 and 7 are the left column from the top, 4-6 and 8 the right. */
    static const unsigned char bit[DOTS_X][DOTS_Y] = {{0x40, 0x04, 0x02, 0x01},
                                                      {0x80, 0x20, 0x10, 0x08}};
    unsigned dots = 0;

    for (unsigned dx = 0; dx < DOTS_X; dx++) {
        const struct span *s = &c->column[x * DOTS_X + dx];

        if (isnan(s->low))
            continue;
        unsigned from = dot_row(c, s->low), to = dot_row(c, s->high);
        for (unsigned dy = 0; dy < DOTS_Y; dy++)
            if (row * DOTS_Y + dy >= from && row * DOTS_Y + dy <= to)
                dots |= bit[dx][dy];
    }
    if (is_ascii)
        return ta_buf_byte(out, dots ? '*' : ' ');
    return dots ? put_utf8(out, 0x2800 + dots) : ta_buf_byte(out, ' ');
}

static int put_rows(const struct ta_plot *p, const struct canvas *c, struct ta_buf *out)
{
    int r = TA_OK;

    for (unsigned row = c->height; r == TA_OK && row-- > 0;) {
        char label[24] = "";

        if (row == c->height - 1)
            ta_plot_number(label, c->high);
        else if (row == 0)
            ta_plot_number(label, c->low);
        else if (row == c->height / 2 && c->height > 4)
            ta_plot_number(label, c->low + (c->high - c->low) * (row * DOTS_Y + 2) /
                                               (double)(c->height * DOTS_Y - 1));
        r = ta_buf_printf(out, "%*s %s%s%s", LABEL - 2, label, p->has_colour ? COLOUR_AXIS : "",
                          p->is_ascii ? "|"
                          : label[0]  ? "\u2524"
                                      : "\u2502",
                          p->has_colour ? COLOUR_OFF COLOUR_CURVE : "");
        for (unsigned x = 0; r == TA_OK && x < c->width; x++)
            r = put_cell(c, x, row, p->is_ascii, out);
        if (r == TA_OK)
            r = ta_buf_printf(out, "%s\n", p->has_colour ? COLOUR_OFF : "");
    }
    return r;
}

static void time_label(char *out, size_t n, int64_t t_s, int64_t range_s)
{
    time_t t = (time_t)t_s;
    struct tm tm;

    out[0] = 0;
    if (localtime_r(&t, &tm))
        strftime(out, n,
                 range_s < 600      ? "%H:%M:%S"
                 : range_s <= 86400 ? "%H:%M"
                                    : "%m-%d %H:%M",
                 &tm);
}

static int put_time_axis(const struct ta_plot *p, const struct canvas *c, struct ta_buf *out)
{
    int64_t range = p->step_s * (int64_t)(p->n ? p->n - 1 : 0);
    unsigned ticks = c->width / 16 ? c->width / 16 : 1; /* labels are up to 11 wide */
    unsigned column = 0;
    int r = ta_buf_printf(out, "%*s%s%s", LABEL - 1, "", p->has_colour ? COLOUR_AXIS : "",
                          p->is_ascii ? "+" : "\u2514");

    for (unsigned x = 0; r == TA_OK && x < c->width; x++) {
        bool is_tick = x * ticks % c->width < ticks;
        r = ta_buf_z(out, p->is_ascii ? (is_tick ? "+" : "-") : is_tick ? "\u252c" : "\u2500");
    }
    if (r == TA_OK)
        r = ta_buf_printf(out, "%s\n%*s", p->has_colour ? COLOUR_OFF : "", LABEL, "");
    for (unsigned x = 0; r == TA_OK && x < c->width; x++) {
        char label[24];

        if (x * ticks % c->width >= ticks || x < column)
            continue;
        time_label(label, sizeof(label),
                   p->from_s + (int64_t)((double)range * x / (double)c->width), range);
        if (x + strlen(label) > c->width)
            break;
        r = ta_buf_printf(out, "%*s%s", (int)(x - column), "", label);
        column = x + (unsigned)strlen(label) + 1;
        if (r == TA_OK && column < c->width)
            r = ta_buf_byte(out, ' ');
    }
    return r == TA_OK ? ta_buf_byte(out, '\n') : r;
}

static unsigned clamp(unsigned v, unsigned low, unsigned high)
{
    return v < low ? low : v > high ? high : v;
}

int ta_plot_draw(const struct ta_plot *p, struct ta_buf *out)
{
    struct canvas c = {
        .width = clamp(p->width, TA_PLOT_WIDTH_MIN, TA_PLOT_WIDTH_MAX) - LABEL,
        .height = clamp(p->height, 2, TA_PLOT_HEIGHT_MAX),
    };
    int r;

    if (spread(p, &c) == 0)
        return ta_buf_printf(out, "%s: no samples in this range\n", p->title);
    r = ta_buf_printf(out, "%s\n", p->title);
    if (r == TA_OK)
        r = put_rows(p, &c, out);
    return r == TA_OK ? put_time_axis(p, &c, out) : r;
}
