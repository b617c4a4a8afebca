/* run.h - up to 512 consecutive slots of one series, compressed without loss.
 *
 * A run is position-independent bytes: no pointer, no alignment, no need of anything else to be read.
 * A slot holds a binary64 or is missing. Values come back bit for bit (-0.0, infinities, subnormals);
 * any NaN given means "missing", and a missing slot is read as the quiet NaN. Which slot of which
 * series and what time a run begins at is the business of whoever keeps it.
 *
 * The encoder takes the cheapest of a table of codecs (run_int.h): constant, integers on a decimal or
 * other regular grid, their differences, a dictionary, mostly one value, doubles split into common and raw
 * bits, raw.
 * What served a column last is kept in its hint, four bytes, so that parameters are searched for
 * rarely and verified always. Nothing here allocates or fails: the largest function uses about 40 KiB
 * of stack. All functions are pure and may run in any thread.
 *
 * Reading: the memory of a run must be followed by TA_RUN_PAD readable bytes (of any content), since
 * the kernels load whole words; a segment pads once at its end. Bytes that we did not write
 * ourselves go through ta_run_check first; after that, every function here is safe on them.
 */
#ifndef TARN_STORE_RUN_H
#define TARN_STORE_RUN_H

#include <stddef.h>
#include <stdint.h>

enum {
    TA_RUN_SLOTS_MAX = 512, /* as a buffer of the reference, so that spans of both correspond */
    TA_RUN_PAD = 16,        /* readable bytes wanted behind a run */
    /* Runs of at least this many slots carry their statistics (24 bytes; constant runs need none). */
    TA_RUN_STATS_SLOTS = 128
};

/* Bytes that encoding `n` slots may write, padding included; what it then uses is far less. */
#define TA_RUN_ROOM(n) ((size_t)(n)*8 + (n) / 8 + 64 + TA_RUN_PAD)

/* What a column's runs were like lately. Zeroed at first; copied and forgotten freely: it steers the
 * search and is never needed to read a run. */
struct ta_run_hint {
    uint16_t arg;   /* second parameter of the grid, or where doubles are split */
    uint8_t grid;   /* kind and exponent of the grid (codec_grid.h) */
    uint8_t codecs; /* codec of short runs, of long runs, and when to search again */
};

struct ta_run_stats {
    uint32_t count; /* slots that hold a value; the others below mean nothing when it is 0 */
    double sum;     /* in an order of our own: the last bits may differ from a sum left to right */
    double min;     /* of +0.0 and -0.0 either may be given */
    double max;
};

/* Encodes v[0..n), n <= TA_RUN_SLOTS_MAX; NaN = missing. `hint` belongs to the column and is updated.
 * `room` is the size of `out`, at least TA_RUN_ROOM(n). Returns the bytes of the run, >= 1; what lies
 * behind them up to `room` may have been overwritten. Cost: 2-6 ns a slot with a good hint. */
size_t ta_run_encode(const double *v, unsigned n, struct ta_run_hint *hint, unsigned char *out,
                     size_t room);

/* The next long run is not searched as long as what served the last one serves it. For who encodes many like series
 * with one hint, and searches now and then by leaving this out. */
void ta_run_hint_trust(struct ta_run_hint *hint);

/* Is there a well-formed run at `p`, of which `room` bytes (padding not counted) are readable? Returns its
 * bytes, or TA_EFORMAT. Proves that reading stays in bounds; not that the values are what was stored:
 * that is the checksum's duty. */
int ta_run_check(const unsigned char *p, size_t room);

unsigned ta_run_len(const unsigned char *run);   /* slots */
unsigned ta_run_count(const unsigned char *run); /* slots that hold a value */
size_t ta_run_bytes(const unsigned char *run);   /* size of the run itself, padding not counted */
const char *ta_run_codec(const unsigned char *run); /* name of its codec, for inspection */

/* out[i] = slot from + i, for i in [0..n); from + n <= ta_run_len(run). Missing = NaN. */
void ta_run_decode(const unsigned char *run, unsigned from, unsigned n, double *out);

/* acc[i] += slot from + i; a missing slot makes it NaN, as in IEEE addition. */
void ta_run_add(const unsigned char *run, unsigned from, unsigned n, double *acc);

/* Statistics of the slots [from, from + n). From the header alone when that is the whole run and the run
 * is long or constant; else decoded. */
void ta_run_stats(const unsigned char *run, unsigned from, unsigned n, struct ta_run_stats *out);

/* Joins two statistics: *into covers both afterwards. */
void ta_run_stats_join(struct ta_run_stats *into, const struct ta_run_stats *other);

#endif
