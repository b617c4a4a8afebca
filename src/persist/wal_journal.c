#include "persist/wal_journal.h"

struct naming {
    const struct ta_writer *writer;
    const struct ta_metrics *metrics;
};

static void column_name(void *self, uint32_t column, struct ta_str *metric, struct ta_str *type,
                        struct ta_str *stype)
{
    const struct naming *n = self;
    struct ta_column_key key;

    ta_writer_key(n->writer, column, &key);
    *metric = ta_metrics_at(n->metrics, key.metric)->name;
    *type = key.type;
    *stype = key.stype;
}

static int append(struct ta_journal *self, const struct ta_journal_batch *batch,
                  uint64_t *out_ticket)
{
    struct ta_wal_journal *j = TA_CONTAINER(self, struct ta_wal_journal, journal);
    struct ta_metrics *metrics = ta_store_metrics(j->store);
    struct naming naming = {batch->writer, metrics};
    struct ta_wal_host host = {.host_id = batch->writer->host_id,
                               .shape_id = batch->writer->shape_id,
                               .cluster = batch->cluster,
                               .host = batch->host,
                               .column = column_name,
                               .self = &naming,
                               .n_columns = batch->writer->n_columns};
    int r = ta_wal_append(j->wal, &host, batch->ts_s, batch->columns, batch->values, batch->n,
                          out_ticket);

    ta_metrics_unref(metrics);
    return r;
}

static int wait_room(struct ta_journal *self, int64_t timeout_ms)
{
    return ta_wal_wait_room(TA_CONTAINER(self, struct ta_wal_journal, journal)->wal, timeout_ms);
}

static enum ta_journal_state of_ticket(enum ta_ticket t)
{
    return t == TA_TICKET_DURABLE  ? TA_JOURNAL_DURABLE
           : t == TA_TICKET_FAILED ? TA_JOURNAL_FAILED
                                   : TA_JOURNAL_PENDING;
}

static enum ta_journal_state state(struct ta_journal *self, uint64_t ticket)
{
    return of_ticket(
        ta_wal_ticket(TA_CONTAINER(self, struct ta_wal_journal, journal)->wal, ticket));
}

static enum ta_journal_state wait_settled(struct ta_journal *self, uint64_t ticket,
                                          int64_t timeout_ms)
{
    struct ta_wal *wal = TA_CONTAINER(self, struct ta_wal_journal, journal)->wal;

    return of_ticket(ta_wal_wait(wal, ticket, timeout_ms));
}

void ta_wal_journal_init(struct ta_wal_journal *j, struct ta_wal *wal, struct ta_store *store)
{
    *j = (struct ta_wal_journal){
        .journal = {append, wait_room, state, wait_settled}, .wal = wal, .store = store};
}
