/* thrift.h - the part of Thrift's compact protocol that Parquet's metadata needs.
 *
 * Writing goes into a ta_buf; the first error sticks and is returned by ta_thrift_error. Reading is
 * over bytes in memory, bounded by a pointer to their end; after the first malformed byte `bad` is set
 * and every call gives zeros, so a caller may check once. (Apache Thrift, "Thrift compact protocol".)
 */
#ifndef TARN_PARQUET_THRIFT_H
#define TARN_PARQUET_THRIFT_H

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum ta_thrift_type {
    TA_THRIFT_STOP = 0,
    TA_THRIFT_TRUE = 1,
    TA_THRIFT_FALSE = 2,
    TA_THRIFT_BYTE = 3,
    TA_THRIFT_I16 = 4,
    TA_THRIFT_I32 = 5,
    TA_THRIFT_I64 = 6,
    TA_THRIFT_DOUBLE = 7,
    TA_THRIFT_BINARY = 8,
    TA_THRIFT_LIST = 9,
    TA_THRIFT_SET = 10,
    TA_THRIFT_MAP = 11,
    TA_THRIFT_STRUCT = 12
};

struct ta_thrift_writer {
    struct ta_buf *out;
    int error; /* first failure of the buffer */
    int last;  /* id of the last field of the struct being written */
};

void ta_thrift_writer_init(struct ta_thrift_writer *w, struct ta_buf *out);

/* A field holding a struct, or (begin_item) a struct inside a list. Returns what the matching end
 * wants back. */
int ta_thrift_begin(struct ta_thrift_writer *w, int field);
int ta_thrift_begin_item(struct ta_thrift_writer *w);
void ta_thrift_end(struct ta_thrift_writer *w, int saved);

void ta_thrift_put_bool(struct ta_thrift_writer *w, int field, bool v);
void ta_thrift_put_i16(struct ta_thrift_writer *w, int field, int v);
void ta_thrift_put_i32(struct ta_thrift_writer *w, int field, int64_t v);
void ta_thrift_put_i64(struct ta_thrift_writer *w, int field, int64_t v);
void ta_thrift_put_byte(struct ta_thrift_writer *w, int field, int v);
void ta_thrift_put_str(struct ta_thrift_writer *w, int field, struct ta_str s);
/* Head of a list of n items; the items follow by the item_ functions or begin_item. */
void ta_thrift_put_list(struct ta_thrift_writer *w, int field, enum ta_thrift_type item,
                        uint32_t n);
void ta_thrift_item_i64(struct ta_thrift_writer *w, int64_t v); /* also i32 */
void ta_thrift_item_bool(struct ta_thrift_writer *w, bool v);
void ta_thrift_item_str(struct ta_thrift_writer *w, struct ta_str s);

struct ta_thrift_reader {
    const unsigned char *at, *end;
    bool bad;
    bool short_input; /* bad because the bytes ended, not because one was wrong */
};

struct ta_thrift_field {
    int id;
    enum ta_thrift_type type;
};

void ta_thrift_reader_init(struct ta_thrift_reader *r, const void *p, size_t n);

/* Next field of the struct whose last field was *f ({0} at its begin). false at its end or when bad. */
bool ta_thrift_next(struct ta_thrift_reader *r, struct ta_thrift_field *f);
/* Integer of the given wire type (byte, i16, i32, i64; a boolean field's value is its type). */
int64_t ta_thrift_int(struct ta_thrift_reader *r, enum ta_thrift_type type);
/* As above, but bad when outside [min, max]. */
int64_t ta_thrift_int_in(struct ta_thrift_reader *r, enum ta_thrift_type type, int64_t min,
                         int64_t max);
/* Borrowed from the input. Bad when the wire type is not binary. */
struct ta_str ta_thrift_str(struct ta_thrift_reader *r, enum ta_thrift_type type);
/* Head of a list: count, and the type of its items. Bad when more items than bytes are claimed. */
uint32_t ta_thrift_list(struct ta_thrift_reader *r, enum ta_thrift_type type,
                        enum ta_thrift_type *item);
/* Passes over a value of any type; nesting beyond 16 is bad. */
void ta_thrift_skip(struct ta_thrift_reader *r, enum ta_thrift_type type);

#endif
