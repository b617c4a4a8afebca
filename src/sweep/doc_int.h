/* doc_int.h - what doc_read.c (walking) and doc_fields.c (combining) share. */
#ifndef TARN_SWEEP_DOC_INT_H
#define TARN_SWEEP_DOC_INT_H

#include "sweep/doc_read.h"

enum doc_list { DOC_OUTPUTS, DOC_INPUTS, DOC_PARENTS, DOC_LISTS };
enum doc_flag { DOC_INCLUDE_PARENTS, DOC_RESOLVED, DOC_FLAGS };
enum doc_text { DOC_NAME, DOC_TYPE, DOC_SUB_TYPE, DOC_STATUS, DOC_TEXTS };

/* One value of a list field; at == NULL is null. */
struct doc_value {
    struct doc_value *next;
    struct ta_str text;
};

/* One place in the document where a captured key stands. */
struct doc_find {
    struct doc_find *next;
    uint64_t number;         /* in the order of the document, from 1 */
    bool is_array, is_true;  /* is_true: of flags */
    struct doc_value *first; /* of lists */
    struct doc_value **last;
};

/* One entry of the history, newest first. */
struct doc_step {
    struct doc_step *before;
    struct ta_str status;
    int64_t time_s;
    bool has_status, has_time;
};

/* The finds inside one member of one object, so that they can go when the member comes again. */
struct doc_member {
    uint64_t path;        /* hash of the keys (and places in arrays) that lead to it; 0: empty */
    uint64_t first, last; /* numbers of finds; first == 0: none */
};

/* An open object or array. */
struct doc_level {
    uint64_t path;   /* of itself */
    uint64_t member; /* of the member or element being read */
    bool is_array;
};

struct doc {
    struct ta_json_reader *j;
    struct ta_arena *scratch;
    struct ta_err *err;
    size_t left;     /* bytes that may still be captured */
    const char *bad; /* the first reason why it cannot be used, or NULL */
    unsigned top;    /* depth of the document's own members */
    uint64_t n_finds, n_elements;
    struct doc_member *members; /* open addressing */
    size_t n_members, cap_members;
    struct doc_find *lists[DOC_LISTS], *flags[DOC_FLAGS]; /* newest first */
    struct ta_str texts[DOC_TEXTS];
    struct doc_step *history;
    size_t n_history;
    struct doc_find spare; /* takes what is read once the document is bad */
    struct doc_level level[TA_JSON_DEPTH_MAX + 1];
};

/* doc_members.c: the last of equal keys counts, whatever stood inside the earlier ones. */

/* A container opens; `depth` is that of its opening token. */
void ta_doc_open(struct doc *d, unsigned depth, bool is_array);
/* A key of the object at that depth: what was found under an equal one before is forgotten. */
void ta_doc_key(struct doc *d, unsigned depth, struct ta_str key);
/* Why it cannot be used; the first reason counts. */
void ta_doc_bad(struct doc *d, const char *why);
/* Takes n bytes from what may be captured; false, and the document is bad, when they are not left. */
bool ta_doc_spend(struct doc *d, size_t n);

/* Notes a find under every member around it, which costs captured bytes too. TA_OK or TA_ENOMEM. */
int ta_doc_note(struct doc *d, unsigned depth, struct doc_find *f);

/* The record of what was found. TA_OK or TA_ENOMEM. */
int ta_doc_finish(struct doc *d, struct ta_alloc *alloc, struct ta_record **out);

#endif
