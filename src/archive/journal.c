#include "archive/journal.h"

#include "io/json_read.h"
#include "io/json_write.h"

#include <inttypes.h>
#include <stdio.h>

enum { BUFFER = 32 * 1024, LINE_MAX_BYTES = 32 * 1024, OUTPUTS_MAX = 4 << 20 };

static int state_path(char out[static TA_PATH_MAX], const char *state, const char *name,
                      struct ta_err *err)
{
    int n = snprintf(out, TA_PATH_MAX, "%s/%s", state, name);

    return n < 0 || n >= TA_PATH_MAX ? ta_fail(err, TA_ERANGE, "%s: path too long", state) : TA_OK;
}

static int put(struct ta_arc_journal *j, const char *z, struct ta_err *err)
{
    return ta_sink_write(&j->sink.sink, z, strlen(z), err);
}

int ta_arc_journal_begin(struct ta_arc_journal *j, struct ta_vfs *vfs, const char *state,
                         struct ta_alloc *alloc, struct ta_err *err)
{
    char path[TA_PATH_MAX];

    *j = (struct ta_arc_journal){.vfs = vfs, .alloc = alloc, .state = state, .is_first = true};
    ta_buf_init(&j->line, alloc, LINE_MAX_BYTES);
    ta_buf_init(&j->outputs, alloc, OUTPUTS_MAX);
    void *buf = ta_alloc(alloc, BUFFER);
    if (!buf)
        return ta_fail(err, TA_ENOMEM, "no memory for the archive's journal");
    ta_file_sink_init(&j->sink, NULL, 0, buf, BUFFER);
    int r = state_path(path, state, "journal.tmp", err);
    if (r >= 0)
        r = ta_open(vfs, path, TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_TRUNCATE, 0600, &j->file,
                    err);
    if (r < 0)
        return r;
    j->sink.file = j->file;
    return put(j, "{\"sources\":[", err);
}

int ta_arc_journal_source(struct ta_arc_journal *j, struct ta_str cluster, struct ta_str host,
                          const struct ta_arc_file *file, struct ta_err *err)
{
    struct ta_json_writer w;
    char name[32];

    snprintf(name, sizeof(name), "%" PRId64 ".%s", file->name.from_s,
             file->name.format == TA_TREE_BIN ? "bin" : "json");
    ta_buf_reset(&j->line);
    if (!j->is_first)
        (void)ta_buf_z(&j->line, ",\n"); /* the first two bytes of a buffer of 32 KiB */
    j->is_first = false;
    ta_json_writer_init(&w, &j->line);
    ta_json_put_array(&w);
    ta_json_put_str(&w, cluster);
    ta_json_put_str(&w, host);
    ta_json_put_z(&w, name);
    ta_json_put_u64(&w, file->bytes);
    ta_json_put_i64(&w, file->mtime_ns);
    int r = ta_json_put_array_end(&w);
    if (r < 0)
        return ta_fail(err, r, "archive journal: %s", ta_strerror(r));
    j->n_sources++;
    return ta_sink_write(&j->sink.sink, j->line.at, j->line.len, err);
}

int ta_arc_journal_output(struct ta_arc_journal *j, const char *temporary, const char *name,
                          struct ta_err *err)
{
    struct ta_json_writer w;
    int r = j->outputs.len ? ta_buf_z(&j->outputs, ",\n") : TA_OK;

    ta_json_writer_init(&w, &j->outputs);
    ta_json_put_array(&w);
    ta_json_put_z(&w, temporary);
    ta_json_put_z(&w, name);
    if (ta_json_put_array_end(&w) < 0 || r < 0)
        return ta_fail(err, TA_ENOMEM, "archive journal: too many outputs");
    return TA_OK;
}

int ta_arc_journal_commit(struct ta_arc_journal *j, struct ta_err *err)
{
    char from[TA_PATH_MAX];
    char to[TA_PATH_MAX];
    int r = put(j, "],\n\"outputs\":[", err);

    if (r >= 0)
        r = ta_sink_write(&j->sink.sink, j->outputs.at, j->outputs.len, err);
    if (r >= 0)
        r = put(j, "]}\n", err);
    if (r >= 0)
        r = ta_file_sink_flush(&j->sink, err);
    if (r >= 0)
        r = ta_sync(j->file, err);
    if (r >= 0)
        r = ta_close(&j->file, err);
    if (r >= 0)
        r = state_path(from, j->state, "journal.tmp", err);
    if (r >= 0)
        r = state_path(to, j->state, "journal", err);
    if (r >= 0)
        r = j->vfs->rename(j->vfs, from, to, err);
    return r < 0 ? r : j->vfs->sync_dir(j->vfs, j->state, err);
}

void ta_arc_journal_done(struct ta_arc_journal *j)
{
    if (!j->alloc)
        return;
    (void)ta_close(&j->file, NULL); /* a record that was not committed may be lost */
    ta_release(j->alloc, j->sink.buf, BUFFER);
    ta_buf_done(&j->line);
    ta_buf_done(&j->outputs);
    j->alloc = NULL;
}

/* ---- carrying it out ---------------------------------------------------------------------------- */

struct executor {
    struct ta_vfs *vfs;
    const char *state, *root;
    struct ta_arc_place *place;
    struct ta_alloc *alloc;
    struct ta_log *log;
    struct ta_arc_effects *effects;
    struct ta_json_reader *json;
    struct ta_buf text[3];    /* the strings of an item */
    char synced[TA_PATH_MAX]; /* directory from which files were deleted last */
};

/* An array of n_texts strings and n_numbers numbers. 1 = read, 0 = the list ended. */
static int next_item(struct executor *x, unsigned n_texts, int64_t *numbers, unsigned n_numbers,
                     struct ta_err *err)
{
    struct ta_json_token t;
    int r = ta_json_next(x->json, &t, err);

    if (r < 0)
        return r;
    if (t.kind == TA_JSON_ARRAY_END)
        return 0;
    for (unsigned i = 0; i < n_texts; i++) {
        r = ta_json_next(x->json, &t, err);
        if (r < 0)
            return r;
        ta_buf_reset(&x->text[i]);
        if (t.kind != TA_JSON_STRING)
            return ta_json_expected(&t, "a name", err);
        if (ta_buf_str(&x->text[i], t.text) < 0 || ta_buf_byte(&x->text[i], 0) < 0)
            return ta_fail(err, TA_ENOMEM, "archive journal: no memory");
        x->text[i].len--;
    }
    for (unsigned i = 0; i < n_numbers; i++) {
        r = ta_json_next(x->json, &t, err);
        if (r < 0)
            return r;
        if (t.kind != TA_JSON_NUMBER || ta_json_i64(&t, &numbers[i]) < 0)
            return ta_json_expected(&t, "a number", err);
    }
    r = ta_json_next(x->json, &t, err);
    return r < 0 ? r : 1;
}

/* Publishes under the name, or the next one that is free: "<t>-2.parquet" and so on. */
static int publish(struct executor *x, const char *temporary, const char *name, struct ta_err *err)
{
    char path[TA_PATH_MAX];
    char other[TA_PATH_MAX];
    struct ta_err why = {0};
    size_t stem = strlen(name) > 8 ? strlen(name) - 8 : 0; /* ".parquet" */
    int r = state_path(path, x->state, temporary, err);

    if (r < 0)
        return r;
    r = x->place->publish(x->place, path, name, &why);
    for (unsigned i = 2; r == TA_EEXIST && i < 10000; i++) {
        why = (struct ta_err){0};
        snprintf(other, sizeof(other), "%.*s-%u.parquet", (int)stem, name, i);
        r = x->place->publish(x->place, path, other, &why);
    }
    return r < 0 ? ta_fail(err, r, "%s", why.text) : TA_OK;
}

static int do_output(struct executor *x, struct ta_err *err)
{
    const char *temporary = x->text[0].at;
    const char *name = x->text[1].at;
    char path[TA_PATH_MAX];
    struct ta_err why = {0};
    struct ta_stat st;

    if (!ta_is_path_name(ta_str(temporary)))
        return ta_fail(err, TA_EFORMAT, "archive journal: bad name of a temporary file");
    int r = state_path(path, x->state, temporary, err);
    if (r < 0)
        return r;
    r = x->vfs->stat(x->vfs, path, &st, &why);
    if (r >= 0) {
        r = publish(x, temporary, name, err);
        x->effects->published += r >= 0;
        return r;
    }
    if (r != TA_ENOTFOUND)
        return ta_fail(err, r, "%s", why.text);
    r = x->place->exists(x->place, name, err);
    if (r == 0)
        return ta_fail(err, TA_ESTATE,
                       "%s: finished, but neither published nor in %s: its sources are kept", name,
                       x->state);
    return r < 0 ? r : TA_OK;
}

static int sync_host(struct executor *x, const char *dir, struct ta_err *err)
{
    int r = TA_OK;

    if (x->synced[0] && strcmp(x->synced, dir) != 0)
        r = x->vfs->sync_dir(x->vfs, x->synced, err);
    snprintf(x->synced, sizeof(x->synced), "%s", dir);
    return r;
}

static int do_source(struct executor *x, const int64_t numbers[2], struct ta_err *err)
{
    char dir[TA_PATH_MAX];
    char path[TA_PATH_MAX + 64];
    struct ta_err why = {0};
    enum ta_tree_format format;
    struct ta_stat st;
    int64_t from_s;

    int r = ta_host_dir(dir, x->root, ta_buf_view(&x->text[0]), ta_buf_view(&x->text[1]), err);
    if (r < 0)
        return r;
    if (ta_host_file_name(x->text[2].at, &from_s, &format) != 1)
        return ta_fail(err, TA_EFORMAT, "archive journal: bad name of a source");
    snprintf(path, sizeof(path), "%s/%s", dir, x->text[2].at);
    r = x->vfs->stat(x->vfs, path, &st, &why);
    if (r == TA_ENOTFOUND)
        return TA_OK;
    if (r < 0)
        return ta_fail(err, r, "%s", why.text);
    if (st.size != (uint64_t)numbers[0] || st.mtime_ns != numbers[1]) {
        ta_logf(x->log, TA_LOG_WARN, "%s was replaced while it was archived; it is kept", path);
        x->effects->kept++;
        return TA_OK;
    }
    r = x->vfs->unlink(x->vfs, path, err);
    if (r < 0)
        return r;
    x->effects->deleted++;
    return sync_host(x, dir, err);
}

/* One pass over the record for one of its lists. */
static int pass(struct executor *x, const char *list, struct ta_err *err)
{
    bool outputs = strcmp(list, "outputs") == 0;
    struct ta_json_token t;
    int64_t numbers[2] = {0, 0};
    int r;

    while ((r = ta_json_next(x->json, &t, err)) > 0) {
        if (t.kind != TA_JSON_KEY)
            continue;
        if (!ta_str_is(t.text, list)) {
            r = ta_json_skip(x->json, err);
            if (r < 0)
                return r;
            continue;
        }
        r = ta_json_next(x->json, &t, err);
        while (r >= 0 && (r = next_item(x, outputs ? 2 : 3, numbers, outputs ? 0 : 2, err)) > 0)
            r = outputs ? do_output(x, err) : do_source(x, numbers, err);
        if (r < 0)
            return r;
    }
    return r;
}

static int run_pass(struct executor *x, struct ta_file *file, const char *list, struct ta_err *err)
{
    struct ta_file_source source;

    ta_file_source_init(&source, file);
    int r = ta_json_reader_new(&x->json, &source.source, NULL, x->alloc);
    if (r < 0)
        return ta_fail(err, r, "archive journal: no memory for a reader");
    r = pass(x, list, err);
    ta_json_reader_free(x->json);
    x->json = NULL;
    return r;
}

static int execute(struct executor *x, struct ta_file *file, const char *path, struct ta_err *err)
{
    int r = run_pass(x, file, "outputs", err);

    if (r >= 0)
        r = x->vfs->sync_dir(x->vfs, x->state, err);
    if (r >= 0)
        r = run_pass(x, file, "sources", err);
    if (r >= 0 && x->synced[0])
        r = x->vfs->sync_dir(x->vfs, x->synced, err);
    if (r < 0 && r != TA_ESTATE)
        return ta_fail_context(err, r, "%s: ", path);
    /* A record whose output has vanished is of no use any more: the sources are archived again. */
    int u = x->vfs->unlink(x->vfs, path, r < 0 ? NULL : err);
    if (r >= 0 && u >= 0)
        u = x->vfs->sync_dir(x->vfs, x->state, err);
    return r < 0 ? r : u;
}

int ta_arc_journal_execute(struct ta_vfs *vfs, const char *state, const char *root,
                           struct ta_arc_place *place, struct ta_alloc *alloc, struct ta_log *log,
                           struct ta_arc_effects *effects, struct ta_err *err)
{
    struct executor x = {.vfs = vfs,
                         .state = state,
                         .root = root,
                         .place = place,
                         .alloc = alloc,
                         .log = log,
                         .effects = effects};
    struct ta_err why = {0};
    struct ta_file *file = NULL;
    char path[TA_PATH_MAX];

    int r = state_path(path, state, "journal", err);
    if (r < 0)
        return r;
    r = ta_open(vfs, path, TA_OPEN_READ, 0, &file, &why);
    if (r == TA_ENOTFOUND)
        return TA_OK;
    if (r < 0)
        return ta_fail(err, r, "%s", why.text);
    for (size_t i = 0; i < TA_COUNT(x.text); i++)
        ta_buf_init(&x.text[i], alloc, TA_PATH_MAX);
    r = execute(&x, file, path, err);
    for (size_t i = 0; i < TA_COUNT(x.text); i++)
        ta_buf_done(&x.text[i]);
    (void)ta_close(&file, NULL);
    return r;
}
