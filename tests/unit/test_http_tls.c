/* TLS: versions, reload, answers, what is not TLS. The client is OpenSSL's. */
#include "http_peer.h"
#include "http_site.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define HOST " HTTP/1.1\r\nHost: x\r\n"

struct pem {
    char cert[4096], key[4096];
    long serial;
};

static struct site site;
static struct pem first, second;

static void to_text(BIO *bio, char *out, size_t room)
{
    int n = BIO_read(bio, out, (int)room - 1);

    assert_true(n > 0);
    out[n] = 0;
    BIO_free(bio);
}

static void make_cert(struct pem *out, long serial)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    X509 *x = X509_new();
    BIO *bio;

    assert_non_null(key);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    X509_NAME *name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"x", -1, -1, 0);
    X509_set_issuer_name(x, name);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, x);
    to_text(bio, out->cert, sizeof(out->cert));
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    to_text(bio, out->key, sizeof(out->key));
    out->serial = serial;
    X509_free(x);
    EVP_PKEY_free(key);
}

static int start(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN); /* of this client; the server's workers block it themselves */
    memset(&site, 0, sizeof(site));
    make_cert(&first, 1);
    make_cert(&second, 2);
    site.config.n_workers = 1;
    site.config.cert_pem = ta_str(first.cert);
    site.config.key_pem = ta_str(first.key);
    site.config.limits.head_ms = 500;
    site_start(&site);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    site_stop(&site);
    return 0;
}

struct tls {
    int fd;
    SSL_CTX *ctx;
    SSL *ssl;
};

static int tls_connect(struct tls *t, int version)
{
    t->fd = http_peer_connect(site.port);
    t->ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_cipher_list(t->ctx, "ALL:@SECLEVEL=0");
    SSL_CTX_set_min_proto_version(t->ctx, version);
    SSL_CTX_set_max_proto_version(t->ctx, version);
    t->ssl = SSL_new(t->ctx);
    SSL_set_fd(t->ssl, t->fd);
    return SSL_connect(t->ssl);
}

static void tls_close(struct tls *t)
{
    SSL_free(t->ssl);
    SSL_CTX_free(t->ctx);
    close(t->fd);
    ERR_clear_error();
}

static long serial_of(struct tls *t)
{
    X509 *x = SSL_get1_peer_certificate(t->ssl);

    assert_non_null(x);
    long n = ASN1_INTEGER_get(X509_get0_serialNumber(x));
    X509_free(x);
    return n;
}

/* Everything up to `end`, or to the close. */
static size_t tls_read(struct tls *t, char *out, size_t room, const char *end)
{
    size_t n = 0;

    while (n + 1 < room) {
        int got = SSL_read(t->ssl, out + n, (int)(room - 1 - n));
        if (got <= 0)
            break;
        n += (size_t)got;
        out[n] = 0;
        if (end && strstr(out, end))
            break;
    }
    out[n] = 0;
    return n;
}

static void tls_say(struct tls *t, const char *text)
{
    assert_int_equal(SSL_write(t->ssl, text, (int)strlen(text)), (int)strlen(text));
}

static void tls_1_2_and_1_3_are_spoken_and_nothing_older(void **state)
{
    static const struct {
        int version;
        bool ok;
    } list[] = {{TLS1_VERSION, false},
                {TLS1_1_VERSION, false},
                {TLS1_2_VERSION, true},
                {TLS1_3_VERSION, true}};
    char text[4096];

    (void)state;
    for (size_t i = 0; i < TA_COUNT(list); i++) {
        struct tls t;
        assert_int_equal(tls_connect(&t, list[i].version) == 1, list[i].ok);
        if (list[i].ok) {
            tls_say(&t, "GET /hello" HOST "\r\n");
            tls_read(&t, text, sizeof(text), "hello\n");
            assert_non_null(strstr(text, "HTTP/1.1 200 OK\r\n"));
        }
        tls_close(&t);
    }
}

static void bodies_and_long_answers_pass_through_tls(void **state)
{
    static char text[1 << 20];
    struct tls t;

    (void)state;
    assert_int_equal(tls_connect(&t, TLS1_3_VERSION), 1);
    for (int i = 0; i < 20; i++) {
        tls_say(&t, "POST /sync" HOST "Content-Length: 3\r\n\r\nabc");
        tls_read(&t, text, sizeof(text), "synced 3 294\n");
        assert_non_null(strstr(text, "synced 3 294\n"));
    }
    tls_say(&t, "GET /big?n=500000&wait=1" HOST "Connection: close\r\n\r\n");
    assert_true(tls_read(&t, text, sizeof(text), "\r\n0\r\n\r\n") > 500000);
    assert_non_null(strstr(text, "\r\n0\r\n\r\n"));
    tls_close(&t);
}

static void an_answer_in_the_middle_of_a_body_passes_through_tls(void **state)
{
    static char block[16384], text[4096];
    struct tls t;

    (void)state;
    assert_int_equal(tls_connect(&t, TLS1_2_VERSION), 1);
    tls_say(&t, "POST /nope" HOST "Content-Length: 100000000\r\n\r\n");
    for (int i = 0; i < 4; i++)
        (void)SSL_write(t.ssl, block, sizeof(block));
    tls_read(&t, text, sizeof(text), "404 page not found\n");
    assert_non_null(strstr(text, "HTTP/1.1 404 Not Found\r\n"));
    tls_close(&t);
}

static void a_reloaded_certificate_is_shown_to_new_connections(void **state)
{
    struct ta_err err = {0};
    struct tls old, new;
    char text[4096];

    (void)state;
    assert_int_equal(tls_connect(&old, TLS1_3_VERSION), 1);
    assert_int_equal(serial_of(&old), 1);
    assert_int_equal(
        ta_http_server_reload_tls(site.server, ta_str(second.cert), ta_str(first.key), &err),
        TA_EINVAL);
    assert_string_equal(err.text, "the TLS key does not belong to the certificate");
    assert_int_equal(
        ta_http_server_reload_tls(site.server, TA_STR("no pem"), ta_str(first.key), NULL),
        TA_EINVAL);
    assert_int_equal(
        ta_http_server_reload_tls(site.server, ta_str(second.cert), ta_str(second.key), NULL),
        TA_OK);
    assert_int_equal(tls_connect(&new, TLS1_3_VERSION), 1);
    assert_int_equal(serial_of(&new), 2);
    /* The old connection goes on. */
    tls_say(&old, "GET /hello" HOST "\r\n");
    tls_read(&old, text, sizeof(text), "hello\n");
    assert_non_null(strstr(text, "HTTP/1.1 200 OK\r\n"));
    tls_close(&old);
    tls_close(&new);
}

static void a_client_that_speaks_no_tls_is_closed(void **state)
{
    struct http_got g;

    (void)state;
    http_peer_ask(site.port, "GET /hello" HOST "\r\n", &g);
    assert_int_equal(g.status, 0);
    http_got_done(&g);
    /* One that never speaks is closed at the deadline. */
    int fd = http_peer_connect(site.port);
    assert_true(http_peer_is_closed(fd, 3000));
    close(fd);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(tls_1_2_and_1_3_are_spoken_and_nothing_older),
        TEST(bodies_and_long_answers_pass_through_tls),
        TEST(an_answer_in_the_middle_of_a_body_passes_through_tls),
        TEST(a_reloaded_certificate_is_shown_to_new_connections),
        TEST(a_client_that_speaks_no_tls_is_closed),
    };

    return cmocka_run_group_tests_name("http over tls", tests, NULL, NULL);
}
