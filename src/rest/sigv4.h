/* sigv4.h - the signature of AWS requests, version 4.
 *
 * Our own, because libcurl 7.88 signs paths that contain '=' wrongly, as every key of a Hive layout does.
 * (AWS documentation, "Authenticating Requests: Using the Authorization Header"; the tests have its
 * published vectors.) Pure: time and everything else are parameters. Errors never show the secret.
 */
#ifndef TARN_REST_SIGV4_H
#define TARN_REST_SIGV4_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

struct ta_sigv4_keys {
    const char *access, *secret;
    const char *token; /* of a temporary session; NULL or "" = none. The caller sends it, signed, as
                            x-amz-security-token */
    const char *region;  /* "us-east-1" */
    const char *service; /* "s3" */
};

struct ta_sigv4_header {
    const char *name; /* lower case */
    const char *value;
};

struct ta_sigv4_request {
    const char *method;
    const char *path;  /* percent-encoded as it is sent, '/' kept; "/" at least */
    const char *query; /* parameters sorted by name, percent-encoded, "name=value&..."; "" = none */
    const struct ta_sigv4_header
        *headers; /* to be signed, sorted by name; host and x-amz-date among them */
    size_t n_headers;
    const char *payload_hash; /* SHA-256 of the body in hex, as sent in x-amz-content-sha256 */
};

enum { TA_SIGV4_DATE = 17, TA_SHA256_HEX = 65 }; /* room, the final NUL included */

/* "20130524T000000Z" */
void ta_sigv4_date(int64_t now_s, char out[TA_SIGV4_DATE]);
/* Hex SHA-256 of p[0..n). TA_ENOMEM when OpenSSL refuses. */
int ta_sha256_hex(const void *p, size_t n, char out[TA_SHA256_HEX]);

/* Appends the value of the Authorization header. `date` as ta_sigv4_date made it. */
int ta_sigv4_authorization(const struct ta_sigv4_keys *keys, const struct ta_sigv4_request *req,
                           const char *date, struct ta_buf *out, struct ta_err *err);

#endif
