/* jwt.h - signed tokens: who may call (spec: http-api 2; RFC 7519, RFC 8037).
 *
 * Only EdDSA over Ed25519. The key fixes the algorithm; the token's header is compared, never
 * obeyed. Order of checks and words of refusal are the reference's, since its clients and
 * operators know them. At most TA_JWT_CACHE verified tokens are remembered, so that a node's
 * token is verified once and not on every POST; remembered are tokens that were valid, under their
 * SHA-256.
 *
 * Thread safety: every function may be called from any thread on one verifier.
 */
#ifndef TARN_NET_JWT_H
#define TARN_NET_JWT_H

#include "base/alloc.h"
#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

enum { TA_JWT_CACHE = 1024, TA_JWT_BYTES_MAX = 8192, TA_TOKEN_USER_MAX = 64 };

/* Roles as ClusterCockpit names them, in the claim "roles". */
enum ta_role {
    TA_ROLE_ADMIN = 1,    /* ROLE_ADMIN, admin */
    TA_ROLE_API = 2,      /* ROLE_API, api */
    TA_ROLE_USER = 4,     /* ROLE_USER, user */
    TA_ROLE_SUPPORT = 8,  /* ROLE_SUPPORT, support */
    TA_ROLE_MANAGER = 16, /* ROLE_MANAGER, manager */
    TA_ROLE_ANALYST = 32  /* ROLE_ANALYST, analyst */
};

struct ta_token {
    uint32_t roles;               /* TA_ROLE_* bits; unknown names are ignored */
    int64_t exp_s, iat_s, nbf_s;  /* Unix seconds; 0: absent */
    char user[TA_TOKEN_USER_MAX]; /* claim "sub", else "user"; cut, NUL-terminated; "" if absent */
};

struct ta_jwt; /* opaque */

/* `key_base64` is the Ed25519 public key, 32 bytes in standard base64 with padding. Undecodable:
 * TA_EINVAL. A wrong length is accepted here and refuses every token, as the reference does.
 * Keeps about TA_JWT_CACHE * 160 bytes from `alloc` (borrowed). */
int ta_jwt_new(struct ta_jwt **out, struct ta_str key_base64, struct ta_alloc *alloc,
               struct ta_err *err);
/* Another key, for a reload: forgets all remembered tokens. On error the old key stays. */
int ta_jwt_set_key(struct ta_jwt *jwt, struct ta_str key_base64, struct ta_err *err);
/* Checks a compact JWS at Unix time now_s. TA_OK with *out filled (NULL allowed), or TA_EDENIED
 * with the reference's words in err->text; TA_ENOMEM. About 60 us the first time, 1 us when
 * remembered. */
int ta_jwt_check(struct ta_jwt *jwt, struct ta_str token, int64_t now_s, struct ta_token *out,
                 struct ta_err *err);
/* Remembered tokens now. */
size_t ta_jwt_cached(struct ta_jwt *jwt);
void ta_jwt_free(struct ta_jwt *jwt); /* NULL is fine */

#endif
