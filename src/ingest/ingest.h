/* ingest.h - bytes of line protocol into the store.
 *
 *     ta_feed_init(&feed, alloc, default_cluster, NULL, now_s)       one per body or message
 *     while bytes come: ta_ingest_feed(in, &feed, bytes, now_s, &used, err)
 *     ta_ingest_end(in, &feed, is_complete, now_s, err)
 *     wait for feed.ticket; answer by ta_feed_verdict(&feed, err); ta_feed_done(&feed)
 *
 * An ingest belongs to one thread and serves any number of feeds there, in any interleaving. Lines of one
 * host that follow each other are stored under one lock, up to 256 at a time.
 *
 * Prediction: nodes send the same lines in the same order, but for host, value and timestamp. The ingest
 * keeps the bytes around them as a *form* and which form came after which; a line that equals the
 * expected form byte by byte needs no parsing but that of its value and timestamp. It only ever
 * saves time: results are those of the plain way (is_plain), which a fuzz target holds it to.
 *
 * Memory: an ingest 100 KiB, from the first feed on 1 MiB, at most 6 MiB (all forms are forgotten when
 * there are too many); a feed what it carries from one block to the next: the last, partial line, at most
 * TA_LINE_BYTES_MAX.
 */
#ifndef TARN_INGEST_INGEST_H
#define TARN_INGEST_INGEST_H

#include "base/buf.h"
#include "ingest/journal.h"
#include "line/line.h"
#include "store/store.h"

/* What became of lines that were not stored (spec: http-api 8.3). */
enum ta_ingest_reason {
    /* refused: the answer is 400 */
    TA_REFUSED_SYNTAX,
    TA_REFUSED_UTF8,
    TA_REFUSED_FIELD,
    TA_REFUSED_TYPE,
    TA_REFUSED_VALUE,
    TA_REFUSED_RANGE,
    TA_REFUSED_TIME,
    TA_REFUSED_LONG_NAME,
    TA_REFUSED_LONG_LINE,
    TA_REFUSED_NO_HOST,
    TA_REFUSED_NO_CLUSTER,
    TA_REFUSED_FUTURE,
    TA_REFUSED_COLUMNS,   /* the host has TA_HOST_COLUMNS_MAX series */
    TA_REFUSED_TRUNCATED, /* the body ended before its end */
    /* skipped: a retry would never succeed, the answer stays 200 */
    TA_SKIPPED_METRIC, /* not in the table */
    TA_SKIPPED_NAME,   /* a cluster or host that must not become a path */
    TA_SKIPPED_OLD,    /* older than every buffer of its series and than the retention */
    TA_INGEST_N_REASONS
};

static inline bool ta_ingest_is_refusal(enum ta_ingest_reason reason)
{
    return reason < TA_SKIPPED_METRIC;
}

/* "no_host", "unknown_metric", ...: a label of our own metrics. Static storage. */
const char *ta_ingest_reason_name(enum ta_ingest_reason reason);

struct ta_ingest_counts {
    uint64_t stored;                   /* samples */
    uint64_t bad[TA_INGEST_N_REASONS]; /* lines by reason */
    uint64_t left_out;                 /* strings and booleans (TA_LINE_INFLUX) */
    uint64_t predicted;                /* of all lines: those that equalled the expected form */
};

uint64_t ta_ingest_refused(const struct ta_ingest_counts *c);
uint64_t ta_ingest_skipped(const struct ta_ingest_counts *c);
void ta_ingest_counts_add(struct ta_ingest_counts *to, const struct ta_ingest_counts *c);

struct ta_ingest_conf {
    struct ta_store *store;     /* borrowed, as all here */
    struct ta_journal *journal; /* NULL = none */
    struct ta_alloc *alloc;
    int64_t max_future_s; /* samples later than now + this are refused; < 0 = never */
    bool is_plain;        /* no prediction */
    bool is_baseline;     /* prediction by the loop that runs on any processor, for tests */
};

struct ta_ingest;

int ta_ingest_new(struct ta_ingest **out, const struct ta_ingest_conf *conf, struct ta_err *err);
void ta_ingest_free(struct ta_ingest *in); /* NULL is fine */

/* One body or message. Fields are for reading. */
struct ta_feed {
    struct ta_ingest_counts counts;
    uint64_t ticket;         /* of the journal: the answer waits for it; 0 = for nothing */
    struct ta_err first_bad; /* words of the first refused line, "at line L:C: ..." */
    int failed;              /* TA_E* once the feed has failed as a whole; it takes no more */

    /* private */
    struct ta_line scanner;
    struct ta_buf carry; /* the partial line */
    int64_t last_ts_s;   /* of the line before */
    uint32_t form;       /* the last one met */
    uint64_t form_epoch; /* the life of the form table it belongs to */
    uint8_t cluster_len;
    char cluster[TA_NAME_MAX];
};

/* `cluster`: that of lines without cluster tag; empty = such lines are refused. A longer name than
 * TA_NAME_MAX gives TA_EINVAL. `options` NULL = native mode. A first line without timestamp gets now_s.
 * Takes no memory yet. */
int ta_feed_init(struct ta_feed *f, struct ta_alloc *alloc, struct ta_str cluster,
                 const struct ta_line_options *options, int64_t now_s);
void ta_feed_done(struct ta_feed *f); /* fine on a zeroed struct */

/* Takes bytes; any split gives the same result. Bad lines are counted, not errors. TA_OK: all was used.
 * TA_EAGAIN: the journal is full; bytes[0..*used) were taken, the rest (perhaps nothing) has to be fed
 * again when the log has room; the sender is not read meanwhile. TA_EIO, TA_ENOMEM: the feed has failed;
 * what was stored before stays, the answer is 503. */
int ta_ingest_feed(struct ta_ingest *in, struct ta_feed *f, struct ta_str bytes, int64_t now_s,
                   size_t *used, struct ta_err *err);

/* The end. is_complete: the last line needs no line end. Otherwise (a body shorter than announced, a
 * broken connection) the partial line is dropped and the feed counts as refused. Errors as above; after
 * TA_EAGAIN call it again. */
int ta_ingest_end(struct ta_ingest *in, struct ta_feed *f, bool is_complete, int64_t now_s,
                  struct ta_err *err);

/* TA_OK: nothing was refused, 200. TA_EFORMAT: 400 with the first bad line and how many lines were stored
 * and refused. */
int ta_feed_verdict(const struct ta_feed *f, struct ta_err *err);

#endif
