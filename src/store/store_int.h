/* store_int.h - what the files of the store share: the tree in memory.
 *
 *     store ─ shard ─ host ─ group (start, freq, capacity) ─ frame (32 slots of rows, as doubles)
 *                       │       │                          └ segment (slots as runs, immutable)
 *                       │       └ members: position in the rows → column
 *                       └ shape: column → (metric, type, stype), shared by hosts of a cluster
 *
 * Everything below a shard is guarded by shard->lock. The invariant that the rest builds on: the state of a
 * column that has samples names the newest group it is a member of ("the head of its chain"); a column
 * without samples has open == 0. The chain of a column is the groups of its host, in order of start,
 * in which it is a live member.
 */
#ifndef TARN_STORE_STORE_INT_H
#define TARN_STORE_STORE_INT_H

#include "store/read.h"
#include "store/run.h"
#include "store/store.h"
#include "store/walk.h"
#include "store/write.h"

#include <pthread.h>

enum {
    WINDOW_SLOTS = 32, /* slots of one frame, and of one short run */
    WINDOWS = TA_BUFFER_SLOTS / WINDOW_SLOTS
};

/* ---- shape.c ---------------------------------------------------------------------------------- */

struct ta_column {
    uint32_t metric;
    uint16_t type_len, stype_len;
    char *names; /* type, then stype; NULL when both are empty */
};

struct ta_shape {
    struct ta_alloc *alloc;
    uint32_t id;
    uint32_t n, cap; /* columns; capacity of the three arrays */
    uint32_t n_hosts;
    uint32_t n_judged; /* columns when it was last found to be in use */
    bool is_private;   /* of one host alone */
    bool is_outgrown;  /* its hosts are moving to another */
    struct ta_column *cols;
    uint32_t *by_metric; /* columns in order of (metric id, type, stype): what a query walks */
    uint32_t *by_level;  /* columns in order of (type, stype, metric name): what a listing walks */
    uint32_t *slots;     /* hash of the keys: column + 1; 0 = free */
    uint32_t n_slots;
};

int ta_shape_new(struct ta_shape **out, struct ta_alloc *alloc, uint32_t id, bool is_private);
void ta_shape_free(struct ta_shape *sh);
/* Column of the key, or TA_ENOTFOUND. */
int64_t ta_shape_find(const struct ta_shape *sh, const struct ta_column_key *key);
/* Adds a column that is not there; its number, or TA_ENOMEM. */
int64_t ta_shape_add(struct ta_shape *sh, const struct ta_metrics *metrics,
                     const struct ta_column_key *key);
void ta_shape_key(const struct ta_shape *sh, uint32_t col, struct ta_column_key *out);
/* Index in by_metric of the first column that is not before the key. */
uint32_t ta_shape_lower(const struct ta_shape *sh, const struct ta_column_key *key);
/* Index in by_level of the first column after the key. */
uint32_t ta_shape_level_upper(const struct ta_shape *sh, const struct ta_metrics *metrics,
                              const struct ta_column_key *key);
int ta_shape_compare_level(const struct ta_metrics *metrics, const struct ta_column_key *a,
                           const struct ta_column_key *b);

/* ---- segment.c -------------------------------------------------------------------------------- */

/* Runs of one group: those of positions [pos0, pos0 + n_pos) in slots [slot0, slot0 + n_slots). One block of
 * position-independent bytes, immutable once made:
 *
 *     this header | u32 off[n_pos + 1] | runs, one behind the other | TA_RUN_PAD bytes
 *
 * The run of position pos0 + i lies at off[i] behind the offsets, off[i] == off[i + 1]: it has none. A run is
 * cut behind its last value, except in restored groups. */
struct ta_segment {
    uint32_t bytes; /* of the whole block as allocated */
    uint16_t slot0, n_slots;
    uint32_t pos0, n_pos;
    uint32_t off[];
};

static inline const unsigned char *ta_segment_run(const struct ta_segment *sg, uint32_t pos)
{
    uint32_t i = pos - sg->pos0;

    if (pos < sg->pos0 || i >= sg->n_pos || sg->off[i] == sg->off[i + 1])
        return NULL;
    return (const unsigned char *)(sg->off + sg->n_pos + 1) + sg->off[i];
}

static inline uint32_t ta_segment_end(const struct ta_segment *sg)
{
    return (uint32_t)sg->slot0 + sg->n_slots;
}

/* A segment being made, in a buffer that grows and is used again. Zeroed at first. */
struct ta_seg_builder {
    struct ta_alloc *alloc;
    size_t keep_bytes; /* a buffer up to this size is kept for the next segment */
    unsigned char *at;
    size_t cap, len; /* bytes of runs */
    uint32_t *off;
    uint32_t cap_off, n_pos;
};

void ta_seg_reset(struct ta_seg_builder *b);
void ta_seg_done(struct ta_seg_builder *b);
/* The next position: v[0..n) as a run, cut behind its last value when `is_cut`; no run when nothing is left. */
int ta_seg_encode(struct ta_seg_builder *b, const double *v, uint32_t n, bool is_cut,
                  struct ta_run_hint *hint);
/* The next position: a copy of a run, or none when NULL. */
int ta_seg_copy(struct ta_seg_builder *b, const unsigned char *run);
/* The next n positions: what sg has from its position pos0 + i on. */
int ta_seg_copy_part(struct ta_seg_builder *b, const struct ta_segment *sg, uint32_t i, uint32_t n);
/* What was added, as a segment. TA_ENOMEM. */
int ta_seg_make(const struct ta_seg_builder *b, struct ta_alloc *a, uint32_t slot0,
                uint32_t n_slots, uint32_t pos0, struct ta_segment **out);
/* Two segments of the same slots as one, the positions of `right` right behind those of `left`. TA_ENOMEM. */
int ta_segment_join(struct ta_alloc *a, const struct ta_segment *left,
                    const struct ta_segment *right, struct ta_segment **out);
void ta_segment_free(struct ta_alloc *a, struct ta_segment *sg);

/* ---- frame.c ---------------------------------------------------------------------------------- */

/* 32 consecutive slots of a group as rows of doubles, NaN = absent, for positions [pos0, pos0 + stride): all of them
 * where samples come moment by moment, a few where one series comes after the other. Rows come in blocks of 2^shift
 * rows, so that a narrow frame does not pay an allocation a row; a block exists once one of its rows was
 * written. */
struct ta_frame {
    uint16_t window; /* slots [32 * window, 32 * window + 32) of the group */
    uint8_t shift;
    uint8_t n_blocks; /* 32 >> shift */
    uint32_t pos0;
    uint32_t stride; /* cells per row */
    double *blocks[];
};

static inline double *ta_frame_row(const struct ta_frame *f, uint32_t slot)
{
    uint32_t in = slot % WINDOW_SLOTS;
    double *block = f->blocks[in >> f->shift];

    return block ? block + (size_t)(in & ((1U << f->shift) - 1)) * f->stride : NULL;
}

/* The cell of a position; NULL: the frame has none. */
static inline double *ta_frame_cell(const struct ta_frame *f, uint32_t slot, uint32_t pos)
{
    double *row = pos - f->pos0 < f->stride ? ta_frame_row(f, slot) : NULL;

    return row ? row + (pos - f->pos0) : NULL;
}

int ta_frame_new(struct ta_frame **out, struct ta_alloc *a, uint32_t window, uint32_t pos0,
                 uint32_t stride);
void ta_frame_free(struct ta_alloc *a, struct ta_frame *f);
size_t ta_frame_bytes(const struct ta_frame *f);
/* The row of a slot, made when it is not there; NULL = no memory. */
double *ta_frame_make_row(struct ta_alloc *a, struct ta_frame *f, uint32_t slot);
/* Another frame of these positions in its place; cells of others are lost. TA_ENOMEM: nothing changed. */
int ta_frame_restride(struct ta_alloc *a, struct ta_frame **frame, uint32_t pos0, uint32_t stride);

/* ---- group.c ---------------------------------------------------------------------------------- */

#define MEMBER_GONE ((uint32_t)1 << 31) /* the column's buffer was freed; its cells are garbage */

struct ta_group {
    struct ta_row_cache row; /* first: what the inline append sees */
    int64_t start_s, freq_s;
    uint32_t capacity;
    uint16_t put_slot; /* that ta_group_put wrote to last */
    bool is_restored;
    bool is_sorted;    /* members are in ascending order of columns */
    uint32_t n_pos;    /* positions handed out */
    uint32_t cap_pos;  /* capacity of members */
    uint32_t n_live;   /* members not gone */
    uint32_t n_open;   /* columns whose state names this group */
    uint32_t open;     /* index in host->open while n_open > 0 */
    uint32_t *members; /* by position: column, perhaps with MEMBER_GONE */
    uint32_t n_frames, cap_frames;
    struct ta_frame **frames; /* in order of window; what they hold goes before the segments */
    uint32_t n_segs, cap_segs;
    struct ta_segment **segs; /* in order of (slot0, pos0); no two cover the same cell */
    uint64_t serial;          /* tells it from any other group of its host, ever */
    uint32_t n_pending;       /* members whose restored run is not here yet: nothing is sealed */
    bool is_pinned;           /* the keeper reads its segments without the lock: they stay */
    bool is_orphan;           /* freed while pinned: the keeper frees it */
};

static inline int64_t ta_group_cap_end(const struct ta_group *g)
{
    return g->start_s + (int64_t)g->capacity * g->freq_s;
}

int ta_group_new(struct ta_group **out, struct ta_alloc *a, int64_t start_s, int64_t freq_s,
                 uint32_t capacity, bool is_restored);
void ta_group_free(struct ta_alloc *a, struct ta_group *g);
size_t ta_group_bytes(const struct ta_group *g);
/* Position of a live member, or TA_ENOTFOUND. */
int64_t ta_group_pos(const struct ta_group *g, uint32_t col);
int64_t ta_group_join(struct ta_alloc *a, struct ta_group *g, uint32_t col);
void ta_group_unjoin(struct ta_group *g); /* takes the last join back */
/* Writes a cell and makes its row the cached one, for time stamp ts_s. */
int ta_group_put(struct ta_alloc *a, struct ta_group *g, uint32_t slot, uint32_t pos, int64_t ts_s,
                 double v);
/* Adds a segment; TA_ENOMEM (it stays the caller's). To a pinned group only for positions that it did not
 * have when it was pinned: the keeper replaces the first segments. */
int ta_group_add_segment(struct ta_alloc *a, struct ta_group *g, struct ta_segment *sg);
/* Slots in use of a member: 1 + its last slot that holds a value (all, when restored). */
uint32_t ta_group_len(const struct ta_group *g, uint32_t pos);
/* No member has more. */
uint32_t ta_group_len_max(const struct ta_group *g);
/* out[i] = slot + i for i < n, NaN = absent; slot + n <= capacity. */
void ta_group_copy(const struct ta_group *g, uint32_t pos, uint32_t slot, uint32_t n, double *out);
/* acc[i] += the same. */
void ta_group_add(const struct ta_group *g, uint32_t pos, uint32_t slot, uint32_t n, double *acc);
/* Joins the statistics of the same slots to *into. */
void ta_group_stats(const struct ta_group *g, uint32_t pos, uint32_t slot, uint32_t n,
                    struct ta_run_stats *into);

struct ta_host;

/* ---- seal.c ----------------------------------------------------------------------------------- */

/* Turns a frame into runs, joining what its slots hold already. TA_ENOMEM: everything is as before. */
int ta_seal_frame(struct ta_alloc *a, struct ta_host *h, struct ta_group *g, uint32_t i_frame,
                  struct ta_seg_builder *scratch);
/* Seals what a write to `slot` has made due; nothing when memory is short or the group is pinned. */
void ta_seal_due(struct ta_alloc *a, struct ta_host *h, struct ta_group *g, uint32_t slot,
                 struct ta_seg_builder *scratch);
/* One segment in place of all that g has, without the runs of members that are gone. Needs no lock: it reads
 * copies taken under it, segments that a pinned group keeps, and what never changes. */
struct ta_merge {
    struct ta_segment **segs;
    uint32_t *members;         /* by position */
    struct ta_run_hint *hints; /* by position */
    uint32_t n_segs, n_pos, cap_segs, cap_pos;
};
int ta_seal_merge(struct ta_alloc *a, const struct ta_group *g, const struct ta_merge *m,
                  struct ta_seg_builder *scratch, struct ta_segment **out);

/* ---- host.c ----------------------------------------------------------------------------------- */

struct ta_cluster;

struct ta_host {
    uint64_t id;
    uint64_t next_serial; /* of groups */
    uint64_t hash;
    struct ta_host *next; /* in its hash bucket */
    struct ta_cluster *cluster;
    struct ta_shape *shape;
    struct ta_col_state *states; /* by column */
    uint32_t n_states;
    uint32_t n_series; /* columns with samples */
    uint32_t n_open, cap_open;
    uint32_t open_free;         /* no free entry of `open` is below it */
    struct ta_row_cache **open; /* [0] is no group; free entries too */
    uint32_t n_groups, cap_groups;
    struct ta_group **groups; /* in order of (start, freq, capacity, restored) */
    int64_t base_s;           /* what the states count from */
    int64_t span_max_s;       /* no group covers more */
    int64_t due_s; /* the keeper has nothing to do here before the time it judges by is past this */
    int64_t touched_from_s; /* since the last cut; INT64_MAX = not touched */
    bool is_protected;
    uint8_t name_len;
    char name[];
};

static inline struct ta_str ta_host_name(const struct ta_host *h)
{
    return (struct ta_str){h->name, h->name_len};
}

static inline bool ta_host_has(const struct ta_host *h, uint32_t col)
{
    return col < h->n_states && h->states[col].open != 0;
}

/* The newest group of a column that has samples. */
static inline struct ta_group *ta_host_head(const struct ta_host *h, uint32_t col)
{
    return (struct ta_group *)(void *)h->open[h->states[col].open];
}

/* `shape` is not referenced by this. */
int ta_host_new(struct ta_host **out, struct ta_alloc *a, struct ta_str name);
void ta_host_free(struct ta_alloc *a, struct ta_host *h); /* with its groups */
int ta_host_grow(struct ta_alloc *a, struct ta_host *h, uint32_t col);
/* Gives the columns other numbers: map[column] for each with samples. `states` (zeroed, longer than all of
 * them) replaces the table and is owned from now on. */
void ta_host_renumber(struct ta_alloc *a, struct ta_host *h, const uint32_t *map,
                      struct ta_col_state *take_states, uint32_t n_states);
/* First group whose start is > t (n_groups when none). */
uint32_t ta_host_after(const struct ta_host *h, int64_t t);
/* The column has a buffer that begins at start_s; called before the head is pointed. */
void ta_host_begins(struct ta_host *h, uint32_t col, int64_t start_s);
/* First group from index i on in which `col` is a live member: its index, *pos; or n_groups. */
uint32_t ta_host_chain(const struct ta_host *h, uint32_t col, int64_t freq_s, uint32_t i,
                       uint32_t *out_pos);
/* The newest group at or before index i in which col, which has samples, is a live member; or UINT32_MAX. */
uint32_t ta_host_chain_back(const struct ta_host *h, uint32_t col, int64_t freq_s, uint32_t i,
                            uint32_t *out_pos);
/* The group of that key, found or made; the caller gives it a member or calls ta_host_tidy. */
int ta_host_group(struct ta_alloc *a, struct ta_host *h, int64_t start_s, int64_t freq_s,
                  uint32_t capacity, bool is_restored, struct ta_group **out);
/* Frees the group when it has no live member. Returns true when it did. */
bool ta_host_tidy(struct ta_alloc *a, struct ta_host *h, struct ta_group *g);
/* Makes room in the table of open groups, so that ta_host_point cannot fail. */
int ta_host_reserve_open(struct ta_alloc *a, struct ta_host *h);
/* The column's newest group is g from now on (NULL: it has none any more). Needs a reserved entry. */
void ta_host_point(struct ta_host *h, uint32_t col, struct ta_group *g, uint32_t pos);
/* Frees the column's buffer in g, which is its oldest; the caller tidies. */
void ta_host_drop_member(struct ta_host *h, struct ta_group *g, uint32_t pos);

/* ---- put.c ------------------------------------------------------------------------------------ */

enum ta_put_kind { TA_PUT_NEWEST, TA_PUT_LATE };
/* One sample (metric-store 4.2 with weakness 4). enum ta_put_kind, TA_ERANGE, TA_ENOMEM. The column is
 * within n_states. */
int ta_host_put(struct ta_alloc *a, struct ta_host *h, uint32_t col, int64_t freq_s, int64_t ts_s,
                double v, int64_t oldest_s, struct ta_seg_builder *scratch);

/* ---- shard.c ---------------------------------------------------------------------------------- */

struct ta_cluster {
    struct ta_cluster *next;
    struct ta_shape *shape; /* what new hosts begin with; NULL when none is left */
    uint32_t n_hosts;
    uint64_t n_series; /* of these hosts */
    uint8_t name_len;
    char name[];
};

static inline struct ta_str ta_cluster_name(const struct ta_cluster *c)
{
    return (struct ta_str){c->name, c->name_len};
}

struct ta_shard {
    pthread_rwlock_t lock;
    struct ta_store *store;
    struct ta_metrics *metrics; /* referenced; guarded by lock, as all below */
    struct ta_cluster *clusters;
    uint32_t n_hosts, cap_hosts;
    struct ta_host **sorted; /* by (cluster, host) */
    uint32_t n_buckets;
    struct ta_host **buckets;
    uint32_t n_shapes;
    struct ta_seg_builder scratch; /* of the writer */
    struct ta_store_counts counts; /* the sums since the start */
};

uint64_t ta_shard_hash(const struct ta_store *s, struct ta_str cluster, struct ta_str host);
struct ta_shard *ta_shard_of(struct ta_store *s, uint64_t hash);
struct ta_host *ta_shard_find(const struct ta_shard *sd, uint64_t hash, struct ta_str cluster,
                              struct ta_str host);
int ta_shard_add(struct ta_shard *sd, uint64_t hash, struct ta_str cluster, struct ta_str host,
                 struct ta_host **out);
void ta_shard_remove(struct ta_shard *sd, struct ta_host *h);
/* Index of the first host that sorts after (cluster, host). */
uint32_t ta_shard_after(const struct ta_shard *sd, struct ta_str cluster, struct ta_str host);
void ta_shard_done(struct ta_shard *sd);
/* A shape without hosts; one that loses its last host is freed. */
int ta_shard_new_shape(struct ta_shard *sd, bool is_private, struct ta_shape **out);
void ta_shard_leave_shape(struct ta_shard *sd, struct ta_cluster *c, struct ta_shape *sh);
/* Frees the cluster's shape, which no host uses. */
void ta_shard_drop_shape(struct ta_shard *sd, struct ta_cluster *c);

/* ---- reshape.c -------------------------------------------------------------------------------- */

/* The column of a key in this host's shape, added when new; may move the host to a private shape. */
int64_t ta_shard_column(struct ta_shard *sd, struct ta_host *h, const struct ta_column_key *key);

/* Moves the host to a leaner shape when the one it has is mostly columns that nobody uses any more. TA_ENOMEM:
 * it stays. */
int ta_shard_reshape(struct ta_shard *sd, struct ta_host *h);
/* Looks for such shapes; visits every column of every host. */
void ta_shard_judge(struct ta_shard *sd);

/* Finds a host under the shard's read lock; NULL: not there (nothing is locked then). */
struct ta_host *ta_store_rdlock(struct ta_store *s, struct ta_str cluster, struct ta_str host,
                                struct ta_shard **out);
static inline void ta_shard_unlock(struct ta_shard *sd)
{
    pthread_rwlock_unlock(&sd->lock);
}

/* ---- sweep.c ---------------------------------------------------------------------------------- */

/* Every host of the store, shard by shard, some hosts per lock hold. While a host is in hand its shard
 * is locked; it may be removed then. */
struct ta_sweep {
    struct ta_store *store;
    struct ta_str cluster, host; /* when not empty: these alone; borrowed */
    bool is_writing;             /* take the write lock */
    struct ta_shard *locked;
    uint32_t shard;                         /* the one in work */
    uint32_t held;                          /* hosts visited in this lock hold */
    struct ta_name last_cluster, last_host; /* visited last in this shard */
};

void ta_sweep_init(struct ta_sweep *sw, struct ta_store *s, struct ta_str cluster,
                   struct ta_str host, bool is_writing);
/* The next host, or NULL at the end (nothing is locked then). */
struct ta_host *ta_sweep_next(struct ta_sweep *sw);
/* Unlocks before the end. */
void ta_sweep_stop(struct ta_sweep *sw);

/* ---- keep.c ----------------------------------------------------------------------------------- */

/* Where the keeper is, and what it uses: one thread at a time. */
struct ta_store_keeper {
    struct ta_sweep sweep;
    bool is_under_way; /* `sweep` is in the middle of a pass */
    uint32_t shard;    /* the one that was judged last in this pass */
    struct ta_seg_builder scratch;
    struct ta_merge merge; /* its arrays are kept for the next one */
};

void ta_keeper_done(struct ta_store *s);

/* ---- walk.c ----------------------------------------------------------------------------------- */

/* Under the shard's lock: ta_walk_series_next, and the column of the series that it gave, or TA_ENOTFOUND. */
bool ta_walk_step(const struct ta_shard *sd, const struct ta_host *h, bool is_first,
                  struct ta_walk_series *at);
int64_t ta_walk_column(const struct ta_host *h, const struct ta_walk_series *at);

/* ---- match.c ---------------------------------------------------------------------------------- */

/* The columns of a host that a selection finds, one by one in the reference's visit order; only
 * columns with samples. Valid under the shard's lock. (spec: metric-store 5) */
struct ta_match {
    const struct ta_host *host;
    const struct ta_selection *sel;
    uint32_t lo, hi;   /* the metric's columns in shape->by_metric */
    uint32_t type_at;  /* next type: index in a group's list, or in by_metric */
    uint32_t a, b;     /* the columns of the present type; a == b: none */
    uint32_t stype_at; /* next subtype, likewise */
};

void ta_match_init(struct ta_match *m, const struct ta_host *h, const struct ta_selection *sel);
bool ta_match_next(struct ta_match *m, uint32_t *out_col);

/* The same for who visits them more than once: the first are noted, more are looked for again. */
struct ta_found {
    struct ta_match match;
    uint32_t n; /* columns found */
    uint32_t at;
    uint32_t cols[256];
};

void ta_found_init(struct ta_found *f, const struct ta_host *h, const struct ta_selection *sel);
void ta_found_rewind(struct ta_found *f);
bool ta_found_next(struct ta_found *f, uint32_t *out_col);

/* ---- read.c ----------------------------------------------------------------------------------- */

/* Smallest n >= 0 with from + n * freq >= t. */
int64_t ta_read_steps(int64_t from_s, int64_t freq_s, int64_t t);
/* Index of the first group that can reach beyond t. */
uint32_t ta_read_first(const struct ta_host *h, int64_t t);
/* The first buffer of the chain from group i on whose capacity reaches beyond t; n_groups: none. */
uint32_t ta_read_next(const struct ta_host *h, uint32_t col, int64_t freq_s, uint32_t i, int64_t t,
                      uint32_t *out_pos);

/* ---- retain.c --------------------------------------------------------------------------------- */

/* Frees oldest data when the store is so near its cap that a batch might not fit. No lock held. */
void ta_store_make_room(struct ta_store *s);

/* ---- store.c ---------------------------------------------------------------------------------- */

/* Small blocks from the heap, large ones in whole pages. */
struct ta_store_mem {
    struct ta_alloc alloc;
    struct ta_alloc *small, *large;
};

struct ta_store {
    struct ta_store_mem mem;
    struct ta_budget budget; /* over mem; its cap is the memory-cap */
    struct ta_alloc *owner;  /* the store itself comes from here, uncounted */
    _Atomic int64_t retention_s;
    _Atomic uint64_t next_host_id;
    _Atomic uint32_t next_shape_id;
    uint64_t hash_seed;
    uint32_t n_shards;
    struct ta_store_keeper keeper;
    pthread_mutex_t swap; /* one change of the metric table at a time */
    pthread_mutex_t visited_lock;
    struct ta_store_counts visited; /* of the last visit to all buffers */
    pthread_mutex_t shrink;         /* one thread makes room at a time; no shard is locked */
    struct ta_shard shards[];
};

static inline struct ta_alloc *ta_store_alloc(struct ta_store *s)
{
    return &s->budget.alloc;
}

#endif
