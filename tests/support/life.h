/* life.h - the durable half of a server in a test: ingest into log and store, checkpoints, recovery; and a
 * model that knows what was tried and what was acknowledged.
 *
 * A slot of the model is (host, column, tick). Every write of a slot has a number, and its value says which; so
 * what is found after a crash is right when it is the last acknowledged write or one tried after it. */
#ifndef TARN_TESTS_LIFE_H
#define TARN_TESTS_LIFE_H

#include "base/rand.h"
#include "io/vfs_mem.h"
#include "persist/vault.h"

enum { LIFE_HOSTS = 3, LIFE_COLUMNS = 5, LIFE_TICKS = 48, LIFE_BASE = 1700000040, LIFE_FREQ = 60 };

struct life_model {
    struct {
        uint32_t tried, acked; /* numbers of writes, from 1; 0: none */
    } slot[LIFE_HOSTS][LIFE_COLUMNS][LIFE_TICKS];
    uint32_t next; /* number of the next write */
    uint64_t acked, lost, wrong;
};

struct life {
    struct ta_vfs *vfs;
    struct ta_alloc *alloc;
    struct ta_clock_manual clock;
    enum ta_tree_format format;
    enum ta_durability durability;
    int64_t retention_s; /* 0: none */
    struct ta_store *store;
    struct ta_vault vault;
    bool is_open;
};

/* Opens and loads. On failure everything is closed again. */
int life_open(struct life *l, struct ta_err *err);
/* The same without loading: ta_vault_load is the caller's. */
int life_open_unloaded(struct life *l, struct ta_err *err);
/* Stops as after kill -9: what is not on disk is gone. Nothing is checked. */
void life_drop(struct life *l);
/* Stops in order: checkpoint of everything, close. */
int life_stop(struct life *l, struct ta_err *err);

/* A batch of one host: `n` columns from `first` on at tick `k`. TA_OK = acknowledged. */
int life_write(struct life *l, struct life_model *m, unsigned host, unsigned first, unsigned n,
               unsigned k);
int life_checkpoint(struct life *l, int64_t boundary_s, struct ta_err *err);

/* Holds the store against the model: adds to m->lost and m->wrong. */
void life_compare(struct life *l, struct life_model *m);

/* What such a slot's value was in the write of that number. */
double life_value(uint32_t number);
#endif
