#include "app/top_view.h"

#include "app/plot.h"
#include "base/units.h"
#include "io/json_write.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { BAR = 24 };

#define DIM    "\033[2m"
#define BOLD   "\033[1m"
#define RED    "\033[31m"
#define YELLOW "\033[33m"
#define GREEN  "\033[32m"
#define OFF    "\033[0m"

void ta_top_take(struct ta_top_view *v, const struct ta_scrape *next)
{
    bool is_first = v->now.at_mono_ns == 0;

    v->before = is_first ? *next : v->now;
    v->now = *next;
    if (is_first)
        return;
    if (v->n_rates == TA_TOP_HISTORY)
        memmove(v->rates, v->rates + 1, --v->n_rates * sizeof(v->rates[0]));
    v->rates[v->n_rates++] = ta_scrape_rate(&v->before, &v->now, TA_SCRAPE_STORED);
}

static double value(const struct ta_top_view *v, enum ta_scrape_key key)
{
    return v->now.value[key];
}

static double rate(const struct ta_top_view *v, enum ta_scrape_key key)
{
    return ta_scrape_rate(&v->before, &v->now, key);
}

static double sync_quantile(const struct ta_top_view *v, double share)
{
    return ta_scrape_quantile(&v->before.sync, &v->now.sync, share);
}

static double request_quantile(const struct ta_top_view *v, double share)
{
    return ta_scrape_quantile(&v->before.request, &v->now.request, share);
}

/* ---- pieces of the screen ---------------------------------------------------------------------- */

static const char *paint(const struct ta_top_view *v, const char *colour)
{
    return v->has_colour ? colour : "";
}

static void begin(const struct ta_top_view *v, struct ta_buf *out, const char *name)
{
    (void)ta_buf_printf(out, "%s%-12s%s", paint(v, DIM), name, paint(v, OFF));
}

/* "label 12/s", red when there is any and it is trouble. */
static void put_rate(const struct ta_top_view *v, struct ta_buf *out, const char *label,
                     double per_s, bool is_trouble)
{
    char number[24];
    bool is_red = is_trouble && per_s > 0;

    (void)ta_buf_printf(out, "  %s %s%s/s%s", label, is_red ? paint(v, RED) : "",
                        ta_plot_number(number, round(per_s * 100) / 100),
                        is_red ? paint(v, OFF) : "");
}

static const char *seconds_text(char out[24], double s)
{
    if (isnan(s))
        snprintf(out, 24, "-");
    else if (isinf(s))
        snprintf(out, 24, "long");
    else if (s < 1e-3)
        snprintf(out, 24, "%.0f us", s * 1e6);
    else if (s < 1)
        snprintf(out, 24, "%.3g ms", s * 1e3);
    else
        snprintf(out, 24, "%.3g s", s);
    return out;
}

/* "3 h 20 min" */
static const char *age_text(char out[40], int64_t s)
{
    if (s < 0)
        s = 0;
    if (s < 120)
        snprintf(out, 40, "%lld s", (long long)s);
    else if (s < 7200)
        snprintf(out, 40, "%lld min", (long long)(s / 60));
    else if (s < 172800)
        snprintf(out, 40, "%lld h %lld min", (long long)(s / 3600), (long long)(s % 3600 / 60));
    else
        snprintf(out, 40, "%lld d %lld h", (long long)(s / 86400), (long long)(s % 86400 / 3600));
    return out;
}

static void put_bar(const struct ta_top_view *v, struct ta_buf *out, double share)
{
    const char *full = v->is_ascii ? "#" : "\u2588";
    const char *empty = v->is_ascii ? "." : "\u2591";
    int n = (int)(fmin(fmax(share, 0), 1) * BAR + 0.5);

    (void)ta_buf_z(out, paint(v, share > 0.95 ? RED : share > 0.8 ? YELLOW : GREEN));
    for (int i = 0; i < BAR; i++)
        (void)ta_buf_z(out, i < n ? full : empty);
    (void)ta_buf_z(out, paint(v, OFF));
}

static void put_trend(const struct ta_top_view *v, struct ta_buf *out)
{
    static const char *const blocks[] = {"\u2581", "\u2582", "\u2583", "\u2584",
                                         "\u2585", "\u2586", "\u2587", "\u2588"};
    static const char *const letters[] = {"_", ".", "-", "=", "+", "*", "%", "#"};
    double most = 0;
    size_t room = v->width > 44 ? v->width - 44 : 0;
    size_t n = v->n_rates < room ? v->n_rates : room;

    for (size_t i = v->n_rates - n; i < v->n_rates; i++)
        most = fmax(most, v->rates[i]);
    (void)ta_buf_printf(out, "  %s", paint(v, GREEN));
    for (size_t i = v->n_rates - n; i < v->n_rates && most > 0; i++) {
        size_t level = (size_t)(v->rates[i] / most * 7.999);
        (void)ta_buf_z(out, v->is_ascii ? letters[level] : blocks[level]);
    }
    (void)ta_buf_z(out, paint(v, OFF));
}

/* ---- the screen -------------------------------------------------------------------------------- */

static void put_title(const struct ta_top_view *v, struct ta_buf *out)
{
    bool is_ready = value(v, TA_SCRAPE_READY) > 0;
    char age[40];

    age_text(age, v->now.at_s - (int64_t)value(v, TA_SCRAPE_START_TIME));
    (void)ta_buf_printf(out, "%starn %s%s  %s  up %s  %s%s%s\n\n", paint(v, BOLD), v->now.version,
                        paint(v, OFF), v->url, age, paint(v, is_ready ? GREEN : YELLOW),
                        is_ready ? "ready" : "loading", paint(v, OFF));
}

static void put_memory(const struct ta_top_view *v, struct ta_buf *out)
{
    double bytes = value(v, TA_SCRAPE_BYTES), cap = value(v, TA_SCRAPE_CAP_BYTES);
    char a[32], b[32];

    begin(v, out, "memory");
    ta_format_size(a, (uint64_t)bytes);
    if (cap > 0) {
        ta_format_size(b, (uint64_t)cap);
        put_bar(v, out, bytes / cap);
        (void)ta_buf_printf(out, "  %s of %s (%.0f %%)", a, b, bytes / cap * 100);
        put_rate(v, out, "freed early", rate(v, TA_SCRAPE_FREED_EARLY), true);
    } else {
        (void)ta_buf_printf(out, "%s, no cap", a);
    }
    (void)ta_buf_z(out, "\n");
}

static void put_ingest(const struct ta_top_view *v, struct ta_buf *out)
{
    char number[24];

    begin(v, out, "hosts");
    (void)ta_buf_printf(out, "%.0f  series %.0f", value(v, TA_SCRAPE_HOSTS),
                        value(v, TA_SCRAPE_SERIES));
    if (v->now.has[TA_SCRAPE_USED_NODES])
        (void)ta_buf_printf(out, "  with jobs %.0f", value(v, TA_SCRAPE_USED_NODES));
    (void)ta_buf_z(out, "\n");
    put_memory(v, out);
    begin(v, out, "samples in");
    (void)ta_buf_printf(out, "%s%s/s%s", paint(v, BOLD),
                        ta_plot_number(number, round(rate(v, TA_SCRAPE_STORED))), paint(v, OFF));
    put_trend(v, out);
    (void)ta_buf_z(out, "\n");
    begin(v, out, "refused");
    put_rate(v, out, "lines", rate(v, TA_SCRAPE_REFUSED_LINES), true);
    put_rate(v, out, "samples", rate(v, TA_SCRAPE_REFUSED_SAMPLES), true);
    put_rate(v, out, "skipped", rate(v, TA_SCRAPE_SKIPPED_LINES), false);
    put_rate(v, out, "late", rate(v, TA_SCRAPE_STORED_LATE), false);
    (void)ta_buf_z(out, "\n");
}

static void put_log(const struct ta_top_view *v, struct ta_buf *out)
{
    char written[32], size[32], median[24], high[24];

    begin(v, out, "log");
    ta_format_size(written, (uint64_t)rate(v, TA_SCRAPE_LOG_BYTES));
    ta_format_size(size, (uint64_t)value(v, TA_SCRAPE_LOG_SEGMENT_BYTES));
    seconds_text(median, sync_quantile(v, 0.5));
    seconds_text(high, sync_quantile(v, 0.99));
    (void)ta_buf_printf(out, "%s/s  sync 50 %% %s, 99 %% %s  on disk %s in %.0f files", written,
                        median, high, size, value(v, TA_SCRAPE_LOG_SEGMENTS));
    if (value(v, TA_SCRAPE_LOG_FAILING) > 0)
        (void)ta_buf_printf(out, "  %sFAILING: writes are refused%s", paint(v, RED), paint(v, OFF));
    (void)ta_buf_z(out, "\n");
}

static void put_task(const struct ta_top_view *v, struct ta_buf *out, const char *name,
                     enum ta_scrape_key running, enum ta_scrape_key time, enum ta_scrape_key failed)
{
    double at_s = value(v, time);
    char age[40];

    begin(v, out, name);
    if (value(v, running) > 0)
        (void)ta_buf_z(out, "running");
    else if (at_s > 0)
        (void)ta_buf_printf(out, "%s ago", age_text(age, v->now.at_s - (int64_t)at_s));
    else
        (void)ta_buf_z(out, "none since the start");
    if (value(v, failed) > 0)
        (void)ta_buf_printf(out, "  %sfailed %.0f%s", paint(v, RED), value(v, failed),
                            paint(v, OFF));
    (void)ta_buf_z(out, "\n");
}

static void put_network(const struct ta_top_view *v, struct ta_buf *out)
{
    char median[24], high[24], number[24];

    begin(v, out, "HTTP");
    seconds_text(median, request_quantile(v, 0.5));
    seconds_text(high, request_quantile(v, 0.99));
    (void)ta_buf_printf(out, "%s requests/s  50 %% %s, 99 %% %s  %.0f connections",
                        ta_plot_number(number, round(rate(v, TA_SCRAPE_REQUESTS) * 10) / 10),
                        median, high, value(v, TA_SCRAPE_CONNECTIONS));
    put_rate(v, out, "4xx", rate(v, TA_SCRAPE_REQUESTS_4XX), false);
    put_rate(v, out, "5xx", rate(v, TA_SCRAPE_REQUESTS_5XX), true);
    (void)ta_buf_z(out, "\n");
    if (!v->now.has[TA_SCRAPE_NATS_CONNECTED])
        return;
    bool is_connected = value(v, TA_SCRAPE_NATS_CONNECTED) > 0;
    begin(v, out, "NATS");
    (void)ta_buf_printf(out, "%s%s%s  lag %.0f messages", paint(v, is_connected ? GREEN : RED),
                        is_connected ? "connected" : "not connected", paint(v, OFF),
                        value(v, TA_SCRAPE_NATS_LAG));
    put_rate(v, out, "messages", rate(v, TA_SCRAPE_NATS_MESSAGES), false);
    put_rate(v, out, "dropped", rate(v, TA_SCRAPE_NATS_DROPPED), true);
    (void)ta_buf_z(out, "\n");
}

int ta_top_screen(const struct ta_top_view *v, struct ta_buf *out)
{
    put_title(v, out);
    put_ingest(v, out);
    put_log(v, out);
    put_task(v, out, "checkpoint", TA_SCRAPE_CHECKPOINT_RUNNING, TA_SCRAPE_CHECKPOINT_TIME,
             TA_SCRAPE_CHECKPOINTS_FAILED);
    put_task(v, out, "clean-up", TA_SCRAPE_CLEANUP_RUNNING, TA_SCRAPE_CLEANUP_TIME,
             TA_SCRAPE_CLEANUP_FAILED);
    put_network(v, out);
    /* What was cut shows here too: the pieces above leave a full buffer as it is. */
    return ta_buf_z(out, "\n");
}

/* ---- for programs ------------------------------------------------------------------------------ */

int ta_top_line_head(struct ta_buf *out)
{
    return ta_buf_printf(out, "%-8s %6s %8s %10s %5s %10s %9s %8s %10s %8s %7s\n", "time", "hosts",
                         "series", "memory", "cap%", "samples/s", "refused/s", "sync99ms",
                         "requests/s", "5xx/s", "lag");
}

static double cap_percent(const struct ta_top_view *v)
{
    double cap = value(v, TA_SCRAPE_CAP_BYTES);

    return cap > 0 ? value(v, TA_SCRAPE_BYTES) / cap * 100 : 0;
}

static double refused_per_s(const struct ta_top_view *v)
{
    return rate(v, TA_SCRAPE_REFUSED_LINES) + rate(v, TA_SCRAPE_REFUSED_SAMPLES);
}

int ta_top_line(const struct ta_top_view *v, struct ta_buf *out)
{
    time_t at = (time_t)v->now.at_s;
    double sync = sync_quantile(v, 0.99);
    char clock[16] = "", size[32], latency[24] = "-";
    struct tm tm;

    if (localtime_r(&at, &tm))
        strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
    if (isfinite(sync))
        snprintf(latency, sizeof(latency), "%.2f", sync * 1e3);
    ta_format_size(size, (uint64_t)value(v, TA_SCRAPE_BYTES));
    return ta_buf_printf(out, "%-8s %6.0f %8.0f %10s %5.1f %10.0f %9.1f %8s %10.1f %8.1f %7.0f\n",
                         clock, value(v, TA_SCRAPE_HOSTS), value(v, TA_SCRAPE_SERIES), size,
                         cap_percent(v), rate(v, TA_SCRAPE_STORED), refused_per_s(v), latency,
                         rate(v, TA_SCRAPE_REQUESTS), rate(v, TA_SCRAPE_REQUESTS_5XX),
                         value(v, TA_SCRAPE_NATS_LAG));
}

static void put_number(struct ta_json_writer *w, const char *key, double v)
{
    ta_json_put_key(w, key);
    if (isfinite(v))
        ta_json_put_fixed(w, v, 6);
    else
        ta_json_put_null(w);
}

int ta_top_json(const struct ta_top_view *v, struct ta_buf *out)
{
    static const struct {
        const char *name;
        enum ta_scrape_key key;
        bool is_rate;
    } members[] = {
        {"ready", TA_SCRAPE_READY, false},
        {"hosts", TA_SCRAPE_HOSTS, false},
        {"series", TA_SCRAPE_SERIES, false},
        {"bytes", TA_SCRAPE_BYTES, false},
        {"cap_bytes", TA_SCRAPE_CAP_BYTES, false},
        {"samples_per_s", TA_SCRAPE_STORED, true},
        {"refused_lines_per_s", TA_SCRAPE_REFUSED_LINES, true},
        {"refused_samples_per_s", TA_SCRAPE_REFUSED_SAMPLES, true},
        {"freed_early_per_s", TA_SCRAPE_FREED_EARLY, true},
        {"log_failing", TA_SCRAPE_LOG_FAILING, false},
        {"requests_per_s", TA_SCRAPE_REQUESTS, true},
        {"requests_5xx_per_s", TA_SCRAPE_REQUESTS_5XX, true},
        {"nats_lag_messages", TA_SCRAPE_NATS_LAG, false},
    };
    struct ta_json_writer w;

    ta_json_writer_init(&w, out);
    ta_json_put_object(&w);
    ta_json_member_i64(&w, "time", v->now.at_s);
    for (size_t i = 0; i < TA_COUNT(members); i++)
        put_number(&w, members[i].name,
                   members[i].is_rate ? rate(v, members[i].key) : value(v, members[i].key));
    put_number(&w, "sync_seconds_p50", sync_quantile(v, 0.5));
    put_number(&w, "sync_seconds_p99", sync_quantile(v, 0.99));
    put_number(&w, "request_seconds_p99", request_quantile(v, 0.99));
    ta_json_put_object_end(&w);
    return ta_buf_byte(out, '\n');
}
