/* line.h - line protocol as a stream of samples (spec: http-api 8).
 *
 *     measurement[,tag=value]* SP field=value[,field=value]* [SP timestamp] EOL
 *
 * The scanner is fed with blocks of bytes and gives samples whose names are slices of the block
 * (zero copy); only names with escapes are resolved, into a side buffer of the scanner. A bad line
 * costs that line alone: it is reported with line, column and reason, and scanning goes on at the
 * next line end. Any split of the input into blocks gives the same samples and errors.
 *
 * Memory: no allocation; the state of a stream is a few words, the 8 KiB side buffer belongs to the
 * caller's thread. Cost: some 130 ns a line of 94 bytes; who has seen its like before is
 * faster (ingest).
 *
 * The scanner knows no metrics, clusters or clocks: a line of an unknown metric, a missing host, or
 * a missing timestamp is for the caller to judge (ingest/ingest.h).
 */
#ifndef TARN_LINE_LINE_H
#define TARN_LINE_LINE_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

enum {
    TA_LINE_BATCH_MAX = 256, /* samples of one call; also the most fields a line may have */
    TA_LINE_NAME_MAX = 255,  /* bytes of a name after escapes; file names end there (spec: 8.3) */
    TA_LINE_SIDE_BYTES = 8192,
    /* A real line has some 100 bytes. 64 KiB leaves room for any tag set and bounds what a
     * connection must carry from block to block. */
    TA_LINE_BYTES_MAX = 65536
};

/* What a line's fields mean. */
enum ta_line_mode {
    TA_LINE_NATIVE, /* one field `value`; of several the last wins; any other key is an error */
    TA_LINE_INFLUX  /* every number is a sample: field `value` of the metric <measurement>, any
                     * other of <measurement>_<field>; strings and booleans are left out */
};

enum ta_line_precision {
    TA_LINE_AUTO, /* by magnitude: |t| < 1e11 s, < 1e14 ms, < 1e17 us, else ns */
    TA_LINE_NS,
    TA_LINE_US,
    TA_LINE_MS,
    TA_LINE_S,
    TA_LINE_MIN,
    TA_LINE_HOUR
};

/* A tag of somebody else's that names a type with its id, for TA_LINE_INFLUX: with {"cpu", "hwthread"} the tag
 * cpu=cpu7 or cpu=7 means type=hwthread,type-id=7, and cpu=cpu-total means the host itself. */
struct ta_line_tag {
    struct ta_str tag, type;
};

struct ta_line_options {
    enum ta_line_mode mode;
    enum ta_line_precision precision;
    size_t line_max;                /* bytes, line end included; 0 = TA_LINE_BYTES_MAX */
    const struct ta_line_tag *tags; /* borrowed; used in TA_LINE_INFLUX alone */
    size_t n_tags;
};

/* One value. Slices are valid until the next call or until the block changes. An absent tag has
 * length 0 (empty tag values are errors, so nothing else has). */
struct ta_line_sample {
    struct ta_str measurement, cluster, host, type, type_id, stype, stype_id;
    struct ta_str field; /* key; "value" in native mode */
    double value;        /* finite */
    int64_t ts_s;        /* Unix seconds, floored; 0 without has_ts */
    uint64_t line;       /* 1-based, where the line begins */
    bool has_ts;
    /* Raw bytes from the line's start to the value, when the line has one field and nothing
     * but the host is needed to read another line of the same form; else length 0. */
    struct ta_str head;
};

/* Why a line is bad. */
enum ta_line_reason {
    TA_LINE_GOOD,
    TA_LINE_SYNTAX,
    TA_LINE_BAD_UTF8,
    TA_LINE_UNKNOWN_FIELD,
    TA_LINE_BAD_TYPE,    /* string or boolean */
    TA_LINE_BAD_VALUE,   /* not a number; NaN and infinities included */
    TA_LINE_VALUE_RANGE, /* beyond binary64 or the integer type */
    TA_LINE_BAD_TIME,
    TA_LINE_LONG_NAME,
    TA_LINE_LONG_LINE,
    TA_LINE_N_REASONS
};

struct ta_line_error {
    enum ta_line_reason reason;
    uint64_t line, column; /* 1-based, bytes */
    const char *what;      /* static words */
    struct ta_str token;   /* what they are about, or length 0; as long valid as a sample's names */
    struct ta_str measurement, host; /* as far as read; else length 0 */
};

enum ta_line_stop {
    TA_LINE_DRAINED, /* only a partial line is left (nothing, at the end) */
    TA_LINE_FULL,    /* call again with the rest of the block */
    TA_LINE_BAD      /* `error` is set, its line consumed; call again with the rest */
};

struct ta_line_result {
    enum ta_line_stop stop;
    size_t n;        /* samples given, all from before the bad line */
    size_t used;     /* bytes consumed: the rest comes again in front of the next block */
    size_t left_out; /* strings and booleans passed over (TA_LINE_INFLUX) */
    struct ta_line_error error;
};

struct ta_line {
    struct ta_line_options options;
    uint64_t line;    /* of the next byte, 1-based */
    bool is_skipping; /* inside a line that was too long, up to its end */
};

/* Room for names with escapes. Each call of ta_line_scan starts it anew, so one serves all the
 * streams of a thread. Needs no initialization. */
struct ta_line_side {
    size_t used;
    char at[TA_LINE_SIDE_BYTES];
};

/* Nothing to free. `options` NULL: native mode, automatic precision. Also begins a new batch. */
void ta_line_init(struct ta_line *s, const struct ta_line_options *options);

/* Fills at most `max` (1..TA_LINE_BATCH_MAX) samples. `is_end`: the input ends with this block, a
 * line without line end is complete. A line's samples come in one call, so TA_LINE_INFLUX needs
 * max = TA_LINE_BATCH_MAX. */
void ta_line_scan(struct ta_line *s, struct ta_line_side *side, struct ta_str block, bool is_end,
                  struct ta_line_sample *out, size_t max, struct ta_line_result *result);

/* "at line L:C: words" into err (first error wins); control characters become '?'. Returns
 * TA_EFORMAT. */
int ta_line_fail(struct ta_err *err, const struct ta_line_error *e);

/* Words for counters: "syntax", "long_line", ... Static storage. */
const char *ta_line_reason_name(enum ta_line_reason reason);

/* Offset of the first byte that is not part of valid UTF-8, or s.len. */
size_t ta_line_utf8(struct ta_str s);

#endif
