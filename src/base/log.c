#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

void ta_logf(struct ta_log *log, enum ta_log_level level, const char *fmt, ...)
{
    char text[1001];
    va_list ap;

    if (!log)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    log->emit(log, level, text);
}
