/* stderr_log.h - the log of the server: the reference's line shape, and a bound on floods.
 *
 *     <4>[WARNING]  [2026/11/21 06:19:00 ]text
 *
 * The prefix holds systemd's priority (spec: config 4). Lines of one kind - equal after digits
 * and quoted names are left out - are written at most BURST times per window; what was held
 * back is counted and said when the window ends.
 */
#ifndef TARN_APP_STDERR_LOG_H
#define TARN_APP_STDERR_LOG_H

#include "base/clock.h"
#include "base/log.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    TA_LOG_KINDS = 128, /* kinds watched at once; a new one takes the place of the oldest */
    TA_LOG_BURST = 10,  /* lines of one kind per window */
    TA_LOG_WINDOW_S = 10
};

struct ta_log_kind {
    uint64_t hash;
    int64_t since_mono_ns;
    unsigned n_lines;     /* in this window */
    unsigned n_held_back; /* in this window */
    enum ta_log_level level;
    char text[120]; /* beginning of the last line held back */
};

struct ta_stderr_log {
    struct ta_log log; /* hand &l.log to whoever logs */
    int fd;
    struct ta_clock *clock;
    bool has_date;
    _Atomic int level; /* enum ta_log_level: this and worse is shown */
    pthread_mutex_t lock;
    struct ta_log_kind kinds[TA_LOG_KINDS]; /* guarded by lock */
    _Atomic uint64_t n_held_back;           /* since the start */
};

void ta_stderr_log_init(struct ta_stderr_log *l, int fd, struct ta_clock *clock);
void ta_stderr_log_done(struct ta_stderr_log *l);
/* "debug", "info", "warn", "err", "fatal", "crit"; TA_EINVAL otherwise. */
int ta_log_level_parse(const char *word, enum ta_log_level *out);
/* Ends windows that are over and says what they held back. Call every few seconds. */
void ta_stderr_log_tick(struct ta_stderr_log *l);

#endif
