/* log.h - the seam through which long-running parts tell an operator something.
 *
 * Ordinary library functions return errors and never log. Threads that nobody waits for
 * (keeper, log writer, NATS, archiver) get a `struct ta_log *`; src/app implements it with the
 * reference's prefixes and rate limits.
 */
#ifndef TARN_BASE_LOG_H
#define TARN_BASE_LOG_H

enum ta_log_level { TA_LOG_DEBUG, TA_LOG_INFO, TA_LOG_WARN, TA_LOG_ERROR, TA_LOG_CRIT };

struct ta_log {
    /* `text` is one line without a newline, borrowed for the call. Any thread. */
    void (*emit)(struct ta_log *self, enum ta_log_level level, const char *text);
};

/* log may be NULL: then nothing happens. Longer texts are cut at 1,000 bytes. */
void ta_logf(struct ta_log *log, enum ta_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
