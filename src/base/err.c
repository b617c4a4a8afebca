#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {
    [-TA_OK] = "ok",
    [-TA_ENOMEM] = "out of memory or over budget",
    [-TA_EIO] = "input/output error",
    [-TA_EFORMAT] = "malformed data",
    [-TA_ERANGE] = "limit exceeded",
    [-TA_EAGAIN] = "try again",
    [-TA_ENOTFOUND] = "not found",
    [-TA_EEXIST] = "already exists",
    [-TA_ESTATE] = "not allowed now",
    [-TA_EINVAL] = "invalid argument",
    [-TA_EDENIED] = "permission denied",
    [-TA_ECANCELED] = "canceled",
};

int ta_fail(struct ta_err *err, int code, const char *fmt, ...)
{
    va_list ap;

    if (!err || err->code)
        return code;
    err->code = code;
    err->sys = 0;
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    return code;
}

static int code_of_errno(int sys)
{
    switch (sys) {
    case ENOENT:
        return TA_ENOTFOUND;
    case EEXIST:
        return TA_EEXIST;
    case ENOMEM:
        return TA_ENOMEM;
    default:
        return TA_EIO;
    }
}

int ta_fail_sys(struct ta_err *err, const char *fmt, ...)
{
    int sys = errno;
    int code = code_of_errno(sys);
    char words[96];
    va_list ap;

    if (!err || err->code)
        return code;
    err->code = code;
    err->sys = sys;
    va_start(ap, fmt);
    int n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    if (n < 0)
        n = 0;
    if ((size_t)n < sizeof(err->text)) {
        /* The GNU form is declared by _GNU_SOURCE and returns the string it chose. */
        const char *text = strerror_r(sys, words, sizeof(words));
        snprintf(err->text + n, sizeof(err->text) - (size_t)n, ": %s", text);
    }
    return code;
}

int ta_fail_context(struct ta_err *err, int code, const char *fmt, ...)
{
    char inner[sizeof(err->text)];
    va_list ap;

    if (!err)
        return code;
    if (!err->code) {
        err->code = code;
        err->sys = 0;
        snprintf(err->text, sizeof(err->text), "%s", ta_strerror(code));
    }
    memcpy(inner, err->text, sizeof(inner));
    va_start(ap, fmt);
    int n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof(err->text))
        snprintf(err->text + n, sizeof(err->text) - (size_t)n, "%.*s",
                 (int)(sizeof(err->text) - (size_t)n - 1), inner);
    return err->code;
}

const char *ta_strerror(int code)
{
    size_t i = code < 0 ? 0u - (unsigned)code : 0;

    return i < sizeof(names) / sizeof(names[0]) ? names[i] : "unknown error";
}
