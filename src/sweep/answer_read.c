#include "sweep/answer_read.h"

#include "rest/result_read.h"
#include "sweep/doc_read.h"

enum { SCRATCH_MORE = 1024 * 1024 }; /* what lists and their tables take beside the text */

static void drop(struct ta_chunk_reader *self, void *item)
{
    (void)self;
    ta_record_free(item);
}

/* The slot of that name. Answers mostly come in the order of the question, so the search begins
 * behind the last hit. */
static struct ta_chunk_slot *find(struct ta_chunk *asked, struct ta_str name, size_t *hint)
{
    for (size_t i = 0; i < asked->n; i++) {
        size_t k = (*hint + i) % asked->n;
        if (ta_str_eq(asked->slot[k].name, name)) {
            *hint = k + 1;
            return &asked->slot[k];
        }
    }
    return NULL;
}

static int take_document(struct ta_answer_reader *a, struct ta_json_reader *j,
                         struct ta_chunk_slot *slot, struct ta_err *err)
{
    struct ta_record *record = NULL;
    struct ta_err why = {0};
    int r = ta_doc_read(j, &a->scratch, a->max_bytes, a->alloc, &record, &why);

    if (r == TA_OK && !ta_str_eq(record->name, slot->name)) {
        ta_record_free(record);
        r = ta_fail(&why, TA_EINVAL, "its RequestName is not its key");
    }
    if (r == TA_EINVAL) {
        slot->state = TA_CHUNK_UNUSABLE;
        ta_logf(a->log, TA_LOG_ERROR, "document of %.*s cannot be used: %s", TA_STR_FMT(slot->name),
                why.text);
        return TA_OK;
    }
    if (r < 0)
        return ta_fail(err, r, "%s", why.text);
    slot->state = TA_CHUNK_FOUND;
    slot->item = record;
    return TA_OK;
}

/* One object of documents, its brace already taken. */
static int read_documents(struct ta_answer_reader *a, struct ta_json_reader *j,
                          struct ta_chunk *asked, size_t *hint, struct ta_err *err)
{
    struct ta_json_token t;
    int r;

    while ((r = ta_json_next(j, &t, err)) > 0 && t.kind == TA_JSON_KEY) {
        struct ta_chunk_slot *slot = find(asked, t.text, hint);
        a->n_unasked += slot == NULL;
        if (slot && slot->state == TA_CHUNK_MISSING)
            r = take_document(a, j, slot, err);
        else
            r = ta_json_skip(j, err); /* of two documents of one name the first counts */
        if (r < 0)
            return r;
    }
    return r < 0 ? r : TA_OK;
}

static int read_result(struct ta_answer_reader *a, struct ta_json_reader *j, struct ta_chunk *asked,
                       struct ta_err *err)
{
    struct ta_json_token t;
    size_t hint = 0;
    int r = ta_result_open(j, err);

    while (r >= 0 && (r = ta_json_next(j, &t, err)) > 0 && t.kind != TA_JSON_ARRAY_END) {
        if (t.kind != TA_JSON_OBJECT)
            return ta_json_expected(&t, "an object of documents", err);
        r = read_documents(a, j, asked, &hint, err);
    }
    return r < 0 ? r : ta_result_close(j, err);
}

static int read_answer(struct ta_chunk_reader *self, struct ta_source *body, struct ta_chunk *asked,
                       struct ta_err *err)
{
    struct ta_answer_reader *a = TA_CONTAINER(self, struct ta_answer_reader, reader);
    struct ta_json_reader *j;
    int r = ta_result_reader_new(&j, body, a->alloc, err);

    if (r < 0)
        return r;
    r = read_result(a, j, asked, err);
    ta_json_reader_free(j);
    return r;
}

void ta_answer_reader_init(struct ta_answer_reader *a, size_t max_bytes, struct ta_log *log,
                           struct ta_alloc *alloc)
{
    *a = (struct ta_answer_reader){
        .reader = {read_answer, drop}, .alloc = alloc, .log = log, .max_bytes = max_bytes};
    ta_arena_init(&a->scratch, alloc, 4 * max_bytes + SCRATCH_MORE);
}

void ta_answer_reader_done(struct ta_answer_reader *a)
{
    ta_arena_done(&a->scratch);
}
