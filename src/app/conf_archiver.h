/* conf_archiver.h - tables of the keys about archiving jobs. */
#ifndef TARN_APP_CONF_ARCHIVER_H
#define TARN_APP_CONF_ARCHIVER_H

#include "app/conf_int.h"

extern const struct ta_conf_table ta_conf_archive_table;  /* the section "archive" */
extern const struct ta_conf_table ta_conf_archiver_table; /* "tarn.archiver" */

#endif
