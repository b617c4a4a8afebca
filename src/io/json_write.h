/* json_write.h - JSON text, written as it comes.
 *
 * Values go straight into a ta_buf; commas and colons are put by the writer. The first error
 * (buffer full or no memory) sticks and is returned by every later call, so a caller may check
 * once at the end. For output larger than memory the caller drains the buffer between calls:
 * the writer keeps no pointer into it.
 *
 * Strings are escaped as Go's encoding/json does by default (http-api.md 9): < > & and
 * U+2028/2029 as \u escapes, invalid UTF-8 as \ufffd.
 */
#ifndef TARN_IO_JSON_WRITE_H
#define TARN_IO_JSON_WRITE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum { TA_JSON_WRITE_DEPTH = 64 };

struct ta_json_writer {
    struct ta_buf *out;
    int error; /* first failure, TA_E* */
    unsigned depth;
    bool has_key;                       /* a key waits for its value */
    bool has_item[TA_JSON_WRITE_DEPTH]; /* container at this depth is not empty */
};

void ta_json_writer_init(struct ta_json_writer *w, struct ta_buf *out);

int ta_json_put_object(struct ta_json_writer *w);
int ta_json_put_object_end(struct ta_json_writer *w);
int ta_json_put_array(struct ta_json_writer *w);
int ta_json_put_array_end(struct ta_json_writer *w);
int ta_json_put_key(struct ta_json_writer *w, const char *key);
int ta_json_put_key_str(struct ta_json_writer *w, struct ta_str key);
int ta_json_put_str(struct ta_json_writer *w, struct ta_str s);
int ta_json_put_z(struct ta_json_writer *w, const char *z);
int ta_json_put_i64(struct ta_json_writer *w, int64_t v);
int ta_json_put_u64(struct ta_json_writer *w, uint64_t v);
int ta_json_put_bool(struct ta_json_writer *w, bool v);
int ta_json_put_null(struct ta_json_writer *w);
/* Exactly `decimals` (0..9) digits after the point, correctly rounded from the exact binary64
 * value, ties to even; NaN and infinities are null. */
int ta_json_put_fixed(struct ta_json_writer *w, double v, int decimals);
/* The shortest text that reads back as the same binary64; NaN and infinities are null. */
int ta_json_put_f64(struct ta_json_writer *w, double v);
/* Text that is JSON already. */
int ta_json_put_raw(struct ta_json_writer *w, struct ta_str json);

/* key and value in one call */
int ta_json_member_str(struct ta_json_writer *w, const char *key, struct ta_str v);
int ta_json_member_z(struct ta_json_writer *w, const char *key, const char *v);
int ta_json_member_i64(struct ta_json_writer *w, const char *key, int64_t v);
int ta_json_member_bool(struct ta_json_writer *w, const char *key, bool v);

/* The escaping alone: adds s with its quotes. */
int ta_json_escape(struct ta_buf *out, struct ta_str s);

#endif
