/* stream.h - the two ends of every byte pipeline.
 *
 * A source is PULLED, a sink is PUSHED. Whoever holds one of each owns the loop and therefore
 * the pace: nothing calls back into its caller, and no stage keeps more than its own fixed
 * buffer. File, gzip, zstd, HTTP body, S3 upload and memory are all implementations.
 */
#ifndef TARN_IO_STREAM_H
#define TARN_IO_STREAM_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct ta_source {
    /* Reads 1..n bytes into buf and returns the count; 0 is the end, for good; TA_EAGAIN when
     * nothing is there yet (only sources fed from outside), with nothing consumed. */
    int64_t (*read)(struct ta_source *self, void *buf, size_t n, struct ta_err *err);
};

struct ta_sink {
    /* Takes all n bytes or fails. After a failure the sink may only be closed. */
    int (*write)(struct ta_sink *self, const void *buf, size_t n, struct ta_err *err);
};

/* Reads until n bytes are there or the source ends. Returns the count: fewer than n means the
 * end. Whether a short count is an error is for the caller to say. */
int64_t ta_read_full(struct ta_source *src, void *buf, size_t n, struct ta_err *err);

static inline int ta_sink_write(struct ta_sink *s, const void *p, size_t n, struct ta_err *err)
{
    return s->write(s, p, n, err);
}

/* Bytes in memory as a source; `step` limits one read (0 = no limit), so that tests can hand
 * out one byte at a time. Borrows the bytes. */
struct ta_mem_source {
    struct ta_source source;
    const unsigned char *at;
    size_t len, pos, step;
};

void ta_mem_source_init(struct ta_mem_source *s, const void *p, size_t n, size_t step);

/* A sink that appends to a ta_buf (and is limited by its maximum). Borrows the buffer. */
struct ta_buf_sink {
    struct ta_sink sink;
    struct ta_buf *buf;
};

void ta_buf_sink_init(struct ta_buf_sink *s, struct ta_buf *buf);

#endif
