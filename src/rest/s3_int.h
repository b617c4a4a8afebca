/* s3_int.h - what s3.c (requests, uploads) and s3_objects.c (everything else) share. */
#ifndef TARN_REST_S3_INT_H
#define TARN_REST_S3_INT_H

#include "rest/s3.h"

struct ta_s3 {
    struct ta_alloc *alloc;
    struct ta_s3_conf conf;
    struct ta_rest_client *http;
    struct ta_buf url, path, auth, answer;
    struct ta_source *body; /* of the answer that is being read; NULL = none */
};

/* What one call asks for. */
struct ta_s3_ask {
    const char *method, *key;        /* key "": the bucket */
    const char *query;               /* canonical */
    const char *if_none_match, *tag; /* NULL = not sent */
    struct ta_file *file;            /* body from a file, or ... */
    uint64_t at, bytes;
    struct ta_str text; /* ... from memory */
    bool keeps_body;    /* of an answer 200: it is left to be read from s->body */
};

/* Asks until an answer comes that is not a passing trouble. Returns the HTTP status. */
int ta_s3_ask(struct ta_s3 *s, const struct ta_s3_ask *a, struct ta_err *err);
/* The error of an answer that is none of those expected. */
int ta_s3_refused(const struct ta_s3 *s, const struct ta_s3_ask *a, int status, struct ta_err *err);
/* Text between <name> and </name> of the answer. */
struct ta_str ta_s3_element(const struct ta_s3 *s, const char *name);

#endif
