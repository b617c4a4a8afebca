/* cleaner_metrics.h - the rule cleaner's figures in Prometheus' text format. */
#ifndef TARN_APP_CLEANER_METRICS_H
#define TARN_APP_CLEANER_METRICS_H

#include "app/cleaner.h"
#include "base/buf.h"

int ta_cleaner_metrics(struct ta_cleaner *c, struct ta_buf *out);

#endif
