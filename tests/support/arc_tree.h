/* arc_tree.h - small checkpoint trees for archive tests, and the rows an archive of them must hold. */
#ifndef TARN_TESTS_ARC_TREE_H
#define TARN_TESTS_ARC_TREE_H

#include "io/vfs.h"
#include "persist/tree_write.h"

/* A set of rows: equal sums and counts mean equal sets, whatever the order (a row twice shows). */
struct arc_rows {
    uint64_t n, sum;
};

/* One host's file [from_s, from_s + 10 * freq) under root: node and accelerator series with gaps, two equal
 * `nvlink0` levels below two accelerators, one series that has no values at all. Adds its rows to *rows. */
void arc_tree_file(struct ta_vfs *vfs, const char *root, const char *cluster, const char *host,
                   int64_t from_s, enum ta_tree_format format, struct arc_rows *rows);

/* ROOT of n_hosts hosts with two files each, the first .json, the second .bin. */
void arc_tree_make(struct ta_vfs *vfs, const char *root, const char *cluster, unsigned n_hosts,
                   struct arc_rows *rows);

/* All rows of all DIR/<cluster>/X.parquet; every one must be readable to its end and sorted as it says. Fails the
 * test otherwise. A missing directory has none. */
struct arc_rows arc_tree_archived(struct ta_vfs *vfs, const char *dir, const char *cluster);

/* Files below root/cluster whose names end in `suffix`. */
unsigned arc_tree_count(struct ta_vfs *vfs, const char *root, const char *cluster,
                        const char *suffix);

#endif
