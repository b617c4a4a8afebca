#include "parquet/thrift.h"

enum { SKIP_DEPTH_MAX = 16 };

void ta_thrift_writer_init(struct ta_thrift_writer *w, struct ta_buf *out)
{
    *w = (struct ta_thrift_writer){.out = out};
}

static void put(struct ta_thrift_writer *w, const void *p, size_t n)
{
    if (w->error < 0)
        return;
    int r = ta_buf_add(w->out, p, n);
    if (r < 0)
        w->error = r;
}

static void put_byte(struct ta_thrift_writer *w, unsigned v)
{
    unsigned char b = (unsigned char)v;

    put(w, &b, 1);
}

static void put_varint(struct ta_thrift_writer *w, uint64_t v)
{
    unsigned char bytes[10];
    size_t n = 0;

    while (v >= 0x80) {
        bytes[n++] = (unsigned char)(v | 0x80);
        v >>= 7;
    }
    bytes[n++] = (unsigned char)v;
    put(w, bytes, n);
}

static void put_zigzag(struct ta_thrift_writer *w, int64_t v)
{
    put_varint(w, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}

static void put_field(struct ta_thrift_writer *w, int field, enum ta_thrift_type type)
{
    int step = field - w->last;

    if (step > 0 && step <= 15) {
        put_byte(w, (unsigned)step << 4 | type);
    } else {
        put_byte(w, type);
        put_zigzag(w, field);
    }
    w->last = field;
}

int ta_thrift_begin(struct ta_thrift_writer *w, int field)
{
    put_field(w, field, TA_THRIFT_STRUCT);
    return ta_thrift_begin_item(w);
}

int ta_thrift_begin_item(struct ta_thrift_writer *w)
{
    int saved = w->last;

    w->last = 0;
    return saved;
}

void ta_thrift_end(struct ta_thrift_writer *w, int saved)
{
    put_byte(w, TA_THRIFT_STOP);
    w->last = saved;
}

void ta_thrift_put_bool(struct ta_thrift_writer *w, int field, bool v)
{
    put_field(w, field, v ? TA_THRIFT_TRUE : TA_THRIFT_FALSE);
}

void ta_thrift_put_i16(struct ta_thrift_writer *w, int field, int v)
{
    put_field(w, field, TA_THRIFT_I16);
    put_zigzag(w, v);
}

void ta_thrift_put_i32(struct ta_thrift_writer *w, int field, int64_t v)
{
    put_field(w, field, TA_THRIFT_I32);
    put_zigzag(w, v);
}

void ta_thrift_put_i64(struct ta_thrift_writer *w, int field, int64_t v)
{
    put_field(w, field, TA_THRIFT_I64);
    put_zigzag(w, v);
}

void ta_thrift_put_byte(struct ta_thrift_writer *w, int field, int v)
{
    put_field(w, field, TA_THRIFT_BYTE);
    put_byte(w, (unsigned)v);
}

void ta_thrift_put_str(struct ta_thrift_writer *w, int field, struct ta_str s)
{
    put_field(w, field, TA_THRIFT_BINARY);
    ta_thrift_item_str(w, s);
}

void ta_thrift_put_list(struct ta_thrift_writer *w, int field, enum ta_thrift_type item, uint32_t n)
{
    put_field(w, field, TA_THRIFT_LIST);
    if (n < 15) {
        put_byte(w, n << 4 | item);
    } else {
        put_byte(w, 0xf0u | item);
        put_varint(w, n);
    }
}

void ta_thrift_item_i64(struct ta_thrift_writer *w, int64_t v)
{
    put_zigzag(w, v);
}

void ta_thrift_item_bool(struct ta_thrift_writer *w, bool v)
{
    put_byte(w, v ? TA_THRIFT_TRUE : TA_THRIFT_FALSE);
}

void ta_thrift_item_str(struct ta_thrift_writer *w, struct ta_str s)
{
    put_varint(w, s.len);
    if (s.len)
        put(w, s.at, s.len);
}

void ta_thrift_reader_init(struct ta_thrift_reader *r, const void *p, size_t n)
{
    *r = (struct ta_thrift_reader){.at = p, .end = (const unsigned char *)p + n};
}

static uint64_t fail(struct ta_thrift_reader *r, bool is_short)
{
    if (!r->bad)
        r->short_input = is_short;
    r->bad = true;
    return 0;
}

static unsigned get_byte(struct ta_thrift_reader *r)
{
    if (r->bad || r->at == r->end)
        return (unsigned)fail(r, true);
    return *r->at++;
}

static uint64_t get_varint(struct ta_thrift_reader *r)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        unsigned b = get_byte(r);
        if (r->bad)
            return 0;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return v;
    }
    return fail(r, false);
}

static int64_t get_zigzag(struct ta_thrift_reader *r)
{
    uint64_t v = get_varint(r);

    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

bool ta_thrift_next(struct ta_thrift_reader *r, struct ta_thrift_field *f)
{
    unsigned b = get_byte(r);
    unsigned type = b & 0x0f;

    if (r->bad || type == TA_THRIFT_STOP)
        return false;
    if (type > TA_THRIFT_STRUCT) {
        fail(r, false);
        return false;
    }
    int64_t id = b >> 4 ? f->id + (int)(b >> 4) : get_zigzag(r);
    if (r->bad || id < 0 || id > INT16_MAX) {
        fail(r, false);
        return false;
    }
    f->id = (int)id;
    f->type = (enum ta_thrift_type)type;
    return true;
}

int64_t ta_thrift_int(struct ta_thrift_reader *r, enum ta_thrift_type type)
{
    switch (type) {
    case TA_THRIFT_TRUE:
        return 1;
    case TA_THRIFT_FALSE:
        return 0;
    case TA_THRIFT_BYTE:
        return (int8_t)get_byte(r);
    case TA_THRIFT_I16:
    case TA_THRIFT_I32:
    case TA_THRIFT_I64:
        return get_zigzag(r);
    default:
        return (int64_t)fail(r, false);
    }
}

int64_t ta_thrift_int_in(struct ta_thrift_reader *r, enum ta_thrift_type type, int64_t min,
                         int64_t max)
{
    int64_t v = ta_thrift_int(r, type);

    if (!r->bad && (v < min || v > max))
        fail(r, false);
    return r->bad ? 0 : v;
}

struct ta_str ta_thrift_str(struct ta_thrift_reader *r, enum ta_thrift_type type)
{
    if (type != TA_THRIFT_BINARY)
        fail(r, false);
    uint64_t n = get_varint(r);
    if (!r->bad && n > (uint64_t)(r->end - r->at))
        fail(r, true);
    if (r->bad)
        return (struct ta_str){NULL, 0};
    struct ta_str s = {(const char *)r->at, (size_t)n};
    r->at += n;
    return s;
}

uint32_t ta_thrift_list(struct ta_thrift_reader *r, enum ta_thrift_type type,
                        enum ta_thrift_type *item)
{
    if (type != TA_THRIFT_LIST && type != TA_THRIFT_SET)
        fail(r, false);
    unsigned b = get_byte(r);
    uint64_t n = b >> 4;
    if (n == 15)
        n = get_varint(r);
    if ((b & 0x0f) > TA_THRIFT_STRUCT)
        fail(r, false);
    /* Every item takes a byte at least (an empty struct is its stop byte): no claim is believed
     * that the input cannot hold. */
    if (!r->bad && n > (uint64_t)(r->end - r->at))
        fail(r, true);
    if (r->bad || n > UINT32_MAX)
        return (uint32_t)fail(r, false);
    *item = (enum ta_thrift_type)(b & 0x0f);
    return (uint32_t)n;
}

static void skip(struct ta_thrift_reader *r, enum ta_thrift_type type, unsigned depth);

static void skip_items(struct ta_thrift_reader *r, uint64_t n, enum ta_thrift_type type,
                       unsigned depth)
{
    for (uint64_t i = 0; i < n && !r->bad; i++) {
        if (type == TA_THRIFT_TRUE || type == TA_THRIFT_FALSE)
            get_byte(r); /* in lists a boolean is a byte, in fields it is the type */
        else
            skip(r, type, depth);
    }
}

static void skip_map(struct ta_thrift_reader *r, unsigned depth)
{
    uint64_t n = get_varint(r);

    if (r->bad || n == 0)
        return;
    unsigned types = get_byte(r);
    for (uint64_t i = 0; i < n && !r->bad; i++) {
        skip_items(r, 1, (enum ta_thrift_type)(types >> 4), depth);
        skip_items(r, 1, (enum ta_thrift_type)(types & 0x0f), depth);
    }
}

/* Recursion is bounded by SKIP_DEPTH_MAX; real metadata nests four deep. */
static void skip(struct ta_thrift_reader *r, enum ta_thrift_type type, unsigned depth)
{
    struct ta_thrift_field f = {0};
    enum ta_thrift_type item = TA_THRIFT_STOP;
    uint32_t n;

    if (depth == SKIP_DEPTH_MAX) {
        fail(r, false);
        return;
    }
    switch (type) {
    case TA_THRIFT_DOUBLE:
        if (r->end - r->at < 8)
            fail(r, true);
        else
            r->at += 8;
        return;
    case TA_THRIFT_BINARY:
        (void)ta_thrift_str(r, type);
        return;
    case TA_THRIFT_LIST:
    case TA_THRIFT_SET:
        n = ta_thrift_list(r, type, &item);
        skip_items(r, n, item, depth + 1);
        return;
    case TA_THRIFT_MAP:
        skip_map(r, depth + 1);
        return;
    case TA_THRIFT_STRUCT:
        while (ta_thrift_next(r, &f))
            skip(r, f.type, depth + 1);
        return;
    default:
        (void)ta_thrift_int(r, type);
    }
}

void ta_thrift_skip(struct ta_thrift_reader *r, enum ta_thrift_type type)
{
    skip(r, type, 0);
}
