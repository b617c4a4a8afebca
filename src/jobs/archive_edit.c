/* archive_edit.c - see archive_edit.h. */
#include "jobs/archive_edit.h"

#include <string.h>

enum { READER_BYTES = 64 * 1024 };

struct edit {
    const struct ta_job *job;
    struct ta_arena *arena;
    struct ta_alloc *alloc;
    struct ta_buf old, now; /* the document, before and after */
    struct ta_json_writer w;
    bool has_tags, has_meta; /* written already */
};

/* ---- metadata ----------------------------------------------------------------------------------- */

/* Both maps are sorted; of a key that both have, the value of the job counts. */
static int merge(struct edit *e, const struct ta_job_texts *archived, struct ta_job_texts *out)
{
    const struct ta_job_texts *own = &e->job->meta_data;
    struct ta_job_text *at = ta_arena_get(e->arena, (own->n + archived->n) * sizeof(*at));
    size_t i = 0, k = 0, n = 0;

    if (!at)
        return TA_ENOMEM;
    while (i < own->n || k < archived->n) {
        int c = i == own->n        ? 1
                : k == archived->n ? -1
                                   : ta_str_cmp(own->at[i].key, archived->at[k].key);

        at[n++] = c <= 0 ? own->at[i] : archived->at[k];
        i += c <= 0;
        k += c >= 0;
    }
    *out = (struct ta_job_texts){n || own->at || archived->at ? at : NULL, n};
    return TA_OK;
}

static int write_meta(struct edit *e, struct ta_str archived, struct ta_err *err)
{
    struct ta_job job = {0};
    int r = ta_job_read_member(&job, TA_JOB_META_DATA, archived, e->arena, e->alloc, err);

    if (r < 0)
        return ta_fail_context(err, r, "metaData: ");
    if (merge(e, &job.meta_data, &job.meta_data) < 0)
        return ta_fail(err, TA_ENOMEM, "no memory for a job's metadata");
    ta_json_put_key(&e->w, "metaData");
    (void)ta_job_write_member(&e->w, &job, TA_JOB_META_DATA); /* the writer remembers */
    e->has_meta = true;
    return TA_OK;
}

/* None at all rather than an empty list, as in a new document. */
static void write_tags(struct edit *e)
{
    if (e->job->tags.n && !e->has_tags) {
        ta_json_put_key(&e->w, "tags");
        (void)ta_job_write_member(&e->w, e->job, TA_JOB_TAGS); /* the writer remembers */
    }
    e->has_tags = true;
}

/* ---- the document ------------------------------------------------------------------------------- */

/* The bytes of the value behind a key: what the reader passes over, without colon and white space. */
static int take_value(struct edit *e, struct ta_json_reader *json, struct ta_str *out,
                      struct ta_err *err)
{
    const char *from = e->old.at + ta_json_offset(json), *to;
    int r = ta_json_skip(json, err);

    if (r < 0)
        return r;
    to = e->old.at + ta_json_offset(json);
    while (from < to && (*from == ':' || strchr(" \t\r\n", *from)))
        from++;
    *out = (struct ta_str){from, (size_t)(to - from)};
    return TA_OK;
}

static int write_member(struct edit *e, struct ta_json_reader *json, struct ta_str key,
                        struct ta_err *err)
{
    struct ta_str value;
    bool is_tags = ta_str_is(key, "tags"), is_meta = ta_str_is(key, "metaData");
    int r = TA_OK;

    if (!is_tags && !is_meta)
        ta_json_put_key_str(&e->w, key);
    r = take_value(e, json, &value, err);
    if (r < 0)
        return r;
    if (is_tags)
        write_tags(e);
    else if (is_meta)
        return e->has_meta ? TA_OK : write_meta(e, value, err);
    else
        ta_json_put_raw(&e->w, value);
    return TA_OK;
}

static int write_members(struct edit *e, struct ta_json_reader *json, struct ta_err *err)
{
    struct ta_json_token token;
    int r = ta_json_next(json, &token, err);

    if (r > 0 && token.kind != TA_JSON_OBJECT)
        return ta_json_expected(&token, "an object", err);
    ta_json_put_object(&e->w);
    while (r > 0 && (r = ta_json_next(json, &token, err)) > 0 && token.kind == TA_JSON_KEY) {
        int failed = write_member(e, json, token.text, err);

        r = failed < 0 ? failed : 1;
    }
    if (r >= 0)
        write_tags(e);
    if (r >= 0 && !e->has_meta)
        r = write_meta(e, TA_STR("null"), err);
    ta_json_put_object_end(&e->w);
    return r < 0 ? r : TA_OK;
}

static int rewrite(struct edit *e, struct ta_err *err)
{
    const struct ta_json_limits limits = {.buffer = READER_BYTES};
    struct ta_json_reader *json;
    struct ta_mem_source src;

    ta_mem_source_init(&src, e->old.at, e->old.len, 0);
    if (ta_json_reader_new(&json, &src.source, &limits, e->alloc) < 0)
        return ta_fail(err, TA_ENOMEM, "no memory to read metadata");
    ta_json_writer_init(&e->w, &e->now);
    int r = write_members(e, json, err);
    if (r >= 0)
        r = ta_json_finish(json, err);
    ta_json_reader_free(json);
    if (r >= 0 && (e->w.error || ta_buf_byte(&e->now, '\n') < 0))
        r = ta_fail(err, e->w.error ? e->w.error : TA_ENOMEM, "the metadata: %s",
                    ta_strerror(e->w.error ? e->w.error : TA_ENOMEM));
    return r;
}

int ta_archive_edit(struct ta_backend *b, const struct ta_job *job, struct ta_arena *arena,
                    struct ta_alloc *alloc, struct ta_err *err)
{
    const struct ta_job_address at = {job->cluster, job->job_id, job->start_time};
    struct edit e = {.job = job, .arena = arena, .alloc = alloc};

    ta_buf_init(&e.old, alloc, TA_BACKEND_META_MAX);
    ta_buf_init(&e.now, alloc, TA_BACKEND_META_MAX);
    int r = ta_backend_read_meta(b, &at, &e.old, err);
    if (r >= 0 && (r = rewrite(&e, err)) < 0)
        (void)ta_fail_context(err, r, "%s: metadata in the archive: ", b->name);
    if (r >= 0 && !ta_str_eq(ta_buf_view(&e.old), ta_buf_view(&e.now))) {
        r = ta_backend_put_meta(b, &at, ta_buf_view(&e.now), err);
        r = r < 0 ? r : 1;
    }
    ta_buf_done(&e.old);
    ta_buf_done(&e.now);
    return r;
}
