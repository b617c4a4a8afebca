#include "parquet/decode.h"

#include "base/bytes.h"
#include "base/err.h"
#include "parquet/split.h"

#include <assert.h>

/* The next byte array of a PLAIN page. */
static int plain_bytes(const unsigned char **at, const unsigned char *end, struct ta_str *out)
{
    size_t room = (size_t)(end - *at);

    if (room < 4)
        return TA_EFORMAT;
    uint32_t len = ta_get_u32(*at);
    if (len > room - 4)
        return TA_EFORMAT;
    *out = (struct ta_str){(const char *)*at + 4, len};
    *at += 4 + (size_t)len;
    return TA_OK;
}

int ta_pq_lexicon_read(struct ta_pq_lexicon *lex, enum ta_pq_type type, const void *p, size_t bytes,
                       uint32_t n, struct ta_alloc *alloc)
{
    size_t width = ta_pq_type_width(type);
    const unsigned char *at = p;

    ta_pq_lexicon_done(lex, alloc);
    if (type == TA_PQ_BOOL || n > bytes / (width ? width : 4))
        return TA_EFORMAT;
    if (width) {
        lex->numbers = p;
    } else if (n) {
        struct ta_str *strings = ta_alloc(alloc, n * sizeof(*strings));
        if (!strings)
            return TA_ENOMEM;
        lex->strings = strings;
        lex->strings_bytes = n * sizeof(*strings);
        for (uint32_t i = 0; i < n; i++)
            if (plain_bytes(&at, (const unsigned char *)p + bytes, &strings[i]) < 0)
                return TA_EFORMAT;
    }
    lex->n = n;
    lex->is_there = true;
    return TA_OK;
}

void ta_pq_lexicon_done(struct ta_pq_lexicon *lex, struct ta_alloc *alloc)
{
    ta_release(alloc, lex->strings, lex->strings_bytes);
    *lex = (struct ta_pq_lexicon){0};
}

static int init_indices(struct ta_pq_decoder *d)
{
    if (!d->lexicon || !d->lexicon->is_there)
        return TA_EFORMAT;
    if (d->total == 0)
        return TA_OK;
    if (d->at == d->end)
        return TA_EFORMAT;
    unsigned width = *d->at++;
    return ta_rle_init(&d->rle, d->at, (size_t)(d->end - d->at), width);
}

/* The lengths stand first; the bytes begin where they end, so they are walked once to find that. */
static int init_lengths(struct ta_pq_decoder *d)
{
    size_t bytes = (size_t)(d->end - d->at);
    int32_t *skip = (int32_t *)(void *)d->out;
    const unsigned char *from = d->at;
    int64_t k;

    if (ta_delta_init(&d->delta, from, bytes) < 0 || d->delta.left != d->total)
        return TA_EFORMAT;
    while ((k = ta_delta_next_i32(&d->delta, skip, TA_PQ_BATCH)) > 0)
        ;
    if (k < 0)
        return TA_EFORMAT;
    d->at = d->delta.at;
    return ta_delta_init(&d->delta, from, bytes);
}

/* Booleans of version 2 pages: a hybrid behind its 4-byte length. */
static int init_bool_runs(struct ta_pq_decoder *d)
{
    struct ta_str runs;

    if (plain_bytes(&d->at, d->end, &runs) < 0)
        return TA_EFORMAT;
    return ta_rle_init(&d->rle, runs.at, runs.len, 1);
}

int ta_pq_decode_init(struct ta_pq_decoder *d, enum ta_pq_type type, unsigned encoding,
                      const void *p, size_t bytes, uint64_t n, const struct ta_pq_lexicon *lexicon)
{
    bool is_int = type == TA_PQ_INT32 || type == TA_PQ_INT64;
    bool is_number = is_int || type == TA_PQ_FLOAT || type == TA_PQ_DOUBLE;

    d->type = type;
    d->width = ta_pq_type_width(type);
    d->at = p;
    d->end = d->at + bytes;
    d->total = n;
    d->done = 0;
    d->lexicon = lexicon;
    d->encoding =
        encoding == TA_PQ_PLAIN_DICTIONARY ? TA_PQ_RLE_DICTIONARY : (enum ta_pq_encoding)encoding;
    switch (d->encoding) {
    case TA_PQ_PLAIN:
        return TA_OK;
    case TA_PQ_RLE_DICTIONARY:
        return init_indices(d);
    case TA_PQ_RLE:
        return type == TA_PQ_BOOL ? init_bool_runs(d) : TA_EFORMAT;
    case TA_PQ_DELTA_BINARY_PACKED:
        if (!is_int || ta_delta_init(&d->delta, p, bytes) < 0)
            return TA_EFORMAT;
        return d->delta.left == n ? TA_OK : TA_EFORMAT;
    case TA_PQ_DELTA_LENGTH_BYTE_ARRAY:
        return type == TA_PQ_BYTES ? init_lengths(d) : TA_EFORMAT;
    case TA_PQ_BYTE_STREAM_SPLIT:
        return is_number && n <= bytes / d->width && bytes == n * d->width ? TA_OK : TA_EFORMAT;
    default:
        return TA_EFORMAT;
    }
}

static int64_t next_plain(struct ta_pq_decoder *d, size_t n)
{
    size_t room = (size_t)(d->end - d->at);

    if (d->type == TA_PQ_BOOL) {
        unsigned char *out = (unsigned char *)d->out;
        for (size_t i = 0; i < n; i++) {
            uint64_t bit = d->done + i;
            if (bit / 8 >= room)
                return TA_EFORMAT;
            out[i] = d->at[bit / 8] >> (bit % 8) & 1;
        }
        return (int64_t)n;
    }
    if (d->width) {
        if (room < n * d->width)
            return TA_EFORMAT;
        memcpy(d->out, d->at, n * d->width);
        d->at += n * d->width;
        return (int64_t)n;
    }
    for (size_t i = 0; i < n; i++)
        if (plain_bytes(&d->at, d->end, &d->strings[i]) < 0)
            return TA_EFORMAT;
    return (int64_t)n;
}

static int64_t next_lengths(struct ta_pq_decoder *d, size_t n)
{
    int32_t *lengths = (int32_t *)(void *)d->out;
    int64_t k = ta_delta_next_i32(&d->delta, lengths, n);

    for (int64_t i = 0; i < k; i++) {
        if (lengths[i] < 0 || lengths[i] > d->end - d->at)
            return TA_EFORMAT;
        d->strings[i] = (struct ta_str){(const char *)d->at, (size_t)lengths[i]};
        d->at += lengths[i];
    }
    return k;
}

static void look_up(struct ta_pq_decoder *d, size_t n)
{
    const struct ta_pq_lexicon *lex = d->lexicon;

    if (!d->width) {
        for (size_t i = 0; i < n; i++)
            d->strings[i] = lex->strings[d->indices[i]];
        return;
    }
    unsigned char *out = (unsigned char *)d->out;
    for (size_t i = 0; i < n; i++)
        memcpy(out + i * d->width, lex->numbers + d->indices[i] * d->width, d->width);
}

static int64_t next_indexed(struct ta_pq_decoder *d, uint64_t max, bool *is_run)
{
    uint32_t want = max < UINT32_MAX ? (uint32_t)max : UINT32_MAX;
    int64_t n = ta_rle_next(&d->rle, d->indices, TA_PQ_BATCH, want, is_run);

    if (n <= 0)
        return n;
    size_t distinct = *is_run ? 1 : (size_t)n;
    for (size_t i = 0; i < distinct; i++)
        if (d->indices[i] >= d->lexicon->n)
            return TA_EFORMAT;
    look_up(d, distinct);
    return n;
}

static int64_t next_bool_runs(struct ta_pq_decoder *d, uint64_t max, bool *is_run)
{
    uint32_t want = max < UINT32_MAX ? (uint32_t)max : UINT32_MAX;
    int64_t n = ta_rle_next(&d->rle, d->indices, TA_PQ_BATCH, want, is_run);
    unsigned char *out = (unsigned char *)d->out;

    for (int64_t i = 0; i < (*is_run && n > 0 ? 1 : n); i++)
        out[i] = (unsigned char)(d->indices[i] & 1);
    return n;
}

int ta_pq_decode_next(struct ta_pq_decoder *d, uint64_t max, struct ta_pq_batch *out)
{
    bool is_run = false;
    uint64_t left = d->total - d->done;
    int64_t n;

    max = max < left ? max : left;
    size_t some = max < TA_PQ_BATCH ? (size_t)max : TA_PQ_BATCH;
    assert(max > 0);
    switch (d->encoding) {
    case TA_PQ_RLE_DICTIONARY:
        n = next_indexed(d, max, &is_run);
        break;
    case TA_PQ_RLE:
        n = next_bool_runs(d, max, &is_run);
        break;
    case TA_PQ_DELTA_BINARY_PACKED:
        n = d->width == 4 ? ta_delta_next_i32(&d->delta, (int32_t *)(void *)d->out, some)
                          : ta_delta_next_i64(&d->delta, (int64_t *)(void *)d->out, some);
        break;
    case TA_PQ_DELTA_LENGTH_BYTE_ARRAY:
        n = next_lengths(d, some);
        break;
    case TA_PQ_BYTE_STREAM_SPLIT:
        ta_split_decode(d->at, d->total, d->done, some, d->width, d->out);
        n = (int64_t)some;
        break;
    default:
        n = next_plain(d, some);
        break;
    }
    if (n <= 0)
        return TA_EFORMAT;
    d->done += (uint64_t)n;
    *out = (struct ta_pq_batch){.n = (uint64_t)n, .is_run = is_run};
    if (d->width)
        out->numbers = d->out;
    else
        out->strings = d->strings;
    return 1;
}
