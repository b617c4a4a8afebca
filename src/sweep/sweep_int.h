/* sweep_int.h - shared by sweep.c (listing) and sweep_chunks.c (threads). */
#ifndef TARN_SWEEP_SWEEP_INT_H
#define TARN_SWEEP_SWEEP_INT_H

#include "sweep/sweep.h"

/* Fetches and works off every name. TA_OK, or < 0 when no thread could be made. */
int ta_sweep_chunks(const struct ta_sweep_conf *conf, struct ta_id_spool *names,
                    struct ta_sweep_gauges *gauges, struct ta_sweep_report *report);

#endif
