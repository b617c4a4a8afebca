#include "base/floats.h"

#include "base/bytes.h"

#include <math.h>

/* The compiler's vector types: at -O2 gcc finds no vector instructions for comparisons by itself. */
enum { LANES = 2 };
typedef double f64x2 __attribute__((vector_size(8 * LANES)));
typedef float f32x2 __attribute__((vector_size(4 * LANES)));
typedef int64_t i64x2 __attribute__((vector_size(8 * LANES)));
typedef double f64x2_mem __attribute__((vector_size(8 * LANES), aligned(8), may_alias));
typedef float f32x2_mem __attribute__((vector_size(4 * LANES), aligned(1), may_alias));

/* Comparisons give -1 for true. */
static size_t sum(const i64x2 *minus)
{
    return (size_t) - ((*minus)[0] + (*minus)[1]);
}

size_t ta_floats_present(const double *v, size_t n)
{
    i64x2 minus = {0};
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        f64x2 x = *(const f64x2_mem *)(v + i);
        minus += x == x;
    }
    size_t present = sum(&minus);
    for (; i < n; i++)
        present += v[i] == v[i];
    return present;
}

size_t ta_floats_narrow(const double *restrict v, size_t n, void *restrict out)
{
    unsigned char *bytes = out;
    i64x2 minus = {0};
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        f64x2 x = *(const f64x2_mem *)(v + i);
        *(f32x2_mem *)(bytes + 4 * i) = __builtin_convertvector(x, f32x2);
        minus += x == x;
    }
    size_t present = sum(&minus);
    for (; i < n; i++) {
        ta_put_f32(bytes + 4 * i, (float)v[i]);
        present += v[i] == v[i];
    }
    if (present < n) {
        for (i = 0; i < n; i++)
            if (isnan(v[i]))
                ta_put_u32(bytes + 4 * i, TA_MISSING_F32);
    }
    return present;
}

size_t ta_floats_widen(const void *restrict in, size_t n, double *restrict out)
{
    const unsigned char *bytes = in;
    i64x2 minus = {0};
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        f64x2 x = __builtin_convertvector(*(const f32x2_mem *)(bytes + 4 * i), f64x2);
        *(f64x2_mem *)(out + i) = x;
        minus += x == x;
    }
    size_t present = sum(&minus);
    for (; i < n; i++) {
        out[i] = (double)ta_get_f32(bytes + 4 * i);
        present += out[i] == out[i];
    }
    return present;
}
