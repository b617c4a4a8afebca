/* s3.h - objects of an S3-compatible server: put once and for all, or read, list, replace, delete.
 *
 * Requests are signed (sigv4.h) with the hash of their body, paths are in path style
 * (ENDPOINT/BUCKET/KEY). Files go up in parts, each read from the file as it is sent; an object is never
 * replaced by ta_s3_put (If-None-Match: *), and does not exist before its last request succeeded. What may pass by itself (a
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
    size_t part_bytes;   /* 0 = 8 MiB; servers want 5 MiB at least */
    int64_t wait_max_ms; /* longest wait before a request is repeated; 0 = as rest/client.h says */
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

/* ---- objects that change (s3_objects.c) ---- */

/* The bucket is there and may be used: TA_ENOTFOUND, TA_EDENIED, TA_EIO. */
int ta_s3_check(struct ta_s3 *s, struct ta_err *err);

/* The object's bytes as a source; TA_ENOTFOUND. A source that ends early fails (TA_EIO). Until
 * ta_s3_get_end nothing else may be asked of this client. */
int ta_s3_get(struct ta_s3 *s, const char *key, struct ta_source **out, uint64_t *bytes,
              struct ta_err *err);
void ta_s3_get_end(struct ta_s3 *s); /* fine when nothing is open */

/* The object becomes the first `bytes` of the file, or the text when file is NULL, in one request (at most
 * 5 GB: TA_ERANGE). Others see the old or the new one. */
int ta_s3_replace(struct ta_s3 *s, const char *key, struct ta_file *file, uint64_t bytes,
                  struct ta_str text, struct ta_err *err);
/* Fine when there is none. */
int ta_s3_delete(struct ta_s3 *s, const char *key, struct ta_err *err);

/* One page of the keys that begin with `prefix` and come after `after` ("" = from the first), into
 * `names` (replaced), each followed by a NUL. With `by_folder`, instead of keys the beginnings up to
 * the first '/' behind the prefix, and no keys. 1 = there may be more, 0 = that is all. TA_ERANGE: a page
 * does not fit into `names`; 512 KiB are enough for keys of 1 KiB. */
int ta_s3_list(struct ta_s3 *s, const char *prefix, bool by_folder, const char *after,
               struct ta_buf *names, struct ta_err *err);

#endif
