#include "parquet/reader_int.h"
#include "parquet/thrift.h"

#include <inttypes.h>

enum { REPETITION_REQUIRED = 0, REPETITION_OPTIONAL = 1, CONVERTED_UTF8 = 0, LOGICAL_STRING = 1 };

static int damaged(struct ta_err *err, const char *what)
{
    return ta_fail(err, TA_EFORMAT, "parquet footer: %s", what);
}

static bool logical_is_string(struct ta_thrift_reader *t, enum ta_thrift_type type)
{
    struct ta_thrift_field f = {0};
    bool is_string = false;

    if (type != TA_THRIFT_STRUCT) {
        t->bad = true;
        return false;
    }
    while (ta_thrift_next(t, &f)) {
        is_string |= f.id == LOGICAL_STRING;
        ta_thrift_skip(t, f.type);
    }
    return is_string;
}

struct element {
    struct ta_pq_field field;
    int64_t repetition, children;
    bool has_type;
};

static void read_element(struct ta_thrift_reader *t, struct element *e)
{
    struct ta_thrift_field f = {0};

    *e = (struct element){.repetition = REPETITION_REQUIRED};
    while (ta_thrift_next(t, &f)) {
        switch (f.id) {
        case 1:
            e->field.type = (enum ta_pq_type)ta_thrift_int_in(t, f.type, 0, TA_PQ_FIXED);
            e->has_type = true;
            break;
        case 3:
            e->repetition = ta_thrift_int(t, f.type);
            break;
        case 4:
            e->field.name = ta_thrift_str(t, f.type);
            break;
        case 5:
            e->children = ta_thrift_int(t, f.type);
            break;
        case 6:
            if (ta_thrift_int(t, f.type) == CONVERTED_UTF8)
                e->field.logical = TA_PQ_STRING;
            break;
        case 10:
            if (logical_is_string(t, f.type))
                e->field.logical = TA_PQ_STRING;
            break;
        default:
            ta_thrift_skip(t, f.type);
        }
    }
    e->field.optional = e->repetition == REPETITION_OPTIONAL;
}

static int read_schema(struct ta_pq_reader *r, struct ta_thrift_reader *t, enum ta_thrift_type type,
                       struct ta_err *err)
{
    enum ta_thrift_type item;
    struct element e;
    uint32_t n = ta_thrift_list(t, type, &item);

    if (t->bad || item != TA_THRIFT_STRUCT || n < 2 || r->fields)
        return damaged(err, "bad schema");
    if (n - 1 > TA_PQ_COLUMNS_MAX)
        return ta_fail(err, TA_ERANGE, "parquet: %u columns, at most %d are read", n - 1,
                       TA_PQ_COLUMNS_MAX);
    read_element(t, &e);
    if (t->bad || e.children != (int64_t)n - 1)
        return damaged(err, "the schema is not flat");
    r->fields = ta_alloc_zero(r->alloc, n - 1, sizeof(*r->fields));
    r->group.chunks = ta_alloc_zero(r->alloc, n - 1, sizeof(*r->group.chunks));
    r->n_columns = n - 1;
    if (!r->fields || !r->group.chunks)
        return ta_fail(err, TA_ENOMEM, "parquet: no memory for %u columns", n - 1);
    for (uint32_t i = 0; i < n - 1; i++) {
        read_element(t, &e);
        if (t->bad || !e.has_type || e.children ||
            (e.repetition != REPETITION_REQUIRED && e.repetition != REPETITION_OPTIONAL))
            return damaged(err, "the schema is not flat");
        r->fields[i] = e.field;
    }
    return TA_OK;
}

static int read_groups(struct ta_pq_reader *r, struct ta_thrift_reader *t, enum ta_thrift_type type,
                       struct ta_err *err)
{
    enum ta_thrift_type item;
    uint32_t n = ta_thrift_list(t, type, &item);

    if (t->bad || item != TA_THRIFT_STRUCT || r->groups_at)
        return damaged(err, "bad list of row groups");
    r->groups_at = ta_alloc(r->alloc, ((size_t)n + 1) * sizeof(*r->groups_at));
    if (!r->groups_at)
        return ta_fail(err, TA_ENOMEM, "parquet: no memory for %u row groups", n);
    r->n_groups = n;
    for (uint32_t i = 0; i < n && !t->bad; i++) {
        r->groups_at[i] = (uint32_t)(t->at - r->footer);
        ta_thrift_skip(t, TA_THRIFT_STRUCT);
    }
    return t->bad ? damaged(err, "bad row group") : TA_OK;
}

static void read_pair(struct ta_thrift_reader *t, struct ta_str *key, struct ta_str *value)
{
    struct ta_thrift_field f = {0};

    *key = *value = (struct ta_str){"", 0};
    while (ta_thrift_next(t, &f)) {
        if (f.id == 1)
            *key = ta_thrift_str(t, f.type);
        else if (f.id == 2)
            *value = ta_thrift_str(t, f.type);
        else
            ta_thrift_skip(t, f.type);
    }
}

static void read_meta(struct ta_pq_reader *r, struct ta_thrift_reader *t, enum ta_thrift_type type)
{
    enum ta_thrift_type item;
    uint32_t n = ta_thrift_list(t, type, &item);

    if (!t->bad && n && item != TA_THRIFT_STRUCT)
        t->bad = true;
    r->meta_at = (uint32_t)(t->at - r->footer);
    r->n_meta = t->bad ? 0 : n;
    for (uint32_t i = 0; i < n && !t->bad; i++)
        ta_thrift_skip(t, TA_THRIFT_STRUCT);
}

int ta_pq_footer_read(struct ta_pq_reader *r, struct ta_err *err)
{
    struct ta_thrift_reader t;
    struct ta_thrift_field f = {0};
    int e = TA_OK;

    ta_thrift_reader_init(&t, r->footer, r->footer_bytes);
    while (e >= 0 && ta_thrift_next(&t, &f)) {
        switch (f.id) {
        case 2:
            e = read_schema(r, &t, f.type, err);
            break;
        case 3:
            r->rows = (uint64_t)ta_thrift_int_in(&t, f.type, 0, INT64_MAX);
            break;
        case 4:
            e = read_groups(r, &t, f.type, err);
            break;
        case 5:
            read_meta(r, &t, f.type);
            break;
        case 6:
            r->created_by = ta_thrift_str(&t, f.type);
            break;
        default:
            ta_thrift_skip(&t, f.type);
        }
    }
    if (e < 0)
        return e;
    if (t.bad || !r->fields || !r->groups_at)
        return damaged(err, "malformed");
    r->group_number = r->n_groups;
    return TA_OK;
}

static void read_statistics(struct ta_thrift_reader *t, enum ta_thrift_type type,
                            struct ta_pq_chunk *c)
{
    struct ta_thrift_field f = {0};
    bool has_min = false;
    bool has_max = false;

    if (type != TA_THRIFT_STRUCT) {
        t->bad = true;
        return;
    }
    while (ta_thrift_next(t, &f)) {
        if (f.id == 3) {
            c->nulls = (uint64_t)ta_thrift_int_in(t, f.type, 0, INT64_MAX);
            c->has_nulls = true;
        } else if (f.id == 5) {
            c->max = ta_thrift_str(t, f.type);
            has_max = true;
        } else if (f.id == 6) {
            c->min = ta_thrift_str(t, f.type);
            has_min = true;
        } else {
            ta_thrift_skip(t, f.type);
        }
    }
    size_t width = ta_pq_type_width(c->type);
    c->has_range = has_min && has_max && (!width || (c->min.len == width && c->max.len == width));
}

static void read_encodings(struct ta_thrift_reader *t, enum ta_thrift_type type,
                           struct ta_pq_chunk *c)
{
    enum ta_thrift_type item;
    uint32_t n = ta_thrift_list(t, type, &item);

    for (uint32_t i = 0; i < n && !t->bad; i++) {
        int64_t e = ta_thrift_int(t, item);
        if (e >= 0 && e < 32)
            c->encodings |= 1u << e;
    }
}

static void read_chunk_meta(struct ta_thrift_reader *t, enum ta_thrift_type type,
                            struct ta_pq_chunk *c)
{
    struct ta_thrift_field f = {0};
    uint64_t dict_at = 0;

    if (type != TA_THRIFT_STRUCT) {
        t->bad = true;
        return;
    }
    while (ta_thrift_next(t, &f)) {
        switch (f.id) {
        case 1:
            c->type = (enum ta_pq_type)ta_thrift_int_in(t, f.type, 0, TA_PQ_FIXED);
            break;
        case 2:
            read_encodings(t, f.type, c);
            break;
        case 4:
            c->codec = (unsigned)ta_thrift_int_in(t, f.type, 0, 255);
            break;
        case 5:
            c->values = (uint64_t)ta_thrift_int_in(t, f.type, 0, INT64_MAX);
            break;
        case 6:
            c->plain_bytes = (uint64_t)ta_thrift_int_in(t, f.type, 0, INT64_MAX);
            break;
        case 7:
            c->bytes = (uint64_t)ta_thrift_int_in(t, f.type, 0, INT64_MAX);
            break;
        case 9:
            c->data_at = (uint64_t)ta_thrift_int_in(t, f.type, 0, INT64_MAX);
            break;
        case 11:
            dict_at = (uint64_t)ta_thrift_int_in(t, f.type, 0, INT64_MAX);
            break;
        case 12:
            read_statistics(t, f.type, c);
            break;
        default:
            ta_thrift_skip(t, f.type);
        }
    }
    /* Some writers put 0 for "no dictionary"; offset 0 holds the magic. */
    c->has_dict = dict_at && dict_at < c->data_at;
    c->at = c->has_dict ? dict_at : c->data_at;
}

static void read_chunk(struct ta_thrift_reader *t, struct ta_pq_chunk *c)
{
    struct ta_thrift_field f = {0};

    *c = (struct ta_pq_chunk){0};
    while (ta_thrift_next(t, &f)) {
        switch (f.id) {
        case 3:
            read_chunk_meta(t, f.type, c);
            break;
        case 4:
            c->offset_index_at = (uint64_t)ta_thrift_int_in(t, f.type, 0, INT64_MAX);
            break;
        case 5:
            c->offset_index_bytes = (uint64_t)ta_thrift_int_in(t, f.type, 0, INT32_MAX);
            break;
        case 6:
            c->column_index_at = (uint64_t)ta_thrift_int_in(t, f.type, 0, INT64_MAX);
            break;
        case 7:
            c->column_index_bytes = (uint64_t)ta_thrift_int_in(t, f.type, 0, INT32_MAX);
            break;
        default:
            ta_thrift_skip(t, f.type);
        }
    }
}

static void read_sorting(struct ta_thrift_reader *t, enum ta_thrift_type type,
                         struct ta_pq_group *g)
{
    enum ta_thrift_type item;
    uint32_t n = ta_thrift_list(t, type, &item);
    bool ascending = true;

    for (uint32_t i = 0; i < n && !t->bad; i++) {
        struct ta_thrift_field f = {0};
        int64_t column = -1;
        while (ta_thrift_next(t, &f)) {
            int64_t v = ta_thrift_int(t, f.type);
            if (f.id == 1)
                column = v;
            else if (f.id == 2 && v)
                ascending = false;
        }
        if (ascending && column >= 0 && column <= UINT16_MAX && g->n_sorting < 8)
            g->sorting[g->n_sorting++] = (uint16_t)column;
    }
}

static int check_chunk(const struct ta_pq_reader *r, uint32_t group, unsigned column,
                       struct ta_err *err)
{
    const struct ta_pq_chunk *c = &r->group.chunks[column];

    if (c->type != r->fields[column].type || c->values != r->group.rows)
        return ta_fail(err, TA_EFORMAT, "parquet: row group %u, column %u contradicts the schema",
                       group, column);
    if (c->at < 4 || c->at > r->file_bytes || c->bytes > r->file_bytes - c->at)
        return ta_fail(err, TA_EFORMAT,
                       "parquet: row group %u, column %u lies outside the file (%" PRIu64
                       " bytes at %" PRIu64 ")",
                       group, column, c->bytes, c->at);
    return TA_OK;
}

int ta_pq_footer_read_group(struct ta_pq_reader *r, uint32_t i, struct ta_err *err)
{
    struct ta_thrift_reader t;
    struct ta_thrift_field f = {0};
    enum ta_thrift_type item;
    uint32_t n = 0;
    struct ta_pq_chunk *chunks = r->group.chunks;

    r->group = (struct ta_pq_group){.chunks = chunks};
    r->group_number = r->n_groups;
    ta_thrift_reader_init(&t, r->footer + r->groups_at[i], r->footer_bytes - r->groups_at[i]);
    while (ta_thrift_next(&t, &f)) {
        switch (f.id) {
        case 1:
            n = ta_thrift_list(&t, f.type, &item);
            if (n != r->n_columns)
                return damaged(err, "a row group has another number of columns");
            for (uint32_t c = 0; c < n && !t.bad; c++)
                read_chunk(&t, &chunks[c]);
            break;
        case 2:
            r->group.plain_bytes = (uint64_t)ta_thrift_int_in(&t, f.type, 0, INT64_MAX);
            break;
        case 3:
            r->group.rows = (uint64_t)ta_thrift_int_in(&t, f.type, 0, INT64_MAX);
            break;
        case 4:
            read_sorting(&t, f.type, &r->group);
            break;
        default:
            ta_thrift_skip(&t, f.type);
        }
    }
    if (t.bad || n != r->n_columns)
        return damaged(err, "bad row group");
    for (unsigned c = 0; c < n; c++) {
        int e = check_chunk(r, i, c, err);
        if (e < 0)
            return e;
    }
    r->group_number = i;
    return TA_OK;
}

int ta_pq_reader_meta_at(const struct ta_pq_reader *r, uint32_t i, struct ta_str *key,
                         struct ta_str *value)
{
    struct ta_thrift_reader t;

    if (i >= r->n_meta)
        return 0;
    ta_thrift_reader_init(&t, r->footer + r->meta_at, r->footer_bytes - r->meta_at);
    for (; i; i--)
        ta_thrift_skip(&t, TA_THRIFT_STRUCT);
    read_pair(&t, key, value);
    return 1;
}
