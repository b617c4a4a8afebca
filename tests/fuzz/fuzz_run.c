/* Two properties: bytes that pass the check can be read, and any slots come back as they were.
 *
 * The first byte chooses: even = the rest is a run; odd = the next four are a hint, the rest slots. */
#include "store/run.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = TA_RUN_SLOTS_MAX };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The sanitizer sees every byte past the promised padding. */
static void read_run(const uint8_t *data, size_t size)
{
    unsigned char *copy = malloc(size + TA_RUN_PAD);
    double slot[SLOTS];
    struct ta_run_stats stats;

    if (!copy)
        return;
    if (size > 0)
        memcpy(copy, data, size);
    memset(copy + size, 0xA5, TA_RUN_PAD);
    int r = ta_run_check(copy, size);
    if (r >= 0) {
        unsigned len = ta_run_len(copy);
        unsigned from = len / 3;

        if ((size_t)r > size || len > SLOTS || ta_run_count(copy) > len ||
            ta_run_bytes(copy) != (size_t)r)
            abort();
        ta_run_decode(copy, 0, len, slot);
        ta_run_add(copy, from, len - from, slot);
        ta_run_stats(copy, 0, len, &stats);
        ta_run_stats(copy, from, len - from, &stats);
    }
    free(copy);
}

static void round_trip(const uint8_t *data, size_t size)
{
    static unsigned char run[TA_RUN_ROOM(SLOTS)];
    struct ta_run_hint hint = {0};
    double v[SLOTS];
    double back[SLOTS];

    if (size < sizeof(hint))
        return;
    memcpy(&hint, data, sizeof(hint));
    size_t n = (size - sizeof(hint)) / sizeof(double);
    n = n < SLOTS ? n : SLOTS;
    memcpy(v, data + sizeof(hint), n * sizeof(double));
    size_t bytes = ta_run_encode(v, (unsigned)n, &hint, run, TA_RUN_ROOM(n));
    int r = ta_run_check(run, bytes);
    if (r < 0 || (size_t)r != bytes)
        abort();
    ta_run_decode(run, 0, (unsigned)n, back);
    for (size_t i = 0; i < n; i++) {
        if (!(isnan(v[i]) && isnan(back[i])) && memcmp(&v[i], &back[i], sizeof(double)) != 0)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 2 == 0)
        read_run(data + 1, size - 1);
    else
        round_trip(data + 1, size - 1);
    return 0;
}
