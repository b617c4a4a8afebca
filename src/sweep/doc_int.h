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
    uint64_t object;         /* serial number of the object around it */
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

struct doc {
    struct ta_json_reader *j;
    struct ta_arena *scratch;
    struct ta_err *err;
    size_t left;                            /* bytes that may still be captured */
    const char *bad;                        /* the first reason why it cannot be used, or NULL */
    uint64_t serial;                        /* objects seen */
    uint64_t object[TA_JSON_DEPTH_MAX + 1]; /* serial number of the open object at that depth */
    struct doc_find *lists[DOC_LISTS], *flags[DOC_FLAGS]; /* newest first */
    struct ta_str texts[DOC_TEXTS];
    struct doc_step *history;
    size_t n_history;
};

/* The record of what was found. TA_OK or TA_ENOMEM. */
int ta_doc_finish(struct doc *d, struct ta_alloc *alloc, struct ta_record **out);

#endif
