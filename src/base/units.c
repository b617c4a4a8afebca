#include "base/units.h"

#include <inttypes.h>
#include <stdio.h>

static const int64_t second = 1000000000;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* digits[.digits] from *p on, as `whole` and the fraction's digits; false when there is none or
 * the whole overflows. Digits after the 18th of the fraction are dropped: they are below any
 * unit. */
struct quantity {
    uint64_t whole, fraction, fraction_scale;
    bool over;
};

static bool scan_quantity(const char **p, const char *end, struct quantity *q)
{
    const char *at = *p;
    bool any = false;

    *q = (struct quantity){.fraction_scale = 1};
    for (; at < end && is_digit(*at); at++, any = true)
        q->over |= __builtin_mul_overflow(q->whole, 10u, &q->whole) ||
                   __builtin_add_overflow(q->whole, (unsigned)(*at - '0'), &q->whole);
    if (at < end && *at == '.')
        for (at++; at < end && is_digit(*at); at++, any = true)
            if (q->fraction_scale < 1000000000000000000u) {
                q->fraction = q->fraction * 10 + (unsigned)(*at - '0');
                q->fraction_scale *= 10;
            }
    *p = at;
    return any;
}

/* The quantity times unit, truncated; false on overflow. */
static bool scale_quantity(const struct quantity *q, uint64_t unit, uint64_t *out)
{
    uint64_t part = (uint64_t)((unsigned __int128)q->fraction * unit / q->fraction_scale);

    return !q->over && !__builtin_mul_overflow(q->whole, unit, out) &&
           !__builtin_add_overflow(*out, part, out);
}

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit *find_unit(const struct unit *units, size_t n, struct ta_str name)
{
    for (size_t i = 0; i < n; i++)
        if (ta_str_is(name, units[i].name))
            return &units[i];
    return NULL;
}

static const struct unit time_units[] = {
    {"ns", 1},       {"us", 1000},      {"\xc2\xb5s", 1000}, {"\xce\xbcs", 1000},
    {"ms", 1000000}, {"s", 1000000000}, {"m", 60000000000},  {"h", 3600000000000},
};

static int bad_duration(struct ta_str s, const char *what, struct ta_err *err)
{
    return ta_fail(err, TA_EFORMAT, "%s in duration \"%.*s\" (like 48h, 1h30m, 10s)", what,
                   TA_STR_FMT(s));
}

int ta_parse_duration(struct ta_str s, int64_t *out_ns, struct ta_err *err)
{
    const char *p = s.at, *end = s.at + s.len;
    bool negative = false, over = false;
    uint64_t total = 0;

    if (p < end && (*p == '-' || *p == '+'))
        negative = *p++ == '-';
    if (p == end)
        return bad_duration(s, "no number", err);
    if (end - p == 1 && *p == '0') {
        *out_ns = 0;
        return TA_OK;
    }
    while (p < end) {
        struct quantity q;
        uint64_t part = 0;
        if (!scan_quantity(&p, end, &q))
            return bad_duration(s, "no number", err);
        const char *name = p;
        while (p < end && *p != '.' && !is_digit(*p))
            p++;
        if (p == name)
            return bad_duration(s, "missing unit", err);
        const struct unit *u =
            find_unit(time_units, TA_COUNT(time_units), (struct ta_str){name, (size_t)(p - name)});
        if (!u)
            return bad_duration(s, "unknown unit", err);
        over |=
            !scale_quantity(&q, u->factor, &part) || __builtin_add_overflow(total, part, &total);
    }
    if (over || total > (uint64_t)INT64_MAX + negative)
        return ta_fail(err, TA_ERANGE, "duration \"%.*s\" is too long", TA_STR_FMT(s));
    *out_ns = negative ? (int64_t)(0 - total) : (int64_t)total;
    return TA_OK;
}

static const struct unit size_units[] = {
    {"", 1},
    {"B", 1},
    {"k", UINT64_C(1) << 10},
    {"K", UINT64_C(1) << 10},
    {"M", UINT64_C(1) << 20},
    {"G", UINT64_C(1) << 30},
    {"T", UINT64_C(1) << 40},
    {"KiB", UINT64_C(1) << 10},
    {"MiB", UINT64_C(1) << 20},
    {"GiB", UINT64_C(1) << 30},
    {"TiB", UINT64_C(1) << 40},
    {"kB", UINT64_C(1000)},
    {"KB", UINT64_C(1000)},
    {"MB", UINT64_C(1000000)},
    {"GB", UINT64_C(1000000000)},
    {"TB", UINT64_C(1000000000000)},
};

int ta_parse_size(struct ta_str s, uint64_t *out, struct ta_err *err)
{
    const char *p = s.at, *end = s.at + s.len;
    struct quantity q;
    uint64_t bytes;

    if (!scan_quantity(&p, end, &q))
        return ta_fail(err, TA_EFORMAT, "no number in size \"%.*s\" (like 4096, 32MiB, 10MB)",
                       TA_STR_FMT(s));
    while (p < end && *p == ' ')
        p++;
    const struct unit *u =
        find_unit(size_units, TA_COUNT(size_units), (struct ta_str){p, (size_t)(end - p)});
    if (!u)
        return ta_fail(err, TA_EFORMAT, "unknown unit in size \"%.*s\" (like 4096, 32MiB, 10MB)",
                       TA_STR_FMT(s));
    if (!scale_quantity(&q, u->factor, &bytes))
        return ta_fail(err, TA_ERANGE, "size \"%.*s\" is too large", TA_STR_FMT(s));
    *out = bytes;
    return TA_OK;
}

/* Days since 1970-01-01 of a date in the Gregorian calendar, years 0..9999. Years are counted
 * from March, so that the leap day is the last of its year. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool two_digits(const char *p, int64_t *out)
{
    if (!is_digit(p[0]) || !is_digit(p[1]))
        return false;
    *out = (p[0] - '0') * 10 + (p[1] - '0');
    return true;
}

static int64_t days_in(int64_t year, int64_t month)
{
    return days_of(year + month / 12, month % 12 + 1, 1) - days_of(year, month, 1);
}

/* "YYYY-MM-DD" */
static bool scan_date(const char *p, int64_t *out_days)
{
    int64_t century, year, month, day;

    if (!two_digits(p, &century) || !two_digits(p + 2, &year) || p[4] != '-' ||
        !two_digits(p + 5, &month) || p[7] != '-' || !two_digits(p + 8, &day))
        return false;
    year += century * 100;
    if (month < 1 || month > 12 || day < 1 || day > days_in(year, month))
        return false;
    *out_days = days_of(year, month, day);
    return true;
}

/* "HH:MM"; 60 is allowed nowhere. */
static bool scan_minutes(const char *p, int64_t *out)
{
    int64_t hour, minute;

    if (!two_digits(p, &hour) || p[2] != ':' || !two_digits(p + 3, &minute) || hour > 23 ||
        minute > 59)
        return false;
    *out = hour * 60 + minute;
    return true;
}

static bool scan_rfc3339(struct ta_str s, int64_t *out)
{
    const char *p = s.at, *end = s.at + s.len;
    int64_t days, minutes, seconds, offset = 0;

    if (s.len < 10 || !scan_date(p, &days))
        return false;
    if (s.len == 10) {
        *out = days * 86400;
        return true;
    }
    if (s.len < 20 || (p[10] != 'T' && p[10] != 't' && p[10] != ' ') ||
        !scan_minutes(p + 11, &minutes) || p[16] != ':' || !two_digits(p + 17, &seconds) ||
        seconds > 60) /* 60: a leap second, which Unix time counts as the next minute's first */
        return false;
    p += 19;
    if (*p == '.') {
        const char *digits = ++p;
        while (p < end && is_digit(*p))
            p++;
        if (p == digits)
            return false;
    }
    if (end - p == 6 && (*p == '+' || *p == '-')) {
        if (!scan_minutes(p + 1, &offset))
            return false;
        offset *= *p == '-' ? -60 : 60;
    } else if (end - p != 1 || (*p != 'Z' && *p != 'z')) {
        return false;
    }
    *out = days * 86400 + minutes * 60 + seconds - offset;
    return true;
}

static bool scan_unix(struct ta_str s, int64_t *out)
{
    bool negative = s.len && s.at[0] == '-';
    int64_t v = 0;

    if (s.len == negative)
        return false;
    for (size_t i = negative; i < s.len; i++)
        if (!is_digit(s.at[i]) || __builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, s.at[i] - '0', &v))
            return false;
    *out = negative ? -v : v;
    return true;
}

int ta_parse_time(struct ta_str s, int64_t *out_s, struct ta_err *err)
{
    if (scan_unix(s, out_s) || scan_rfc3339(s, out_s))
        return TA_OK;
    return ta_fail(err, TA_EFORMAT,
                   "\"%.*s\" is no time (Unix seconds, 2026-11-21 or 2026-11-21T06:19:00Z)",
                   TA_STR_FMT(s));
}

static void put_two(char *out, int64_t v)
{
    out[0] = (char)('0' + v / 10);
    out[1] = (char)('0' + v % 10);
}

char *ta_format_time(char *out, int64_t t_s)
{
    const int64_t first = -62135596800, last = 253402300799; /* years 1 to 9999 */
    int64_t t = t_s < first ? first : t_s > last ? last : t_s;
    int64_t days = (t >= 0 ? t : t - 86399) / 86400;
    int64_t rest = t - days * 86400;
    int64_t z = days + 719468; /* since 0000-03-01 */
    int64_t era = z / 146097;
    int64_t of_era = z - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t march = (5 * of_year + 2) / 153;
    int64_t day = of_year - (153 * march + 2) / 5 + 1;
    int64_t month = march < 10 ? march + 3 : march - 9;

    year += era * 400 + (month <= 2);
    put_two(out, year / 100);
    put_two(out + 2, year % 100);
    out[4] = '-';
    put_two(out + 5, month);
    out[7] = '-';
    put_two(out + 8, day);
    out[10] = 'T';
    put_two(out + 11, rest / 3600);
    out[13] = ':';
    put_two(out + 14, rest / 60 % 60);
    out[16] = ':';
    put_two(out + 17, rest % 60);
    out[19] = 'Z';
    out[20] = 0;
    return out;
}

char *ta_format_size(char *out, uint64_t bytes)
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    unsigned i = 0;
    uint64_t unit = 1;

    while (i + 1 < TA_COUNT(names) && bytes / unit >= 1024) {
        unit *= 1024;
        i++;
    }
    uint64_t whole = bytes / unit;
    /* Truncated, so that a size never shows as 1024.0 of its unit. */
    uint64_t tenth = (uint64_t)((unsigned __int128)(bytes % unit) * 10 / unit);
    if (tenth)
        snprintf(out, 32, "%" PRIu64 ".%" PRIu64 " %s", whole, tenth, names[i]);
    else
        snprintf(out, 32, "%" PRIu64 " %s", whole, names[i]);
    return out;
}

char *ta_format_duration(char *out, int64_t ns)
{
    const char *sign = ns < 0 ? "-" : "";
    uint64_t u = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    uint64_t s = u / (uint64_t)second;

    if (s >= 3600)
        snprintf(out, 40, "%s%" PRIu64 "h%" PRIu64 "m%" PRIu64 "s", sign, s / 3600, s / 60 % 60,
                 s % 60);
    else if (s >= 60)
        snprintf(out, 40, "%s%" PRIu64 "m%" PRIu64 "s", sign, s / 60, s % 60);
    else if (s)
        snprintf(out, 40, "%s%" PRIu64 "s", sign, s);
    else if (u >= 1000000)
        snprintf(out, 40, "%s%" PRIu64 "ms", sign, u / 1000000);
    else if (u >= 1000)
        snprintf(out, 40, "%s%" PRIu64 "us", sign, u / 1000);
    else
        snprintf(out, 40, "%s%" PRIu64 "%s", sign, u, u ? "ns" : "s");
    return out;
}
