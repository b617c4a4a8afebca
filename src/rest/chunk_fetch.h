/* chunk_fetch.h - documents by name, many at a time, from a service that may stumble over some.
 *
 * A feed cuts a list of names into chunks for any number of fetchers. A chunk is fetched with one
 * POST of its names; an answer counts as a whole or not at all. A chunk that keeps failing is halved
 * until the names that make it fail stand alone. In the end each name is found, unusable, missing
 * (absent from a complete answer) or failed.
 *
 * Memory: the names of a chunk and what the reader makes of their documents.
 *
 * Knows nothing of what the documents are: a reader turns each into an item (spec: rule-cleaner 6.2,
 * 12).
 */
#ifndef TARN_REST_CHUNK_FETCH_H
#define TARN_REST_CHUNK_FETCH_H

#include "base/arena.h"
#include "base/log.h"
#include "rest/caller.h"
#include "rest/id_spool.h"

#include <pthread.h>

enum { TA_CHUNK_MAX = 1000 };

enum ta_chunk_state {
    TA_CHUNK_MISSING,
    TA_CHUNK_FOUND,    /* `item` is there */
    TA_CHUNK_UNUSABLE, /* the document came, but the reader cannot use it */
    TA_CHUNK_FAILED
};

struct ta_chunk_slot {
    struct ta_str name;
    enum ta_chunk_state state;
    void *item;
};

/* Names that are asked for together. */
struct ta_chunk {
    struct ta_chunk_slot *slot;
    size_t n;
};

/* Reads one answer to its end and fills the slots of the documents in it (state and item, or
 * TA_CHUNK_UNUSABLE); the others stay as they are. */
struct ta_chunk_reader {
    int (*read)(struct ta_chunk_reader *self, struct ta_source *body, struct ta_chunk *asked,
                struct ta_err *err);
    void (*drop)(struct ta_chunk_reader *self, void *item);
};

/* Shared by all fetchers of a sweep. */
struct ta_chunk_feed {
    pthread_mutex_t lock;
    struct ta_id_cursor cursor; /* guarded by lock */
    _Atomic size_t chunk_size;  /* halved when the service says that requests are too large */
    _Atomic bool uses_get;      /* the service knows no POST by names */
};

/* Borrows the spool. */
void ta_chunk_feed_init(struct ta_chunk_feed *f, struct ta_id_spool *names, size_t chunk_size);
void ta_chunk_feed_done(struct ta_chunk_feed *f);

struct ta_chunk_fetcher {
    struct ta_caller *caller;
    struct ta_chunk_feed *feed;
    struct ta_chunk_reader *reader;
    const char *post_url; /* takes a JSON array of names */
    const char *get_url;  /* takes ?name=...&name=..., when the service refuses the POST */
    const struct ta_rest_header *headers;
    size_t n_headers;
    unsigned retries;
    unsigned upstream;
    struct ta_log *log;
    struct ta_alloc *alloc;
};

/* The next chunk in the order of the list, in the arena. 1, 0 = no more, < 0 error. Any thread. */
int ta_chunk_take(struct ta_chunk_feed *feed, struct ta_arena *arena, struct ta_chunk *out,
                  struct ta_err *err);
/* Brings every slot to its final state. TA_OK; TA_ECANCELED and TA_ENOMEM end it early, with no
 * items left. */
int ta_chunk_fetch(struct ta_chunk_fetcher *f, struct ta_chunk *chunk, struct ta_err *err);

#endif
