/* cleaner_conf.h - the configuration of the rule cleaner: the service's own keys, as JSON.
 *
 *     {"main": {"port": 8244, "application": "ms-rulecleaner"}, "data": {"reqmgr2Url": "...", ...}}
 *
 * (spec: rule-cleaner 3) Unknown keys are a warning, so that a deployed file carries over.
 */
#ifndef TARN_APP_CLEANER_CONF_H
#define TARN_APP_CLEANER_CONF_H

#include "app/conf.h"
#include "base/arena.h"
#include "base/log.h"
#include "io/vfs.h"

struct ta_cleaner_tls {
    bool verify;
    const char *ca_path, *cert, *key;
};

struct ta_cleaner_rucio {
    const char *auth_type, *username, *password_file, *ca_path;
};

struct ta_cleaner_data {
    const char *reqmgr_url, *wmstats_url, *msoutput_url, *logdb_url, *dbs_url, *rucio_url,
        *rucio_auth_url;
    const char *rucio_account, *wma_account, *mstr_account, *mstr_account_deployed;
    const char *log_reporter;
    struct ta_conf_strings services;
    int64_t interval_s;
    bool is_real;
    int64_t archive_delay_hours, archive_alarm_hours;
    bool send_notification, alert_tape_pending;
    const char *alert_url;
    int64_t alert_expire_s;
    struct {
        const char *status_advance_expired;
    } alert_destination;
    bool verbose;
    int64_t chunk_size, chunks_in_flight, workers, per_host, fetch_retries, locks_max_age_s;
    double locks_shrink_guard;
    uint64_t max_workflow_bytes, memory_limit;
    struct ta_cleaner_tls tls;
    const char *token_file;
    struct ta_cleaner_rucio rucio;
    const char *auth_key_file;
    int64_t cmsweb_port;
    const char *state_dir, *temp_dir;
};

struct ta_cleaner_main {
    int64_t port;
    const char *application;
};

struct ta_cleaner_conf {
    struct ta_cleaner_main main;
    struct ta_cleaner_data data;
    struct ta_arena arena; /* holds every text */
};

/* TA_EINVAL: what is wrong and where. Give it to _done in any case. */
int ta_cleaner_conf_load(struct ta_cleaner_conf *out, struct ta_vfs *vfs, const char *path,
                         struct ta_alloc *alloc, struct ta_log *log, struct ta_err *err);
void ta_cleaner_conf_done(struct ta_cleaner_conf *c);

/* The effective values as JSON in the same layout, indented by nothing; no secret is among them. */
int ta_cleaner_conf_print(const struct ta_cleaner_conf *c, struct ta_buf *out);

#endif
