/* ingest_int.h - what the files of this module share. */
#ifndef TARN_INGEST_INGEST_INT_H
#define TARN_INGEST_INGEST_INT_H

#include "ingest/ingest.h"
#include "line/value.h"

enum {
    ROWS_MAX = 256,           /* samples under one lock */
    FORMS_MAX = 16384,        /* kinds of lines remembered; the largest nodes send some 4,000 */
    FORMS_TEXT_MAX = 4 << 20, /* bytes of them */
    FORMS_PAD = 64,           /* bytes that may be read behind the text of a form */
    FORM_SLOTS = 4 * 8192,    /* of the hash table: twice FORMS_MAX */
    CLUSTERS_MAX = 64,
    COLUMN_SLOTS = 32768, /* of the cache from (shape, form) to column */
    FORM_NONE = UINT32_MAX,
    METRIC_UNKNOWN = UINT32_MAX /* metric of a form whose lines are skipped */
};

/* A line without its host, value and timestamp: `before` host `after` value. All text is in forms.text,
 * with FORMS_PAD bytes behind it.
 * `cluster` is the id of the cluster tag's value, 0 without that tag. */
struct form {
    uint32_t text; /* before, after, type element, subtype element stand there back to back */
    uint16_t before, after; /* bytes */
    uint8_t type, stype;    /* bytes */
    uint16_t cluster;
    uint32_t metric;
    uint32_t next; /* the form that came after this one the last time */
    uint32_t hash;
};

/* Which line came last is not part of it: each feed knows that by (form, epoch). */
struct forms {
    struct ta_alloc *alloc;
    struct form *at;
    uint32_t n, cap;
    struct ta_buf text;
    uint32_t *slots; /* FORM_SLOTS of index + 1; 0 = free */
    struct column_slot {
        uint64_t key; /* (shape id << 32 | form) + 1; 0 = free */
        int64_t column;
    } * columns;    /* COLUMN_SLOTS */
    uint64_t epoch; /* raised whenever all is forgotten */
    uint32_t last;  /* the form of the last line of the last feed that ended */
    uint16_t n_clusters;
    struct cluster {
        uint8_t len;
        char at[TA_NAME_MAX];
    } clusters[CLUSTERS_MAX]; /* id - 1 */
};

/* Takes no memory yet: a server that nobody writes to stays small. */
void forms_init(struct forms *t, struct ta_alloc *alloc);
/* Takes the tables at the first need; false when they are refused. */
bool forms_ready(struct forms *t);
void forms_done(struct forms *t);
void forms_forget(struct forms *t);

/* The id (> 0) of a cluster name, given one if it is new; 0 for the empty name or when there is no room
 * (then forget). */
uint16_t forms_cluster(struct forms *t, struct ta_str name);

uint32_t forms_hash(struct ta_str before, struct ta_str after);
/* The form with these bytes, or FORM_NONE. */
uint32_t forms_find(const struct forms *t, uint32_t hash, struct ta_str before,
                    struct ta_str after);

/* What a new form is made of. */
struct form_parts {
    struct ta_str before, after, type, stype;
    uint16_t cluster;
    uint32_t metric;
};
/* The new form, or FORM_NONE when there is no room. */
uint32_t forms_add(struct forms *t, uint32_t hash, const struct form_parts *parts);

static inline const char *form_text(const struct forms *t, const struct form *f)
{
    return t->text.at + f->text;
}

static inline struct column_slot *forms_column(struct forms *t, uint32_t shape, uint32_t form)
{
    return &t->columns[(shape * 0x9e3779b1u + form) & (COLUMN_SLOTS - 1)];
}

static inline uint64_t column_key(uint32_t shape, uint32_t form)
{
    return ((uint64_t)shape << 32 | form) + 1;
}

/* -1: not in the cache. */
static inline int64_t forms_known_column(struct forms *t, uint32_t shape, uint32_t form)
{
    const struct column_slot *slot = forms_column(t, shape, form);

    return slot->key == column_key(shape, form) ? slot->column : -1;
}

/* Samples of one host, waiting for the lock. */
struct rows {
    size_t n;
    uint32_t form[ROWS_MAX];
    uint32_t column[ROWS_MAX];
    int64_t ts_s[ROWS_MAX];
    double value[ROWS_MAX];
    uint64_t line[ROWS_MAX];
};

/* Where to go back to when the journal refuses the rows. */
struct mark {
    size_t at; /* offset in the block */
    struct ta_line scanner;
    struct ta_ingest_counts counts;
    int64_t last_ts_s;
    uint32_t form;
    bool had_bad; /* the feed had the words of its first bad line already */
};

struct predict_ways;

enum {
    TIME_BYTES = 32, /* " 170000000012345678\n" has 20 */
    /* Readable from a value on, for who reads it and its time the quick way. So many zeros stand behind what is
     * not read where it came. */
    QUICK_BYTES = TA_LINE_QUICK_BYTES + TIME_BYTES,
    TAIL_MAX = 1024 /* bytes of a block that are moved to where there are */
};

struct ta_ingest {
    struct ta_ingest_conf conf;
    const struct predict_ways *ways; /* for this processor */
    struct ta_metrics *metrics;      /* the table the forms were made with */
    struct forms forms;
    struct rows rows;
    struct mark mark;
    struct ta_line_side side;

    /* the host of the rows, and of the line before */
    uint16_t cluster_id; /* of the forms' clusters; 0 = none */
    uint16_t host_len;
    uint16_t cluster_len;
    bool is_predictable; /* that host can stand in a form */
    bool is_full;        /* the forms have no room: to be forgotten before the next call */
    bool is_predicting;  /* in this call */
    char host[TA_NAME_MAX];
    char cluster[TA_NAME_MAX];

    struct ta_column_key loose; /* of the row that has no form; such a row stands alone */

    uint16_t default_cluster; /* id of the feed's, 0 = none */
    int64_t now_s, latest_s;  /* latest time a sample may have */
    char metric[2 * TA_NAME_MAX + 2];
    char element[2][2 * TA_NAME_MAX];
    struct ta_line_sample samples[TA_LINE_BATCH_MAX];
    char tail[TAIL_MAX + QUICK_BYTES];
};

/* rules.c: what a sample means, and whether it is welcome. */
struct judged {
    uint32_t metric;
    struct ta_str cluster, host, type, stype;
    int64_t ts_s;
};
/* TA_INGEST_N_REASONS: welcome, *out filled. Otherwise the line was counted and, if refused, put into
 * words. */
enum ta_ingest_reason rules_judge(struct ta_ingest *in, struct ta_feed *f,
                                  const struct ta_line_sample *s, struct judged *out);
/* The same for a line that could not be read. */
void rules_bad_line(struct ta_ingest *in, struct ta_feed *f, const struct ta_line_error *e);
void rules_refuse(struct ta_feed *f, enum ta_ingest_reason reason, uint64_t line, const char *what);
/* May this be the name of a folder? */
bool rules_is_path_name(struct ta_str name, bool is_cluster);

/* rows.c */
/* Stores all rows. TA_OK: rows->n is 0. Else nothing or a part of them is stored. */
int rows_flush(struct ta_ingest *in, struct ta_feed *f, struct ta_err *err);
/* ingest.c */
/* Makes (cluster, host) the host of the rows; stores those of another host first. `mark` is where to
 * begin again once those are stored. */
int ingest_enter(struct ta_ingest *in, struct ta_feed *f, struct ta_str cluster, struct ta_str host,
                 size_t at, const struct ta_line *scanner, struct ta_err *err);

/* predict.c */
/* Takes lines from block[*at..) as long as their forms are known. 1: read the line at *at plainly, or
 * it is the end. < 0: a flush failed. `pad` bytes behind the block are readable. */
int predict_lines(struct ta_ingest *in, struct ta_feed *f, struct ta_str block, size_t pad,
                  size_t *at, struct ta_err *err);
/* Chooses the loop for this processor. */
void predict_init(struct ta_ingest *in);
/* The form of a line read plainly, remembered now if it is new; FORM_NONE when it can have none. */
uint32_t predict_learn(struct ta_ingest *in, const struct ta_line_sample *s,
                       const struct judged *j);
/* This form came next. */
void predict_follow(struct ta_ingest *in, struct ta_feed *f, uint32_t form);

#endif
