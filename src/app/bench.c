#include "app/bench.h"

#include "app/token.h"
#include "base/number.h"
#include "base/units.h"
#include "io/json_write.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { REPORT_MAX = 8192, PATIENCE_MS = 10000 };

/* Field `n` (from 1) of the text behind the ")" of /proc/PID/stat, where names can not disturb. */
static int64_t stat_field(const char *text, int n)
{
    const char *p = strrchr(text, ')');
    int64_t v = 0;

    for (int i = 2; p && i < n; i++)
        p = strchr(p + 1, ' ');
    if (!p)
        return 0;
    struct ta_str s = {p + 1, strcspn(p + 1, " ")};
    return ta_parse_i64(s, &v) < 0 ? 0 : v;
}

void ta_bench_process_look(int64_t pid, struct ta_bench_process *out)
{
    char path[64], text[4096];
    unsigned long long kib = 0;
    FILE *f;

    *out = (struct ta_bench_process){0};
    if (pid <= 0)
        return;
    snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)pid);
    f = fopen(path, "r");
    if (f) {
        text[fread(text, 1, sizeof(text) - 1, f)] = 0;
        fclose(f);
        out->cpu_ns =
            (stat_field(text, 14) + stat_field(text, 15)) * (1000000000 / sysconf(_SC_CLK_TCK));
    }
    snprintf(path, sizeof(path), "/proc/%lld/status", (long long)pid);
    f = fopen(path, "r");
    while (f && fgets(text, sizeof(text), f))
        if (sscanf(text, "RssAnon: %llu kB", &kib) == 1)
            out->anon_bytes = kib * 1024;
    if (f)
        fclose(f);
}

static double per_s(uint64_t n, int64_t ns)
{
    return ns > 0 ? (double)n * 1e9 / (double)ns : 0;
}

static void print_text(const struct ta_bench_work *work, const struct ta_pump_result *r,
                       const struct ta_bench_process *before, const struct ta_bench_process *after)
{
    const struct ta_histogram *h = &r->latency_us;
    char size[32];

    printf("%llu requests, %llu %s in %.2f s: %.0f requests/s, %.0f %s/s\n",
           (unsigned long long)r->requests, (unsigned long long)work->n, work->name,
           (double)r->wall_ns / 1e9, per_s(r->requests, r->wall_ns), per_s(work->n, r->wall_ns),
           work->name);
    printf("sent %s, ", ta_format_size(size, r->bytes_sent));
    printf("received %s\n", ta_format_size(size, r->bytes_got));
    printf("latency: median %.2f ms, 99 %% %.2f ms, largest %.2f ms\n",
           (double)ta_histogram_at(h, 0.5) / 1e3, (double)ta_histogram_at(h, 0.99) / 1e3,
           (double)h->max / 1e3);
    if (after->cpu_ns)
        printf("server: %.0f ns of CPU time a %s (user and system), %s anonymous memory\n",
               work->n ? (double)(after->cpu_ns - before->cpu_ns) / (double)work->n : 0, work->one,
               ta_format_size(size, after->anon_bytes));
    if (r->bad)
        printf("%llu answers were not 200, the first: %s\n", (unsigned long long)r->bad,
               r->first_bad);
}

static void member_f64(struct ta_json_writer *w, const char *key, double v)
{
    ta_json_put_key(w, key);
    ta_json_put_f64(w, v);
}

static void print_json(const struct ta_bench_work *work, const struct ta_pump_result *r,
                       const struct ta_bench_process *before, const struct ta_bench_process *after)
{
    struct ta_json_writer w;
    struct ta_buf text;

    ta_buf_init(&text, &ta_heap, REPORT_MAX);
    ta_json_writer_init(&w, &text);
    ta_json_put_object(&w);
    ta_json_member_i64(&w, "requests", (int64_t)r->requests);
    ta_json_member_i64(&w, "bad", (int64_t)r->bad);
    ta_json_member_i64(&w, work->name, (int64_t)work->n);
    ta_json_member_i64(&w, "sent_bytes", (int64_t)r->bytes_sent);
    ta_json_member_i64(&w, "received_bytes", (int64_t)r->bytes_got);
    member_f64(&w, "wall_s", (double)r->wall_ns / 1e9);
    member_f64(&w, "latency_ms_p50", (double)ta_histogram_at(&r->latency_us, 0.5) / 1e3);
    member_f64(&w, "latency_ms_p99", (double)ta_histogram_at(&r->latency_us, 0.99) / 1e3);
    member_f64(&w, "latency_ms_max", (double)r->latency_us.max / 1e3);
    if (after->cpu_ns) {
        ta_json_member_i64(&w, "server_cpu_ns", after->cpu_ns - before->cpu_ns);
        ta_json_member_i64(&w, "server_anon_bytes", (int64_t)after->anon_bytes);
    }
    if (r->bad)
        ta_json_member_z(&w, "first_bad", r->first_bad);
    if (ta_json_put_object_end(&w) == TA_OK)
        printf("%.*s\n", (int)text.len, text.at);
    ta_buf_done(&text);
}

int ta_bench_run(const struct ta_bench_target *target, const char *method, const char *path,
                 size_t body_max, struct ta_pump_source *source, const struct ta_bench_work *work,
                 struct ta_err *err)
{
    char authorization[TA_TOKEN_TEXT_MAX];
    struct ta_pump_conf conf = {.url = target->url,
                                .method = method,
                                .path = path,
                                .connections = (unsigned)target->connections,
                                .body_max = body_max,
                                .pace_ns = target->pace_ns,
                                .patience_ms = PATIENCE_MS,
                                .alloc = &ta_heap};
    struct ta_bench_process before, after;
    struct ta_pump_result result;

    if (target->connections > UINT16_MAX)
        return ta_fail(err, TA_EINVAL, "--connections: at most %d", UINT16_MAX);
    if (target->token) {
        int r = ta_token_read(target->token, authorization, err);
        if (r < 0)
            return r;
        conf.authorization = authorization;
    }
    ta_bench_process_look(target->server_pid, &before);
    int r = ta_pump_run(&conf, source, &result, err);
    if (r < 0)
        return r;
    ta_bench_process_look(target->server_pid, &after);
    (target->is_json ? print_json : print_text)(work, &result, &before, &after);
    if (result.bad)
        return ta_fail(err, TA_EDENIED, "%llu of %llu requests were refused",
                       (unsigned long long)result.bad, (unsigned long long)result.requests);
    return TA_OK;
}
