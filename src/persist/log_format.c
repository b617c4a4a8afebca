#include "persist/log_format.h"

#include "base/bytes.h"
#include "base/crc32c.h"

#include <assert.h>

static const char segment_magic[8] = {'T', 'A', 'R', 'N', 'L', 'O', 'G', '1'};
static const char record_magic[4] = {'T', 'R', 'E', 'C'};

enum { SEGMENT_CRC_AT = 60, RECORD_CRC_AT = 20, VARINT_MAX = 10 };

void ta_log_segment_encode(const struct ta_log_segment *s,
                           unsigned char out[static TA_LOG_SEGMENT_HEAD])
{
    memset(out, 0, TA_LOG_SEGMENT_HEAD);
    memcpy(out, segment_magic, sizeof(segment_magic));
    ta_put_u64(out + 8, s->number);
    ta_put_u64(out + 16, s->first_sequence);
    ta_put_i64(out + 24, s->created_s);
    ta_put_u32(out + 32, s->salt);
    ta_put_u32(out + SEGMENT_CRC_AT, ta_crc32c(0, out, SEGMENT_CRC_AT));
}

int ta_log_segment_decode(const unsigned char in[static TA_LOG_SEGMENT_HEAD],
                          struct ta_log_segment *out)
{
    if (memcmp(in, segment_magic, sizeof(segment_magic)) != 0 ||
        ta_get_u32(in + SEGMENT_CRC_AT) != ta_crc32c(0, in, SEGMENT_CRC_AT))
        return TA_EFORMAT;
    *out = (struct ta_log_segment){.number = ta_get_u64(in + 8),
                                   .first_sequence = ta_get_u64(in + 16),
                                   .created_s = ta_get_i64(in + 24),
                                   .salt = ta_get_u32(in + 32)};
    return TA_OK;
}

static uint32_t record_checksum(const unsigned char *record, size_t payload, uint32_t salt)
{
    uint32_t crc = ta_crc32c(salt, record, RECORD_CRC_AT);

    return ta_crc32c(crc, record + TA_LOG_RECORD_HEAD, payload);
}

void ta_log_record_seal(unsigned char *record, size_t payload, struct ta_log_chain *chain)
{
    assert(payload > 0 && payload <= TA_LOG_PAYLOAD_MAX);
    memcpy(record, record_magic, sizeof(record_magic));
    ta_put_u32(record + 4, (uint32_t)payload);
    ta_put_u64(record + 8, chain->sequence);
    ta_put_u32(record + 16, chain->previous);
    uint32_t crc = record_checksum(record, payload, chain->salt);
    ta_put_u32(record + RECORD_CRC_AT, crc);
    chain->previous = crc;
    chain->sequence++;
}

int ta_log_record_parse(const unsigned char *p, size_t n, uint32_t salt, struct ta_log_record *out)
{
    size_t look = n < sizeof(record_magic) ? n : sizeof(record_magic);

    if (memcmp(p, record_magic, look) != 0)
        return TA_EFORMAT;
    if (n < TA_LOG_RECORD_HEAD)
        return 0;
    size_t payload = ta_get_u32(p + 4);
    if (payload == 0 || payload > TA_LOG_PAYLOAD_MAX)
        return TA_EFORMAT;
    if (n - TA_LOG_RECORD_HEAD < payload)
        return 0;
    uint32_t crc = ta_get_u32(p + RECORD_CRC_AT);
    if (crc != record_checksum(p, payload, salt))
        return TA_EFORMAT;
    *out = (struct ta_log_record){.sequence = ta_get_u64(p + 8),
                                  .previous = ta_get_u32(p + 16),
                                  .checksum = crc,
                                  .payload = {(const char *)p + TA_LOG_RECORD_HEAD, payload}};
    return 1;
}

static uint64_t zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static int64_t unzigzag(uint64_t u)
{
    return (int64_t)(u >> 1 ^ (0 - (u & 1)));
}

/* The caller has reserved VARINT_MAX bytes. */
static void put_varint(struct ta_buf *out, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        out->at[out->len++] = (char)(v | 0x80);
    out->at[out->len++] = (char)v;
}

static void put_name(struct ta_buf *out, struct ta_str s)
{
    assert(s.len <= 255);
    out->at[out->len++] = (char)(unsigned char)s.len;
    if (s.len)
        memcpy(out->at + out->len, s.at, s.len);
    out->len += s.len;
}

int ta_log_put_host(struct ta_buf *out, uint64_t host, uint32_t shape, struct ta_str cluster,
                    struct ta_str name)
{
    int r = ta_buf_reserve(out, 1 + 2 * VARINT_MAX + 2 + cluster.len + name.len);

    if (r < 0)
        return r;
    out->at[out->len++] = TA_LOG_HOST;
    put_varint(out, host);
    put_varint(out, shape);
    put_name(out, cluster);
    put_name(out, name);
    return TA_OK;
}

int ta_log_put_column(struct ta_buf *out, uint32_t shape, uint32_t column, struct ta_str metric,
                      struct ta_str type, struct ta_str stype)
{
    int r = ta_buf_reserve(out, 1 + 2 * VARINT_MAX + 3 + metric.len + type.len + stype.len);

    if (r < 0)
        return r;
    out->at[out->len++] = TA_LOG_COLUMN;
    put_varint(out, shape);
    put_varint(out, column);
    put_name(out, metric);
    put_name(out, type);
    put_name(out, stype);
    return TA_OK;
}

int ta_log_put_samples(struct ta_buf *out, uint64_t host, int64_t ts_s, const uint32_t *columns,
                       const double *values, size_t n)
{
    uint32_t expected = 0;

    assert(n > 0 && n <= TA_LOG_ITEM_SAMPLES_MAX);
    int r = ta_buf_reserve(out, 1 + 2 * VARINT_MAX + n * (8 + 6) + 2);
    if (r < 0)
        return r;
    out->at[out->len++] = TA_LOG_SAMPLES;
    put_varint(out, host);
    put_varint(out, zigzag(ts_s));
    for (size_t i = 0; i < n;) {
        size_t end = i + 1;
        while (end < n && columns[end] == columns[i] + (uint32_t)(end - i))
            end++;
        put_varint(out, zigzag((int64_t)columns[i] - (int64_t)expected));
        put_varint(out, end - i);
        memcpy(out->at + out->len, values + i, (end - i) * sizeof(*values));
        out->len += (end - i) * sizeof(*values);
        expected = columns[end - 1] + 1;
        i = end;
    }
    put_varint(out, 0);
    put_varint(out, 0);
    return TA_OK;
}

static bool get_varint(struct ta_str *in, uint64_t *out)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < VARINT_MAX && i < in->len; i++) {
        unsigned char b = (unsigned char)in->at[i];
        v |= (uint64_t)(b & 0x7F) << (7 * i);
        if (b < 0x80) {
            in->at += i + 1;
            in->len -= i + 1;
            *out = v;
            return true;
        }
    }
    return false;
}

static bool get_u32(struct ta_str *in, uint32_t *out)
{
    uint64_t v;

    if (!get_varint(in, &v) || v > UINT32_MAX)
        return false;
    *out = (uint32_t)v;
    return true;
}

static bool get_name(struct ta_str *in, struct ta_str *out)
{
    if (in->len == 0 || (unsigned char)in->at[0] > in->len - 1)
        return false;
    *out = (struct ta_str){in->at + 1, (unsigned char)in->at[0]};
    in->at += 1 + out->len;
    in->len -= 1 + out->len;
    return true;
}

/* One piece off *in; 1, 0 at the end mark, TA_EFORMAT. */
static int get_piece(struct ta_str *in, uint32_t *expected, struct ta_log_piece *out)
{
    uint64_t step;
    uint64_t count;

    if (!get_varint(in, &step) || !get_varint(in, &count))
        return TA_EFORMAT;
    if (count == 0)
        return step == 0 ? 0 : TA_EFORMAT;
    int64_t first;
    if (__builtin_add_overflow((int64_t)*expected, unzigzag(step), &first) || first < 0 ||
        count > in->len / 8 || first > (int64_t)UINT32_MAX - (int64_t)count)
        return TA_EFORMAT;
    *out = (struct ta_log_piece){.first = (uint32_t)first,
                                 .count = (uint32_t)count,
                                 .values = (const unsigned char *)in->at};
    *expected = (uint32_t)first + (uint32_t)count;
    in->at += count * 8;
    in->len -= count * 8;
    return 1;
}

static int get_samples(struct ta_str *in, struct ta_log_item *out)
{
    struct ta_log_piece piece;
    uint32_t expected = 0;
    uint64_t ts;
    int r;

    if (!get_varint(in, &out->host) || !get_varint(in, &ts))
        return TA_EFORMAT;
    out->ts_s = unzigzag(ts);
    out->pieces = *in;
    while ((r = get_piece(in, &expected, &piece)) > 0) {
    }
    out->pieces.len -= in->len;
    return r < 0 ? r : 1;
}

int ta_log_next_item(struct ta_str *payload, struct ta_log_item *out)
{
    struct ta_str *in = payload;
    bool is_good = false;

    if (in->len == 0)
        return 0;
    *out = (struct ta_log_item){.kind = (enum ta_log_item_kind)(unsigned char)in->at[0]};
    in->at++;
    in->len--;
    switch (out->kind) {
    case TA_LOG_HOST:
        is_good = get_varint(in, &out->host) && get_u32(in, &out->shape) &&
                  get_name(in, &out->cluster) && get_name(in, &out->name);
        break;
    case TA_LOG_COLUMN:
        is_good = get_u32(in, &out->shape) && get_u32(in, &out->column) &&
                  get_name(in, &out->metric) && get_name(in, &out->type) &&
                  get_name(in, &out->stype);
        break;
    case TA_LOG_SAMPLES:
        return get_samples(in, out);
    }
    return is_good ? 1 : TA_EFORMAT;
}

int ta_log_next_piece(struct ta_log_item *item, uint32_t *expected, struct ta_log_piece *out)
{
    return get_piece(&item->pieces, expected, out) > 0;
}
