#include "app/cleaner_log.h"

#include "base/units.h"

#include <stdio.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4200 }; /* a text of 1,000 bytes, each escaped as \xNN */

static void emit(struct ta_log *self, enum ta_log_level level, const char *text)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARN", "ERROR", "CRIT"};
    struct ta_cleaner_log *l = TA_CONTAINER(self, struct ta_cleaner_log, log);
    char line[LINE_MAX_BYTES], when[32];

    if (level < l->level)
        return;
    int n = snprintf(line, sizeof(line), "%s %s ", ta_format_time(when, ta_now_s(&ta_clock_system)),
                     names[level]);
    for (const char *p = text; *p && (size_t)n + 6 < sizeof(line); p++) {
        unsigned char c = (unsigned char)*p;
        if (c >= ' ' && c < 0x7f)
            line[n++] = (char)c;
        else
            n += snprintf(line + n, 5, "\\x%02x", c);
    }
    line[n++] = '\n';
    pthread_mutex_lock(&l->lock);
    ssize_t written = write(l->fd, line, (size_t)n);
    (void)written; /* there is nowhere to say that the log cannot be written */
    pthread_mutex_unlock(&l->lock);
}

void ta_cleaner_log_init(struct ta_cleaner_log *l, int fd, enum ta_log_level level)
{
    *l = (struct ta_cleaner_log){.log = {emit}, .fd = fd, .level = level};
    (void)pthread_mutex_init(&l->lock, NULL); /* fills a struct: cannot fail here */
}

void ta_cleaner_log_done(struct ta_cleaner_log *l)
{
    pthread_mutex_destroy(&l->lock);
}
