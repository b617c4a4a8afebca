/* Any input, in both modes: a split anywhere gives the same samples and errors as no split; every sample
 * keeps the promises of line.h. */
#include "line/line.h"

#include <math.h>
#include <stdlib.h>

/* FNV-1a over everything the scanner says. */
struct digest {
    uint64_t hash;
    uint64_t n;
};

static void eat(struct digest *d, const void *p, size_t n)
{
    const unsigned char *b = p;

    for (size_t i = 0; i < n; i++)
        d->hash = (d->hash ^ b[i]) * 0x100000001b3;
    d->hash = (d->hash ^ n) * 0x100000001b3;
}

static void eat_name(struct digest *d, struct ta_str s)
{
    if (s.len > TA_LINE_NAME_MAX || ta_line_utf8(s) != s.len)
        abort();
    eat(d, s.at, s.len);
}

static void eat_sample(struct digest *d, const struct ta_line_sample *s)
{
    const struct ta_str names[] = {s->measurement, s->cluster, s->host,     s->type,
                                   s->type_id,     s->stype,   s->stype_id, s->field};

    if (!isfinite(s->value) || s->measurement.len == 0 || s->field.len == 0)
        abort();
    for (size_t i = 0; i < TA_COUNT(names); i++)
        eat_name(d, names[i]);
    eat(d, &s->value, sizeof(s->value));
    eat(d, &s->ts_s, sizeof(s->ts_s));
    eat(d, &s->line, sizeof(s->line));
    eat(d, s->head.at, s->head.len);
    d->n++;
}

static struct digest scan(const struct ta_line_options *options, const char *at, size_t len,
                          size_t first, size_t step)
{
    static struct ta_line_side side;
    static struct ta_line_sample out[TA_LINE_BATCH_MAX];
    struct digest d = {0xcbf29ce484222325, 0};
    struct ta_line s;
    size_t used = 0, end = first < len ? first : len;

    ta_line_init(&s, options);
    for (;;) {
        struct ta_line_result res;
        char *block = malloc(end - used ? end - used : 1); /* exact: one byte more is seen */
        if (end > used)
            memcpy(block, at + used, end - used);
        ta_line_scan(&s, &side, (struct ta_str){block, end - used}, end == len, out,
                     TA_LINE_BATCH_MAX, &res);
        if (res.used > end - used || (res.stop != TA_LINE_DRAINED && res.used == 0 && res.n == 0))
            abort();
        for (size_t i = 0; i < res.n; i++)
            eat_sample(&d, &out[i]);
        if (res.stop == TA_LINE_BAD) {
            struct ta_err err = {0};
            ta_line_fail(&err, &res.error);
            eat(&d, err.text, strlen(err.text));
            d.n++;
        }
        free(block);
        used += res.used;
        if (res.stop != TA_LINE_DRAINED)
            continue;
        if (end == len)
            break;
        end = len - end > step ? end + step : len;
    }
    if (used != len)
        abort();
    return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ta_line_options options[] = {
        {.mode = TA_LINE_NATIVE},
        {.mode = TA_LINE_NATIVE, .line_max = 48},
        {.mode = TA_LINE_INFLUX, .precision = TA_LINE_NS},
        {.mode = TA_LINE_INFLUX, .precision = TA_LINE_HOUR, .line_max = 100},
    };

    if (size < 3)
        return 0;
    size_t first = data[1] % size, step = 1 + data[2] % 64;
    const struct ta_line_options *o = &options[data[0] % TA_COUNT(options)];
    const char *at = (const char *)data + 3;
    struct digest whole = scan(o, at, size - 3, size, 1), cut = scan(o, at, size - 3, first, step);
    if (whole.hash != cut.hash || whole.n != cut.n)
        abort();
    return 0;
}
