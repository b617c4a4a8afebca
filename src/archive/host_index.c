#include "archive/host_index.h"

#include "archive/scope.h"
#include "base/bytes.h"
#include "persist/checkpoint_json_read.h"
#include "persist/seal.h"

#include <inttypes.h>
#include <math.h>
#include <xxhash.h>

enum {
    ENTRY_BLOCK = 1024, /* 32 KiB; as in ta_arc_entry */
    BLOCKS_MAX = 16384, /* 16 Mi entries: half a GiB, more than any cap */
    SPOOL_BUFFER = 64 * 1024,
    WHOLE_BYTES = 512 * 1024 /* two hours of 580 series take 300 KiB */
};

static int no_memory(struct ta_err *err)
{
    return ta_fail(err, TA_ENOMEM, "the index of one host's checkpoints is over its memory");
}

void ta_arc_index_init(struct ta_arc_index *x, struct ta_vfs *vfs, struct ta_file *spool,
                       struct ta_alloc *alloc)
{
    memset(x, 0, sizeof(*x));
    x->newest_ns = INT64_MAX;
    x->vfs = vfs;
    x->alloc = alloc;
    x->spool = spool;
    ta_arena_init(&x->names, alloc, SIZE_MAX / 2);
}

void ta_arc_index_end(struct ta_arc_index *x)
{
    for (size_t i = 0; i < x->n_files; i++)
        (void)ta_close(&x->files[i].open, NULL); /* read only: nothing can be lost */
    x->n_files = 0;
    x->n_open = 0;
    x->wholes_used = 0;
}

void ta_arc_index_forget(struct ta_arc_index *x, struct ta_arc_part part)
{
    x->part = part;
    ta_arena_reset(&x->names);
    if (x->slots)
        memset(x->slots, 0, x->n_slots * sizeof(*x->slots));
    x->n_series = x->n_entries = 0;
    x->spool_bytes = 0;
}

void ta_arc_index_done(struct ta_arc_index *x)
{
    if (!x->alloc)
        return;
    ta_arc_index_end(x);
    for (uint32_t i = 0; i < x->n_blocks; i++)
        ta_release(x->alloc, x->blocks[i], ENTRY_BLOCK * sizeof(struct ta_arc_entry));
    ta_release(x->alloc, x->blocks, BLOCKS_MAX * sizeof(*x->blocks));
    ta_release(x->alloc, x->series, x->cap_series * sizeof(*x->series));
    ta_release(x->alloc, x->order, x->cap_series * sizeof(*x->order));
    ta_release(x->alloc, x->slots, x->n_slots * sizeof(*x->slots));
    ta_arena_done(&x->names);
    ta_release(x->alloc, x->wholes, WHOLE_BYTES);
    x->alloc = NULL;
}

int ta_arc_index_begin(struct ta_arc_index *x, const char *root, struct ta_str cluster,
                       struct ta_str host, struct ta_arc_file *files, size_t n_files,
                       struct ta_err *err)
{
    ta_arc_index_end(x);
    ta_arc_index_forget(x, (struct ta_arc_part){0, 1});
    x->files = files;
    x->n_files = n_files;
    for (size_t i = 0; i < n_files; i++)
        files[i].whole = NULL;
    return ta_host_dir(x->dir, root, cluster, host, err);
}

/* The path of a series: the metric, then the levels, each behind a 2-byte length. */
static struct ta_str encode_path(struct ta_arc_index *x, const struct ta_tree_series *s)
{
    size_t len = 2 + s->metric.len;

    for (unsigned i = 0; i < s->depth; i++)
        len += 2 + s->level[i].len;
    char *out = ta_arena_get(&x->names, len);
    if (!out)
        return (struct ta_str){NULL, 0};
    char *p = out;
    for (int i = -1; i < (int)s->depth; i++) {
        struct ta_str name = i < 0 ? s->metric : s->level[i];
        ta_put_u16(p, (uint16_t)name.len);
        if (name.len)
            memcpy(p + 2, name.at, name.len);
        p += 2 + name.len;
    }
    return (struct ta_str){out, len};
}

static uint32_t slot_of(const struct ta_arc_index *x, struct ta_str path)
{
    uint32_t mask = x->n_slots - 1;
    uint32_t s = (uint32_t)XXH3_64bits(path.at, path.len) & mask;

    while (x->slots[s] && !ta_str_eq(x->series[x->slots[s] - 1].path, path))
        s = (s + 1) & mask;
    return s;
}

static int grow_series(struct ta_arc_index *x)
{
    uint32_t cap = x->cap_series ? x->cap_series * 2 : 256;
    uint32_t *slots = ta_alloc_zero(x->alloc, (size_t)cap * 2, sizeof(*slots));
    uint32_t *order = ta_alloc(x->alloc, cap * sizeof(*order));
    struct ta_arc_series *series =
        slots && order
            ? ta_resize(x->alloc, x->series, x->cap_series * sizeof(*series), cap * sizeof(*series))
            : NULL;
    if (!series) {
        ta_release(x->alloc, slots, (size_t)cap * 2 * sizeof(*slots));
        ta_release(x->alloc, order, cap * sizeof(*order));
        return TA_ENOMEM;
    }
    ta_release(x->alloc, x->slots, x->n_slots * sizeof(*x->slots));
    ta_release(x->alloc, x->order, x->cap_series * sizeof(*x->order));
    x->series = series;
    x->order = order;
    x->slots = slots;
    x->n_slots = cap * 2;
    x->cap_series = cap;
    for (uint32_t i = 0; i < x->n_series; i++)
        x->slots[slot_of(x, x->series[i].path)] = i + 1;
    return TA_OK;
}

/* Columns of a new series, from the names inside its own path. */
static int name_columns(struct ta_arc_index *x, struct ta_arc_series *s, unsigned depth)
{
    const char *p = s->path.at;
    struct ta_str name = {p + 2, ta_get_u16(p)};
    struct ta_str metric = name;

    for (unsigned i = 0; i < depth; i++) {
        p += 2 + name.len;
        name = (struct ta_str){p + 2, ta_get_u16(p)};
    }
    s->metric = ta_arc_utf8(metric, &x->names);
    struct ta_str level = ta_arc_utf8(name, &x->names);
    if (!s->metric.at || !level.at)
        return TA_ENOMEM;
    ta_arc_scope(depth ? &level : NULL, &s->scope, &s->scope_id);
    return TA_OK;
}

static int64_t find_series(struct ta_arc_index *x, const struct ta_tree_series *s)
{
    struct ta_str path = encode_path(x, s);

    if (!path.at)
        return TA_ENOMEM;
    if (x->n_series == x->cap_series && grow_series(x) < 0)
        return TA_ENOMEM;
    uint32_t slot = slot_of(x, path);
    if (x->slots[slot]) {
        /* The newest arena block shrinks back: a path that is known costs nothing. */
        (void)ta_resize(&x->names.alloc, (void *)(uintptr_t)path.at, path.len, 0);
        return x->slots[slot] - 1;
    }
    struct ta_arc_series *new = &x->series[x->n_series];
    *new = (struct ta_arc_series){.path = path, .first = TA_ARC_NONE, .last = TA_ARC_NONE};
    if (name_columns(x, new, s->depth) < 0)
        return TA_ENOMEM;
    x->slots[slot] = ++x->n_series;
    return x->n_series - 1;
}

static int add_entry(struct ta_arc_index *x, uint32_t file, const struct ta_tree_series *s,
                     uint64_t at, struct ta_err *err)
{
    if (s->n == 0 ||
        (x->part.of > 1 && XXH3_64bits(s->metric.at, s->metric.len) % x->part.of != x->part.number))
        return TA_OK;
    if (s->freq_s > UINT32_MAX)
        return ta_fail(err, TA_EFORMAT, "a frequency of %" PRId64 " s", s->freq_s);
    const struct ta_host_file *name = &x->files[file].name;
    int64_t last_s = s->start_s + (int64_t)(s->n - 1) * s->freq_s;
    if (x->slack_s && (s->start_s < name->from_s - x->slack_s || last_s > name->to_s + x->slack_s))
        return ta_fail(err, TA_EFORMAT, "values far outside the range of their file");
    int64_t i = find_series(x, s);
    if (i < 0)
        return no_memory(err);
    if (!x->blocks)
        x->blocks = ta_alloc(x->alloc, BLOCKS_MAX * sizeof(*x->blocks));
    if (!x->blocks)
        return no_memory(err);
    if (x->n_entries == x->n_blocks * ENTRY_BLOCK) {
        struct ta_arc_entry *block =
            x->n_blocks < BLOCKS_MAX ? ta_alloc(x->alloc, ENTRY_BLOCK * sizeof(*block)) : NULL;
        if (!block)
            return no_memory(err);
        x->blocks[x->n_blocks++] = block;
    }
    uint32_t number = x->n_entries++;
    *ta_arc_entry(x, number) = (struct ta_arc_entry){.at = at,
                                                     .start_s = s->start_s,
                                                     .n = s->n,
                                                     .freq_s = (uint32_t)s->freq_s,
                                                     .file = file,
                                                     .next = TA_ARC_NONE};
    struct ta_arc_series *series = &x->series[i];
    if (series->last == TA_ARC_NONE)
        series->first = number;
    else
        ta_arc_entry(x, series->last)->next = number;
    series->last = number;
    return TA_OK;
}

static int open_file(struct ta_arc_index *x, uint32_t file, struct ta_file **out,
                     struct ta_err *err)
{
    char path[TA_PATH_MAX];
    const struct ta_host_file *name = &x->files[file].name;
    int r = ta_host_file_path(path, x->dir, name->from_s, name->format, "", err);

    if (r < 0)
        return r;
    return ta_open(x->vfs, path, TA_OPEN_READ | TA_OPEN_NOFOLLOW, 0, out, err);
}

/* The file, opened if need be; the one that was used longest ago makes room. */
static int get_file(struct ta_arc_index *x, uint32_t file, struct ta_err *err)
{
    struct ta_arc_file *f = &x->files[file];

    f->used = ++x->clock;
    if (f->open)
        return TA_OK;
    if (x->n_open == TA_ARC_OPEN_MAX) {
        struct ta_arc_file *oldest = NULL;
        for (size_t i = 0; i < x->n_files; i++)
            if (x->files[i].open && (!oldest || x->files[i].used < oldest->used))
                oldest = &x->files[i];
        (void)ta_close(&oldest->open, NULL);
        x->n_open--;
    }
    int r = open_file(x, file, &f->open, err);
    if (r >= 0)
        x->n_open++;
    return r;
}

/* What goes into the archive goes from the checkpoints: a file that is not what was written is damaged, also where a
 * bit could be put right; it is set aside, and a server's start has the means to mend it. */
static int check_seal(struct ta_arc_index *x, struct ta_file *f, enum ta_tree_format format,
                      struct ta_err *err)
{
    struct ta_damage damage = {0};
    struct ta_sealed sealed;
    int r = ta_sealed_open(&sealed, f, format, x->alloc, &damage, err);

    if (r == TA_OK)
        r = ta_sealed_check(&sealed, err);
    ta_sealed_done(&sealed);
    if (r == TA_OK && damage.n > 0)
        r = ta_fail(err, TA_EFORMAT, "%s (at %llu)", damage.place[0].why,
                    (unsigned long long)damage.place[0].at);
    return r;
}

static int add_bin(struct ta_arc_index *x, uint32_t file, struct ta_err *err)
{
    struct ta_snapshot_reader reader = {0};
    struct ta_tree_series s;

    int r = get_file(x, file, err);
    if (r >= 0)
        r = check_seal(x, x->files[file].open, TA_TREE_BIN, err);
    if (r >= 0)
        r = ta_snapshot_open(&reader, x->files[file].open, x->alloc, err);
    while (r >= 0 && (r = ta_snapshot_next(&reader, &s, err)) > 0)
        r = add_entry(x, file, &s, s.at, err);
    ta_snapshot_done(&reader);
    return r;
}

/* One .json into the spool: values as they come, the entry when the series is complete. */
static int spool_json(struct ta_arc_index *x, uint32_t file, struct ta_checkpoint_json *reader,
                      struct ta_file_sink *sink, struct ta_err *err)
{
    struct ta_checkpoint_json_event e;
    float part[TA_CHECKPOINT_JSON_BATCH];
    uint64_t begin = x->spool_bytes;
    int r;

    while ((r = ta_checkpoint_json_next(reader, &e, err)) > 0) {
        if (e.kind == TA_CHECKPOINT_JSON_SERIES) {
            r = add_entry(x, file, &e.series, begin, err);
            begin = x->spool_bytes;
        } else {
            for (size_t i = 0; i < e.n; i++)
                part[i] = (float)e.values[i];
            r = ta_sink_write(&sink->sink, part, e.n * sizeof(*part), err);
            x->spool_bytes += e.n * sizeof(*part);
        }
        if (r < 0)
            return r;
    }
    return r < 0 ? r : ta_file_sink_flush(sink, err);
}

static int add_json(struct ta_arc_index *x, uint32_t file, struct ta_err *err)
{
    struct ta_checkpoint_json *reader = ta_alloc_zero(x->alloc, 1, sizeof(*reader));
    void *buf = ta_alloc(x->alloc, SPOOL_BUFFER);
    struct ta_file_source source;
    struct ta_file_sink sink;
    struct ta_file *f = NULL;
    int r = reader && buf ? TA_OK : no_memory(err);

    if (r >= 0)
        r = open_file(x, file, &f, err);
    if (r >= 0)
        r = check_seal(x, f, TA_TREE_JSON, err);
    if (r >= 0) {
        ta_file_source_init(&source, f);
        ta_file_sink_init(&sink, x->spool, x->spool_bytes, buf, SPOOL_BUFFER);
        r = ta_checkpoint_json_open(reader, &source.source, x->alloc, err);
    }
    if (r >= 0)
        r = spool_json(x, file, reader, &sink, err);
    if (reader)
        ta_checkpoint_json_done(reader);
    (void)ta_close(&f, NULL);
    ta_release(x->alloc, buf, SPOOL_BUFFER);
    ta_release(x->alloc, reader, sizeof(*reader));
    return r;
}

int ta_arc_index_add(struct ta_arc_index *x, uint32_t file, struct ta_err *err)
{
    struct ta_arc_file *f = &x->files[file];
    char path[TA_PATH_MAX];
    struct ta_stat st;

    int r = ta_host_file_path(path, x->dir, f->name.from_s, f->name.format, "", err);
    if (r >= 0)
        r = x->vfs->stat(x->vfs, path, &st, err);
    if (r < 0)
        return r;
    f->bytes = st.size;
    f->whole = NULL; /* it may have been looked through before, for another part */
    f->mtime_ns = st.mtime_ns;
    if (st.mtime_ns > x->newest_ns)
        return ta_fail(err, TA_ESTATE, "%s was written while it was archived", path);
    r = f->name.format == TA_TREE_BIN ? add_bin(x, file, err) : add_json(x, file, err);
    return r < 0 ? ta_fail_context(err, r, "%s: ", path) : TA_OK;
}

static int compare_series(const struct ta_arc_series *a, const struct ta_arc_series *b)
{
    int c = ta_str_cmp(a->metric, b->metric);

    if (!c)
        c = ta_str_cmp(a->scope, b->scope);
    if (!c)
        c = ta_str_cmp(a->scope_id, b->scope_id);
    return c ? c : ta_str_cmp(a->path, b->path);
}

/* Heap sort: in place, no memory of its own (qsort may take some that no budget sees). What comes from the end
 * of the heap belongs near its end: down to a leaf without comparing it, then up, is half the comparisons. */
static void sift(const struct ta_arc_index *x, uint32_t at, uint32_t n)
{
    uint32_t *v = x->order;
    uint32_t top = v[at];
    uint32_t hole = at;

    for (uint32_t child; (child = 2 * hole + 1) < n; hole = child) {
        if (child + 1 < n && compare_series(&x->series[v[child]], &x->series[v[child + 1]]) < 0)
            child++;
        v[hole] = v[child];
    }
    while (hole > at) {
        uint32_t parent = (hole - 1) / 2;
        if (compare_series(&x->series[v[parent]], &x->series[top]) >= 0)
            break;
        v[hole] = v[parent];
        hole = parent;
    }
    v[hole] = top;
}

void ta_arc_index_sort(struct ta_arc_index *x)
{
    for (uint32_t i = 0; i < x->n_series; i++)
        x->order[i] = i;
    for (uint32_t i = x->n_series / 2; i-- > 0;)
        sift(x, i, x->n_series);
    for (uint32_t n = x->n_series; n > 1; n--) {
        uint32_t t = x->order[0];
        x->order[0] = x->order[n - 1];
        x->order[n - 1] = t;
        sift(x, 0, n - 1);
    }
}

/* The open file's bytes, where they fit beside those of the host's other files. Series are read in the order of
 * rows, which jumps about in the file: a read a series costs more than the values of a short one. */
static int take_whole(struct ta_arc_index *x, struct ta_arc_file *f, struct ta_err *err)
{
    if (f->whole || f->bytes > WHOLE_BYTES - x->wholes_used)
        return TA_OK;
    if (!x->wholes)
        x->wholes = ta_alloc(x->alloc, WHOLE_BYTES);
    if (!x->wholes)
        return TA_OK; /* it goes without */
    int64_t got = ta_pread_full(f->open, x->wholes + x->wholes_used, (size_t)f->bytes, 0, err);
    if (got < 0)
        return (int)got;
    if ((uint64_t)got < f->bytes)
        return TA_OK; /* became shorter: whoever reads behind its end will say so */
    f->whole = x->wholes + x->wholes_used;
    x->wholes_used += (size_t)f->bytes;
    return TA_OK;
}

int ta_arc_values(struct ta_arc_index *x, const struct ta_arc_entry *e, uint32_t from, size_t n,
                  float *out, struct ta_err *err)
{
    struct ta_arc_file *f = &x->files[e->file];
    uint64_t at = e->at + (uint64_t)from * sizeof(*out);

    if (f->name.format == TA_TREE_JSON)
        return ta_snapshot_values(x->spool, e->at, from, n, out, err);
    if (!f->whole) {
        int r = get_file(x, e->file, err);
        if (r >= 0)
            r = take_whole(x, f, err);
        if (r < 0)
            return r;
    }
    if (!f->whole)
        return ta_snapshot_values(f->open, e->at, from, n, out, err);
    if (at + n * sizeof(*out) > f->bytes)
        return ta_fail(err, TA_EFORMAT, "snapshot: the file became shorter");
    memcpy(out, f->whole + at, n * sizeof(*out));
    return TA_OK;
}

bool ta_arc_same_columns(const struct ta_arc_series *a, const struct ta_arc_series *b)
{
    return ta_str_eq(a->metric, b->metric) && ta_str_eq(a->scope, b->scope) &&
           ta_str_eq(a->scope_id, b->scope_id);
}
