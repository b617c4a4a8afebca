/* json_int.h - what json_read.c (grammar) and json_scan.c (characters of one token) share. */
#ifndef TARN_IO_JSON_INT_H
#define TARN_IO_JSON_INT_H

#include "io/json_read.h"

enum json_state {
    JSON_VALUE,       /* a value must follow */
    JSON_FIRST_VALUE, /* a value or ] */
    JSON_FIRST_KEY,   /* a key or } */
    JSON_NEXT_KEY,    /* a key */
    JSON_COLON,
    JSON_AFTER, /* a comma or the end of the container */
    JSON_DONE
};

struct ta_json_reader {
    struct ta_source *src;
    struct ta_alloc *alloc;
    unsigned char *buf, *decoded; /* one block: `cap` and `text_max` bytes */
    size_t cap, text_max;
    unsigned depth_max;

    size_t at, end;      /* unread bytes of buf; at is the first byte of a token in the making */
    size_t scan;         /* first byte of it not looked at yet */
    uint64_t base;       /* offset in the source of buf[0] */
    uint64_t line;       /* 1-based, of `at` */
    uint64_t line_start; /* offset of the line's first byte */
    bool at_eof, partial;
    bool accepts_nonfinite; /* NaN, Infinity and -Infinity are numbers */
    unsigned char step;     /* where inside a string or number the scan stands */
    bool needs_decoding;
    int failed; /* first error; it sticks */

    enum json_state state;
    unsigned depth;
    uint64_t in_object[TA_JSON_DEPTH_MAX / 64]; /* a bit for each open container */
    enum ta_json_kind last;
    bool skipping;
    unsigned skip_to; /* depth at which the skipped value ends */
    struct ta_json_token token;
};

/* What a step does with the text of the token it passes. */
enum json_mode {
    JSON_KEEP,
    JSON_WALK, /* keys only */
    JSON_PASS  /* nothing */
};

/* More bytes after `end`; what is before `at` may go. 1 = there are some, 0 = end of the source,
 * < 0 error or TA_EAGAIN. */
int ta_json_refill(struct ta_json_reader *r, struct ta_err *err);

/* "<what> at line L:C", for the byte at buf[where]; the error sticks. */
int ta_json_fail(struct ta_json_reader *r, int code, size_t where, struct ta_err *err,
                 const char *what);
int ta_json_fail_byte(struct ta_json_reader *r, size_t where, struct ta_err *err, const char *what);
int ta_json_fail_eof(struct ta_json_reader *r, struct ta_err *err);

/* From the first byte of the token at r->at to behind its last; the text goes to *out. With
 * `skip` nothing is kept, and any length is fine. Resume after TA_EAGAIN. */
int ta_json_scan_string(struct ta_json_reader *r, bool skip, struct ta_str *out,
                        struct ta_err *err);
int ta_json_scan_number(struct ta_json_reader *r, bool skip, struct ta_str *out,
                        struct ta_err *err);
int ta_json_scan_literal(struct ta_json_reader *r, struct ta_str word, struct ta_err *err);

#endif
