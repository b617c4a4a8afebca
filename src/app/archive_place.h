/* archive_place.h - where the configuration keeps its job archive, and where it sends what is old, as addresses.
 */
#ifndef TARN_APP_ARCHIVE_PLACE_H
#define TARN_APP_ARCHIVE_PLACE_H

#include "app/conf.h"
#include "app/job_archives.h"

struct ta_archive_place {
    char address[4200];         /* as in job_archives.h; "" = none */
    struct ta_bucket_conf conf; /* with that address, NULL for none */
};

/* The section "archive"; none without one. The place must not move in memory. TA_ERANGE: a path is too long. */
int ta_archive_place_init(struct ta_archive_place *p, const struct ta_config *config,
                          struct ta_err *err);
/* A target; a directory is given as it is unless it `is_archive`. */
int ta_archive_place_target(struct ta_archive_place *p, const struct ta_config *config,
                            const struct ta_conf_target *target, bool is_archive,
                            struct ta_err *err);

/* Opens the archive at an address, which may also be the path of an SQLite file. `number` tells the archives of a
 * process apart; `stop` ends transfers and may be NULL. What conf points to is borrowed until the close, which is due on
 * failure, too. */
int ta_archive_place_open(const struct ta_bucket_conf *where, unsigned number, bool may_create,
                          const _Atomic bool *stop, struct ta_job_archive *out, struct ta_err *err);

#endif
