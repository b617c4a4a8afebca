/* decode_int.h - where a decoder keeps what it has read: in an arena, equal things once. */
#ifndef TARN_QUERY_DECODE_INT_H
#define TARN_QUERY_DECODE_INT_H

#include "query/decode.h"

enum { TA_DEC_RECENT = 8 }; /* strings and lists looked back for an equal one */

struct ta_dec_kept {
    struct ta_arena *arena;
    struct ta_dec_limits limits;
    struct ta_buf text; /* of the list being read: strings one after the other, or uint16_t */
    struct ta_buf ends; /* uint32_t each: where the strings end in `text` */
    struct ta_str recent[TA_DEC_RECENT]; /* used last first; the empty string where none was yet */
    struct ta_str_list recent_lists[TA_DEC_RECENT];
};

void ta_dec_kept_init(struct ta_dec_kept *k, const struct ta_dec_limits *limits,
                      struct ta_arena *arena, struct ta_alloc *alloc);
void ta_dec_kept_done(struct ta_dec_kept *k);

/* All below: TA_ENOMEM when the arena is full, TA_ERANGE past a limit, both with words. */

int ta_dec_keep_str(struct ta_dec_kept *k, struct ta_str s, struct ta_str *out, struct ta_err *err);

/* One list at a time: begin, add ..., end. */
void ta_dec_list_begin(struct ta_dec_kept *k);
int ta_dec_list_add(struct ta_dec_kept *k, struct ta_str s, struct ta_err *err);
int ta_dec_list_end(struct ta_dec_kept *k, struct ta_str_list *out, struct ta_err *err);
int ta_dec_int_add(struct ta_dec_kept *k, uint16_t id, struct ta_err *err);
int ta_dec_ints_end(struct ta_dec_kept *k, struct ta_int_list *out, struct ta_err *err);

/* A zeroed struct of `bytes` at the end of the chain. */
int ta_dec_chain_add(struct ta_dec_kept *k, struct ta_dec_chain *c, size_t bytes, void **out,
                     struct ta_err *err);

#endif
