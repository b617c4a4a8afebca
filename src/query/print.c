/* print.c - see print.h. A value with the bits of the one before is copied, not printed again: idle
 * machines send zeros. */
#include "query/print.h"

#include "base/bytes.h"

#include <math.h>

/* Longest text that is kept for repetition; it is copied as one block of this size. */
enum { REPEAT_MAX = 32 };

size_t ta_print_values(char *out, size_t room, const double *v, size_t n, size_t *used)
{
    char *p = out, *const end = out + room;
    char last[REPEAT_MAX] = "";
    size_t last_len = 0, i;
    uint64_t last_bits = 0;

    for (i = 0; i < n && end - p >= TA_PRINT_VALUE_MAX; i++) {
        uint64_t bits = ta_get_u64(&v[i]);

        *p++ = ',';
        if (bits == last_bits && last_len > 0) {
            memcpy(p, last, REPEAT_MAX);
            p += last_len;
            continue;
        }
        if (isfinite(v[i])) {
            last_len = ta_print_fixed(p, v[i], 3);
        } else {
            memcpy(p, "null", 4);
            last_len = 4;
        }
        memcpy(last, p, REPEAT_MAX);
        last_bits = bits;
        p += last_len;
        last_len = last_len <= REPEAT_MAX ? last_len : 0;
    }
    *used = (size_t)(p - out);
    return i;
}

int ta_print_stat(struct ta_buf *out, double v)
{
    char text[TA_FIXED_MAX];

    if (!isfinite(v))
        return ta_buf_z(out, "null");
    return ta_buf_add(out, text, ta_print_fixed(text, v, 2));
}
