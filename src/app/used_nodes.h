/* used_nodes.h - which hosts have running jobs: what the backend last said.
 *
 * GET <backend-url>/api/jobs/used_nodes?ts=<Unix time>, with a token when one is configured. Both shapes of
 * the answer are understood: {"usedNodes": {cluster: [host, ...]}} and the bare map (spec: metric-store 8.4 and
 * weakness 6). When the backend does not answer, the last known answer counts; it is kept in a file, so that it also
 * counts after a restart.
 *
 * Memory: the answer's names, at most TA_USED_NODES_BYTES; a larger answer is refused as a whole.
 */
#ifndef TARN_APP_USED_NODES_H
#define TARN_APP_USED_NODES_H

#include "base/arena.h"
#include "base/err.h"
#include "io/stream.h"
#include "io/vfs.h"
#include "store/store.h"

#include <stdbool.h>

enum { TA_USED_NODES_BYTES = 64 << 20 };

struct ta_used_nodes {
    struct ta_node *at; /* in `memory`, as the slices in it */
    size_t n, cap;
    struct ta_arena memory;
};

void ta_used_nodes_init(struct ta_used_nodes *u, struct ta_alloc *alloc);
void ta_used_nodes_done(struct ta_used_nodes *u); /* fine on a zeroed struct */

/* Reads an answer, sorted afterwards. TA_EFORMAT when it is neither shape; *out is then empty. */
int ta_used_nodes_parse(struct ta_used_nodes *out, struct ta_source *json, struct ta_err *err);

bool ta_used_nodes_has(const struct ta_used_nodes *u, struct ta_str cluster, struct ta_str host);

/* The bare map to `path`, atomically; or back. A missing file is no nodes. */
int ta_used_nodes_save(const struct ta_used_nodes *u, struct ta_vfs *vfs, const char *path,
                       struct ta_err *err);
int ta_used_nodes_load(struct ta_used_nodes *out, struct ta_vfs *vfs, const char *path,
                       struct ta_err *err);

/* From the database of jobs, as it is now: nodes of jobs that run or wait to be archived. */
int ta_used_nodes_of_jobs(struct ta_used_nodes *out, const char *database, int64_t now_s,
                          struct ta_err *err);

struct ta_node_provider_conf {
    const char *url;        /* main.backend-url, without trailing slash */
    const char *token_file; /* "" or NULL: none. Read at each request, so that it can be replaced */
    int64_t timeout_ms;     /* 0: 10,000 as the reference */
    const _Atomic bool *stop;
};

/* Asks the backend. TA_EIO, TA_EFORMAT, TA_EDENIED (401, 403): *out is empty. Blocks up to the time-out. */
int ta_used_nodes_ask(struct ta_used_nodes *out, const struct ta_node_provider_conf *conf,
                      int64_t now_s, struct ta_err *err);

#endif
