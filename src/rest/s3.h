/* s3.h - objects of an S3-compatible server: is it there, put a file.
 *
 * Requests are signed (sigv4.h) with the hash of their body, paths are in path style
 * (ENDPOINT/BUCKET/KEY). Files go up in parts, each read from the file as it is sent; an object is never
 * replaced (If-None-Match: *), and does not exist before its last request succeeded. What may pass by itself (a
 * broken connection, 429, 5xx) is tried again, ATTEMPTS times in all.
 *
 * Memory: the HTTP client's, and 64 KiB while a part is hashed. One thread at a time.
 */
#ifndef TARN_REST_S3_H
#define TARN_REST_S3_H

#include "base/clock.h"
#include "io/vfs.h"
#include "rest/client.h"
#include "rest/sigv4.h"

struct ta_s3_conf {
    const char *endpoint; /* "https://s3.example.org", no '/' at the end */
    const char *bucket;
    struct ta_sigv4_keys keys; /* service is set here */
    struct ta_rest_conf http;
    struct ta_clock *clock;
    size_t part_bytes; /* 0 = 8 MiB; servers want 5 MiB at least */
};

struct ta_s3;

/* Copies conf, borrows the strings in it and alloc. */
int ta_s3_new(struct ta_s3 **out, const struct ta_s3_conf *conf, struct ta_alloc *alloc,
              struct ta_err *err);
void ta_s3_free(struct ta_s3 *s); /* NULL is fine */

struct ta_s3_object {
    uint64_t bytes;
    char tag[64]; /* what ta_s3_put gave it; "" = none */
};

/* 1 = *out filled, 0 = there is no such object; TA_EDENIED, TA_EIO. */
int ta_s3_head(struct ta_s3 *s, const char *key, struct ta_s3_object *out, struct ta_err *err);

/* The file becomes the object `key`, with `tag` in its metadata, and is confirmed by its size and tag.
 * TA_EEXIST when there is one already, unless it has this size and tag: then it was put before and all is
 * well. `err` tells the server's answer. */
int ta_s3_put(struct ta_s3 *s, const char *key, struct ta_file *file, const char *tag,
              struct ta_err *err);

#endif
