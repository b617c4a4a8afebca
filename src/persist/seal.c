#include "persist/seal.h"

#include "base/bytes.h"
#include "base/crc32c.h"

#include <assert.h>

static const char magic[8] = {'T', 'A', 'R', 'N', 'S', 'U', 'M', '1'};

enum {
    BLOCK_MIN = 1024,
    BLOCK_MAX = 1 << 27,
    BLOCK_MENDED_MAX = 4096, /* in larger ones garbage would pass for a flipped bit too often */
    CHECKED_PIECE = 64 * 1024,
    JSON_TAIL = 256,
    SEAL_CRC_AT = 44,
    SEALED_ROOM = TA_SEAL_SUMS * sizeof(uint32_t) + CHECKED_PIECE
};

/* ---- writing ------------------------------------------------------------------------------------- */

static void join_pairs(struct ta_seal *s)
{
    for (size_t i = 0; i < TA_SEAL_SUMS / 2; i++)
        s->sums[i] = ta_crc32c_join(s->sums[2 * i], s->sums[2 * i + 1], s->block);
    s->block *= 2;
}

static void sum(struct ta_seal *s, const unsigned char *p, size_t n)
{
    while (n > 0) {
        if (s->at == (uint64_t)TA_SEAL_SUMS * s->block && s->block < BLOCK_MAX)
            join_pairs(s);
        uint64_t i = s->at / s->block;
        uint32_t in = (uint32_t)(s->at % s->block);
        size_t m = n < s->block - in ? n : s->block - in;
        if (i < TA_SEAL_SUMS) /* a file of a TiB stays unsealed behind that */
            s->sums[i] = ta_crc32c(in > 0 ? s->sums[i] : 0, p, m);
        s->at += m;
        p += m;
        n -= m;
    }
}

/* Four bytes over zeros; they may lie in two blocks. */
static void sum_patch(struct ta_seal *s, const unsigned char v[static 4], uint64_t at)
{
    for (unsigned k = 0; k < 4; k++) {
        /* Leading zeros change no sum: a single byte is a patch of four. */
        const unsigned char one[4] = {0, 0, 0, v[k]};
        uint64_t i = (at + k) / s->block;
        uint64_t end = (i + 1) * s->block < s->at ? (i + 1) * s->block : s->at;
        if (i < TA_SEAL_SUMS)
            s->sums[i] ^= ta_crc32c_patch(one, end - (at + k) - 1);
    }
}

static int64_t seal_pwrite(struct ta_file *f, const void *buf, size_t n, uint64_t at,
                           struct ta_err *err)
{
    struct ta_seal *s = TA_CONTAINER(f, struct ta_seal, file);

    assert(at == s->at || (n == 4 && at + 4 <= s->at));
    if (at < s->at) { /* whole, or the sums would not know what is there */
        int r = ta_pwrite_full(s->inner, buf, n, at, err);
        if (r < 0)
            return r;
        sum_patch(s, buf, at);
        return (int64_t)n;
    }
    int64_t got = s->inner->ops->pwrite(s->inner, buf, n, at, err);
    if (got > 0)
        sum(s, buf, (size_t)got);
    return got;
}

void ta_seal_begin(struct ta_seal *s, struct ta_file *inner)
{
    static const struct ta_file_ops ops = {.pwrite = seal_pwrite};

    s->file.ops = &ops;
    s->inner = inner;
    s->at = 0;
    s->block = BLOCK_MIN;
}

uint32_t ta_seal_count(const struct ta_seal *s)
{
    uint64_t n = (s->at + s->block - 1) / s->block;

    return n < TA_SEAL_SUMS ? (uint32_t)n : TA_SEAL_SUMS;
}

static uint32_t crc_of_sums(const uint32_t *sums, uint32_t n)
{
    uint32_t crc = 0;

    for (uint32_t i = 0; i < n; i++) {
        unsigned char b[4];
        ta_put_u32(b, sums[i]);
        crc = ta_crc32c(crc, b, sizeof(b));
    }
    return crc;
}

void ta_seal_encode(const struct ta_seal *s, int64_t from_s, int64_t to_s,
                    unsigned char out[static TA_SEAL_BYTES])
{
    memcpy(out, magic, sizeof(magic));
    ta_put_u64(out + 8, s->at);
    ta_put_u32(out + 16, s->block);
    ta_put_u32(out + 20, ta_seal_count(s));
    ta_put_i64(out + 24, from_s);
    ta_put_i64(out + 32, to_s);
    ta_put_u32(out + 40, crc_of_sums(s->sums, ta_seal_count(s)));
    ta_put_u32(out + SEAL_CRC_AT, ta_crc32c(0, out, SEAL_CRC_AT));
}

/* ---- finding the seal ------------------------------------------------------------------------------ */

struct seal_read {
    uint64_t content;
    uint32_t block, n, crc;
    int64_t from_s, to_s;
};

static bool decode(const unsigned char *p, uint64_t file_size, struct seal_read *out)
{
    if (memcmp(p, magic, sizeof(magic)) != 0 ||
        ta_get_u32(p + SEAL_CRC_AT) != ta_crc32c(0, p, SEAL_CRC_AT))
        return false;
    *out = (struct seal_read){.content = ta_get_u64(p + 8),
                              .block = ta_get_u32(p + 16),
                              .n = ta_get_u32(p + 20),
                              .from_s = ta_get_i64(p + 24),
                              .to_s = ta_get_i64(p + 32),
                              .crc = ta_get_u32(p + 40)};
    return out->block >= BLOCK_MIN && out->block <= BLOCK_MAX && out->n > 0 &&
           out->n <= TA_SEAL_SUMS && out->content < file_size &&
           out->content > (uint64_t)(out->n - 1) * out->block &&
           out->content <= (uint64_t)out->n * out->block;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool decode_hex(const char *text, size_t len, unsigned char out[static TA_SEAL_BYTES])
{
    if (len < (size_t)2 * TA_SEAL_BYTES)
        return false;
    for (size_t i = 0; i < TA_SEAL_BYTES; i++) {
        int high = hex_digit(text[2 * i]);
        int low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

/* 1 = *out filled, 0 = there is none. */
static int find_seal(struct ta_file *file, enum ta_tree_format format, struct seal_read *out,
                     struct ta_err *err)
{
    static const char key[] = "\"seal\":\"";
    unsigned char seal[TA_SEAL_BYTES];
    char tail[JSON_TAIL];
    uint64_t size = 0;
    size_t want = format == TA_TREE_BIN ? TA_SEAL_BYTES : JSON_TAIL;

    int r = file->ops->size(file, &size, err);
    if (r < 0)
        return r;
    want = want < size ? want : (size_t)size;
    int64_t got = ta_pread_full(file, tail, want, size - want, err);
    if (got < 0)
        return got == TA_EFORMAT ? TA_EIO : (int)got;
    if (format == TA_TREE_BIN)
        return got == TA_SEAL_BYTES && decode((const unsigned char *)tail, size, out);
    const char *at = memmem(tail, (size_t)got, key, sizeof(key) - 1);
    if (!at)
        return 0;
    at += sizeof(key) - 1;
    return decode_hex(at, (size_t)(tail + got - at), seal) && decode(seal, size, out);
}

int ta_seal_range(struct ta_file *file, enum ta_tree_format format, int64_t *from_s, int64_t *to_s,
                  struct ta_err *err)
{
    struct seal_read seal;
    int r = find_seal(file, format, &seal, err);

    if (r > 0) {
        *from_s = seal.from_s;
        *to_s = seal.to_s;
    }
    return r;
}

/* ---- checking --------------------------------------------------------------------------------------- */

/* ,"sums":[1,2,...] from `at` on. The text is at most 11 bytes a number. */
static bool read_json_sums(struct ta_file *file, uint64_t at, uint32_t *sums, uint32_t n,
                           unsigned char *piece)
{
    static const char head[] = ",\"sums\":[";
    uint64_t value = 0;
    uint32_t i = 0;
    size_t skip = sizeof(head) - 1;

    for (bool is_first = true;; is_first = false) {
        int64_t got = ta_pread_full(file, piece, CHECKED_PIECE, at, NULL);
        if (got <= 0 || (is_first && ((size_t)got < skip || memcmp(piece, head, skip) != 0)))
            return false;
        for (int64_t k = is_first ? (int64_t)skip : 0; k < got; k++) {
            unsigned char c = piece[k];
            if (c >= '0' && c <= '9') {
                value = value * 10 + (c - '0');
                if (value > UINT32_MAX)
                    return false;
                continue;
            }
            if ((c != ',' && c != ']') || i == n)
                return false;
            sums[i++] = (uint32_t)value;
            value = 0;
            if (c == ']')
                return i == n;
        }
        at += (uint64_t)got;
    }
}

static bool read_sums(struct ta_file *file, enum ta_tree_format format,
                      const struct seal_read *seal, uint32_t *sums, unsigned char *piece)
{
    size_t bytes = seal->n * sizeof(*sums);

    if (format == TA_TREE_JSON) {
        if (!read_json_sums(file, seal->content, sums, seal->n, piece))
            return false;
    } else if (ta_pread_full(file, sums, bytes, seal->content, NULL) != (int64_t)bytes) {
        return false;
    } else {
        for (uint32_t i = 0; i < seal->n; i++)
            sums[i] = ta_get_u32(&sums[i]);
    }
    return crc_of_sums(sums, seal->n) == seal->crc;
}

/* Block [at, at + n) has another sum than it was written with. false: nothing from here on is believed. */
static bool mend(struct ta_sealed *s, uint64_t at, size_t n, uint32_t right, uint32_t found)
{
    bool is_mendable = n <= BLOCK_MENDED_MAX && s->n_fixes < TA_SEAL_FIXES;
    int64_t bit = is_mendable ? ta_crc32c_find_bit(right, found, n) : -1;

    if (bit < 0) {
        s->end = at;
        s->checked = UINT64_MAX;
        ta_damage_add(s->damage, at, s->content - at, "not what was written, by its checksum");
        return false;
    }
    s->fix[s->n_fixes].at = at + (uint64_t)bit / 8;
    s->fix[s->n_fixes++].mask = (unsigned char)(1u << bit % 8);
    ta_damage_add(s->damage, at + (uint64_t)bit / 8, 1, "a flipped bit, put right by the checksum");
    return true;
}

static void apply_fixes(const struct ta_sealed *s, unsigned char *bytes, uint64_t at, uint64_t n)
{
    for (size_t i = 0; i < s->n_fixes; i++)
        if (s->fix[i].at >= at && s->fix[i].at - at < n)
            bytes[s->fix[i].at - at] ^= s->fix[i].mask;
}

static bool is_more_to_check(const struct ta_sealed *s)
{
    return s->checked != UINT64_MAX;
}

/* The first byte that is not checked yet has moved on to `at`. */
static void pass(struct ta_sealed *s, uint64_t at)
{
    s->checked = at < s->content ? at : UINT64_MAX;
}

/* The file ends before its content does: it got shorter since it was opened. */
static void end_early(struct ta_sealed *s)
{
    s->end = s->checked;
    s->checked = UINT64_MAX;
}

static size_t block_bytes(const struct ta_sealed *s, uint64_t at)
{
    return s->content - at < s->block ? (size_t)(s->content - at) : s->block;
}

/* The next whole blocks, as many as fit `n` bytes, into `buf`. Returns the bytes that may be believed. */
static int64_t check_into(struct ta_sealed *s, unsigned char *buf, size_t n, struct ta_err *err)
{
    uint64_t from = s->checked;
    uint64_t left = s->content - from;
    size_t want = n < left ? n - n % s->block : (size_t)left;
    int64_t got = ta_pread_full(s->inner, buf, want, from, err);
    size_t done = 0;

    if (got < 0)
        return got;
    while (done < want && is_more_to_check(s)) {
        size_t m = block_bytes(s, from + done);
        uint32_t right = s->sums[(from + done) / s->block];
        if (m > (size_t)got - done) {
            end_early(s);
            break;
        }
        uint32_t found = ta_crc32c(0, buf + done, m);
        if (found != right && !mend(s, from + done, m, right, found))
            break;
        done += m;
        pass(s, from + done);
    }
    apply_fixes(s, buf, from, done);
    return (int64_t)done;
}

/* The next block, which is longer than a piece. */
static int check_long_block(struct ta_sealed *s, struct ta_err *err)
{
    uint64_t from = s->checked;
    size_t n = block_bytes(s, from);
    uint32_t right = s->sums[from / s->block];
    uint32_t crc = 0;

    for (size_t done = 0; done < n;) {
        size_t want = n - done < CHECKED_PIECE ? n - done : CHECKED_PIECE;
        int64_t got = ta_pread_full(s->inner, s->piece, want, from + done, err);
        if (got < 0)
            return (int)got;
        if (got != (int64_t)want) {
            end_early(s);
            return TA_OK;
        }
        crc = ta_crc32c(crc, s->piece, want);
        done += want;
    }
    if (crc == right || mend(s, from, n, right, crc))
        pass(s, from + n);
    return TA_OK;
}

/* One block or some. */
static int check_some(struct ta_sealed *s, struct ta_err *err)
{
    if (s->block > CHECKED_PIECE)
        return check_long_block(s, err);
    int64_t got = check_into(s, s->piece, CHECKED_PIECE, err);
    return got < 0 ? (int)got : TA_OK;
}

int ta_sealed_check(struct ta_sealed *s, struct ta_err *err)
{
    int r = TA_OK;

    while (r == TA_OK && is_more_to_check(s))
        r = check_some(s, err);
    return r;
}

/* ---- the file as it was written ----------------------------------------------------------------------- */

static int64_t sealed_pread(struct ta_file *f, void *buf, size_t n, uint64_t at, struct ta_err *err)
{
    struct ta_sealed *s = TA_CONTAINER(f, struct ta_sealed, file);
    int r = TA_OK;

    while (r == TA_OK && s->checked < at)
        r = check_some(s, err);
    if (r == TA_OK && s->checked == at && n >= block_bytes(s, at))
        return check_into(s, buf, n, err);
    if (r == TA_OK && s->checked == at)
        r = check_some(s, err);
    if (r < 0)
        return r;
    uint64_t end = s->checked < s->end ? s->checked : s->end;
    if (at >= end)
        return 0;
    n = n < end - at ? n : (size_t)(end - at);
    int64_t got = s->inner->ops->pread(s->inner, buf, n, at, err);
    if (got > 0)
        apply_fixes(s, buf, at, (uint64_t)got);
    return got;
}

static int sealed_size(struct ta_file *f, uint64_t *out, struct ta_err *err)
{
    struct ta_sealed *s = TA_CONTAINER(f, struct ta_sealed, file);
    uint64_t size;
    int r = s->inner->ops->size(s->inner, &size, err);

    if (r == TA_OK)
        *out = size < s->end ? size : s->end;
    return r;
}

int ta_sealed_open(struct ta_sealed *s, struct ta_file *inner, enum ta_tree_format format,
                   struct ta_alloc *alloc, struct ta_damage *damage, struct ta_err *err)
{
    static const struct ta_file_ops ops = {.pread = sealed_pread, .size = sealed_size};
    struct seal_read seal;

    *s = (struct ta_sealed){.file = {&ops},
                            .inner = inner,
                            .alloc = alloc,
                            .damage = damage,
                            .end = UINT64_MAX,
                            .checked = UINT64_MAX};
    int r = find_seal(inner, format, &seal, NULL);
    if (r <= 0)
        return TA_OK;
    s->sums = ta_alloc(alloc, SEALED_ROOM);
    if (!s->sums)
        return ta_fail(err, TA_ENOMEM, "checking a checkpoint file");
    s->piece = (unsigned char *)(s->sums + TA_SEAL_SUMS);
    s->content = seal.content;
    s->block = seal.block;
    s->is_sealed = read_sums(inner, format, &seal, s->sums, s->piece);
    if (s->is_sealed)
        pass(s, 0);
    else
        ta_damage_add(damage, seal.content, 4 * (uint64_t)seal.n, "its checksums are damaged");
    return TA_OK;
}

void ta_sealed_done(struct ta_sealed *s)
{
    if (s->alloc)
        ta_release(s->alloc, s->sums, s->sums ? SEALED_ROOM : 0);
    s->sums = NULL;
}
