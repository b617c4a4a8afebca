#include "app/scrape.h"

#include "base/number.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum how {
    SUM,  /* of all samples of the family */
    CODES /* only those whose label code begins with the row's digit */
};

static const struct row {
    enum ta_scrape_key key;
    const char *family;
    enum how how;
    char digit;
} rows[] = {
    {TA_SCRAPE_READY, "tarn_ready", SUM, 0},
    {TA_SCRAPE_START_TIME, "tarn_start_time_seconds", SUM, 0},
    {TA_SCRAPE_HOSTS, "tarn_hosts", SUM, 0},
    {TA_SCRAPE_SERIES, "tarn_series", SUM, 0},
    {TA_SCRAPE_BYTES, "tarn_store_bytes", SUM, 0},
    {TA_SCRAPE_CAP_BYTES, "tarn_store_cap_bytes", SUM, 0},
    {TA_SCRAPE_FREED_EARLY, "tarn_buffers_freed_early_total", SUM, 0},
    {TA_SCRAPE_STORED, "tarn_samples_stored_total", SUM, 0},
    {TA_SCRAPE_STORED_LATE, "tarn_samples_late_total", SUM, 0},
    {TA_SCRAPE_REFUSED_SAMPLES, "tarn_samples_refused_total", SUM, 0},
    {TA_SCRAPE_REFUSED_LINES, "tarn_ingest_lines_refused_total", SUM, 0},
    {TA_SCRAPE_SKIPPED_LINES, "tarn_ingest_lines_skipped_total", SUM, 0},
    {TA_SCRAPE_LOG_BYTES, "tarn_log_bytes_total", SUM, 0},
    {TA_SCRAPE_LOG_SEGMENT_BYTES, "tarn_log_segment_bytes", SUM, 0},
    {TA_SCRAPE_LOG_SEGMENTS, "tarn_log_segments", SUM, 0},
    {TA_SCRAPE_LOG_FAILING, "tarn_log_failing", SUM, 0},
    {TA_SCRAPE_CHECKPOINT_TIME, "tarn_checkpoint_last_time_seconds", SUM, 0},
    {TA_SCRAPE_CHECKPOINT_RUNNING, "tarn_checkpoint_running", SUM, 0},
    {TA_SCRAPE_CHECKPOINTS_FAILED, "tarn_checkpoints_failed_total", SUM, 0},
    {TA_SCRAPE_CLEANUP_TIME, "tarn_cleanup_last_time_seconds", SUM, 0},
    {TA_SCRAPE_CLEANUP_RUNNING, "tarn_cleanup_running", SUM, 0},
    {TA_SCRAPE_CLEANUP_FAILED, "tarn_cleanup_failed_total", SUM, 0},
    {TA_SCRAPE_CONNECTIONS, "tarn_http_connections", SUM, 0},
    {TA_SCRAPE_REQUESTS, "tarn_http_requests_total", SUM, 0},
    {TA_SCRAPE_REQUESTS_4XX, "tarn_http_requests_total", CODES, '4'},
    {TA_SCRAPE_REQUESTS_5XX, "tarn_http_requests_total", CODES, '5'},
    {TA_SCRAPE_NATS_CONNECTED, "tarn_nats_connected", SUM, 0},
    {TA_SCRAPE_NATS_MESSAGES, "tarn_nats_messages_total", SUM, 0},
    {TA_SCRAPE_NATS_LAG, "tarn_nats_lag_messages", SUM, 0},
    {TA_SCRAPE_NATS_DROPPED, "tarn_nats_dropped_total", SUM, 0},
    {TA_SCRAPE_USED_NODES, "tarn_used_nodes", SUM, 0},
};

/* Value of a label in `labels`, the text between the braces; empty when it is not there. */
static struct ta_str label_of(struct ta_str labels, const char *name)
{
    char key[32];
    int n = snprintf(key, sizeof(key), "%s=\"", name);
    const char *at = labels.len ? memmem(labels.at, labels.len, key, (size_t)n) : NULL;

    if (!at)
        return (struct ta_str){0};
    at += n;
    const char *end = memchr(at, '"', labels.len - (size_t)(at - labels.at));
    return end ? (struct ta_str){at, (size_t)(end - at)} : (struct ta_str){0};
}

static void take_bucket(struct ta_scrape_histogram *h, struct ta_str labels, double count)
{
    struct ta_str le = label_of(labels, "le");
    double bound = INFINITY;

    if (h->n == TA_SCRAPE_BUCKETS || (!ta_str_is(le, "+Inf") && ta_parse_f64(le, &bound) < 0))
        return;
    h->bound[h->n] = bound;
    h->count[h->n++] = count;
}

/* It goes to a terminal: nothing but printable letters of what a stranger may have sent. */
static void take_version(struct ta_scrape *s, struct ta_str version)
{
    size_t n = 0;

    for (size_t i = 0; i < version.len && n + 1 < sizeof(s->version); i++)
        if (version.at[i] > ' ' && version.at[i] < 0x7f)
            s->version[n++] = version.at[i];
    s->version[n] = 0;
}

static void take(struct ta_scrape *s, struct ta_str name, struct ta_str labels, double v)
{
    if (ta_str_is(name, "tarn_log_sync_seconds_bucket"))
        take_bucket(&s->sync, labels, v);
    else if (ta_str_is(name, "tarn_http_request_duration_seconds_bucket"))
        take_bucket(&s->request, labels, v);
    else if (ta_str_is(name, "tarn_build_info"))
        take_version(s, label_of(labels, "version"));
    for (size_t i = 0; i < TA_COUNT(rows); i++) {
        struct ta_str code = rows[i].how == CODES ? label_of(labels, "code") : name;

        if (!ta_str_is(name, rows[i].family))
            continue;
        s->has[rows[i].key] = true;
        if (rows[i].how == SUM || (code.len == 3 && code.at[0] == rows[i].digit))
            s->value[rows[i].key] += v;
    }
}

/* "name{labels} value" or "name value". */
static int take_line(struct ta_scrape *s, struct ta_str line, size_t number, struct ta_err *err)
{
    const char *space = line.len ? memrchr(line.at, ' ', line.len) : NULL;
    const char *brace = line.len ? memchr(line.at, '{', line.len) : NULL;
    struct ta_str labels = {0};
    double v = 0;

    if (line.len == 0 || line.at[0] == '#')
        return TA_OK;
    if (!space ||
        ta_parse_f64((struct ta_str){space + 1, (size_t)(line.at + line.len - space - 1)}, &v) < 0)
        return ta_fail(err, TA_EFORMAT, "line %zu of the answer is no sample of a metric", number);
    const char *end = brace && brace < space ? brace : space;
    if (end == brace)
        labels = (struct ta_str){brace + 1, (size_t)(space - brace - 1)};
    take(s, (struct ta_str){line.at, (size_t)(end - line.at)}, labels, v);
    return TA_OK;
}

int ta_scrape_read(struct ta_scrape *out, struct ta_source *text, struct ta_err *err)
{
    struct ta_scrape s = {0};
    char line[4096];
    size_t have = 0, number = 1;
    int64_t n;
    int r = TA_OK;

    while ((n = text->read(text, line + have, sizeof(line) - have, err)) > 0) {
        have += (size_t)n;
        char *at = line, *feed;
        while (r == TA_OK && (feed = memchr(at, '\n', have - (size_t)(at - line))) != NULL) {
            r = take_line(&s, (struct ta_str){at, (size_t)(feed - at)}, number++, err);
            at = feed + 1;
        }
        if (r < 0)
            return r;
        have -= (size_t)(at - line);
        memmove(line, at, have);
        if (have == sizeof(line))
            return ta_fail(err, TA_EFORMAT, "line %zu of the answer is too long", number);
    }
    if (n < 0)
        return (int)n;
    s.at_mono_ns = out->at_mono_ns;
    s.at_s = out->at_s;
    *out = s;
    return TA_OK;
}

double ta_scrape_quantile(const struct ta_scrape_histogram *before,
                          const struct ta_scrape_histogram *now, double share)
{
    bool is_comparable =
        before->n == now->n && now->n > 0 && before->count[now->n - 1] <= now->count[now->n - 1];
    double all = now->n ? now->count[now->n - 1] : 0;

    if (is_comparable)
        all -= before->count[now->n - 1];
    for (size_t i = 0; all > 0 && i < now->n; i++) {
        double count = now->count[i] - (is_comparable ? before->count[i] : 0);
        if (count >= share * all)
            return now->bound[i];
    }
    return NAN;
}

double ta_scrape_rate(const struct ta_scrape *before, const struct ta_scrape *now,
                      enum ta_scrape_key key)
{
    double elapsed_s = (double)(now->at_mono_ns - before->at_mono_ns) / 1e9;
    double grown = now->value[key] - before->value[key];

    return elapsed_s > 0 && grown > 0 ? grown / elapsed_s : 0;
}
