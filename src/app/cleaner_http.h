/* cleaner_http.h - the rule cleaner's own REST interface (spec: rule-cleaner 8).
 *
 *     GET /<application>/data/status[?detail=false]   versions and the last report
 *     GET /<application>/data/info                    versions
 *     GET /healthz, /metrics
 */
#ifndef TARN_APP_CLEANER_HTTP_H
#define TARN_APP_CLEANER_HTTP_H

#include "app/cleaner.h"
#include "net/http.h"

enum { TA_CLEANER_KEY_MAX = 4096 };

struct ta_cleaner_http {
    struct ta_cleaner *cleaner;
    struct ta_http_server *server;
    struct ta_http_route routes[3];
    char mount[128];
    unsigned char key[TA_CLEANER_KEY_MAX];
    size_t key_bytes; /* 0: none, loopback only */
};

/* Reads the key file, binds and starts. Without a key file only loopback is bound. */
int ta_cleaner_http_start(struct ta_cleaner_http *h, struct ta_cleaner *cleaner,
                          struct ta_err *err);
void ta_cleaner_http_stop(struct ta_cleaner_http *h); /* fine on a zeroed struct */

#endif
