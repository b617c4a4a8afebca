/* rucio.h - a session with Rucio: rules and names of the scope cms (spec: rule-cleaner 4.2 K-O, 4.3).
 *
 * Knows nothing of workflows. The token is kept in memory only, renewed when it ends or is refused.
 * Redirects are not followed, so that the token goes to no other host. Any thread.
 */
#ifndef TARN_SWEEP_RUCIO_H
#define TARN_SWEEP_RUCIO_H

#include "base/arena.h"
#include "rest/caller.h"
#include "rest/id_spool.h"

#include <pthread.h>

enum ta_rucio_auth { TA_RUCIO_X509, TA_RUCIO_PROXY, TA_RUCIO_USERPASS, TA_RUCIO_OIDC };

struct ta_rucio_conf {
    const char *url, *auth_url; /* without slash at the end */
    const char *account, *vo;
    enum ta_rucio_auth auth;
    const char *username, *password;  /* userpass */
    struct ta_token_file *token;      /* oidc */
    unsigned upstream, auth_upstream; /* for the caller's counters */
    struct ta_caller *caller;
    struct ta_clock *clock;
    struct ta_alloc *alloc;
};

struct ta_rucio {
    struct ta_rucio_conf conf;
    pthread_mutex_t lock;
    struct ta_buf token;   /* guarded by lock; NUL-terminated */
    int64_t token_end_s;   /* guarded by lock */
    uint64_t token_number; /* counts renewals; guarded by lock */
};

void ta_rucio_init(struct ta_rucio *r, const struct ta_rucio_conf *conf);
void ta_rucio_done(struct ta_rucio *r);

/* Adds the ids of the account's rules on a name. A rule that names another account is TA_EFORMAT. */
int ta_rucio_rules(struct ta_rucio *r, struct ta_str did, const char *account,
                   struct ta_id_spool *out, struct ta_err *err);
/* The state of a rule, in the arena; TA_ENOTFOUND. */
int ta_rucio_rule_state(struct ta_rucio *r, struct ta_str rule, struct ta_arena *arena,
                        struct ta_str *out, struct ta_err *err);
/* Sets a rule's lifetime to 0. TA_OK also when the rule is gone. */
int ta_rucio_expire(struct ta_rucio *r, struct ta_str rule, struct ta_err *err);
/* 1 = a container, 0 = something else or unknown. */
int ta_rucio_is_container(struct ta_rucio *r, struct ta_str did, struct ta_err *err);
/* Adds the names of type DATASET in a container. */
int ta_rucio_content(struct ta_rucio *r, struct ta_str did, struct ta_id_spool *out,
                     struct ta_err *err);

#endif
