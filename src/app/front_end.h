/* front_end.h - was a request really passed on by the CMS front end?
 *
 * (spec: rule-cleaner 8) Without the header cms-auth-status only loopback is served; NONE is accepted;
 * otherwise cms-authn-hmac must be the HMAC-SHA1 of all headers cms-authn* and cms-authz*.
 */
#ifndef TARN_APP_FRONT_END_H
#define TARN_APP_FRONT_END_H

#include "base/str.h"

#include <stddef.h>

enum { TA_FRONT_HEADERS_MAX = 64 };

struct ta_front_header {
    struct ta_str name, value; /* name as sent */
};

/* The signature of these headers as 40 hexadecimal digits and a NUL; they are sorted in place.
 * False when they are too long or the library fails. */
bool ta_front_sign(struct ta_front_header *headers, size_t n, const void *key, size_t key_bytes,
                   char out[41]);
/* Is the request to be served? `peer` is the caller's address; `status` and `hmac` are headers,
 * at == NULL when absent. Compares in constant time. */
bool ta_front_admits(struct ta_str peer, struct ta_str status, struct ta_str hmac,
                     struct ta_front_header *headers, size_t n, const void *key, size_t key_bytes);

#endif
