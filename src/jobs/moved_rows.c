#include "jobs/moved_rows.h"

#include "base/bytes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

enum { BUFFER = 64 * 1024, ROW = 16, RECORD_MAX = 1024 };

#define HEAD "tarn moved rows 1\n"

static int path_of(const struct ta_moved_rows *m, const char *name, char out[static TA_EXPORT_PATH],
                   struct ta_err *err)
{
    int n = snprintf(out, TA_EXPORT_PATH, "%s/%s", m->state, name);

    return n < 0 || n >= TA_EXPORT_PATH ? ta_fail(err, TA_ERANGE, "%s: path too long", m->state)
                                        : TA_OK;
}

static int start(struct ta_moved_rows *m, struct ta_vfs *vfs, const char *state,
                 struct ta_alloc *alloc, unsigned flags, struct ta_err *err)
{
    char path[TA_EXPORT_PATH];

    *m = (struct ta_moved_rows){.vfs = vfs, .alloc = alloc, .state = state};
    int r = path_of(m, "moved.ids", path, err);
    if (r < 0)
        return r;
    m->buf = ta_alloc(alloc, BUFFER);
    if (!m->buf)
        return ta_fail(err, TA_ENOMEM, "no memory for the list of moved rows");
    return ta_open(vfs, path, flags, 0600, &m->file, err);
}

int ta_moved_rows_begin(struct ta_moved_rows *m, struct ta_vfs *vfs, const char *state,
                        struct ta_alloc *alloc, struct ta_err *err)
{
    int r = start(m, vfs, state, alloc,
                  TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_TRUNCATE, err);

    if (r >= 0)
        ta_file_sink_init(&m->sink, m->file, 0, m->buf, BUFFER);
    return r;
}

static uint64_t add_hash(uint64_t hash, const unsigned char row[ROW])
{
    return XXH64(row, ROW, hash);
}

int ta_moved_rows_add(struct ta_moved_rows *m, struct ta_moved_row row, struct ta_err *err)
{
    unsigned char bytes[ROW];

    ta_put_u64(bytes, (uint64_t)row.id);
    ta_put_u64(bytes + 8, (uint64_t)row.time_s);
    m->hash = add_hash(m->hash, bytes);
    m->rows++;
    return ta_sink_write(&m->sink.sink, bytes, ROW, err);
}

int ta_moved_rows_seal(struct ta_moved_rows *m, struct ta_err *err)
{
    int r = ta_file_sink_flush(&m->sink, err);

    return r < 0 ? r : ta_sync(m->file, err);
}

int ta_moved_rows_commit(struct ta_moved_rows *m, const char *name, struct ta_err *err)
{
    char path[TA_EXPORT_PATH], temporary[TA_EXPORT_PATH], text[RECORD_MAX];
    struct ta_file *file = NULL;
    int r = path_of(m, "moved.record", path, err);

    if (r >= 0)
        r = path_of(m, "moved.record.tmp", temporary, err);
    if (r < 0)
        return r;
    int n = snprintf(text, sizeof(text), HEAD "%s\n%" PRIu64 "\n%016" PRIx64 "\n", name, m->rows,
                     m->hash);
    if (n < 0 || n >= RECORD_MAX || strlen(name) >= sizeof(m->name))
        return ta_fail(err, TA_ERANGE, "%s: name too long", name);
    snprintf(m->name, sizeof(m->name), "%s", name);
    r = ta_open(m->vfs, temporary, TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_TRUNCATE, 0600, &file,
                err);
    if (r >= 0)
        r = ta_pwrite_full(file, text, (size_t)n, 0, err);
    if (r >= 0)
        r = ta_sync(file, err);
    int closed = ta_close(&file, err);
    r = r < 0 ? r : closed;
    if (r >= 0)
        r = m->vfs->rename(m->vfs, temporary, path, err);
    return r < 0 ? r : m->vfs->sync_dir(m->vfs, m->state, err);
}

/* Takes the record apart in place. */
static int parse(struct ta_moved_rows *m, char *text, uint64_t *rows, uint64_t *hash)
{
    char *name = text + sizeof(HEAD) - 1;
    char *end;

    if (strncmp(text, HEAD, sizeof(HEAD) - 1) != 0)
        return TA_EFORMAT;
    char *line = strchr(name, '\n');
    if (!line || line == name || (size_t)(line - name) >= sizeof(m->name))
        return TA_EFORMAT;
    *line = 0;
    memcpy(m->name, name, (size_t)(line - name) + 1);
    *rows = strtoull(line + 1, &end, 10);
    if (*end != '\n')
        return TA_EFORMAT;
    *hash = strtoull(end + 1, &end, 16);
    return strcmp(end, "\n") == 0 ? TA_OK : TA_EFORMAT;
}

static int read_record(struct ta_moved_rows *m, uint64_t *rows, uint64_t *hash, struct ta_err *err)
{
    char path[TA_EXPORT_PATH], text[RECORD_MAX];
    struct ta_err why = {0};
    struct ta_file *file = NULL;
    int r = path_of(m, "moved.record", path, err);

    if (r < 0)
        return r;
    r = ta_open(m->vfs, path, TA_OPEN_READ, 0, &file, &why);
    if (r == TA_ENOTFOUND)
        return 0;
    if (r < 0)
        return ta_fail(err, r, "%s", why.text);
    int64_t n = ta_pread_full(file, text, sizeof(text) - 1, 0, err);
    (void)ta_close(&file, NULL); /* only read */
    if (n < 0)
        return (int)n;
    text[n] = 0;
    return parse(m, text, rows, hash) < 0 ? ta_fail(err, TA_EFORMAT, "%s: not a record", path) : 1;
}

int ta_moved_rows_rewind(struct ta_moved_rows *m)
{
    m->at = m->len = 0;
    m->given = 0;
    ta_file_source_init(&m->source, m->file);
    return TA_OK;
}

int ta_moved_rows_next(struct ta_moved_rows *m, struct ta_moved_row *out, struct ta_err *err)
{
    if (m->at == m->len) {
        int64_t n = ta_read_full(&m->source.source, m->buf, BUFFER, err);
        if (n <= 0)
            return n < 0 ? (int)n
                   : m->given == m->rows
                       ? 0
                       : ta_fail(err, TA_EFORMAT, "%s/moved.ids: cut off", m->state);
        if (n % ROW || m->given + (uint64_t)n / ROW > m->rows)
            return ta_fail(err, TA_EFORMAT, "%s/moved.ids: another length than its record says",
                           m->state);
        m->at = 0;
        m->len = (size_t)n;
    }
    out->id = (int64_t)ta_get_u64(m->buf + m->at);
    out->time_s = (int64_t)ta_get_u64(m->buf + m->at + 8);
    m->at += ROW;
    m->given++;
    return 1;
}

/* Reads the list once, and compares it with its record. */
static int verify(struct ta_moved_rows *m, uint64_t hash, struct ta_err *err)
{
    struct ta_moved_row row;
    int r;

    m->hash = 0;
    ta_moved_rows_rewind(m);
    while ((r = ta_moved_rows_next(m, &row, err)) > 0)
        m->hash = add_hash(m->hash, m->buf + m->at - ROW);
    if (r >= 0 && m->hash != hash)
        r = ta_fail(err, TA_EFORMAT, "%s/moved.ids: not the list that was recorded", m->state);
    return r < 0 ? r : ta_moved_rows_rewind(m);
}

int ta_moved_rows_open(struct ta_moved_rows *m, struct ta_vfs *vfs, const char *state,
                       struct ta_alloc *alloc, struct ta_err *err)
{
    uint64_t rows = 0;
    uint64_t hash = 0;

    *m = (struct ta_moved_rows){.vfs = vfs, .alloc = alloc, .state = state};
    int r = read_record(m, &rows, &hash, err);
    if (r <= 0)
        return r;
    char name[TA_EXPORT_NAME];
    memcpy(name, m->name, sizeof(name));
    r = start(m, vfs, state, alloc, TA_OPEN_READ, err);
    if (r < 0)
        return r;
    memcpy(m->name, name, sizeof(name));
    m->rows = rows;
    r = verify(m, hash, err);
    return r < 0 ? r : 1;
}

int ta_moved_rows_publish(struct ta_moved_rows *m, const struct ta_export_conf *conf,
                          unsigned *number, struct ta_err *err)
{
    struct ta_arc_place *place = conf->place;
    char path[TA_EXPORT_PATH];
    char name[TA_EXPORT_NAME];

    int r = ta_export_path(path, conf->state, err);
    if (r < 0)
        return r;
    for (;;) {
        struct ta_err why = {0};
        r = place->publish(place, path, m->name, &why);
        if (r >= 0)
            return TA_OK;
        if (r != TA_EEXIST || place->exists(place, m->name, NULL) <= 0)
            return ta_fail(err, r, "%s", why.text);
        r = ta_export_name(conf, number, name, err);
        if (r >= 0)
            r = ta_moved_rows_commit(m, name, err);
        if (r < 0)
            return r;
    }
}

int ta_moved_rows_settle(struct ta_moved_rows *m, const struct ta_export_conf *conf,
                         unsigned *number, struct ta_err *err)
{
    char path[TA_EXPORT_PATH];
    struct ta_err why = {0};
    struct ta_stat st;

    int r = ta_export_path(path, conf->state, err);
    if (r < 0)
        return r;
    r = conf->vfs->stat(conf->vfs, path, &st, &why);
    if (r == TA_ENOTFOUND)
        return conf->place->exists(conf->place, m->name, err);
    if (r < 0)
        return ta_fail(err, r, "%s", why.text);
    r = ta_moved_rows_publish(m, conf, number, err);
    return r < 0 ? r : 1;
}

int ta_moved_rows_forget(struct ta_moved_rows *m, struct ta_err *err)
{
    char path[TA_EXPORT_PATH];
    int r = path_of(m, "moved.record", path, err);

    if (r >= 0)
        r = m->vfs->unlink(m->vfs, path, err);
    if (r >= 0)
        r = m->vfs->sync_dir(m->vfs, m->state, err);
    if (r < 0)
        return r;
    /* Without a record the list means nothing: the next run overwrites it. */
    if (path_of(m, "moved.ids", path, NULL) >= 0)
        (void)m->vfs->unlink(m->vfs, path, NULL);
    return TA_OK;
}

void ta_moved_rows_done(struct ta_moved_rows *m)
{
    (void)ta_close(&m->file, NULL); /* sealed, or given up */
    if (m->alloc)
        ta_release(m->alloc, m->buf, BUFFER);
    m->buf = NULL;
}
