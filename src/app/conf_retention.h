/* conf_retention.h - tables of the reference's keys about old jobs and old states of nodes. */
#ifndef TARN_APP_CONF_RETENTION_H
#define TARN_APP_CONF_RETENTION_H

#include "app/conf_int.h"

extern const struct ta_conf_table ta_conf_job_retention_table;  /* "archive.retention" */
extern const struct ta_conf_table ta_conf_node_retention_table; /* "main.nodestate-retention" */

/* "HH:MM" as seconds of a day; -1: it is none. */
int ta_conf_time_of_day(const char *text);
/* What the tables cannot say: a policy without what it needs. */
int ta_conf_check_retention(const struct ta_config *c, struct ta_err *err);

#endif
