/* rows.c - a batch of samples of one host, under the lock, in the order that journal.h demands. */
#include "ingest/ingest_int.h"

enum { PREFETCH_ROWS = 16 };

static void form_key(const struct forms *t, uint32_t form, struct ta_column_key *out)
{
    const struct form *f = &t->at[form];
    const char *type = form_text(t, f) + f->before + f->after;

    out->metric = f->metric;
    out->type = (struct ta_str){type, f->type};
    out->stype = (struct ta_str){type + f->type, f->stype};
}

static void move_row(struct rows *rows, size_t to, size_t from)
{
    if (to == from)
        return;
    rows->form[to] = rows->form[from];
    rows->column[to] = rows->column[from];
    rows->ts_s[to] = rows->ts_s[from];
    rows->value[to] = rows->value[from];
    rows->line[to] = rows->line[from];
}

/* The column of row i by its key, and into the cache. */
static int64_t look_up(struct ta_ingest *in, struct ta_writer *w, uint32_t form)
{
    struct ta_column_key key = in->loose;

    if (form != FORM_NONE)
        form_key(&in->forms, form, &key);
    int64_t column = ta_writer_column(w, &key);
    if (column >= 0 && form != FORM_NONE) {
        struct column_slot *slot = forms_column(&in->forms, w->shape_id, form);
        slot->key = column_key(w->shape_id, form);
        slot->column = column;
    }
    return column;
}

/* New column numbers for rows [at, end): the host moved to a shape of its own. */
static int resolve_again(struct ta_ingest *in, struct ta_writer *w, size_t at, size_t end)
{
    for (size_t i = at; i < end; i++) {
        int64_t column = look_up(in, w, in->rows.form[i]);
        if (column < 0)
            return TA_ENOMEM;
        in->rows.column[i] = (uint32_t)column;
    }
    return TA_OK;
}

/* Fills rows->column[at..n); rows for which the host has no room are dropped. */
static int resolve(struct ta_ingest *in, struct ta_feed *f, struct ta_writer *w, size_t at)
{
    struct rows *rows = &in->rows;
    size_t kept = at;
    uint32_t shape = w->shape_id;
    int r = TA_OK;

    for (size_t i = at; i < rows->n; i++) {
        uint32_t form = rows->form[i];
        int64_t column = form == FORM_NONE ? -1 : forms_known_column(&in->forms, shape, form);
        if (r == TA_OK && column < 0) {
            column = look_up(in, w, form);
            if (column == TA_ENOMEM) {
                r = TA_ENOMEM; /* the rest stays for another try */
            } else if (column < 0) {
                rules_refuse(f, TA_REFUSED_COLUMNS, rows->line[i], "the host has too many series");
                continue;
            }
        }
        rows->column[i] = (uint32_t)column;
        ta_writer_prefetch_far(w, (uint32_t)column);
        move_row(rows, kept++, i);
        if (r == TA_OK && w->shape_id != shape) {
            shape = w->shape_id;
            r = resolve_again(in, w, at, kept);
        }
    }
    rows->n = kept;
    return r;
}

/* Appends from row `at` on; the accepted ones move together, *accepted ends behind them. Returns the
 * first row not tried: n, or the one for which memory was refused. */
static size_t append(struct ta_ingest *in, struct ta_feed *f, struct ta_writer *w, size_t at,
                     size_t *accepted)
{
    struct rows *rows = &in->rows;
    size_t kept = at, i = at;

    for (; i < rows->n; i++) {
        if (i + PREFETCH_ROWS < rows->n)
            ta_writer_prefetch_near(w, rows->column[i + PREFETCH_ROWS]);
        int r = ta_writer_append(w, rows->column[i], rows->ts_s[i], rows->value[i]);
        if (r == TA_OK) {
            move_row(rows, kept++, i);
        } else if (r == TA_ENOMEM) {
            break;
        } else if (r == TA_ERANGE) {
            f->counts.bad[TA_SKIPPED_OLD]++;
        } else {
            rules_refuse(f, TA_REFUSED_TIME, rows->line[i], "the timestamp is out of range");
        }
    }
    *accepted = kept;
    f->counts.stored += kept - at;
    return i;
}

static struct ta_journal_batch batch_of(const struct ta_ingest *in, const struct ta_writer *w,
                                        size_t from, size_t to)
{
    return (struct ta_journal_batch){.writer = w,
                                     .cluster = {in->cluster, in->cluster_len},
                                     .host = {in->host, in->host_len},
                                     .columns = in->rows.column + from,
                                     .ts_s = in->rows.ts_s + from,
                                     .values = in->rows.value + from,
                                     .n = to - from};
}

/* Rows from *at on, under the lock; moves *at to the first that is left for want of memory. */
static int store_locked(struct ta_ingest *in, struct ta_feed *f, struct ta_writer *w, size_t *at,
                        struct ta_err *err)
{
    struct ta_journal *journal = in->conf.journal;
    struct ta_journal_batch batch;
    size_t accepted, from = *at;
    uint64_t room = 0;

    int r = resolve(in, f, w, from);
    if (r == TA_ENOMEM)
        return TA_OK; /* nothing was stored: *at stays */
    if (from == in->rows.n)
        return TA_OK;
    if (journal) {
        batch = batch_of(in, w, from, in->rows.n);
        r = journal->reserve(journal, &batch, &room, err);
        if (r < 0)
            return r;
    }
    *at = append(in, f, w, from, &accepted);
    if (journal) {
        batch = batch_of(in, w, from, accepted);
        uint64_t ticket = journal->commit(journal, &batch, room);
        f->ticket = ticket > f->ticket ? ticket : f->ticket;
    }
    return TA_OK;
}

/* Stores the rows. Each begin makes room when the store is near its cap; twice without progress means that there is
 * none to make. */
int rows_flush(struct ta_ingest *in, struct ta_feed *f, struct ta_err *err)
{
    struct ta_writer w;
    struct ta_str cluster = {in->cluster, in->cluster_len}, host = {in->host, in->host_len};
    int vain = 0;

    for (size_t at = 0; at < in->rows.n;) {
        size_t before = at;
        int r = ta_writer_begin(&w, in->conf.store, cluster, host, in->now_s, err);
        if (r < 0)
            return r;
        r = store_locked(in, f, &w, &at, err);
        ta_writer_end(&w);
        if (r < 0)
            return r;
        vain = at == before && at < in->rows.n ? vain + 1 : 0;
        if (vain == 2)
            return ta_fail(err, TA_ENOMEM, "the memory cap is reached and nothing can be freed");
    }
    in->rows.n = 0;
    return TA_OK;
}
