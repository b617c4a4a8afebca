/* fuzz_config.c - any bytes as a configuration: no crash, no leak, and what is accepted obeys the
 * rules that the rest of the server relies on. */
#include "app/conf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ta_config c;
    struct ta_err err = {0};
    struct ta_str text = {(const char *)data, size};

    if (ta_config_parse(&c, "fuzz", text, NULL, &ta_heap, NULL, &err) < 0) {
        if (!err.text[0])
            abort();
        return 0;
    }
    if (!strchr(c.main.addr, ':') || c.store.memory_cap_gb < 0 || c.tarn.limits.connections <= 0 ||
        c.tarn.limits.body_bytes == 0)
        abort();
    for (size_t i = 0; i < c.n_metrics; i++)
        if (c.metrics[i].frequency_s <= 0 || !c.metrics[i].aggregation ||
            (i && strcmp(c.metrics[i - 1].name, c.metrics[i].name) >= 0))
            abort();
    ta_config_done(&c);
    return 0;
}
