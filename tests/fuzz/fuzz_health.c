/* Any body of a health check over an empty store. */
#include "query/health.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ta_store *store;
    struct ta_health_query *h = NULL;
    struct ta_mem_source src;
    struct ta_err err = {0};
    int r;

    if (!store) {
        static const struct ta_metric def = {{"a", 1}, 60, TA_AGG_NONE};
        struct ta_store_conf conf = {.alloc = &ta_heap};
        if (ta_metrics_new(&conf.metrics, &ta_heap, NULL, &def, 1, NULL) < 0 ||
            ta_store_new(&store, &conf, NULL) < 0)
            abort();
    }
    ta_mem_source_init(&src, data, size, 3);
    if (ta_health_new(&h, store, NULL, &ta_heap, NULL) < 0)
        abort();
    r = ta_health_parse(h, &src.source, &err);
    if (r < 0 && err.text[0] == '\0')
        abort();
    for (r = r < 0 ? r : 1; r == 1;) {
        char bytes[37];
        struct ta_buf room = {bytes, 0, sizeof(bytes), sizeof(bytes), NULL};
        r = ta_health_fill(h, 0, &room, NULL);
        if (r < 0)
            abort();
    }
    ta_health_free(h);
    return 0;
}
