/* cleaner_rucio.h - how to log in to Rucio: our own keys, the environment, rucio.cfg.
 *
 * In this order; the first that says something about a value wins (spec: rule-cleaner 4.3). The file
 * is found through RUCIO_CONFIG, else RUCIO_HOME/etc/rucio.cfg; only its section [client] counts.
 */
#ifndef TARN_APP_CLEANER_RUCIO_H
#define TARN_APP_CLEANER_RUCIO_H

#include "app/cleaner_conf.h"
#include "rest/credentials.h"
#include "sweep/rucio.h"

struct ta_rucio_login {
    enum ta_rucio_auth auth;
    const char *vo, *username, *password, *cert, *key, *ca;
};

/* Texts stand in the arena. TA_EINVAL, TA_EDENIED (a private key others may read), TA_ENOMEM. */
int ta_rucio_login_find(struct ta_rucio_login *out, const struct ta_cleaner_data *data,
                        ta_env_reader env, struct ta_vfs *vfs, struct ta_arena *arena,
                        struct ta_err *err);

#endif
