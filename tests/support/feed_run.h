/* feed_run.h - one run of an input into a fresh store, and what came of it as text. */
#ifndef TESTS_FEED_RUN_H
#define TESTS_FEED_RUN_H

#include "ingest/ingest.h"

enum { NOW = 1700010000, TEXT = 1 << 18 };

struct feed_run {
    struct ta_store *store;
    struct ta_ingest *in;
    bool is_baseline; /* set before feed_run_open: predict as on any processor */
    char text[TEXT];  /* the store, the counts, the verdict */
};

/* `journal` may be NULL; is_plain: without prediction. */
void feed_run_open(struct feed_run *r, bool is_plain, struct ta_journal *journal);
void feed_run_close(struct feed_run *r);

/* Takes all bytes, or what is left when the journal refuses for good. */
int feed_run_give(struct feed_run *r, struct ta_feed *f, struct ta_str bytes);
void feed_run_finish(struct feed_run *r, struct ta_feed *f, bool is_complete);
/* Fills text. */
void feed_run_tell(struct feed_run *r, const struct ta_feed *f);

/* All of it with the text of one body, fed in pieces of `first` and then `step` bytes. Borrowed. */
const char *feed_run_all(struct feed_run *r, const char *cluster, struct ta_str body, size_t first,
                         size_t step);

/* The lines that a collector sends of a host at a tick, into `out`; how many bytes. `order`: 0, or the stride
 * that shuffles them. */
size_t feed_run_batch(char *out, size_t cap, const char *host, int tick, int order);

#endif
