/* json_read.h - JSON (RFC 8259) as a stream of tokens.
 *
 * The reader pulls bytes from a source through one fixed buffer and gives one token a call.
 * Its memory is one block of `limits.buffer` + `limits.text_max` bytes (from `alloc`): documents of
 * any size, any number of members, any order. A single string, key or number may be at most
 * `limits.text_max` bytes (<= buffer / 2); one that is skipped may have any length.
 *
 * When the source says TA_EAGAIN, ta_json_next returns TA_EAGAIN and can be called again: no
 * token is lost or repeated. Errors are TA_EFORMAT (syntax: text says what and "at line L:C",
 * 1-based, bytes), TA_ERANGE (a limit), or the source's.
 *
 * Strings: escapes are decoded to UTF-8, lone surrogates and invalid UTF-8 become U+FFFD, as in
 * the reference's decoder. Numbers keep their text.
 */
#ifndef TARN_IO_JSON_READ_H
#define TARN_IO_JSON_READ_H

#include "base/alloc.h"
#include "base/err.h"
#include "base/str.h"
#include "io/stream.h"

#include <stdbool.h>
#include <stdint.h>

enum ta_json_kind {
    TA_JSON_OBJECT,     /* { */
    TA_JSON_OBJECT_END, /* } */
    TA_JSON_ARRAY,      /* [ */
    TA_JSON_ARRAY_END,  /* ] */
    TA_JSON_KEY,
    TA_JSON_STRING,
    TA_JSON_NUMBER,
    TA_JSON_TRUE,
    TA_JSON_FALSE,
    TA_JSON_NULL
};

struct ta_json_token {
    enum ta_json_kind kind;
    struct ta_str text; /* decoded string or key; number as written; borrowed until the next call */
    unsigned depth;     /* containers around the token; of the container itself for its two ends */
    uint64_t line, column; /* of the token's first byte, 1-based */
};

enum { TA_JSON_DEPTH_MAX = 512 };

struct ta_json_limits {
    size_t buffer;   /* bytes; 0 = 64 KiB */
    size_t text_max; /* longest string, key or number; 0 = buffer / 2 */
    unsigned depth;  /* deepest nesting; 0 = 64; at most TA_JSON_DEPTH_MAX */
    /* NaN, Infinity and -Infinity, as Python's writer emits them, are NUMBER tokens; else they are
     * TA_EFORMAT. The conversions below refuse them. */
    bool accepts_nonfinite;
};

struct ta_json_reader;

/* Borrows src and alloc until freed. */
int ta_json_reader_new(struct ta_json_reader **out, struct ta_source *src,
                       const struct ta_json_limits *limits, struct ta_alloc *alloc);
void ta_json_reader_free(struct ta_json_reader *r); /* NULL is fine */

/* 1 = *out filled; 0 = the one top-level value is complete (bytes after it are not looked at:
 * use ta_json_finish); < 0 error. The end of input before that is TA_EFORMAT, "unexpected EOF";
 * of an input with nothing but white space it is TA_EFORMAT, "EOF". */
int ta_json_next(struct ta_json_reader *r, struct ta_json_token *out, struct ta_err *err);

/* The same, but strings and numbers pass without their text (it is {NULL, 0}) and may have any
 * length; keys keep theirs. For documents that are searched and not read. */
int ta_json_walk(struct ta_json_reader *r, struct ta_json_token *out, struct ta_err *err);

/* After an opening token or a key: passes over the whole value, of any size. After any other
 * token: nothing. May return TA_EAGAIN; call again. */
int ta_json_skip(struct ta_json_reader *r, struct ta_err *err);

/* After the top-level value: only white space may follow up to the end of the source. */
int ta_json_finish(struct ta_json_reader *r, struct ta_err *err);

/* Prepares for another top-level value on the same source (JSON lines). */
void ta_json_again(struct ta_json_reader *r);

/* Between values of one source: 1 = another one follows and is read next, 0 = nothing but white
 * space up to the end. May return TA_EAGAIN; call again. */
int ta_json_more(struct ta_json_reader *r, struct ta_err *err);

/* Bytes of the source consumed by tokens so far. */
uint64_t ta_json_offset(const struct ta_json_reader *r);

/* Conversions of a NUMBER token: TA_EFORMAT when it is not a plain integer, TA_ERANGE when it
 * does not fit. */
int ta_json_i64(const struct ta_json_token *t, int64_t *out);
int ta_json_u64(const struct ta_json_token *t, uint64_t *out);
/* Correctly rounded binary64; TA_ERANGE on overflow. */
int ta_json_f64(const struct ta_json_token *t, double *out);

/* TA_EFORMAT "line L:C: expected <what>, found <kind>" */
int ta_json_expected(const struct ta_json_token *t, const char *what, struct ta_err *err);

#endif
