/* checkpoint_int.h - shared by checkpoint.c (which ranges) and checkpoint_file.c (one range, one file). */
#ifndef TARN_PERSIST_CHECKPOINT_INT_H
#define TARN_PERSIST_CHECKPOINT_INT_H

#include "persist/checkpoint.h"
#include "persist/host_files.h"
#include "persist/seal.h"
#include "store/walk.h"

enum { TA_CHECKPOINT_WINDOW = 4096 };

/* The work on one host. */
struct ta_checkpoint_job {
    const struct ta_checkpoint_conf *conf;
    struct ta_str cluster, host;
    struct ta_host_files files;
    struct ta_store *source; /* what is written: the store, or what was merged from it and a file */
    bool has_dir;            /* the host's directory was made sure of */
    uint64_t n_written, n_again, n_samples, n_bytes;
    char dir[TA_PATH_MAX];
    unsigned char buffer[TA_TREE_BUFFER];
    struct ta_seal seal;
    double window[TA_CHECKPOINT_WINDOW];
};

/* Slots with a centre in [from, to), on grids that do not change their phase in between. */
struct ta_checkpoint_range {
    int64_t from_s, to_s;
    bool is_last; /* nothing of what was asked for lies behind it */
};

/* The first such range within [from, to), beginning at the first slot there is. false: there is none. */
bool ta_checkpoint_plan(struct ta_checkpoint_job *job, int64_t from_s, int64_t to_s,
                        struct ta_checkpoint_range *out);

/* Writes the range as <from>.<format>, durable but for its directory entry. */
int ta_checkpoint_file(struct ta_checkpoint_job *job, const struct ta_checkpoint_range *range,
                       bool is_again, struct ta_err *err);

struct ta_column_key ta_checkpoint_key(const struct ta_walk_series *series);

/* A store with what the file holds and, over it, what the store holds of its range. To be freed with
 * ta_store_free. */
int ta_checkpoint_merge(struct ta_checkpoint_job *job, const struct ta_host_file *f,
                        struct ta_store **out, struct ta_err *err);

#endif
