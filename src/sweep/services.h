/* services.h - the services of CMS workload management, as the rule cleaner asks them.
 *
 * Listings and locks for the cycle (spec: rule-cleaner 4.2 A, C, D), and a port for workflows
 * (E, F, G-I, J, P; K-O through a Rucio session). Any thread. Every answer is read as a stream; what
 * is kept of one is bounded.
 */
#ifndef TARN_SWEEP_SERVICES_H
#define TARN_SWEEP_SERVICES_H

#include "base/log.h"
#include "rest/result_read.h"
#include "sweep/port.h"
#include "sweep/rucio.h"

enum ta_upstream {
    TA_UP_REQMGR,
    TA_UP_WMSTATS,
    TA_UP_MSOUTPUT,
    TA_UP_DBS,
    TA_UP_LOGDB,
    TA_UP_RUCIO,
    TA_UP_RUCIO_AUTH,
    TA_UP_ALERT
};

const char *ta_upstream_name(enum ta_upstream u);

struct ta_services_conf {
    /* Base URLs without slash at the end; alert_url is used as it is, NULL for none. */
    const char *reqmgr_url, *wmstats_url, *msoutput_url, *logdb_url, *dbs_url, *alert_url;
    const char *alert_tag;
    int64_t alert_expire_s;
    size_t max_workflow_bytes;
    struct ta_caller *caller;
    struct ta_rucio *rucio;
    struct ta_log *log;
    struct ta_alloc *alloc;
};

struct ta_services {
    struct ta_port port;
    struct ta_services_conf conf;
};

void ta_services_init(struct ta_services *s, const struct ta_services_conf *conf);

/* Headers of calls to ReqMgr2 and WMStats. */
extern const struct ta_rest_header ta_service_headers[];
enum { TA_SERVICE_HEADERS = 2 };

/* Every name the service lists under that status. */
int ta_services_list(struct ta_services *s, const char *status, ta_name_taker take, void *self,
                     struct ta_err *err);
/* Every locked name, with its repetitions. A parent lock answer without its member is TA_EFORMAT. */
int ta_services_global_locks(struct ta_services *s, ta_name_taker take, void *self,
                             struct ta_err *err);
int ta_services_parent_locks(struct ta_services *s, ta_name_taker take, void *self,
                             struct ta_err *err);

/* With port 0, or for other URLs than https://cmsweb<...>.cern.ch/, a copy; else with the port put in
 * behind the host name. In the arena; a slash at the end is taken away. NULL: no memory. */
const char *ta_cmsweb_url(struct ta_arena *arena, const char *url, unsigned port);

#endif
