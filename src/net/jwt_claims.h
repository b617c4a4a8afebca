/* jwt_claims.h - what stands in a token, before anything of it is believed. */
#ifndef TARN_NET_JWT_CLAIMS_H
#define TARN_NET_JWT_CLAIMS_H

#include "net/jwt.h"

#include <stdbool.h>

enum jwt_alg {
    JWT_ALG_ABSENT, /* or no string */
    JWT_ALG_UNKNOWN,
    JWT_ALG_OTHER, /* known to the reference's library, but not ours */
    JWT_ALG_EDDSA
};

struct jwt_claims {
    struct ta_token token;
    /* The claim is there but is no number: fails its check whatever the time. */
    bool bad_exp, bad_iat, bad_nbf;
};

/* Both take the decoded JSON. TA_EFORMAT when it is none or no object (null is an empty one). */
int jwt_read_header(struct ta_str json, struct ta_alloc *alloc, enum jwt_alg *out,
                    struct ta_err *err);
int jwt_read_claims(struct ta_str json, struct ta_alloc *alloc, struct jwt_claims *out,
                    struct ta_err *err);

/* The words of the last of exp, iat, nbf that fails at now_s; NULL when all hold. */
const char *jwt_time_failure(const struct jwt_claims *c, int64_t now_s);

#endif
