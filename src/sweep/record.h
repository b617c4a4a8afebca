/* record.h - what is kept of a request document: the fields decisions need, in one block.
 *
 * (spec: rule-cleaner 2, 6.3) Nulls and empty names are left out of the lists; whether they were
 * there shows in has_input and has_many_inputs. The state of a sweep (flags, rules found) is not
 * here: struct ta_outcome (workflow.h) begins anew each time.
 */
#ifndef TARN_SWEEP_RECORD_H
#define TARN_SWEEP_RECORD_H

#include "base/alloc.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct ta_names {
    struct ta_str *at;
    size_t n;
};

struct ta_record {
    struct ta_alloc *alloc;                     /* of this block */
    size_t bytes;                               /* of this block, texts and lists included */
    struct ta_str name, type, sub_type, status; /* absent: {NULL, 0} */
    struct ta_names outputs, inputs, parents;
    bool has_input;       /* InputDataset is set: true in the sense of 6.3 */
    bool has_many_inputs; /* it is a list or has several values */
    bool include_parents;
    bool parentage_resolved;
    bool has_transition;  /* the history tells when the present status began */
    bool broken_history;  /* it has entries that cannot be read */
    int64_t transition_s; /* then, Unix seconds */
};

/* NULL is fine. */
static inline void ta_record_free(struct ta_record *r)
{
    if (r)
        ta_release(r->alloc, r, r->bytes);
}

#endif
