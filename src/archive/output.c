#include "archive/output.h"

#include "parquet/reader.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    BUFFER = 64 * 1024,
    FOOTER_FULL = 5 << 18, /* 1.25 MiB; with 3.5 KiB a host of 30 metrics: 370 hosts a file */
    GROUPS_FULL = 4096
};

static int guard_write(struct ta_sink *self, const void *buf, size_t n, struct ta_err *err)
{
    struct ta_arc_output *o = TA_CONTAINER(self, struct ta_arc_output, guard);
    int r = ta_sink_write(&o->sink.sink, buf, n, err);

    o->is_broken |= r < 0;
    return r;
}

int ta_arc_output_begin(struct ta_arc_output *o, const struct ta_arc_output_conf *conf,
                        unsigned number, struct ta_err *err)
{
    memset(o, 0, sizeof(*o));
    o->conf = conf;
    o->guard.write = guard_write;
    ta_buf_init(&o->sources, conf->alloc, TA_ARC_SOURCES_MAX);
    ta_json_writer_init(&o->json, &o->sources);
    ta_json_put_array(&o->json);
    snprintf(o->temporary, sizeof(o->temporary), "out-%u.tmp", number);
    int n = snprintf(o->path, sizeof(o->path), "%s/%s", conf->state, o->temporary);
    if (n < 0 || n >= TA_PATH_MAX)
        return ta_fail(err, TA_ERANGE, "%s: path too long", conf->state);
    void *buf = ta_alloc(conf->alloc, BUFFER);
    if (!buf)
        return ta_fail(err, TA_ENOMEM, "no memory for an archive file");
    ta_file_sink_init(&o->sink, NULL, 0, buf, BUFFER);
    int r = ta_open(conf->vfs, o->path,
                    TA_OPEN_READ | TA_OPEN_WRITE | TA_OPEN_CREATE | TA_OPEN_TRUNCATE,
                    conf->file_mode, &o->file, err);
    if (r < 0)
        return r;
    o->sink.file = o->file;
    return ta_pq_writer_new(&o->writer, ta_arc_schema(conf->plain), &conf->parquet, &o->guard,
                            conf->alloc, err);
}

int ta_arc_output_source(struct ta_arc_output *o, struct ta_str host,
                         const struct ta_arc_file *file, struct ta_err *err)
{
    char name[32];

    snprintf(name, sizeof(name), "%" PRId64 ".%s", file->name.from_s,
             file->name.format == TA_TREE_BIN ? "bin" : "json");
    if (o->sources.len + 6 * host.len + 128 > TA_ARC_SOURCES_MAX)
        return TA_OK;
    ta_json_put_array(&o->json);
    ta_json_put_str(&o->json, host);
    ta_json_put_z(&o->json, name);
    ta_json_put_u64(&o->json, file->bytes);
    int r = ta_json_put_array_end(&o->json);
    return r < 0 ? ta_fail(err, r, "no memory for the list of sources") : TA_OK;
}

bool ta_arc_output_is_full(const struct ta_arc_output *o)
{
    return ta_pq_writer_footer_bytes(o->writer) > FOOTER_FULL ||
           o->sources.len > TA_ARC_SOURCES_MAX / 2 || ta_pq_writer_groups(o->writer) > GROUPS_FULL;
}

static int verify(struct ta_arc_output *o, const uint64_t *digests, struct ta_err *err)
{
    struct ta_pq_reader *reader = NULL;
    int r = ta_pq_reader_open(&reader, o->file, NULL, o->conf->alloc, err);

    if (r >= 0)
        r = ta_pq_reader_verify(reader, ta_arc_schema(o->conf->plain), o->rows, digests, err);
    ta_pq_reader_close(reader);
    return r < 0 ? ta_fail_context(err, r, "%s: ", o->path) : TA_OK;
}

int ta_arc_output_finish(struct ta_arc_output *o, struct ta_str cluster, struct ta_err *err)
{
    uint64_t digests[TA_ARC_COLUMNS];
    int r = ta_json_put_array_end(&o->json);

    if (r < 0)
        return ta_fail(err, r, "no memory for the list of sources");
    r = ta_pq_writer_meta(o->writer, "tarn.cluster", cluster, err);
    if (r >= 0)
        r = ta_pq_writer_meta(o->writer, "tarn.sources", ta_buf_view(&o->sources), err);
    if (r >= 0)
        r = ta_pq_writer_finish(o->writer, err);
    if (r >= 0)
        r = ta_file_sink_flush(&o->sink, err);
    if (r >= 0)
        r = ta_sync(o->file, err);
    if (r < 0)
        return r;
    o->rows = ta_pq_writer_rows(o->writer);
    o->bytes = ta_pq_writer_bytes(o->writer);
    ta_pq_writer_digests(o->writer, digests);
    ta_pq_writer_free(o->writer);
    o->writer = NULL;
    r = verify(o, digests, err);
    if (r >= 0)
        r = ta_close(&o->file, err);
    /* The temporary name must be as durable as the content: the journal is going to name it. */
    return r < 0 ? r : o->conf->vfs->sync_dir(o->conf->vfs, o->conf->state, err);
}

void ta_arc_output_end(struct ta_arc_output *o, bool keep)
{
    if (!o->conf)
        return;
    ta_pq_writer_free(o->writer);
    (void)ta_close(&o->file, NULL); /* after finish it is closed; before, it is given up */
    ta_release(o->conf->alloc, o->sink.buf, BUFFER);
    ta_buf_done(&o->sources);
    if (!keep)
        (void)o->conf->vfs->unlink(o->conf->vfs, o->path,
                                   NULL); /* a leftover goes at the next run */
    o->conf = NULL;
}
