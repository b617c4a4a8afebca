#include "net/http_tls.h"

#include <gnutls/x509.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>

enum { CHAIN_MAX = 16 };

struct http_cert {
    size_t refs; /* guarded by tls->lock; one is the tls's own while it is the current one */
    unsigned n_chain;
    gnutls_pcert_st chain[CHAIN_MAX];
    gnutls_privkey_t key;
};

struct http_tls {
    struct ta_alloc *alloc;
    pthread_mutex_t lock;
    struct http_cert *now; /* guarded by lock */
};

static gnutls_datum_t datum(struct ta_str s)
{
    return (gnutls_datum_t){(unsigned char *)(uintptr_t)s.at, (unsigned)s.len};
}

static void cert_free(struct http_cert *c, struct ta_alloc *alloc)
{
    for (unsigned i = 0; i < c->n_chain; i++)
        gnutls_pcert_deinit(&c->chain[i]);
    if (c->key)
        gnutls_privkey_deinit(c->key);
    ta_release(alloc, c, sizeof(*c));
}

static int key_load(struct http_cert *c, struct ta_str key_pem, struct ta_err *err)
{
    gnutls_datum_t d = datum(key_pem);

    int r = gnutls_privkey_init(&c->key);
    if (r < 0)
        return ta_fail(err, TA_ENOMEM, "TLS key: %s", gnutls_strerror(r));
    r = gnutls_privkey_import_x509_raw(c->key, &d, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (r < 0)
        return ta_fail(err, TA_EINVAL, "TLS key: %s", gnutls_strerror(r));
    return TA_OK;
}

/* A server that starts with somebody else's key would fail every handshake: said here instead. */
static int check_pair(struct http_cert *c, struct ta_err *err)
{
    gnutls_pubkey_t of_key = NULL;
    unsigned char a[64], b[64];
    size_t a_len = sizeof(a), b_len = sizeof(b);

    int r = gnutls_pubkey_init(&of_key);
    if (r < 0)
        return ta_fail(err, TA_ENOMEM, "TLS key: %s", gnutls_strerror(r));
    r = gnutls_pubkey_import_privkey(of_key, c->key, 0, 0);
    if (r >= 0)
        r = gnutls_pubkey_get_key_id(of_key, GNUTLS_KEYID_USE_SHA256, a, &a_len);
    if (r >= 0)
        r = gnutls_pubkey_get_key_id(c->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, b, &b_len);
    gnutls_pubkey_deinit(of_key);
    if (r < 0)
        return ta_fail(err, TA_EINVAL, "TLS key: %s", gnutls_strerror(r));
    if (a_len != b_len || memcmp(a, b, a_len) != 0)
        return ta_fail(err, TA_EINVAL, "the TLS key does not belong to the certificate");
    return TA_OK;
}

static int cert_new(struct http_cert **out, struct ta_str cert_pem, struct ta_str key_pem,
                    struct ta_alloc *alloc, struct ta_err *err)
{
    if (cert_pem.len > INT_MAX || key_pem.len > INT_MAX)
        return ta_fail(err, TA_EINVAL, "TLS certificate: too large");
    struct http_cert *c = ta_alloc_zero(alloc, 1, sizeof(*c));
    if (!c)
        return ta_fail(err, TA_ENOMEM, "TLS certificate: no memory");
    gnutls_datum_t d = datum(cert_pem);
    unsigned n = CHAIN_MAX;
    int r = gnutls_pcert_list_import_x509_raw(c->chain, &n, &d, GNUTLS_X509_FMT_PEM,
                                              GNUTLS_X509_CRT_LIST_SORT);
    if (r < 0) {
        r = ta_fail(err, TA_EINVAL, "TLS certificate: %s", gnutls_strerror(r));
    } else {
        c->n_chain = n;
        r = key_load(c, key_pem, err);
    }
    if (r == TA_OK)
        r = check_pair(c, err);
    if (r < 0) {
        cert_free(c, alloc);
        return r;
    }
    c->refs = 1;
    *out = c;
    return TA_OK;
}

int http_tls_new(struct http_tls **out, struct ta_str cert_pem, struct ta_str key_pem,
                 struct ta_alloc *alloc, struct ta_err *err)
{
    struct http_cert *cert = NULL;

    int r = cert_new(&cert, cert_pem, key_pem, alloc, err);
    if (r < 0)
        return r;
    struct http_tls *t = ta_alloc(alloc, sizeof(*t));
    if (!t) {
        cert_free(cert, alloc);
        return ta_fail(err, TA_ENOMEM, "TLS certificate: no memory");
    }
    *t = (struct http_tls){.alloc = alloc, .now = cert};
    pthread_mutex_init(&t->lock, NULL);
    *out = t;
    return TA_OK;
}

int http_tls_reload(struct http_tls *t, struct ta_str cert_pem, struct ta_str key_pem,
                    struct ta_err *err)
{
    struct http_cert *cert = NULL;

    int r = cert_new(&cert, cert_pem, key_pem, t->alloc, err);
    if (r < 0)
        return r;
    pthread_mutex_lock(&t->lock);
    struct http_cert *old = t->now;
    t->now = cert;
    pthread_mutex_unlock(&t->lock);
    http_cert_drop(t, old);
    return TA_OK;
}

void http_tls_free(struct http_tls *t)
{
    if (!t)
        return;
    http_cert_drop(t, t->now);
    pthread_mutex_destroy(&t->lock);
    ta_release(t->alloc, t, sizeof(*t));
}

struct http_cert *http_tls_get(struct http_tls *t)
{
    pthread_mutex_lock(&t->lock);
    struct http_cert *c = t->now;
    c->refs++;
    pthread_mutex_unlock(&t->lock);
    return c;
}

void http_cert_drop(struct http_tls *t, struct http_cert *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&t->lock);
    bool last = --c->refs == 0;
    pthread_mutex_unlock(&t->lock);
    if (last)
        cert_free(c, t->alloc);
}

void http_cert_give(const struct http_cert *c, gnutls_pcert_st **certs, unsigned *n_certs,
                    gnutls_privkey_t *key)
{
    *certs = (gnutls_pcert_st *)(uintptr_t)c->chain;
    *n_certs = c->n_chain;
    *key = c->key;
}
