/* ta_parse_f64 against strtod, and every finite value printed and read back. */
#include "base/err.h"
#include "base/number.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[2001], shortest[TA_SHORTEST_MAX];
    double v = 0, back = 0;

    if (size >= sizeof(text))
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    int r = ta_parse_f64((struct ta_str){text, size}, &v);
    if (r == TA_EFORMAT)
        return 0;
    char *end;
    double want = strtod(text, &end);
    if (end != text + size || (r == TA_ERANGE) != (isinf(want) != 0) ||
        (r == TA_OK && memcmp(&v, &want, sizeof(v))))
        __builtin_trap();
    if (r == TA_OK) {
        size_t n = ta_print_shortest(shortest, v);
        if (ta_parse_f64((struct ta_str){shortest, n}, &back) || memcmp(&v, &back, sizeof(v)))
            __builtin_trap();
    }
    return 0;
}
