/* resample.h - fewer points with the same look: largest triangle, three buckets.
 *
 * The picks, the order of the floating-point operations and the rules for NaN are those of
 * (spec: metric-store 6), so that a client sees the same points as from the reference. The method
 * is Sveinn Steinarsson's "Downsampling Time Series for Visual Representation" (2013).
 *
 * Pure functions over arrays. No memory of their own beyond 3 KiB of stack.
 */
#ifndef TARN_QUERY_RESAMPLE_H
#define TARN_QUERY_RESAMPLE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TA_RESAMPLE_MIN = 1000,    /* shorter series are never resampled (as the reference) */
    TA_RESAMPLE_MAX = 1 << 26, /* values; below it sums of indices are exact in binary64 */
};

struct ta_resample {
    bool is_changed;      /* false: the data stays as it is */
    size_t n_out;         /* values after resampling */
    int64_t resolution_s; /* seconds per value after resampling */
};

/* What becomes of n values at `have_s` seconds each when `want_s` is asked for (0: nothing is).
 * TA_EINVAL, with the reference's words, when want_s is no multiple of have_s; TA_ERANGE for more
 * than TA_RESAMPLE_MAX values that would need resampling. */
int ta_resample_plan(int64_t have_s, int64_t want_s, size_t n, struct ta_resample *out,
                     struct ta_err *err);

/* Fills out[0..plan->n_out) from data[0..n). Only for a plan that changes something, made for this
 * n. `out` may be `data` itself: no pick lies before its place. One pass, about 2 ns a value. */
void ta_resample_run(const struct ta_resample *plan, const double *data, size_t n, double *out);

#endif
