/* protector.h - hosts with running jobs keep their samples: who they are, now and after a restart.
 *
 * At each run of retention our own jobs are looked at (main.db), or the backend is asked (used_nodes.h). Its answer is kept in
 * ROOT/.tarn/state/used-nodes.json, so that it also counts for the next life: for what is loaded at the start,
 * and until the backend answers again. A failure leaves the last answer in force, is counted, and said in the
 * log. Before the first answer ever nobody is protected. (spec: metric-store 8.2, 8.4)
 *
 * How they are protected is the store's matter: not freed by age, and under the memory cap last.
 */
#ifndef TARN_APP_PROTECTOR_H
#define TARN_APP_PROTECTOR_H

#include "app/conf.h"
#include "app/used_nodes.h"
#include "base/clock.h"
#include "base/log.h"

#include <pthread.h>

struct ta_protector_counts {
    uint64_t asked, failed;
    uint64_t nodes;     /* protected now */
    int64_t answered_s; /* Unix time of the last good answer; 0: none since the start */
};

struct ta_protector {
    struct ta_vfs *vfs;
    struct ta_clock *clock;
    struct ta_log *log;
    char *url, *path; /* owned */
    size_t url_room, path_room;
    struct ta_node_provider_conf provider;
    const char *database; /* of our own jobs, asked instead of the backend; "": none. Borrowed */
    bool is_on;           /* main.backend-url or main.db is set */
    _Atomic bool stop;    /* ends a question under way */
    pthread_mutex_t lock;
    struct ta_used_nodes known;        /* sorted; changed by the asking thread alone, under lock */
    struct ta_protector_counts counts; /* guarded by lock */
};

/* Loads the last answer; a file that cannot be read is said in the log and means none. Asks nobody yet.
 * Without main.backend-url and main.db it stays off. Borrows everything until the close. TA_ENOMEM. */
int ta_protector_open(struct ta_protector *p, const struct ta_config *config, struct ta_vfs *vfs,
                      struct ta_clock *clock, struct ta_log *log, struct ta_err *err);
void ta_protector_close(struct ta_protector *p); /* fine on a zeroed struct */

/* Asks the backend, up to its time-out (10 s), and keeps the answer. One thread; what it finds in p->known
 * afterwards stays until its next call. */
void ta_protector_ask(struct ta_protector *p);
/* Ends a question under way, for good. Any thread. */
void ta_protector_quit(struct ta_protector *p);

/* Any thread. */
bool ta_protector_has(struct ta_protector *p, struct ta_str cluster, struct ta_str host);
void ta_protector_counts(struct ta_protector *p, struct ta_protector_counts *out);

#endif
