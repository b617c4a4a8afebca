/* job_import.h - `-import-job META:DATA[,META:DATA...]`: jobs out of two files each into the archive and main.db.
 *
 * (spec: job-archive 12.3) The metadata are read strictly and judged as those of a job that starts; footprint and energy
 * are made from its statistics; the data may be gzip, and are read whole before anything is stored. The job goes into the
 * archive, is read back and compared, then into the table with its tags, archived. A run that dies in between is begun again.
 */
#ifndef TARN_APP_JOB_IMPORT_H
#define TARN_APP_JOB_IMPORT_H

#include "app/conf.h"

/* The first job that fails ends it; the error names its file. *out_n: how many are in. TA_EEXIST: the job, or one of its
 * id that began within a day of it, is there. */
int ta_job_import(const struct ta_config *config, const char *list, unsigned *out_n,
                  struct ta_err *err);

#endif
