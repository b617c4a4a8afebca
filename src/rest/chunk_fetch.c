#include "rest/chunk_fetch.h"

#include "io/json_write.h"

#include <stdio.h>

enum {
    BODY_MAX = 2 * 1024 * 1024,
    URL_MAX = 6000,         /* what front ends take */
    SINGLES_FAILING_MAX = 5 /* consecutive single names: then it is the service, not the name */
};

void ta_chunk_feed_init(struct ta_chunk_feed *f, struct ta_id_spool *names, size_t chunk_size)
{
    *f =
        (struct ta_chunk_feed){.chunk_size = chunk_size < TA_CHUNK_MAX ? chunk_size : TA_CHUNK_MAX};
    (void)pthread_mutex_init(&f->lock, NULL); /* fills a struct: cannot fail here */
    ta_id_cursor_init(&f->cursor, names);
}

void ta_chunk_feed_done(struct ta_chunk_feed *f)
{
    ta_id_cursor_done(&f->cursor);
    pthread_mutex_destroy(&f->lock);
}

int ta_chunk_take(struct ta_chunk_feed *feed, struct ta_arena *arena, struct ta_chunk *out,
                  struct ta_err *err)
{
    size_t max = atomic_load(&feed->chunk_size);
    struct ta_chunk c = {.slot = ta_arena_get(arena, max * sizeof(*c.slot))};
    struct ta_str name;
    int r = TA_OK;

    if (!c.slot)
        return ta_fail(err, TA_ENOMEM, "a chunk of names");
    pthread_mutex_lock(&feed->lock);
    while (c.n < max && (r = ta_id_cursor_next(&feed->cursor, &name, err)) > 0) {
        struct ta_str copy = ta_arena_copy(arena, name);
        if (!copy.at) {
            r = ta_fail(err, TA_ENOMEM, "a chunk of names");
            break;
        }
        c.slot[c.n++] = (struct ta_chunk_slot){.name = copy};
    }
    pthread_mutex_unlock(&feed->lock);
    if (r < 0)
        return r;
    *out = c;
    return c.n > 0;
}

/* ---- one request -------------------------------------------------------------------------------- */

struct reading {
    struct ta_chunk_fetcher *f;
    struct ta_chunk *part;
};

static void forget(struct ta_chunk_fetcher *f, struct ta_chunk *part, enum ta_chunk_state state)
{
    for (size_t i = 0; i < part->n; i++) {
        if (part->slot[i].item)
            f->reader->drop(f->reader, part->slot[i].item);
        part->slot[i].item = NULL;
        part->slot[i].state = state;
    }
}

static int read_part(void *self, struct ta_source *body, struct ta_err *err)
{
    struct reading *r = self;

    forget(r->f, r->part, TA_CHUNK_MISSING);
    return r->f->reader->read(r->f->reader, body, r->part, err);
}

static int write_names(const struct ta_chunk *part, struct ta_buf *out)
{
    struct ta_json_writer w;

    ta_json_writer_init(&w, out);
    ta_json_put_array(&w);
    for (size_t i = 0; i < part->n; i++)
        ta_json_put_str(&w, part->slot[i].name);
    return ta_json_put_array_end(&w);
}

/* As many names as the URL has room for; the number taken. */
static size_t write_url(const struct ta_chunk_fetcher *f, const struct ta_chunk *part,
                        struct ta_buf *out)
{
    size_t n = 0;

    if (ta_buf_z(out, f->get_url) < 0)
        return 0;
    for (; n < part->n; n++) {
        size_t before = out->len;
        if (ta_buf_z(out, n ? "&name=" : "?name=") < 0 ||
            ta_rest_encode(out, part->slot[n].name, false) < 0 || out->len >= URL_MAX) {
            out->len = before;
            break;
        }
    }
    return ta_buf_byte(out, 0) < 0 ? 0 : n;
}

static int ask(struct ta_chunk_fetcher *f, struct ta_chunk *part, struct ta_call_end *end,
               struct ta_err *err)
{
    struct reading reading = {f, part};
    struct ta_call call = {.method = "POST",
                           .url = f->post_url,
                           .headers = f->headers,
                           .n_headers = f->n_headers,
                           .upstream = f->upstream,
                           .read = read_part,
                           .self = &reading};
    struct ta_buf text;
    int r;

    *end = (struct ta_call_end){0};
    ta_buf_init(&text, f->alloc, BODY_MAX);
    if (atomic_load(&f->feed->uses_get)) {
        size_t n = write_url(f, part, &text);
        if (n < part->n) { /* as if the service had said so */
            end->status = 414;
            r = ta_fail(err, n ? TA_EIO : TA_ENOMEM, "the names of a chunk make a long URL");
            ta_buf_done(&text);
            return r;
        }
        call.method = "GET";
        call.url = text.at;
    } else {
        r = write_names(part, &text);
        call.body = ta_buf_view(&text);
        if (r < 0) {
            ta_buf_done(&text);
            return ta_fail(err, r, "the names of a chunk");
        }
    }
    r = ta_caller_call(f->caller, &call, end, err);
    ta_buf_done(&text);
    return r;
}

/* ---- halves ------------------------------------------------------------------------------------- */

struct splitting {
    struct ta_chunk_fetcher *f;
    unsigned failing_singles; /* in a row */
    bool gives_up;
    int final; /* TA_ECANCELED or TA_ENOMEM: nothing more is asked */
};

static bool is_too_large(int status)
{
    return status == 413 || status == 414;
}

/* Answers that a repeat cannot change. */
static bool wants_other_way(struct ta_chunk_fetcher *f, int status)
{
    if ((status != 404 && status != 405) || !f->get_url || atomic_load(&f->feed->uses_get))
        return false;
    atomic_store(&f->feed->uses_get, true);
    return true;
}

/* One part with its repeats: TA_OK, or the last failure. */
static int ask_again(struct splitting *s, struct ta_chunk *part, struct ta_call_end *end,
                     struct ta_err *err)
{
    struct ta_chunk_fetcher *f = s->f;
    int r = TA_OK;

    for (unsigned i = 0; i <= f->retries; i++) {
        struct ta_err why = {0};
        r = ask(f, part, end, &why);
        if (r < 0 && wants_other_way(f, end->status)) {
            why = (struct ta_err){0};
            r = ask(f, part, end, &why);
        }
        if (r == TA_OK)
            return TA_OK;
        forget(f, part, TA_CHUNK_FAILED);
        if (err)
            *err = why;
        if (r == TA_ECANCELED || r == TA_ENOMEM || is_too_large(end->status))
            break;
        if (i < f->retries) {
            int64_t ms = i < 5 ? (int64_t)250 << i : 10000;
            int waited = ta_caller_wait(f->caller, ms);
            if (waited < 0)
                return waited;
        }
    }
    return r;
}

static void note_single(struct splitting *s, const struct ta_chunk *part, const struct ta_err *err)
{
    ta_logf(s->f->log, TA_LOG_ERROR, "document of %.*s not fetched: %s",
            TA_STR_FMT(part->slot[0].name), err->text);
    if (++s->failing_singles >= SINGLES_FAILING_MAX)
        s->gives_up = true;
}

/* Halves nest at most ten deep: a chunk has at most 1,000 names. */
static void fetch_part(struct splitting *s, struct ta_chunk part)
{
    struct ta_call_end end;
    struct ta_err err = {0};

    if (s->gives_up || s->final) {
        forget(s->f, &part, TA_CHUNK_FAILED);
        return;
    }
    int r = ask_again(s, &part, &end, &err);
    if (r == TA_OK) {
        s->failing_singles = 0;
        return;
    }
    if (r == TA_ECANCELED || r == TA_ENOMEM) {
        s->final = r;
        return;
    }
    if (is_too_large(end.status) && part.n > 1) {
        size_t half = (part.n + 1) / 2, now = atomic_load(&s->f->feed->chunk_size);
        if (half < now)
            atomic_store(&s->f->feed->chunk_size, half);
    } else if (end.status == 0) {
        s->gives_up = true;
        ta_logf(s->f->log, TA_LOG_ERROR, "a chunk of %zu documents not fetched: %s", part.n,
                err.text);
        return;
    }
    if (part.n == 1) {
        note_single(s, &part, &err);
        return;
    }
    size_t half = part.n / 2;
    fetch_part(s, (struct ta_chunk){part.slot, half});
    fetch_part(s, (struct ta_chunk){part.slot + half, part.n - half});
}

int ta_chunk_fetch(struct ta_chunk_fetcher *f, struct ta_chunk *chunk, struct ta_err *err)
{
    struct splitting s = {.f = f};

    fetch_part(&s, *chunk);
    if (s.final) {
        forget(f, chunk, TA_CHUNK_FAILED);
        return ta_fail(err, s.final, "fetching documents: %s", ta_strerror(s.final));
    }
    return TA_OK;
}
