/* Request targets and compressed bodies: what comes out obeys what the headers promise. */
#include "net/http.h"
#include "net/http_decode.h"
#include "net/uri.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { OUT_MAX = 1 << 20, RATIO_MAX = 50 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_target(struct ta_str s, struct ta_arena *arena)
{
    struct ta_uri u = ta_uri_split(s);
    char *out = malloc(s.len + 1);

    assert(u.path.len > 0 && u.path.len + u.query.len <= s.len + 1);
    (void)ta_uri_param(u.query, TA_STR("a"));
    (void)ta_uri_param_decoded(u.query, TA_STR("a"), arena);
    int64_t n = ta_uri_decode(u.path, false, out);
    assert(n <= (int64_t)u.path.len);
    struct ta_str path = {out, n > 0 ? (size_t)n : 0};
    struct ta_str clean = ta_uri_clean(path, arena);
    assert(!clean.at || ta_uri_is_clean(clean));
    if (clean.at && ta_uri_is_clean(path))
        assert(ta_str_eq(clean, path));
    if (clean.at) {
        struct ta_str escaped = ta_uri_escape_path(clean, arena);
        char *back = malloc(escaped.len + 1);
        n = ta_uri_decode(escaped, false, back);
        assert(!escaped.at || ta_str_eq(clean, (struct ta_str){back, (size_t)n}));
        free(back);
    }
    (void)ta_uri_is_token(s);
    free(out);
}

/* In steps of `step` bytes, taking only half of each piece. */
static void read_body(struct ta_str s, const char *coding, size_t step, struct ta_arena *arena)
{
    struct http_decode *d = NULL;
    uint64_t total = 0;

    if (http_decode_new(&d, ta_str(coding), OUT_MAX, RATIO_MAX, arena) < 0)
        return;
    for (size_t at = 0; at < s.len; at += step) {
        struct ta_str in = {s.at + at, s.len - at < step ? s.len - at : step};
        struct ta_str piece;
        int r;
        while ((r = http_decode_next(d, &in, &piece, NULL)) > 0) {
            assert(piece.len > 0 && piece.len <= TA_HTTP_PIECE);
            size_t n = piece.len / 2 + 1;
            total += n;
            http_decode_taken(d, n);
        }
        assert(total <= OUT_MAX);
        if (r < 0)
            break;
        assert(in.len == 0);
    }
    (void)http_decode_end(d, NULL);
    http_decode_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const codings[] = {"gzip", "deflate", "zstd"};
    struct ta_arena arena;

    if (size < 2)
        return 0;
    struct ta_str s = {(const char *)data + 2, size - 2};
    ta_arena_init(&arena, &ta_heap, 16 * MiB);
    read_target(s, &arena);
    read_body(s, codings[data[0] % 3], data[1] + 1u, &arena);
    ta_arena_done(&arena);
    return 0;
}
