/* outcome_write.h - a workflow's outcome as one line of JSON, for people and machines.
 *
 * The lists of rules are written as they are read back, so a line may be longer than memory.
 */
#ifndef TARN_SWEEP_OUTCOME_WRITE_H
#define TARN_SWEEP_OUTCOME_WRITE_H

#include "io/stream.h"
#include "sweep/workflow.h"

int ta_outcome_write(const struct ta_record *r, struct ta_outcome *o, struct ta_sink *out,
                     struct ta_alloc *alloc, struct ta_err *err);

#endif
