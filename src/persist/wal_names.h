/* wal_names.h - which hosts and columns the current log segment has named, and how often.
 *
 * A segment names what its samples refer to, each thing in two different records, so that one damaged
 * record takes no name with it. This table says what a batch must still name. It also keeps every name
 * said so far as ready log items (the dictionary): when a segment has to be given up, its successor
 * begins with them. Grows with hosts and with columns of shapes: about 40 bytes plus the names.
 */
#ifndef TARN_PERSIST_WAL_NAMES_H
#define TARN_PERSIST_WAL_NAMES_H

#include "base/alloc.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* How often a thing has been named: not at all, twice, or once: then a mark of the record that did. */
typedef uint32_t ta_wal_named;
enum { TA_NAMED_NOT = 0, TA_NAMED_TWICE = 1 };

/* The mark of "once, in the record with this sequence"; two records closer than 2^31 differ. */
static inline ta_wal_named ta_wal_named_once(uint64_t sequence)
{
    return (uint32_t)sequence | 0x80000000u;
}

struct ta_wal_named_host {
    uint64_t host_id;
    uint32_t shape_id;
    ta_wal_named named;
    bool is_used; /* slot of the hash table */
};

struct ta_wal_named_shape {
    ta_wal_named *named; /* by column */
    uint32_t shape_id;
    uint32_t n_columns; /* size of `named` */
    bool is_used;
};

struct ta_wal_names {
    struct ta_alloc *alloc;
    struct ta_wal_named_host *hosts; /* open addressing, power of two */
    size_t n_hosts, hosts_cap;
    struct ta_wal_named_shape *shapes;
    size_t n_shapes, shapes_cap;
    struct ta_buf dictionary; /* log items */
};

void ta_wal_names_init(struct ta_wal_names *t, struct ta_alloc *alloc);
void ta_wal_names_done(struct ta_wal_names *t);
/* Forgets everything: a new segment. Keeps the tables' memory. */
void ta_wal_names_reset(struct ta_wal_names *t);

/* Finds or makes the entry; a new one is TA_NAMED_NOT. A host that moved to another shape is named anew.
 * NULL: no memory. Valid until the next call on the table. */
struct ta_wal_named_host *ta_wal_names_host(struct ta_wal_names *t, uint64_t host_id,
                                            uint32_t shape_id);
struct ta_wal_named_shape *ta_wal_names_shape(struct ta_wal_names *t, uint32_t shape_id,
                                              uint32_t n_columns);

#endif
