/* credentials.h - which certificate and key a client of grid services presents.
 *
 * The first pair whose two files are there (spec: rule-cleaner 4.1): X509_HOST_KEY and
 * X509_HOST_CERT; X509_USER_PROXY as both; X509_USER_KEY and X509_USER_CERT; the default proxy file
 * of the user, /tmp/x509up_u<uid>; ~/.globus/userkey.pem and usercert.pem.
 */
#ifndef TARN_REST_CREDENTIALS_H
#define TARN_REST_CREDENTIALS_H

#include "base/err.h"

#include <stdbool.h>

typedef const char *(*ta_env_reader)(const char *name); /* NULL when unset */

struct ta_x509 {
    char cert[512], key[512]; /* paths; "" when there is none */
};

/* True when a pair was found. */
bool ta_x509_find(struct ta_x509 *out, ta_env_reader env);
/* TA_EDENIED when others than its owner may read the private key; TA_EIO, TA_ENOTFOUND. */
int ta_x509_check_key(const char *key, struct ta_err *err);

#endif
