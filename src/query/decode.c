/* decode.c - see decode.h. One token at a time, one frame for each open container; a skipped value
 * keeps no frame. Can stop after any token and go on later. */
#include "query/decode.h"
#include "query/decode_int.h"

#include <assert.h>
#include <math.h>
#include <strings.h>

enum {
    FRAMES = 8, /* no table nests deeper */
    READ_BUFFER = 16 * 1024,
    NEST_MAX = 64 /* depth of what is skipped */
};

enum frame_kind { IN_OBJECT, IN_OBJECTS, IN_STRS, IN_LISTS, IN_INTS, IN_INT_LISTS };

struct frame {
    enum frame_kind kind;
    const struct ta_dec_type *type;   /* OBJECT, OBJECTS */
    const struct ta_dec_field *field; /* OBJECT: of the key read last */
    void *to;                         /* the struct, the chain, the list */
};

struct ta_decoder {
    struct ta_alloc *alloc;
    struct ta_json_reader *reader;
    const struct ta_dec_field *root;
    void *out;
    struct frame frames[FRAMES];
    unsigned n_frames;
    bool is_skipping;
    struct ta_err wrong; /* first error of type: told once the syntax is known to be good */
    struct ta_dec_kept kept;
};

int ta_decoder_new(struct ta_decoder **out_decoder, struct ta_source *src,
                   const struct ta_dec_field *root, void *out, const struct ta_dec_limits *limits,
                   struct ta_arena *arena, struct ta_alloc *alloc)
{
    struct ta_json_limits json = {
        .buffer = READ_BUFFER, .text_max = limits->text_max, .depth = NEST_MAX};
    struct ta_decoder *d = ta_alloc_zero(alloc, 1, sizeof(*d));

    if (!d)
        return TA_ENOMEM;
    assert(root->kind == TA_DEC_OBJECT || root->kind == TA_DEC_LISTS);
    assert(limits->text_max <= READ_BUFFER / 2);
    d->alloc = alloc;
    d->root = root;
    d->out = out;
    ta_dec_kept_init(&d->kept, limits, arena, alloc);

    int r = ta_json_reader_new(&d->reader, src, &json, alloc);
    if (r < 0) {
        ta_decoder_free(d);
        return r;
    }
    *out_decoder = d;
    return TA_OK;
}

void ta_decoder_free(struct ta_decoder *d)
{
    if (!d)
        return;
    ta_json_reader_free(d->reader);
    ta_dec_kept_done(&d->kept);
    ta_release(d->alloc, d, sizeof(*d));
}

/* ---- errors of type ------------------------------------------------------------------------- */

static const char *target_name(enum ta_dec_kind kind)
{
    static const char *const names[] = {
        [TA_DEC_STR] = "string",      [TA_DEC_OPT_STR] = "string",
        [TA_DEC_I64] = "int64",       [TA_DEC_BOOL] = "bool",
        [TA_DEC_FACTOR] = "float64",  [TA_DEC_STRS] = "[]string",
        [TA_DEC_INTS] = "[]uint16",   [TA_DEC_INT_LISTS] = "[][]uint16",
        [TA_DEC_OBJECT] = "struct",   [TA_DEC_OBJECTS] = "[]struct",
        [TA_DEC_LISTS] = "[][]string"};

    return names[kind];
}

static void value_name(struct ta_buf *b, const struct ta_json_token *t, enum ta_dec_kind kind)
{
    switch (t->kind) {
    case TA_JSON_STRING:
        (void)ta_buf_z(b, "string");
        break;
    case TA_JSON_TRUE:
    case TA_JSON_FALSE:
        (void)ta_buf_z(b, "bool");
        break;
    case TA_JSON_ARRAY:
        (void)ta_buf_z(b, "array");
        break;
    case TA_JSON_OBJECT:
        (void)ta_buf_z(b, "object");
        break;
    default:
        (void)ta_buf_z(b, "number");
        if (kind == TA_DEC_I64 || kind == TA_DEC_FACTOR || kind == TA_DEC_INTS) {
            (void)ta_buf_byte(b, ' ');
            (void)ta_buf_str(b, (struct ta_str){t->text.at, t->text.len < 64 ? t->text.len : 64});
        }
    }
}

/* The value does not fit its place: remembered in the reference's words, passed over. */
static void wrong_type(struct ta_decoder *d, const struct ta_json_token *t, enum ta_dec_kind kind)
{
    char text[300];
    struct ta_buf b = {text, 0, sizeof(text), sizeof(text), NULL};
    bool has_path = false;

    d->is_skipping = t->kind == TA_JSON_ARRAY || t->kind == TA_JSON_OBJECT;
    if (d->wrong.code)
        return;
    (void)ta_buf_z(&b, "json: cannot unmarshal ");
    value_name(&b, t, kind);
    for (unsigned i = 0; i < d->n_frames; i++) {
        const struct frame *f = &d->frames[i];

        if (f->kind != IN_OBJECT || !f->field)
            continue;
        if (!has_path) {
            (void)ta_buf_z(&b, " into Go struct field ");
            (void)ta_buf_z(&b, f->type->name);
        }
        (void)ta_buf_byte(&b, '.');
        (void)ta_buf_z(&b, f->field->key);
        has_path = true;
    }
    (void)ta_buf_z(&b, has_path ? " of type " : " into Go value of type ");
    (void)ta_buf_z(&b, kind == TA_DEC_OBJECT ? d->root->type->name : target_name(kind));
    (void)ta_fail(&d->wrong, TA_EFORMAT, "%.*s", TA_STR_FMT(ta_buf_view(&b)));
}

static void unknown_key(struct ta_decoder *d, struct ta_str key)
{
    char text[300];
    struct ta_buf b = {text, 0, sizeof(text), sizeof(text), NULL};

    if (d->wrong.code)
        return;
    if (ta_go_quote(&b, key) < 0)
        (void)ta_buf_z(&b, "...");
    (void)ta_fail(&d->wrong, TA_EFORMAT, "json: unknown field %.*s", TA_STR_FMT(ta_buf_view(&b)));
}

int ta_go_quote(struct ta_buf *out, struct ta_str s)
{
    static const char plain[] = "\a\b\t\n\v\f\r\"\\", letters[] = "abtnvfr\"\\";
    int r = ta_buf_byte(out, '"');

    for (size_t i = 0; i < s.len && r >= 0; i++) {
        unsigned char c = (unsigned char)s.at[i];
        const char *known = c ? strchr(plain, c) : NULL;

        if (known) {
            r = ta_buf_byte(out, '\\');
            if (r >= 0)
                r = ta_buf_byte(out, letters[known - plain]);
        } else if (c < 0x20 || c == 0x7f) {
            r = ta_buf_printf(out, "\\x%02x", c);
        } else {
            r = ta_buf_byte(out, (char)c);
        }
    }
    return r < 0 ? r : ta_buf_byte(out, '"');
}

/* ---- tokens -------------------------------------------------------------------------------- */

static void push(struct ta_decoder *d, enum frame_kind kind, const struct ta_dec_type *type,
                 void *to)
{
    assert(d->n_frames < FRAMES);
    ta_dec_list_begin(&d->kept);
    d->frames[d->n_frames++] = (struct frame){kind, type, NULL, to};
}

static void take_null(const struct ta_dec_field *f, void *to)
{
    switch (f->kind) {
    case TA_DEC_OPT_STR:
        *(struct ta_opt_str *)to = (struct ta_opt_str){0};
        break;
    case TA_DEC_STRS:
        *(struct ta_str_list *)to = (struct ta_str_list){0};
        break;
    case TA_DEC_INTS:
        *(struct ta_int_list *)to = (struct ta_int_list){0};
        break;
    case TA_DEC_FACTOR:
        *(double *)to = NAN;
        break;
    case TA_DEC_OBJECTS:
    case TA_DEC_LISTS:
    case TA_DEC_INT_LISTS:
        *(struct ta_dec_chain *)to = (struct ta_dec_chain){0};
        break;
    default:
        break; /* a scalar stays as it was */
    }
}

static enum frame_kind frame_of(enum ta_dec_kind kind)
{
    switch (kind) {
    case TA_DEC_OBJECT:
        return IN_OBJECT;
    case TA_DEC_STRS:
        return IN_STRS;
    case TA_DEC_INTS:
        return IN_INTS;
    case TA_DEC_LISTS:
        return IN_LISTS;
    case TA_DEC_INT_LISTS:
        return IN_INT_LISTS;
    default:
        return IN_OBJECTS;
    }
}

static int take_container(struct ta_decoder *d, const struct ta_dec_field *f, void *to,
                          const struct ta_json_token *t)
{
    bool wants_object = f->kind == TA_DEC_OBJECT;
    bool wants_array = f->kind > TA_DEC_OBJECT || f->kind == TA_DEC_STRS || f->kind == TA_DEC_INTS;

    if (!(wants_object && t->kind == TA_JSON_OBJECT) &&
        !(wants_array && t->kind == TA_JSON_ARRAY)) {
        wrong_type(d, t, f->kind);
        return TA_OK;
    }
    if (f->kind > TA_DEC_OBJECT)
        *(struct ta_dec_chain *)to = (struct ta_dec_chain){0};
    push(d, frame_of(f->kind), f->type, to);
    return TA_OK;
}

static int take_value(struct ta_decoder *d, const struct ta_dec_field *f, void *to,
                      const struct ta_json_token *t, struct ta_err *err)
{
    if (t->kind == TA_JSON_NULL) {
        take_null(f, to);
        return TA_OK;
    }
    if (t->kind == TA_JSON_STRING && f->kind == TA_DEC_STR)
        return ta_dec_keep_str(&d->kept, t->text, to, err);
    if (t->kind == TA_JSON_STRING && f->kind == TA_DEC_OPT_STR) {
        struct ta_opt_str *s = to;
        s->is_set = true;
        return ta_dec_keep_str(&d->kept, t->text, &s->str, err);
    }
    if (f->kind == TA_DEC_BOOL && (t->kind == TA_JSON_TRUE || t->kind == TA_JSON_FALSE)) {
        *(bool *)to = t->kind == TA_JSON_TRUE;
        return TA_OK;
    }
    if (t->kind == TA_JSON_NUMBER && f->kind == TA_DEC_I64 && ta_json_i64(t, to) >= 0)
        return TA_OK;
    if (t->kind == TA_JSON_NUMBER && f->kind == TA_DEC_FACTOR && ta_json_f64(t, to) >= 0)
        return TA_OK;
    return take_container(d, f, to, t);
}

static const struct ta_dec_field *find_field(const struct ta_dec_type *type, struct ta_str key)
{
    for (size_t i = 0; i < type->n_fields; i++) {
        const char *name = type->fields[i].key;
        if (strlen(name) == key.len && strncasecmp(name, key.at, key.len) == 0)
            return &type->fields[i];
    }
    return NULL;
}

static int in_object(struct ta_decoder *d, struct frame *f, const struct ta_json_token *t,
                     struct ta_err *err)
{
    if (t->kind == TA_JSON_OBJECT_END) {
        d->n_frames--;
        return TA_OK;
    }
    if (t->kind != TA_JSON_KEY)
        return take_value(d, f->field, (char *)f->to + f->field->at, t, err);
    f->field = find_field(f->type, t->text);
    if (!f->field) {
        d->is_skipping = true;
        if (f->type->is_strict)
            unknown_key(d, t->text);
    }
    return TA_OK;
}

static int in_strs(struct ta_decoder *d, struct frame *f, const struct ta_json_token *t,
                   struct ta_err *err)
{
    switch (t->kind) {
    case TA_JSON_ARRAY_END:
        d->n_frames--;
        return ta_dec_list_end(&d->kept, f->to, err);
    case TA_JSON_STRING:
        return ta_dec_list_add(&d->kept, t->text, err);
    case TA_JSON_NULL:
        return ta_dec_list_add(&d->kept, TA_STR(""), err);
    default:
        wrong_type(d, t, TA_DEC_STR);
        return TA_OK;
    }
}

static int in_ints(struct ta_decoder *d, struct frame *f, const struct ta_json_token *t,
                   struct ta_err *err)
{
    int64_t v = 0;
    uint16_t id = 0;

    if (t->kind == TA_JSON_ARRAY_END) {
        d->n_frames--;
        return ta_dec_ints_end(&d->kept, f->to, err);
    }
    if (t->kind == TA_JSON_NUMBER && ta_json_i64(t, &v) >= 0 && v >= 0 && v <= UINT16_MAX)
        id = (uint16_t)v;
    else if (t->kind != TA_JSON_NULL)
        wrong_type(d, t, TA_DEC_INTS);
    return ta_dec_int_add(&d->kept, id, err);
}

/* Arrays of objects and of lists. */
static int in_array(struct ta_decoder *d, struct frame *f, const struct ta_json_token *t,
                    struct ta_err *err)
{
    bool is_objects = f->kind == IN_OBJECTS;
    enum frame_kind inner = is_objects ? IN_OBJECT : f->kind == IN_LISTS ? IN_STRS : IN_INTS;
    size_t bytes = is_objects            ? f->type->bytes
                   : f->kind == IN_LISTS ? sizeof(struct ta_dec_list)
                                         : sizeof(struct ta_dec_ints);
    void *item = NULL;

    if (t->kind == TA_JSON_ARRAY_END) {
        d->n_frames--;
        return TA_OK;
    }
    if (t->kind != TA_JSON_NULL && t->kind != (is_objects ? TA_JSON_OBJECT : TA_JSON_ARRAY)) {
        wrong_type(d, t, is_objects ? TA_DEC_OBJECTS : TA_DEC_STRS);
        return TA_OK;
    }

    int r = ta_dec_chain_add(&d->kept, f->to, bytes, &item, err);
    if (r < 0 || t->kind == TA_JSON_NULL)
        return r; /* null: an element of zeros */
    if (f->kind == IN_LISTS)
        item = &((struct ta_dec_list *)item)->list;
    else if (f->kind == IN_INT_LISTS)
        item = &((struct ta_dec_ints *)item)->list;
    push(d, inner, f->type, item);
    return TA_OK;
}

static int take_token(struct ta_decoder *d, const struct ta_json_token *t, struct ta_err *err)
{
    struct frame *f;

    if (d->n_frames == 0)
        return take_value(d, d->root, d->out, t, err);
    f = &d->frames[d->n_frames - 1];
    switch (f->kind) {
    case IN_OBJECT:
        return in_object(d, f, t, err);
    case IN_STRS:
        return in_strs(d, f, t, err);
    case IN_INTS:
        return in_ints(d, f, t, err);
    default:
        return in_array(d, f, t, err);
    }
}

/* Where a body ends too early the reference says so and nothing else; other texts keep their
 * place. */
static int fail_syntax(int code, const struct ta_err *why, struct ta_err *err)
{
    static const char *const ends[] = {"EOF", "unexpected EOF"};

    for (size_t i = 0; i < TA_COUNT(ends); i++)
        if (code == TA_EFORMAT && ta_str_starts(ta_str(why->text), ta_str(ends[i])))
            return ta_fail(err, code, "%s", ends[i]);
    return ta_fail(err, code, "%s", why->code ? why->text : ta_strerror(code));
}

static int next_token(struct ta_decoder *d, struct ta_json_token *t, struct ta_err *err)
{
    struct ta_err why = {0};
    int r = d->is_skipping ? ta_json_skip(d->reader, &why) : TA_OK;

    if (r >= 0) {
        d->is_skipping = false;
        r = ta_json_next(d->reader, t, &why);
    }
    return r >= 0 || r == TA_EAGAIN ? r : fail_syntax(r, &why, err);
}

int ta_decoder_run(struct ta_decoder *d, struct ta_err *err)
{
    struct ta_json_token t;
    int r;

    while ((r = next_token(d, &t, err)) > 0) {
        r = take_token(d, &t, err);
        if (r < 0)
            return r;
    }
    if (r == 0 && d->wrong.code)
        return ta_fail(err, d->wrong.code, "%s", d->wrong.text);
    return r;
}
