/* decode.h - JSON request bodies into structs, by the rules of the reference's decoder.
 *
 * A body is described by tables of fields; the decoder walks the tokens and fills a struct. The
 * rules (spec: http-api 4.1): keys match whatever their case, unknown ones are passed over (or
 * refused, where the table says strict), of repeated keys the last wins, null leaves a scalar as it
 * was and makes a list absent, integers are plain integers in range, only the first value of the
 * body is read. Syntax errors go before errors of type, wherever they stand, since the reference
 * checks the syntax of the whole first.
 *
 * Memory: strings and lists go into the caller's arena; a string or list equal to one of the last
 * few is not stored again (hundreds of queries name the same threads). Nothing else grows.
 */
#ifndef TARN_QUERY_DECODE_H
#define TARN_QUERY_DECODE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "io/json_read.h"

#include <stdbool.h>

struct ta_opt_str {
    struct ta_str str;
    bool is_set; /* false: absent or null */
};

struct ta_str_list {
    const struct ta_str *at;
    size_t n;
    bool is_set; /* false: absent or null; an empty list is set */
};

/* Ids of threads, cores, ...: 0 to 65,535. */
struct ta_int_list {
    const uint16_t *at;
    size_t n;
    bool is_set;
};

/* What an array of objects (or of lists) becomes: structs that begin with a ta_dec_item. */
struct ta_dec_item {
    struct ta_dec_item *next;
};

struct ta_dec_chain {
    struct ta_dec_item *first, *last;
    size_t n;
};

/* An array of strings inside an array. */
struct ta_dec_list {
    struct ta_dec_item item; /* first member */
    struct ta_str_list list;
};

struct ta_dec_ints {
    struct ta_dec_item item; /* first member */
    struct ta_int_list list;
};

enum ta_dec_kind {
    TA_DEC_STR,      /* struct ta_str */
    TA_DEC_OPT_STR,  /* struct ta_opt_str */
    TA_DEC_I64,      /* int64_t */
    TA_DEC_BOOL,     /* bool */
    TA_DEC_FACTOR,   /* double; null is NaN */
    TA_DEC_STRS,     /* struct ta_str_list */
    TA_DEC_INTS,     /* struct ta_int_list */
    TA_DEC_OBJECT,   /* the struct in `type`, in place */
    TA_DEC_OBJECTS,  /* struct ta_dec_chain of the structs in `type` */
    TA_DEC_LISTS,    /* struct ta_dec_chain of struct ta_dec_list */
    TA_DEC_INT_LISTS /* struct ta_dec_chain of struct ta_dec_ints */
};

struct ta_dec_type;

struct ta_dec_field {
    const char *key;
    enum ta_dec_kind kind;
    size_t at; /* offset in the struct */
    const struct ta_dec_type *type;
};

struct ta_dec_type {
    const char *name; /* as the reference's error texts call it */
    const struct ta_dec_field *fields;
    size_t n_fields;
    size_t bytes;   /* of the struct */
    bool is_strict; /* unknown keys are errors */
};

struct ta_dec_limits {
    size_t items_max; /* elements of one array of objects or lists */
    size_t list_max;  /* strings in one list */
    size_t text_max;  /* bytes of one key, string or number */
};

struct ta_decoder;

/* The body is read from `src` and becomes *out, which the caller has filled with the defaults.
 * Borrows src, arena, alloc and the tables until freed. `root` is of kind OBJECT or LISTS. */
int ta_decoder_new(struct ta_decoder **out_decoder, struct ta_source *src,
                   const struct ta_dec_field *root, void *out, const struct ta_dec_limits *limits,
                   struct ta_arena *arena, struct ta_alloc *alloc);
void ta_decoder_free(struct ta_decoder *d); /* NULL is fine */

/* 0 = the value is complete. TA_EAGAIN when the source says so: call again. TA_EFORMAT with the
 * words for the client ("EOF" for an empty body), TA_ERANGE past a limit, TA_ENOMEM when the arena
 * is full. */
int ta_decoder_run(struct ta_decoder *d, struct ta_err *err);

/* Adds s in double quotes as Go's %q does. */
int ta_go_quote(struct ta_buf *out, struct ta_str s);

#endif
