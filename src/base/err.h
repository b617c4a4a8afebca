/* err.h - error codes, and the one place where an error gets its words.
 *
 * A function that can fail returns int: >= 0 is success, a negative TA_E* is the reason.
 * Where a reason needs words (which file, which offset, which line) the function takes a
 * `struct ta_err *` as its LAST parameter; NULL is always allowed there: the caller wants
 * only the code. Library code never logs and never exits; src/app decides.
 */
#ifndef TARN_BASE_ERR_H
#define TARN_BASE_ERR_H

enum {
    TA_OK = 0,
    TA_ENOMEM = -1,    /* the allocator refused or a budget is spent: retry smaller or later */
    TA_EIO = -2,       /* a system call failed; ta_err.sys holds errno */
    TA_EFORMAT = -3,   /* bytes we read are not what they should be */
    TA_ERANGE = -4,    /* well-formed, but past a limit of ours */
    TA_EAGAIN = -5,    /* no progress possible now; nothing was consumed */
    TA_ENOTFOUND = -6, /* the named thing does not exist */
    TA_EEXIST = -7,    /* the named thing exists already */
    TA_ESTATE = -8,    /* not allowed in this state */
    TA_EINVAL = -9,    /* an argument, option or config value is not usable */
    TA_EDENIED = -10,  /* authentication or permission refused */
    TA_ECANCELED = -11 /* the caller or a stop request ended the work */
};

struct ta_err {
    int code;       /* TA_E*, 0 when unset */
    int sys;        /* errno, 0 when none */
    char text[344]; /* one line, no newline, never secret (tokens, keys, passwords) */
};

/* Fills *err (if not NULL) and returns `code`, so that callers write
 *     return ta_fail(err, TA_EFORMAT, "frame at %" PRIu64 ": bad magic", at);
 * The first error wins: a filled *err is kept, since later ones are its consequence. */
int ta_fail(struct ta_err *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Same with code TA_EIO (TA_ENOTFOUND for ENOENT, TA_EEXIST for EEXIST); errno is taken now and
 * its words are appended after ": ". */
int ta_fail_sys(struct ta_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts words in front of a filled error: "reading x: " + what was there. Returns err->code, or
 * `code` when err is NULL. */
int ta_fail_context(struct ta_err *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Generic words of a code: "out of memory or over budget", ... Static storage. */
const char *ta_strerror(int code);

#endif
