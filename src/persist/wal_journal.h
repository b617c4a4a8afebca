/* wal_journal.h - the write-ahead log as the journal of ingest (ingest/journal.h). Tickets are those of wal.h. */
#ifndef TARN_PERSIST_WAL_JOURNAL_H
#define TARN_PERSIST_WAL_JOURNAL_H

#include "ingest/journal.h"
#include "persist/wal.h"

struct ta_wal_journal {
    struct ta_journal journal; /* hand &j.journal to ingest */
    struct ta_wal *wal;
};

/* Borrows wal. Nothing to free. */
void ta_wal_journal_init(struct ta_wal_journal *j, struct ta_wal *wal);

#endif
