#include "jobs/export_file.h"

#include "parquet/reader.h"

#include <stdio.h>

enum { BUFFER = 64 * 1024, NUMBERS_MAX = 1000000, MODE_DEFAULT = 0640 };

int ta_export_path(char out[static TA_EXPORT_PATH], const char *state, struct ta_err *err)
{
    int n = snprintf(out, TA_EXPORT_PATH, "%s/export.parquet.tmp", state);

    return n < 0 || n >= TA_EXPORT_PATH ? ta_fail(err, TA_ERANGE, "%s: path too long", state)
                                        : TA_OK;
}

int ta_export_begin(struct ta_export_file *f, const struct ta_export_conf *conf, struct ta_err *err)
{
    struct ta_pq_options options = conf->parquet;

    *f = (struct ta_export_file){.conf = conf};
    options.with_digests = true;
    int r = ta_export_path(f->path, conf->state, err);
    if (r < 0)
        return r;
    void *buf = ta_alloc(conf->alloc, BUFFER);
    if (!buf)
        return ta_fail(err, TA_ENOMEM, "no memory for a Parquet file");
    ta_file_sink_init(&f->sink, NULL, 0, buf, BUFFER);
    r = ta_open(conf->vfs, f->path,
                TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_TRUNCATE,
                conf->file_mode ? conf->file_mode : MODE_DEFAULT, &f->file, err);
    if (r < 0)
        return r;
    f->is_there = true;
    f->sink.file = f->file;
    return ta_pq_writer_new(&f->writer, conf->schema, &options, &f->sink.sink, conf->alloc, err);
}

static int verify(struct ta_export_file *f, const uint64_t *digests, struct ta_err *err)
{
    const struct ta_pq_limits limits = {.page_max = f->conf->page_max};
    struct ta_pq_reader *reader = NULL;
    int r = ta_pq_reader_open(&reader, f->file, &limits, f->conf->alloc, err);

    if (r >= 0)
        r = ta_pq_reader_verify(reader, f->conf->schema, f->rows, digests, err);
    ta_pq_reader_close(reader);
    return r < 0 ? ta_fail_context(err, r, "%s: ", f->path) : TA_OK;
}

int ta_export_finish(struct ta_export_file *f, struct ta_err *err)
{
    uint64_t digests[TA_PQ_COLUMNS_MAX];
    int r = ta_pq_writer_finish(f->writer, err);

    if (r >= 0)
        r = ta_file_sink_flush(&f->sink, err);
    if (r >= 0)
        r = ta_sync(f->file, err);
    if (r < 0)
        return r;
    f->rows = ta_pq_writer_rows(f->writer);
    f->bytes = ta_pq_writer_bytes(f->writer);
    ta_pq_writer_digests(f->writer, digests);
    ta_pq_writer_free(f->writer);
    f->writer = NULL;
    r = verify(f, digests, err);
    if (r >= 0)
        r = ta_close(&f->file, err);
    return r < 0 ? r : f->conf->vfs->sync_dir(f->conf->vfs, f->conf->state, err);
}

int ta_export_name(const struct ta_export_conf *conf, unsigned *number,
                   char out[static TA_EXPORT_NAME], struct ta_err *err)
{
    while (++*number < NUMBERS_MAX) {
        int n = snprintf(out, TA_EXPORT_NAME, "%s%s-%s-%03u.parquet", conf->under, conf->prefix,
                         conf->date, *number);
        if (n < 0 || n >= TA_EXPORT_NAME)
            return ta_fail(err, TA_ERANGE, "%s%s: name too long", conf->under, conf->prefix);
        int r = conf->place->exists(conf->place, out, err);
        if (r <= 0)
            return r;
    }
    return ta_fail(err, TA_ERANGE, "%s%s-%s: no number is free", conf->under, conf->prefix,
                   conf->date);
}

int ta_export_publish(struct ta_export_file *f, unsigned *number,
                      char out_name[static TA_EXPORT_NAME], struct ta_err *err)
{
    const struct ta_export_conf *conf = f->conf;

    for (;;) {
        struct ta_err why = {0};
        int r = ta_export_name(conf, number, out_name, err);
        if (r < 0)
            return r;
        r = conf->place->publish(conf->place, f->path, out_name, &why);
        /* Somebody took the name between the look and the deed. */
        if (r == TA_EEXIST && conf->place->exists(conf->place, out_name, NULL) > 0)
            continue;
        if (r < 0)
            return ta_fail(err, r, "%s", why.text);
        f->is_there = false;
        return TA_OK;
    }
}

void ta_export_end(struct ta_export_file *f)
{
    if (!f->conf)
        return;
    ta_pq_writer_free(f->writer);
    (void)ta_close(&f->file, NULL); /* after finish it is closed; before, it is given up */
    ta_release(f->conf->alloc, f->sink.buf, BUFFER);
    if (f->is_there)
        (void)f->conf->vfs->unlink(f->conf->vfs, f->path, NULL); /* the next run overwrites it */
    f->conf = NULL;
}
