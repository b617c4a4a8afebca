#include "app/front_end.h"

#include "base/buf.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { TEXT_MAX = 64 * 1024, SHA1_BYTES = 20 };

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static int by_name(const void *a, const void *b)
{
    struct ta_str x = ((const struct ta_front_header *)a)->name;
    struct ta_str y = ((const struct ta_front_header *)b)->name;

    for (size_t i = 0; i < x.len && i < y.len; i++)
        if (lower(x.at[i]) != lower(y.at[i]))
            return lower(x.at[i]) < lower(y.at[i]) ? -1 : 1;
    return (x.len > y.len) - (x.len < y.len);
}

/* Lengths first, so that no two sets of headers make one text. */
static int write_text(struct ta_buf *out, const struct ta_front_header *headers, size_t n)
{
    int r = TA_OK;

    for (size_t i = 0; r == TA_OK && i < n; i++)
        r = ta_buf_printf(out, "h%zxv%zx", headers[i].name.len, headers[i].value.len);
    if (r == TA_OK)
        r = ta_buf_byte(out, '#');
    for (size_t i = 0; r == TA_OK && i < n; i++) {
        for (size_t k = 0; r == TA_OK && k < headers[i].name.len; k++)
            r = ta_buf_byte(out, lower(headers[i].name.at[k]));
        if (r == TA_OK)
            r = ta_buf_str(out, headers[i].value);
    }
    return r;
}

bool ta_front_sign(struct ta_front_header *headers, size_t n, const void *key, size_t key_bytes,
                   char out[41])
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned mac_bytes = 0;
    struct ta_buf text;
    bool is_made = false;

    qsort(headers, n, sizeof(*headers), by_name);
    ta_buf_init(&text, &ta_heap, TEXT_MAX);
    if (write_text(&text, headers, n) == TA_OK)
        is_made = HMAC(EVP_sha1(), key, (int)key_bytes, (unsigned char *)text.at, text.len, mac,
                       &mac_bytes) != NULL &&
                  mac_bytes == SHA1_BYTES;
    ta_buf_done(&text);
    for (unsigned i = 0; is_made && i < SHA1_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", mac[i]);
    return is_made;
}

bool ta_front_admits(struct ta_str peer, struct ta_str status, struct ta_str hmac,
                     struct ta_front_header *headers, size_t n, const void *key, size_t key_bytes)
{
    char expected[41];

    if (!status.at)
        return ta_str_is(peer, "127.0.0.1");
    if (ta_str_is(status, "NONE"))
        return true;
    if (key_bytes == 0 || hmac.len != 2 * SHA1_BYTES ||
        !ta_front_sign(headers, n, key, key_bytes, expected))
        return false;
    return CRYPTO_memcmp(hmac.at, expected, 2 * SHA1_BYTES) == 0;
}
