/* run_int.h - what the files of the run codecs share: the bytes of a run, its view, the table of codecs.
 *
 *   head    1     codec, and flags TA_RUN_GAPS, TA_RUN_STATS, TA_RUN_FLOAT
 *           2     number of slots (10 bits), width of the packed values (6 bits)
 *   stats   only with TA_RUN_STATS: sum, min, max as binary64
 *   gaps    only with TA_RUN_GAPS. Runs of up to 64 slots: a bit per slot, in whole bytes. Longer ones:
 *           u16 first slot, u16 slots and u16 values of the span that holds all values, and unless it
 *           is full, a bit per slot of the span
 *   body    of the codec: its parameters, then the packed values of the slots that have one, first value in
 *           the lowest bits
 *
 * Numbers are little-endian; "zigzag" is a signed integer, sign in the lowest bit, seven bits to a byte.
 * The bodies are described where the codecs are.
 */
#ifndef TARN_STORE_RUN_INT_H
#define TARN_STORE_RUN_INT_H

#include "store/codec_grid.h"
#include "store/codec_kernels.h"
#include "store/run.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TA_RUN_HEAD_BYTES = 3,
    TA_RUN_STATS_BYTES = 24,
    TA_RUN_CODEC_MASK = 0x0F,
    TA_RUN_GAPS = 0x10,
    TA_RUN_STATS = 0x20,
    TA_RUN_FLOAT = 0x40, /* values are stored as binary32 */
    TA_RUN_BITMAP_SLOTS = 64,
    TA_RUN_WIDTH_MAX = 56,                /* so that value and phase fit one 64-bit word */
    TA_RUN_DICT_MAX = 256,                /* distinct values in a dictionary */
    TA_RUN_ROUNDED = TA_RUN_SLOTS_MAX + 8 /* kernels write whole groups */
};

/* On disk: never renumber. Unknown means "search" in a hint and "no value at all" in a run. */
enum {
    TA_CODEC_NONE,
    TA_CODEC_FOR,
    TA_CODEC_DELTA,
    TA_CODEC_DICT,
    TA_CODEC_SPLIT,
    TA_CODEC_BITS,
    TA_CODEC_RAW,
    TA_CODEC_SPARSE,
    TA_CODEC_CONST,
    TA_CODECS
};

/* A run taken apart. Pointers lead into its bytes. */
struct ta_run_view {
    uint8_t codec;
    uint8_t width;
    bool is_float;
    uint16_t len;                /* slots */
    uint16_t lead;               /* slots before the span */
    uint16_t span;               /* slots from the first value to the last */
    uint16_t count;              /* values */
    const unsigned char *stats;  /* NULL: none */
    const unsigned char *bitmap; /* NULL: the span is full */
    const unsigned char *data;   /* packed values */

    /* Parameters; which of them mean something depends on the codec. */
    struct ta_grid_op op;
    bool has_grid;
    uint8_t cut;         /* raw low bits of split doubles */
    uint8_t table_width; /* bits of a packed dictionary entry */
    uint16_t n_table;
    uint64_t base; /* least integer or bit pattern; the constant; an int64 where it is one */
    int64_t step;  /* least difference */
    const unsigned char *table; /* of sparse runs: which values are not the common one */
};

/* Bytes yet to be taken apart. */
struct ta_run_in {
    const unsigned char *at;
    size_t left;
};

struct ta_run_sparse;

/* What encoding works on: the values of a run without its gaps. */
struct ta_run_work {
    const struct ta_codec_kernels *k;
    const double *x;
    unsigned n;
    unsigned seen; /* TA_SCAN_* of x */

    bool is_search;               /* parameters are to be found, not to be taken from the hint */
    size_t to_beat;               /* a plan of so many bytes is of no use */
    unsigned cut;                 /* the hint's, for split doubles */
    struct ta_run_sparse *sparse; /* room for what lies inside a sparse run; NULL inside one */

    struct ta_grid grid;
    bool has_grid; /* x lies on `grid`, and m, lo, hi are filled */
    int64_t lo, hi;
    int64_t m[TA_RUN_ROUNDED];
    uint64_t u[TA_RUN_ROUNDED];          /* bit patterns, or what is about to be packed */
    uint64_t entry[TA_RUN_DICT_MAX];     /* dictionary: bit patterns of distinct values */
    uint16_t entry_of[TA_RUN_SLOTS_MAX]; /* dictionary: which one */
    bool is_split;                       /* u is as planned for split doubles */
};

/* One way to encode, with its price. */
struct ta_run_plan {
    uint8_t codec;
    uint8_t width;
    uint8_t cut;
    uint8_t table_width;
    bool is_float;
    bool has_grid; /* the dictionary's entries lie on work->grid */
    unsigned n_table;
    uint64_t base; /* as in the view */
    int64_t step;
    size_t bytes; /* of the body */
    uint16_t upper[TA_SPLIT_MAX];
};

/* The values of a sparse run that are not the common one, and how they are encoded. */
struct ta_run_sparse {
    struct ta_run_work work;
    struct ta_run_plan plan;
    double value[TA_RUN_SLOTS_MAX + 1];
    unsigned char bitmap[TA_RUN_SLOTS_MAX / 8 + 8]; /* where they stand */
};

struct ta_codec {
    const char *name;
    /* Reads the parameters and sets view->data; false when they are malformed or bytes are missing. */
    bool (*parse)(struct ta_run_view *view, struct ta_run_in *in);
    /* Values [first, first + n), first a multiple of 8. */
    void (*decode)(const struct ta_run_view *view, unsigned first, unsigned n, double *out);
    /* What it would cost; false when it cannot, or not for less than work->to_beat. */
    bool (*plan)(struct ta_run_work *work, struct ta_run_plan *plan);
    /* Writes parameters and packed values: plan->bytes, and up to 8 more bytes of no meaning. */
    void (*emit)(struct ta_run_work *work, const struct ta_run_plan *plan, unsigned char *out);
};

extern const struct ta_codec ta_codec_for, ta_codec_delta;  /* codec_ints.c */
extern const struct ta_codec ta_codec_dict;                 /* codec_dict.c */
extern const struct ta_codec ta_codec_split, ta_codec_bits; /* codec_bits.c */
extern const struct ta_codec ta_codec_raw, ta_codec_const;  /* codec_simple.c */
extern const struct ta_codec ta_codec_sparse;               /* codec_sparse.c */

/* The row of a codec number below TA_CODECS; NULL for TA_CODEC_NONE. run_view.c */
const struct ta_codec *ta_codec_row(unsigned codec);

/* Takes a run apart; at most `room` bytes belong to it. Its size, or TA_EFORMAT. run_view.c */
int ta_run_view_init(struct ta_run_view *view, const unsigned char *p, size_t room);

/* Values [first, first + n) of a view, gaps not counted. run_view.c */
void ta_run_values(const struct ta_run_view *view, unsigned first, unsigned n, double *out);

/* Bits set among the first n; reads up to 7 bytes behind. run_view.c */
unsigned ta_bitmap_rank(const unsigned char *bitmap, unsigned n);

/* run_plan.c: the smallest of all codecs that may stand alone or inside a sparse run. */
void ta_run_plan_best(struct ta_run_work *work, struct ta_run_plan *plan);

/* Do all values lie on `grid`? Then fills the integers of `work`. */
bool ta_run_try_grid(struct ta_run_work *work, struct ta_grid grid);

/* What `hint` and the values suggest; updates the hint. */
void ta_run_plan_choose(struct ta_run_work *work, struct ta_run_hint *hint,
                        struct ta_run_plan *plan);

/* codec_pack.c: bit packing and numbers in bytes. */

static inline size_t ta_packed_bytes(unsigned n, unsigned width)
{
    return ((size_t)n * width + 7) / 8;
}

static inline unsigned ta_bit_width(uint64_t v)
{
    return v ? 64U - (unsigned)__builtin_clzll(v) : 0;
}

/* Packs u[i] - base, each below 2^width, width <= TA_RUN_WIDTH_MAX; returns ta_packed_bytes(n, width) and may
 * overwrite 8 bytes behind. Bits behind the last value are 0. */
size_t ta_pack(const uint64_t *u, unsigned n, uint64_t base, unsigned width, unsigned char *out);

/* The kernel, for any width up to the maximum and beginning at value `first`, a multiple of 8. Up to three
 * zeros follow the last value: the other kernels take values by fours. */
void ta_unpack(const unsigned char *in, unsigned width, unsigned first, unsigned n, uint64_t *out);

size_t ta_zigzag_bytes(int64_t v);
unsigned char *ta_put_zigzag(unsigned char *out, int64_t v); /* returns the end */

/* Each takes bytes from the front of `in`; false when they are missing or no such number. */
bool ta_in_bytes(struct ta_run_in *in, size_t n, const unsigned char **out);
bool ta_in_u8(struct ta_run_in *in, uint8_t *out);
bool ta_in_zigzag(struct ta_run_in *in, int64_t *out);
bool ta_in_grid(struct ta_run_in *in, struct ta_grid_op *out);

static inline size_t ta_grid_bytes(struct ta_grid grid)
{
    return ta_grid_has_arg(grid.code) ? 3 : 1;
}

unsigned char *ta_put_grid(unsigned char *out, struct ta_grid grid);

#endif
