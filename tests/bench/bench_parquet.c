/* bench_parquet - the Parquet writer and reader alone, rows in memory to bytes in memory and back.
 *
 * Method: 64 hosts of 580 series of 120 values in the archive's schema, each series with noise of its own
 * (columns.h); CPU time of the process, best of 5. "write" and "read" are ns a row; "read" takes the digests
 * of all columns, as the archiver's verification does. The encoders alone follow: ns a value.
 */
#include "archive/host_rows.h"
#include "columns.h"
#include "parquet/delta.h"
#include "parquet/reader.h"
#include "parquet/split.h"
#include "parquet/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { HOSTS = 64, SERIES = 580, TICKS = 120, PASSES = 5, START_S = 1700006400 };

static double cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void must(int r)
{
    if (r >= 0)
        return;
    fprintf(stderr, "bench_parquet: %s\n", ta_strerror(r));
    exit(1);
}

static float *make_values(void)
{
    float *v = ta_alloc(&ta_heap, sizeof(*v) * HOSTS * SERIES * TICKS);

    if (!v)
        exit(1);
    for (unsigned s = 0; s < HOSTS * SERIES; s++) {
        struct column column;
        const struct column_kind *kind = &column_kinds[s % SERIES * n_column_kinds / SERIES];
        column_init(&column, s + 1);
        for (unsigned i = 0; i < TICKS; i++)
            v[(size_t)s * TICKS + i] = (float)kind->next(&column);
    }
    return v;
}

static void put_series(struct ta_pq_writer *w, unsigned host, unsigned series, const float *v)
{
    const int64_t freq_s = 60;
    char name[3][16];

    int n0 = snprintf(name[0], sizeof(name[0]), "n%04u", host);
    int n1 = snprintf(name[1], sizeof(name[1]), "metric%02u", series / 64);
    int n2 = snprintf(name[2], sizeof(name[2]), "%u", series % 64);
    must(ta_pq_put_run(w, TA_ARC_CLUSTER, TA_STR("fleet"), TICKS, NULL));
    must(ta_pq_put_run(w, TA_ARC_HOSTNAME, (struct ta_str){name[0], (size_t)n0}, TICKS, NULL));
    must(ta_pq_put_run(w, TA_ARC_METRIC, (struct ta_str){name[1], (size_t)n1}, TICKS, NULL));
    must(ta_pq_put_run(w, TA_ARC_SCOPE, TA_STR("hwthread"), TICKS, NULL));
    must(ta_pq_put_run(w, TA_ARC_SCOPE_ID, (struct ta_str){name[2], (size_t)n2}, TICKS, NULL));
    must(ta_pq_put_steps(w, TA_ARC_TIMESTAMP, START_S, freq_s, TICKS, NULL));
    must(
        ta_pq_put_run(w, TA_ARC_FREQUENCY, (struct ta_str){(const char *)&freq_s, 8}, TICKS, NULL));
    must(ta_pq_put_array(w, TA_ARC_VALUE, v, TICKS, NULL));
    if (series % 64 == 63)
        must(ta_pq_writer_cut(w, NULL));
}

static void write_file(struct ta_buf *out, const float *values)
{
    const struct ta_pq_options options = {.zstd_level = 1, .with_digests = true};
    struct ta_pq_writer *w = NULL;
    struct ta_buf_sink sink;

    ta_buf_reset(out);
    ta_buf_sink_init(&sink, out);
    must(ta_pq_writer_new(&w, ta_arc_schema(false), &options, &sink.sink, &ta_heap, NULL));
    for (unsigned h = 0; h < HOSTS; h++) {
        for (unsigned s = 0; s < SERIES; s++)
            put_series(w, h, s, values + ((size_t)h * SERIES + s) * TICKS);
        must(ta_pq_writer_end_group(w, NULL));
    }
    must(ta_pq_writer_finish(w, NULL));
    ta_pq_writer_free(w);
}

struct bytes {
    struct ta_file file;
    const struct ta_buf *buf;
};

static int64_t bytes_pread(struct ta_file *f, void *buf, size_t n, uint64_t at, struct ta_err *err)
{
    const struct ta_buf *b = TA_CONTAINER(f, struct bytes, file)->buf;

    (void)err;
    n = at >= b->len ? 0 : n < b->len - at ? n : (size_t)(b->len - at);
    if (n)
        memcpy(buf, b->at + at, n);
    return (int64_t)n;
}

static int bytes_size(struct ta_file *f, uint64_t *out, struct ta_err *err)
{
    (void)err;
    *out = TA_CONTAINER(f, struct bytes, file)->buf->len;
    return TA_OK;
}

static void read_file(const struct ta_buf *buf)
{
    static const struct ta_file_ops ops = {.pread = bytes_pread, .size = bytes_size};
    uint64_t digests[TA_ARC_COLUMNS];
    struct bytes file = {{&ops}, buf};
    struct ta_pq_reader *r = NULL;

    must(ta_pq_reader_open(&r, &file.file, NULL, &ta_heap, NULL));
    must(ta_pq_reader_digests(r, ta_arc_schema(false), digests, NULL));
    ta_pq_reader_close(r);
}

static void bench_encoders(const float *values)
{
    enum { N = 1 << 16 };
    static int64_t steps[N];
    static float split[N], joined[N];
    double best[3] = {1e18, 1e18, 1e18};
    struct ta_buf out;

    ta_buf_init(&out, &ta_heap, 2 * MiB);
    for (int i = 0; i < N; i++)
        steps[i] = START_S + i % TICKS * 60;
    for (int pass = 0; pass < 20; pass++) {
        double t0 = cpu_ns();
        ta_split_encode(values, N, 4, split);
        double t1 = cpu_ns();
        ta_split_decode(split, N, 0, N, 4, joined);
        double t2 = cpu_ns();
        ta_buf_reset(&out);
        must(ta_delta_encode_i64(steps, N, &out));
        double t3 = cpu_ns();
        const double took[3] = {t1 - t0, t2 - t1, t3 - t2};
        for (int i = 0; i < 3; i++)
            best[i] = took[i] < best[i] ? took[i] : best[i];
    }
    printf("ns/value: split=%.2f join=%.2f delta=%.2f\n", best[0] / N, best[1] / N, best[2] / N);
    ta_buf_done(&out);
}

int main(void)
{
    const double rows = (double)HOSTS * SERIES * TICKS;
    float *values = make_values();
    double write_ns = 1e18;
    double read_ns = 1e18;
    struct ta_buf out;

    ta_buf_init(&out, &ta_heap, 256 * MiB);
    for (int i = 0; i < PASSES; i++) {
        double t0 = cpu_ns();
        write_file(&out, values);
        double t1 = cpu_ns();
        read_file(&out);
        double t2 = cpu_ns();
        write_ns = t1 - t0 < write_ns ? t1 - t0 : write_ns;
        read_ns = t2 - t1 < read_ns ? t2 - t1 : read_ns;
    }
    printf("rows=%.0f write_ns/row=%.1f (%.1f M/s) read_ns/row=%.1f (%.1f M/s) bytes/row=%.3f\n",
           rows, write_ns / rows, rows / write_ns * 1e3, read_ns / rows, rows / read_ns * 1e3,
           (double)out.len / rows);
    bench_encoders(values);
    ta_buf_done(&out);
    ta_release(&ta_heap, values, sizeof(*values) * HOSTS * SERIES * TICKS);
    return 0;
}
