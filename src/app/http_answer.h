/* http_answer.h - finding the end of an HTTP/1.1 answer, whatever pieces it comes in.
 *
 * Knows Content-Length and chunks; keeps the status and the beginning of the body. For the
 * benchmarks' client: answers to HEAD and 1xx do not occur there.
 */
#ifndef TARN_APP_HTTP_ANSWER_H
#define TARN_APP_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ta_http_answer {
    int status;
    bool closes;         /* the server will close the connection */
    uint64_t body_bytes; /* so far */
    char kept[160];      /* beginning of the body */
    size_t n_kept;

    /* private */
    enum {
        ANSWER_HEAD,
        ANSWER_BODY,
        ANSWER_CHUNK_SIZE,
        ANSWER_CHUNK,
        ANSWER_CHUNK_END,
        ANSWER_TRAILER,
        ANSWER_DONE
    } at;
    bool is_chunked;
    uint64_t left;  /* bytes of the body or the chunk */
    char line[512]; /* the line being collected; cut when longer */
    size_t n_line;
};

void ta_http_answer_init(struct ta_http_answer *a);
/* 1 = the answer is complete, 0 = more is needed, TA_EFORMAT. */
int ta_http_answer_feed(struct ta_http_answer *a, const char *at, size_t len);

#endif
