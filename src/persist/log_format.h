/* log_format.h - bytes of tarn's own write-ahead log.
 *
 *   segment file  ROOT/.tarn/log/<16 hex digits of the segment number>.log
 *
 *   offset  size  segment header                  all integers little-endian
 *   0       8     "TARNLOG1"
 *   8       8     segment number, growing by one
 *   16      8     sequence of the first record
 *   24      8     creation time, Unix seconds
 *   32      4     salt: random, seeds the checksum of every record of this segment
 *   36      24    zero
 *   60      4     CRC-32C of bytes 0..59
 *   64      64    the same 64 bytes again: damage to one copy costs nothing
 *
 *   offset  size  record (from offset 128 on, back to back)
 *   0       4     "TREC"
 *   4       4     payload length P, 1 .. TA_LOG_PAYLOAD_MAX
 *   8       8     sequence, growing by one from record to record, across segments
 *   16      4     checksum of the record before it; the salt for the first of a segment
 *   20      4     CRC-32C, begun with the salt, of bytes 0..19 and the payload
 *   24      P     payload: items, back to back
 *
 *   item                                          varint = LEB128, zigzag for signed
 *   01  host     varint host id, varint shape id, u8 + bytes cluster, u8 + bytes host
 *   02  column   varint shape id, varint column, u8 + bytes metric, type element, subtype element
 *   03  samples  varint host id, zigzag time stamp, pieces: { zigzag (first column - the one
 *                expected), varint count, count x binary64 } ..., ended by count 0 (its column
 *                difference is 0); the column expected is that behind the piece before, first 0
 *
 * Salt, sequence and the checksum of the neighbour together keep bytes of another segment, or of
 * an earlier life of the same disk blocks, from ever passing for a record. A record is the unit of
 * damage: the reader goes on at the next one whose own checksum holds. So that a damaged record costs
 * nothing beyond its own samples, the writer states each host and column it names in two records.
 *
 * A full host tick of 580 columns costs 8.03 bytes a sample; a lone sample about 19.
 *
 * This file is bytes only: no files (log_write.h, log_read.h), no store.
 */
#ifndef TARN_PERSIST_LOG_FORMAT_H
#define TARN_PERSIST_LOG_FORMAT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    TA_LOG_SEGMENT_HEAD = 64,
    TA_LOG_RECORDS_AT = 2 * TA_LOG_SEGMENT_HEAD,
    TA_LOG_RECORD_HEAD = 24,
    TA_LOG_PAYLOAD_MAX = 1 << 20, /* what a reader must hold at once */
    /* The largest item: a host tick is cut into items of at most this many samples. */
    TA_LOG_ITEM_SAMPLES_MAX = 4096,
    TA_LOG_ITEM_BYTES_MAX = TA_LOG_ITEM_SAMPLES_MAX * (8 + 6) + 64
};

struct ta_log_segment {
    uint64_t number, first_sequence;
    int64_t created_s;
    uint32_t salt;
};

void ta_log_segment_encode(const struct ta_log_segment *s,
                           unsigned char out[static TA_LOG_SEGMENT_HEAD]);
/* TA_EFORMAT: not a segment header, or damaged. */
int ta_log_segment_decode(const unsigned char in[static TA_LOG_SEGMENT_HEAD],
                          struct ta_log_segment *out);

/* Where the chain of records stands. */
struct ta_log_chain {
    uint32_t salt, previous; /* checksum of the last record; the salt at first */
    uint64_t sequence;       /* of the next record */
};

/* Fills the head of a record whose payload stands behind it already: `record` points at
 * TA_LOG_RECORD_HEAD + payload bytes. Moves the chain on. */
void ta_log_record_seal(unsigned char *record, size_t payload, struct ta_log_chain *chain);

struct ta_log_record {
    uint64_t sequence;
    uint32_t previous, checksum;
    struct ta_str payload; /* borrowed from the bytes that were looked at */
};

/* Is there a record at the start of [p, p + n)? 1 = *out filled, 0 = more bytes are needed to say,
 * TA_EFORMAT = no. Looks at its own checksum only; whether it continues the chain is the
 * caller's question. */
int ta_log_record_parse(const unsigned char *p, size_t n, uint32_t salt, struct ta_log_record *out);

/* Items. Each adds to `out` or leaves it as it was and fails (TA_ERANGE, TA_ENOMEM). */
int ta_log_put_host(struct ta_buf *out, uint64_t host, uint32_t shape, struct ta_str cluster,
                    struct ta_str name);
int ta_log_put_column(struct ta_buf *out, uint32_t shape, uint32_t column, struct ta_str metric,
                      struct ta_str type, struct ta_str stype);
/* `n` samples of one host and one time stamp, 1 .. TA_LOG_ITEM_SAMPLES_MAX, in any column order. */
int ta_log_put_samples(struct ta_buf *out, uint64_t host, int64_t ts_s, const uint32_t *columns,
                       const double *values, size_t n);

enum ta_log_item_kind { TA_LOG_HOST = 1, TA_LOG_COLUMN = 2, TA_LOG_SAMPLES = 3 };

struct ta_log_item {
    enum ta_log_item_kind kind;
    uint64_t host;                     /* HOST, SAMPLES */
    uint32_t shape, column;            /* HOST (shape), COLUMN */
    struct ta_str cluster, name;       /* HOST */
    struct ta_str metric, type, stype; /* COLUMN */
    int64_t ts_s;                      /* SAMPLES */
    struct ta_str pieces;              /* SAMPLES: for ta_log_next_piece */
};

/* A stretch of consecutive columns: value i belongs to column first + i. */
struct ta_log_piece {
    uint32_t first, count;
    const unsigned char *values; /* count binary64, unaligned */
};

/* Takes the next item off *payload. 1 = *out filled, its slices borrowed from the payload; 0 = end;
 * TA_EFORMAT = not well-formed (a checksum that holds makes that a bug or an attack). */
int ta_log_next_item(struct ta_str *payload, struct ta_log_item *out);

/* Takes the next piece off item->pieces; `expected` starts at 0 and is kept by the caller. 1 / 0. The
 * pieces of an item that ta_log_next_item gave are well-formed. */
int ta_log_next_piece(struct ta_log_item *item, uint32_t *expected, struct ta_log_piece *out);

#endif
