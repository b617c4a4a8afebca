/* inspect_persist.c - what is inside checkpoint files, the reference's log and our own log. */
#include "app/inspect.h"
#include "base/bytes.h"
#include "persist/log_read.h"
#include "persist/ref_wal.h"
#include "persist/seal.h"
#include "persist/tree_read.h"

#include <math.h>
#include <stdio.h>

enum { SERIES_SHOWN = 1000, PLACES_SHOWN = 32 };

static bool has_magic(const unsigned char *head, size_t n, uint32_t magic)
{
    return n >= 4 && ta_get_u32(head) == magic;
}

static bool ends_in(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);

    return n >= m && strcmp(path + n - m, end) == 0;
}

/* Damage, in an array that is opened with the first place. */
struct places {
    struct ta_json_writer *out;
    uint64_t n;
};

static void put_place(struct places *p, uint64_t at, uint64_t bytes, const char *why)
{
    if (p->n++ == 0) {
        ta_json_put_key(p->out, "damage");
        ta_json_put_array(p->out);
    }
    if (p->n > PLACES_SHOWN)
        return;
    ta_json_put_object(p->out);
    ta_json_member_i64(p->out, "at", (int64_t)at);
    ta_json_member_i64(p->out, "bytes", (int64_t)bytes);
    ta_json_member_z(p->out, "why", why);
    ta_json_put_object_end(p->out);
}

static int end_places(struct places *p, struct ta_err *err)
{
    if (p->n == 0)
        return TA_OK;
    ta_json_put_array_end(p->out);
    return ta_fail(err, TA_EFORMAT, "%llu damaged places", (unsigned long long)p->n);
}

/* ---- checkpoint files ------------------------------------------------------------------------------- */

struct tree_sums {
    uint64_t levels, series, values, samples;
    int64_t first_s, last_s; /* time stamps */
};

struct open_series {
    struct ta_tree_event head;
    uint64_t n, present;
    bool is_shown;
};

static void begin_series(struct ta_json_writer *out, const struct ta_tree_reader *r,
                         const struct ta_tree_event *ev)
{
    char path[3 * 256] = "";
    size_t len = 0;

    for (unsigned d = 1; d <= ev->depth && d <= 2; d++) {
        struct ta_str name = ta_tree_level_name(r, d);
        len += (size_t)snprintf(path + len, sizeof(path) - len, "%s%.*s", d > 1 ? "/" : "",
                                TA_STR_FMT(name));
    }
    ta_json_put_object(out);
    ta_json_member_z(out, "path", path);
    ta_json_member_str(out, "metric", ev->name);
    ta_json_member_i64(out, "frequency", ev->freq_s);
    ta_json_member_i64(out, "start", ev->start_s);
}

static void end_series(struct ta_json_writer *out, struct open_series *s, struct tree_sums *sums)
{
    if (s->head.freq_s > 0 && s->n > 0) {
        int64_t last = s->head.start_s + (int64_t)(s->n - 1) * s->head.freq_s;
        if (sums->values == s->n || s->head.start_s < sums->first_s)
            sums->first_s = s->head.start_s;
        sums->last_s = last > sums->last_s ? last : sums->last_s;
    }
    if (s->is_shown) {
        ta_json_member_i64(out, "values", (int64_t)s->n);
        ta_json_member_i64(out, "samples", (int64_t)s->present);
        ta_json_put_object_end(out);
    }
    *s = (struct open_series){0};
}

/* The list of series while reading; damage is collected for behind it. */
static int list_series(struct ta_tree_reader *r, struct ta_json_writer *out, struct tree_sums *sums,
                       struct ta_tree_event *damage, size_t *n_damage, struct ta_err *err)
{
    struct open_series s = {0};
    struct ta_tree_event ev;
    int e;

    while ((e = ta_tree_next(r, &ev, err)) > 0) {
        if (ev.kind != TA_TREE_VALUES)
            end_series(out, &s, sums);
        if (ev.kind == TA_TREE_METRIC) {
            s = (struct open_series){.head = ev, .is_shown = sums->series < SERIES_SHOWN};
            if (s.is_shown)
                begin_series(out, r, &ev);
            sums->series++;
        } else if (ev.kind == TA_TREE_VALUES) {
            s.n += ev.n;
            sums->values += ev.n;
            s.present += ev.n_present;
            sums->samples += ev.n_present;
        } else if (ev.kind == TA_TREE_LEVEL) {
            sums->levels++;
        } else if (ev.kind == TA_TREE_DAMAGE && (*n_damage)++ < PLACES_SHOWN) {
            damage[*n_damage - 1] = ev;
        }
    }
    end_series(out, &s, sums);
    return e;
}

static int describe_tree(enum ta_tree_format format, struct ta_file *file,
                         struct ta_json_writer *out, struct ta_alloc *alloc, struct ta_err *err)
{
    struct ta_tree_reader *r = NULL;
    struct ta_tree_event damage[PLACES_SHOWN];
    struct tree_sums sums = {.last_s = INT64_MIN};
    struct places places = {.out = out};
    size_t n_damage = 0;
    struct ta_damage by_seal = {0};
    struct ta_sealed sealed;
    int64_t from_s, to_s;
    int e = ta_sealed_open(&sealed, file, format, alloc, &by_seal, err);

    if (e == TA_OK)
        e = ta_tree_reader_new(&r, format, &sealed.file, alloc, err);

    if (e < 0) {
        ta_sealed_done(&sealed);
        return e;
    }
    ta_json_put_key(out, "tree");
    ta_json_put_array(out);
    e = list_series(r, out, &sums, damage, &n_damage, err);
    if (e == TA_OK)
        e = ta_sealed_check(&sealed, err);
    ta_json_put_array_end(out);
    if (ta_tree_range(r, &from_s, &to_s)) {
        ta_json_member_i64(out, "from", from_s);
        ta_json_member_i64(out, "to", to_s);
    }
    ta_tree_reader_free(r);
    ta_sealed_done(&sealed);
    ta_json_member_i64(out, "levels", (int64_t)sums.levels);
    ta_json_member_i64(out, "series", (int64_t)sums.series);
    ta_json_member_i64(out, "values", (int64_t)sums.values);
    ta_json_member_i64(out, "samples", (int64_t)sums.samples);
    if (sums.values > 0) {
        ta_json_member_i64(out, "first", sums.first_s);
        ta_json_member_i64(out, "last", sums.last_s);
    }
    ta_json_member_bool(out, "checksums", sealed.is_sealed || by_seal.n > 0);
    for (size_t i = 0; i < by_seal.n && i < TA_DAMAGE_PLACES; i++)
        put_place(&places, by_seal.place[i].at, by_seal.place[i].bytes, by_seal.place[i].why);
    for (size_t i = 0; i < n_damage && i < PLACES_SHOWN; i++)
        put_place(&places, damage[i].at, damage[i].bytes, damage[i].why);
    return e < 0 ? e : end_places(&places, err);
}

static bool is_snapshot(const char *path, const unsigned char *head, size_t n)
{
    return has_magic(head, n, 0xCC5B0001u) || ends_in(path, ".bin");
}

static int describe_snapshot(struct ta_file *file, struct ta_json_writer *out,
                             struct ta_alloc *alloc, struct ta_err *err)
{
    return describe_tree(TA_TREE_BIN, file, out, alloc, err);
}

const struct ta_inspect_kind ta_inspect_snapshot = {"snapshot", is_snapshot, describe_snapshot};

static bool is_json(const char *path, const unsigned char *head, size_t n)
{
    (void)path;
    return n > 0 && head[0] == '{';
}

static int describe_json(struct ta_file *file, struct ta_json_writer *out, struct ta_alloc *alloc,
                         struct ta_err *err)
{
    return describe_tree(TA_TREE_JSON, file, out, alloc, err);
}

const struct ta_inspect_kind ta_inspect_checkpoint = {"json checkpoint", is_json, describe_json};

/* ---- the reference's log ------------------------------------------------------------------------------ */

static bool is_ref_wal(const char *path, const unsigned char *head, size_t n)
{
    return has_magic(head, n, 0xCC1DA701u) || ends_in(path, ".wal");
}

static int describe_ref_wal(struct ta_file *file, struct ta_json_writer *out,
                            struct ta_alloc *alloc, struct ta_err *err)
{
    struct ta_ref_wal_reader *r = NULL;
    struct ta_ref_wal_entry e;
    struct places places = {.out = out};
    uint64_t records = 0;
    int64_t first_s = INT64_MAX, last_s = INT64_MIN;
    int x = ta_ref_wal_reader_new(&r, file, alloc, err);

    while (x >= 0 && (x = ta_ref_wal_next(r, &e, err)) > 0) {
        if (e.kind != TA_REF_WAL_SAMPLE) {
            put_place(&places, e.at, e.bytes, e.kind == TA_REF_WAL_TORN ? "torn end" : "no record");
            continue;
        }
        records++;
        first_s = e.sample.ts_s < first_s ? e.sample.ts_s : first_s;
        last_s = e.sample.ts_s > last_s ? e.sample.ts_s : last_s;
    }
    ta_ref_wal_reader_free(r);
    int damage = end_places(&places, err);
    ta_json_member_i64(out, "records", (int64_t)records);
    if (records > 0) {
        ta_json_member_i64(out, "first", first_s);
        ta_json_member_i64(out, "last", last_s);
    }
    return x < 0 ? x : damage;
}

const struct ta_inspect_kind ta_inspect_ref_wal = {"reference log", is_ref_wal, describe_ref_wal};

/* ---- our log -------------------------------------------------------------------------------------------- */

struct log_sums {
    uint64_t records, hosts, columns, samples;
    int64_t first_s, last_s;
};

static void count_items(struct log_sums *s, struct ta_str payload)
{
    struct ta_log_item item;
    struct ta_log_piece piece;

    while (ta_log_next_item(&payload, &item) > 0) {
        uint32_t expected = 0;
        s->hosts += item.kind == TA_LOG_HOST;
        s->columns += item.kind == TA_LOG_COLUMN;
        if (item.kind != TA_LOG_SAMPLES)
            continue;
        while (ta_log_next_piece(&item, &expected, &piece) > 0)
            s->samples += piece.count;
        s->first_s = item.ts_s < s->first_s ? item.ts_s : s->first_s;
        s->last_s = item.ts_s > s->last_s ? item.ts_s : s->last_s;
    }
    s->records++;
}

static bool is_log(const char *path, const unsigned char *head, size_t n)
{
    (void)path;
    return n >= 8 && memcmp(head, "TARNLOG1", 8) == 0;
}

static int describe_log(struct ta_file *file, struct ta_json_writer *out, struct ta_alloc *alloc,
                        struct ta_err *err)
{
    struct log_sums s = {.first_s = INT64_MAX, .last_s = INT64_MIN};
    struct ta_log_reader *r = NULL;
    struct ta_log_entry e;
    struct places places = {.out = out};
    int x = ta_log_reader_new(&r, file, alloc, err);

    if (x < 0)
        return x;
    ta_json_member_i64(out, "segment", (int64_t)ta_log_reader_segment(r)->number);
    ta_json_member_i64(out, "first_sequence", (int64_t)ta_log_reader_segment(r)->first_sequence);
    ta_json_member_i64(out, "created", ta_log_reader_segment(r)->created_s);
    while ((x = ta_log_reader_next(r, &e, err)) > 0) {
        if (e.kind == TA_LOG_FOUND_RECORD)
            count_items(&s, e.record.payload);
        else
            put_place(&places, e.at, e.bytes,
                      e.kind == TA_LOG_FOUND_TORN ? "torn end" : "no record");
    }
    ta_log_reader_free(r);
    int damage = end_places(&places, err);
    ta_json_member_i64(out, "records", (int64_t)s.records);
    ta_json_member_i64(out, "hosts_named", (int64_t)s.hosts);
    ta_json_member_i64(out, "columns_named", (int64_t)s.columns);
    ta_json_member_i64(out, "samples", (int64_t)s.samples);
    if (s.samples > 0) {
        ta_json_member_i64(out, "first", s.first_s);
        ta_json_member_i64(out, "last", s.last_s);
    }
    return x < 0 ? x : damage;
}

const struct ta_inspect_kind ta_inspect_log = {"log", is_log, describe_log};
