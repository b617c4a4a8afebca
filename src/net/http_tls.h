/* http_tls.h - the server's certificate, and its replacement while the server runs.
 *
 * A connection keeps the certificate that its handshake began with; a replaced one goes when its
 * last connection does.
 */
#ifndef TARN_NET_HTTP_TLS_H
#define TARN_NET_HTTP_TLS_H

#include "base/alloc.h"
#include "base/err.h"
#include "base/str.h"

#include <gnutls/abstract.h>

struct http_tls;
struct http_cert;

/* What the listener speaks: TLS 1.2 with forward secrecy and AEAD only, and TLS 1.3. */
#define HTTP_TLS_PRIORITIES                                                                        \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:"      \
    "+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:-MAC-ALL:+AEAD:%SERVER_PRECEDENCE"

/* TA_EINVAL when certificate and key can not be read or do not belong together. */
int http_tls_new(struct http_tls **out, struct ta_str cert_pem, struct ta_str key_pem,
                 struct ta_alloc *alloc, struct ta_err *err);
int http_tls_reload(struct http_tls *t, struct ta_str cert_pem, struct ta_str key_pem,
                    struct ta_err *err);
void http_tls_free(struct http_tls *t); /* NULL is fine */

/* The certificate now, with a reference. */
struct http_cert *http_tls_get(struct http_tls *t);
void http_cert_drop(struct http_tls *t, struct http_cert *c); /* NULL is fine */
/* What GnuTLS asks for in a handshake; borrowed from c. */
void http_cert_give(const struct http_cert *c, gnutls_pcert_st **certs, unsigned *n_certs,
                    gnutls_privkey_t *key);

#endif
