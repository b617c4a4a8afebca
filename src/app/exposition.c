#include "app/exposition.h"

#include <math.h>

static void keep(struct ta_exposition *e, int r)
{
    if (r < 0 && e->error == TA_OK)
        e->error = r;
}

void ta_expo_family(struct ta_exposition *e, const char *name, const char *type, const char *help)
{
    e->family = name;
    keep(e, ta_buf_printf(e->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type));
}

static void put_label(struct ta_exposition *e, char before, const char *label, const char *value)
{
    keep(e, ta_buf_byte(e->out, before));
    keep(e, ta_buf_z(e->out, label));
    keep(e, ta_buf_z(e->out, "=\""));
    for (const char *c = value; *c; c++) {
        if (*c == '\\' || *c == '"')
            keep(e, ta_buf_byte(e->out, '\\'));
        keep(e, *c == '\n' ? ta_buf_z(e->out, "\\n") : ta_buf_byte(e->out, *c));
    }
    keep(e, ta_buf_byte(e->out, '"'));
}

static void put_name(struct ta_exposition *e, const char *suffix, const char *label1,
                     const char *value1, const char *label2, const char *value2)
{
    keep(e, ta_buf_z(e->out, e->family));
    keep(e, ta_buf_z(e->out, suffix));
    if (label1)
        put_label(e, '{', label1, value1);
    if (label2)
        put_label(e, ',', label2, value2);
    if (label1)
        keep(e, ta_buf_byte(e->out, '}'));
    keep(e, ta_buf_byte(e->out, ' '));
}

void ta_expo_u64_2(struct ta_exposition *e, const char *suffix, const char *label1,
                   const char *value1, const char *label2, const char *value2, uint64_t number)
{
    put_name(e, suffix, label1, value1, label2, value2);
    keep(e, ta_buf_printf(e->out, "%llu\n", (unsigned long long)number));
}

void ta_expo_u64(struct ta_exposition *e, const char *suffix, const char *label, const char *value,
                 uint64_t number)
{
    ta_expo_u64_2(e, suffix, label, value, NULL, NULL, number);
}

void ta_expo_f64(struct ta_exposition *e, const char *suffix, const char *label, const char *value,
                 double number)
{
    put_name(e, suffix, label, value, NULL, NULL);
    if (isnan(number))
        keep(e, ta_buf_z(e->out, "NaN\n"));
    else
        keep(e, ta_buf_printf(e->out, "%.15g\n", number));
}

void ta_expo_counter(struct ta_exposition *e, const char *name, const char *help, uint64_t number)
{
    ta_expo_family(e, name, "counter", help);
    ta_expo_u64(e, "", NULL, NULL, number);
}

void ta_expo_gauge(struct ta_exposition *e, const char *name, const char *help, double number)
{
    ta_expo_family(e, name, "gauge", help);
    ta_expo_f64(e, "", NULL, NULL, number);
}

void ta_expo_histogram(struct ta_exposition *e, const char *name, const char *help,
                       const double *bounds, const uint64_t *counts, size_t n, double sum)
{
    uint64_t below = 0;

    ta_expo_family(e, name, "histogram", help);
    for (size_t i = 0; i < n; i++) {
        char bound[32] = "+Inf";
        struct ta_buf text = {.at = bound, .cap = sizeof(bound), .max = sizeof(bound)};
        below += counts[i];
        if (i + 1 < n) {
            keep(e, ta_buf_printf(&text, "%.9g", bounds[i]));
            bound[text.len] = 0; /* printf left room for it */
        }
        ta_expo_u64(e, "_bucket", "le", bound, below);
    }
    ta_expo_f64(e, "_sum", NULL, NULL, sum);
    ta_expo_u64(e, "_count", NULL, NULL, below);
}
