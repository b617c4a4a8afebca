/* bench_run - what sealed runs cost: bytes a sample, and nanoseconds of CPU a sample.
 *
 * Method: per kind of column 32 series of 16 long runs, hints kept per series as the store does; CPU time
 * of the process, best of 5 passes. "short" = runs of 32 slots; "search" =
 * the same with an empty hint each; "merge" = decoding 16 short runs and
 * encoding them as one long; "add" = adding long runs into one accumulator, as hardware threads into
 * their node; "stats" = statistics of whole long runs, a run at a time;
 * "day" = statistics of up to 1,440 slots that begin inside a run. "fleet" weighs the kinds as a host
 * has them. Real traces are read from $TARN_SHARED (else ../shared) when they are there.
 */
#include "columns.h"
#include "store/codec_kernels.h"
#include "store/run.h"
#include "store/run_int.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

enum {
    SLOTS = TA_RUN_SLOTS_MAX,
    SHORT = 32,
    PER_LONG = SLOTS / SHORT,
    PASSES = 5,
    SERIES = 32,
    RUNS = 16
};

/* Many runs of some series, one series after the other; all of a series have one hint. */
struct corpus {
    double *v;
    unsigned n_series;
    unsigned n_slots; /* of each series */
};

struct encoded {
    unsigned char *bytes;
    size_t *at; /* of each run */
    size_t n_runs, used;
    unsigned len; /* slots of a full run */
};

struct figures {
    double bytes_long, bytes_short;
    double encode_long, encode_short, search, merge; /* ns a sample */
    double decode_long, decode_short, add, stats;
    double day_decode, day_stats;
    char codecs[64];
};

static double cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void *need(void *p)
{
    if (!p) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    return p;
}

static unsigned runs_of(const struct corpus *c, unsigned len)
{
    return c->n_series * ((c->n_slots + len - 1) / len);
}

static unsigned len_at(const struct corpus *c, unsigned slot, unsigned len)
{
    return c->n_slots - slot < len ? c->n_slots - slot : len;
}

static void encoded_init(struct encoded *e, const struct corpus *c, unsigned len)
{
    e->len = len;
    e->n_runs = runs_of(c, len);
    e->bytes = need(malloc(e->n_runs * TA_RUN_ROOM(len) + TA_RUN_ROOM(SLOTS)));
    e->at = need(malloc(e->n_runs * sizeof(*e->at)));
}

static void encoded_done(struct encoded *e)
{
    free(e->bytes);
    free(e->at);
}

static double encode_all(const struct corpus *c, struct encoded *e, bool is_hinted)
{
    double best = INFINITY;

    for (unsigned pass = 0; pass < PASSES; pass++) {
        double begin = cpu_ns();
        size_t run = 0;

        e->used = 0;
        for (unsigned s = 0; s < c->n_series; s++) {
            struct ta_run_hint hint = {0};

            for (unsigned slot = 0; slot < c->n_slots; slot += e->len) {
                unsigned n = len_at(c, slot, e->len);

                if (!is_hinted)
                    hint = (struct ta_run_hint){0};
                e->at[run++] = e->used;
                e->used += ta_run_encode(c->v + (size_t)s * c->n_slots + slot, n, &hint,
                                         e->bytes + e->used, TA_RUN_ROOM(n));
            }
        }
        best = fmin(best, cpu_ns() - begin);
    }
    return best;
}

static double merge_all(const struct corpus *c, const struct encoded *shorts)
{
    static unsigned char out[TA_RUN_ROOM(SLOTS)];
    double best = INFINITY;

    for (unsigned pass = 0; pass < PASSES; pass++) {
        double begin = cpu_ns();
        size_t run = 0;

        for (unsigned s = 0; s < c->n_series; s++) {
            struct ta_run_hint hint = {0};

            for (unsigned slot = 0; slot < c->n_slots; slot += SLOTS) {
                unsigned n = len_at(c, slot, SLOTS);
                double v[SLOTS];

                for (unsigned i = 0; i < n; i += SHORT)
                    ta_run_decode(shorts->bytes + shorts->at[run++], 0, len_at(c, slot + i, SHORT),
                                  v + i);
                (void)ta_run_encode(v, n, &hint, out, sizeof(out));
            }
        }
        best = fmin(best, cpu_ns() - begin);
    }
    return best;
}

enum reading { DECODE, ADD, STATS };

static double read_all(const struct encoded *e, enum reading how)
{
    double slot[SLOTS] = {0};
    struct ta_run_stats all = {0};
    double best = INFINITY;

    for (unsigned pass = 0; pass < PASSES; pass++) {
        double begin = cpu_ns();

        for (size_t i = 0; i < e->n_runs; i++) {
            const unsigned char *run = e->bytes + e->at[i];
            unsigned n = ta_run_len(run);
            struct ta_run_stats one;

            if (how == DECODE)
                ta_run_decode(run, 0, n, slot);
            if (how == ADD)
                ta_run_add(run, 0, n, slot);
            if (how == STATS) {
                ta_run_stats(run, 0, n, &one);
                ta_run_stats_join(&all, &one);
            }
        }
        best = fmin(best, cpu_ns() - begin);
    }
    return best;
}

/* A day of minutes of every series, or as much of it as there is; it begins inside a run. */
static double read_day(const struct corpus *c, const struct encoded *e, enum reading how)
{
    enum { DAY = 1440, FROM = 300 };
    const unsigned end = c->n_slots < FROM + DAY ? c->n_slots : FROM + DAY;
    unsigned runs = runs_of(c, e->len) / c->n_series;
    double slot[SLOTS];
    double best = INFINITY;

    for (unsigned pass = 0; pass < PASSES; pass++) {
        double begin = cpu_ns();

        for (unsigned s = 0; s < c->n_series; s++) {
            struct ta_run_stats all = {0};

            for (unsigned at = FROM; at < end;) {
                const unsigned char *run = e->bytes + e->at[s * runs + at / e->len];
                unsigned from = at % e->len;
                unsigned n = ta_run_len(run) - from;
                struct ta_run_stats one;

                n = n < end - at ? n : end - at;
                if (how == STATS) {
                    ta_run_stats(run, from, n, &one);
                    ta_run_stats_join(&all, &one);
                } else {
                    ta_run_decode(run, from, n, slot);
                }
                at += n;
            }
        }
        best = fmin(best, cpu_ns() - begin);
    }
    return best;
}

static void count_codecs(const struct encoded *e, char *out, size_t room)
{
    static const char *const names[] = {"const", "for", "delta",  "dict", "split",
                                        "bits",  "raw", "sparse", "empty"};
    size_t used = 0;

    out[0] = '\0';
    for (unsigned k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
        size_t n = 0;

        for (size_t i = 0; i < e->n_runs; i++)
            n += strcmp(ta_run_codec(e->bytes + e->at[i]), names[k]) == 0 ? 1 : 0;
        if (n * 20 >= e->n_runs && used < room)
            used += (size_t)snprintf(out + used, room - used, "%s%s", used ? "," : "", names[k]);
    }
}

static struct figures measure(const struct corpus *c)
{
    struct encoded longs, shorts;
    struct figures f;
    double n = (double)c->n_series * c->n_slots;

    encoded_init(&longs, c, SLOTS);
    encoded_init(&shorts, c, SHORT);
    f.encode_long = encode_all(c, &longs, true) / n;
    f.search = encode_all(c, &shorts, false) / n;
    f.encode_short = encode_all(c, &shorts, true) / n;
    f.bytes_long = (double)longs.used / n;
    f.bytes_short = (double)shorts.used / n;
    f.merge = merge_all(c, &shorts) / n;
    f.decode_long = read_all(&longs, DECODE) / n;
    f.decode_short = read_all(&shorts, DECODE) / n;
    f.add = read_all(&longs, ADD) / n;
    f.stats = read_all(&longs, STATS) / n;
    f.day_decode = read_day(c, &longs, DECODE) / n;
    f.day_stats = read_day(c, &longs, STATS) / n;
    count_codecs(&longs, f.codecs, sizeof(f.codecs));
    encoded_done(&longs);
    encoded_done(&shorts);
    return f;
}

static void print_head(const char *what)
{
    printf("%-13s %6s %6s | %6s %6s %6s %6s | %6s %6s | %6s %6s | %6s %6s  %s\n", what, "B long",
           "short", "enc lg", "enc sh", "search", "merge", "dec lg", "dec sh", "add", "M/s",
           "stats", "day", "codecs");
}

/* "stats" and "day" = how many times faster the statistics are than fetching. */
static void print_figures(const char *name, const struct figures *f)
{
    printf("%-13s %6.3f %6.3f | %6.2f %6.2f %6.1f %6.2f | %6.2f %6.2f | %6.2f %6.0f | %5.0fx "
           "%5.1fx  %s\n",
           name, f->bytes_long, f->bytes_short, f->encode_long, f->encode_short, f->search,
           f->merge, f->decode_long, f->decode_short, f->add, 1e3 / f->add,
           f->decode_long / f->stats, f->day_decode / f->day_stats, f->codecs);
}

static void add_weighed(struct figures *sum, const struct figures *f, double share)
{
    sum->bytes_long += share * f->bytes_long;
    sum->bytes_short += share * f->bytes_short;
    sum->encode_long += share * f->encode_long;
    sum->encode_short += share * f->encode_short;
    sum->search += share * f->search;
    sum->merge += share * f->merge;
    sum->decode_long += share * f->decode_long;
    sum->decode_short += share * f->decode_short;
    sum->add += share * f->add;
    sum->stats += share * f->stats;
    sum->day_decode += share * f->day_decode;
    sum->day_stats += share * f->day_stats;
}

static void bench_kinds(void)
{
    struct corpus c = {need(calloc((size_t)SERIES * RUNS * SLOTS, sizeof(double))), SERIES,
                       RUNS * SLOTS};
    struct figures fleet = {0};
    unsigned weights = 0;

    for (unsigned k = 0; k < n_column_kinds; k++)
        weights += column_kinds[k].weight;
    print_head("kind");
    for (unsigned k = 0; k < n_column_kinds; k++) {
        for (unsigned s = 0; s < c.n_series; s++) {
            struct column column;

            column_init(&column, k * 1000 + s);
            for (unsigned i = 0; i < c.n_slots; i++)
                c.v[(size_t)s * c.n_slots + i] = column_kinds[k].next(&column);
        }
        struct figures f = measure(&c);
        print_figures(column_kinds[k].name, &f);
        add_weighed(&fleet, &f, (double)column_kinds[k].weight / weights);
    }
    print_figures("fleet", &fleet);
    free(c.v);
}

/* Takes the next series from the text of a job's data: numbers and nulls behind "data". */
static const char *next_series(const char *at, double *v, unsigned max, unsigned *out_n)
{
    unsigned n = 0;

    at = strstr(at, "\"data\"");
    at = at ? strchr(at, '[') : NULL;
    if (!at)
        return NULL;
    for (at++; n < max;) {
        at += strspn(at, " \t\r\n,");
        if (*at == ']' || *at == '\0')
            break;
        char *end;
        if (strncmp(at, "null", 4) == 0) {
            v[n++] = (double)NAN;
            at += 4;
            continue;
        }
        v[n++] = strtod(at, &end);
        if (end == at)
            break;
        at = end;
    }
    *out_n = n;
    return at;
}

static char *read_gz(const char *path)
{
    enum { TEXT_MAX = 32 << 20 };
    gzFile file = gzopen(path, "rb");

    if (!file)
        return NULL;
    char *text = need(malloc(TEXT_MAX + 1));
    int n = gzread(file, text, TEXT_MAX);
    gzclose(file);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void bench_trace(void)
{
    static const char *const metrics[] = {"cpu_load", "clock",    "rapl_power",
                                          "ipc",      "mem_bw",   "flops_sp",
                                          "mem_used", "flops_dp", "flops_any"};
    enum { NODES = 32, SLOTS_MAX = 2048 };
    const char *root = getenv("TARN_SHARED");
    char path[512];
    struct figures all = {0};
    double n_all = 0;

    snprintf(path, sizeof(path),
             "%s/golden/job-archive/archive-v3/emmy/1403/244/1608923076/data.json.gz",
             root ? root : "../shared");
    char *text = read_gz(path);
    if (!text) {
        printf("real trace: skipped, no %s\n", path);
        return;
    }
    print_head("real trace");
    for (unsigned m = 0; m < sizeof(metrics) / sizeof(metrics[0]); m++) {
        char key[32];
        struct corpus c = {need(malloc(sizeof(double) * NODES * SLOTS_MAX)), 0, 0};
        unsigned n = 0;

        snprintf(key, sizeof(key), "\"%s\"", metrics[m]);
        const char *at = strstr(text, key);
        for (; at && c.n_series < NODES; c.n_series++) {
            at = next_series(at, c.v + (size_t)c.n_series * c.n_slots, SLOTS_MAX, &n);
            if (!at || (c.n_series > 0 && n != c.n_slots))
                break;
            c.n_slots = n;
        }
        if (c.n_series > 0) {
            struct figures f = measure(&c);
            double samples = (double)c.n_series * c.n_slots;

            print_figures(metrics[m], &f);
            add_weighed(&all, &f, samples);
            n_all += samples;
        }
        free(c.v);
    }
    struct figures mean = {0};
    add_weighed(&mean, &all, 1 / n_all);
    print_figures("whole job", &mean);
    free(text);
}

/* The kernels alone, of each instruction set. */
static void bench_kernels(const struct ta_codec_kernels *row)
{
    enum { REPEAT = 20000, WIDTH = 14 };
    static unsigned char packed[SLOTS * 8 + TA_RUN_PAD];
    static uint64_t u[TA_RUN_ROUNDED];
    static int64_t m[TA_RUN_ROUNDED];
    static double v[SLOTS], out[TA_RUN_ROUNDED];
    unsigned char bitmap[SLOTS / 8 + TA_RUN_PAD];
    const double n = (double)REPEAT * SLOTS;
    struct ta_grid_op op = {0};
    int64_t lo, hi;
    static const double neighbours[] = {1, 1.0625, 1.125};
    static unsigned char packed_wide[SLOTS * 8 + TA_RUN_PAD];
    static uint64_t patterns[TA_RUN_ROUNDED];
    uint64_t upper[TA_SPLIT_MAX] = {0};
    uint16_t parts[TA_SPLIT_MAX];
    enum { CUT = 48, WIDE = CUT + 2 };
    double t[9];

    (void)ta_grid_op((struct ta_grid){2, 0}, &op);
    memset(bitmap, 0xEF, sizeof(bitmap));
    for (unsigned i = 0; i < SLOTS; i++) {
        u[i] = i * 31;
        v[i] = i * 31 / 100.0;
    }
    (void)ta_pack(u, SLOTS, 0, WIDTH, packed);
    t[0] = cpu_ns();
    for (unsigned i = 0; i < REPEAT; i++)
        row->unpack(packed, WIDTH, SLOTS, u);
    t[1] = cpu_ns();
    for (unsigned i = 0; i < REPEAT; i++)
        row->from_ints(u, SLOTS, i, &op, out);
    t[2] = cpu_ns();
    for (unsigned i = 0; i < REPEAT; i++)
        (void)row->to_ints(v, SLOTS, &op, m, &lo, &hi);
    t[3] = cpu_ns();
    for (unsigned i = 0; i < REPEAT; i++)
        row->spread(bitmap, 0, SLOTS, out, 0, v);
    t[4] = cpu_ns();
    for (unsigned i = 0; i < REPEAT; i++)
        (void)row->scan(v, SLOTS);
    t[5] = cpu_ns();
    for (unsigned i = 0; i < SLOTS; i++) /* three upper parts in no order */
        v[i] = neighbours[i * i * 7 % 11 % 3] + i * 0x1p-30;
    for (unsigned i = 0; i < REPEAT; i++) {
        memcpy(patterns, v, sizeof(v));
        (void)row->split(patterns, SLOTS, CUT, parts);
    }
    t[6] = cpu_ns();
    for (unsigned i = 0; i < REPEAT; i++)
        row->pack(patterns, SLOTS, 0, WIDE, packed_wide);
    t[7] = cpu_ns();
    for (unsigned i = 0; i < 3; i++)
        upper[i] = (uint64_t)parts[i] << CUT;
    for (unsigned i = 0; i < REPEAT; i++) {
        memcpy(u, patterns, sizeof(u));
        row->join(u, SLOTS, CUT, upper, 3);
    }
    t[8] = cpu_ns();
    printf("kernels %-6s unpack %.2f, from ints %.2f, to ints %.2f, spread %.2f, scan %.2f, "
           "split %.2f, pack %.2f, join %.2f ns a value\n",
           row->name, (t[1] - t[0]) / n, (t[2] - t[1]) / n, (t[3] - t[2]) / n, (t[4] - t[3]) / n,
           (t[5] - t[4]) / n, (t[6] - t[5]) / n, (t[7] - t[6]) / n, (t[8] - t[7]) / n);
}

int main(void)
{
    bench_kernels(&ta_codec_kernels_plain);
    if (ta_codec_kernels_avx2())
        bench_kernels(ta_codec_kernels_avx2());
    bench_kinds();
    bench_trace();
    return 0;
}
