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

static struct ta_wal_host host_of(const struct ta_journal_batch *b, struct naming *naming)
{
    return (struct ta_wal_host){.host_id = b->writer->host_id,
                                .shape_id = b->writer->shape_id,
                                .cluster = b->cluster,
                                .host = b->host,
                                .column = column_name,
                                .self = naming,
                                .n_columns = b->writer->n_columns};
}

static struct ta_wal_batch batch_of(const struct ta_journal_batch *b,
                                    const struct ta_wal_host *host)
{
    return (struct ta_wal_batch){
        .host = host, .columns = b->columns, .ts_s = b->ts_s, .values = b->values, .n = b->n};
}

static int reserve(struct ta_journal *self, const struct ta_journal_batch *batch,
                   uint64_t *out_room, struct ta_err *err)
{
    struct ta_wal_journal *j = TA_CONTAINER(self, struct ta_wal_journal, journal);
    struct naming naming = {batch->writer, NULL}; /* nothing is named before the commit */
    struct ta_wal_host host = host_of(batch, &naming);
    struct ta_wal_batch b = batch_of(batch, &host);
    struct ta_wal_room room;
    int r = ta_wal_reserve(j->wal, &b, &room, err);

    if (r == TA_OK)
        *out_room = room.bytes;
    return r;
}

static uint64_t commit(struct ta_journal *self, const struct ta_journal_batch *accepted,
                       uint64_t room)
{
    struct ta_wal_journal *j = TA_CONTAINER(self, struct ta_wal_journal, journal);
    struct naming naming = {accepted->writer, ta_writer_metrics(accepted->writer)};
    struct ta_wal_host host = host_of(accepted, &naming);
    struct ta_wal_batch b = batch_of(accepted, &host);
    struct ta_wal_room promised = {(size_t)room};

    return ta_wal_commit(j->wal, &b, &promised);
}

void ta_wal_journal_init(struct ta_wal_journal *j, struct ta_wal *wal)
{
    *j = (struct ta_wal_journal){.journal = {reserve, commit}, .wal = wal};
}
