/* archive_hook.h - tell somebody that a job has been archived: an executable, or an HTTP endpoint.
 *
 * Either gets the job's meta document: the executable on its standard input, with an environment of
 * nothing but PATH; the endpoint as the body of a POST with content type application/json. Both are
 * bounded in time: the executable is killed with all that it started in its process group.
 *
 * A hook is called once for each job, after the job is archived; it is not repeated when it fails,
 * nor after a crash between the two. (spec: archiver 2.9)
 */
#ifndef TARN_JOBS_ARCHIVE_HOOK_H
#define TARN_JOBS_ARCHIVE_HOOK_H

#include "base/alloc.h"
#include "base/err.h"
#include "base/str.h"

#include <stdatomic.h>

struct ta_archive_hook {
    const char *command; /* absolute path; NULL or "": none */
    const char *url;     /* http or https; NULL or "": none */
    int64_t timeout_ms;  /* of each; > 0 */
    const atomic_bool
        *stop; /* becomes true: the executable is killed, the call given up; or NULL */
};

/* Calls what there is; the first error, with all called nevertheless. TA_EIO: it could not be
 * started, ended with other than 0, or answered other than 2xx; TA_ERANGE: it took too long;
 * TA_ECANCELED. */
int ta_archive_hook_run(const struct ta_archive_hook *hook, struct ta_str meta,
                        struct ta_alloc *alloc, struct ta_err *err);

#endif
