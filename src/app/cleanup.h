/* cleanup.h - one clean-up of old checkpoint files, as the configuration wants it. */
#ifndef TARN_APP_CLEANUP_H
#define TARN_APP_CLEANUP_H

#include "app/conf.h"
#include "base/clock.h"

/* Files whose whole range is older than the retention go: into Parquet below cleanup.directory, or
 * away (spec: formats 8). *out_files: how many went. TA_ESTATE when some could not be archived: the
 * error names their clusters, the others are done. Nothing happens without a retention. */
int ta_cleanup_run(const struct ta_config *config, struct ta_clock *clock, struct ta_log *log,
                   uint64_t *out_files, struct ta_err *err);

#endif
