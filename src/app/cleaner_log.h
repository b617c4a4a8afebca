/* cleaner_log.h - the log of the rule cleaner: every line, as each is the trace of one workflow.
 *
 *     2025-12-06T05:46:40Z INFO workflow=... result=archived gate=none rules=9
 *
 * Unlike the server's log it holds nothing back. Bytes that are not printable ASCII are escaped.
 */
#ifndef TARN_APP_CLEANER_LOG_H
#define TARN_APP_CLEANER_LOG_H

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

#include <pthread.h>

struct ta_cleaner_log {
    struct ta_log log; /* hand &l.log on */
    int fd;
    enum ta_log_level level; /* this and worse is written */
    pthread_mutex_t lock;
};

void ta_cleaner_log_init(struct ta_cleaner_log *l, int fd, enum ta_log_level level);
void ta_cleaner_log_done(struct ta_cleaner_log *l);

#endif
