/* Any body and any `to` of a free, and any selector of a debug dump, over an empty store. */
#include "query/manage.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ta_store *empty_store(void)
{
    static const struct ta_metric def = {{"a", 1}, 60, TA_AGG_NONE};
    struct ta_store_conf conf = {.alloc = &ta_heap};
    struct ta_store *s = NULL;

    if (ta_metrics_new(&conf.metrics, &ta_heap, NULL, &def, 1, NULL) < 0 ||
        ta_store_new(&s, &conf, NULL) < 0)
        abort();
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ta_store *store;
    struct ta_free_query *f = NULL;
    struct ta_debug *d = NULL;
    struct ta_mem_source src;
    struct ta_err err = {0};
    struct ta_str text = {(const char *)data, size};
    int64_t to = 0;

    if (!store)
        store = empty_store();
    if (ta_free_time(text, &to, &err) < 0 && err.text[0] == '\0')
        abort();
    ta_mem_source_init(&src, data, size, 5);
    if (ta_free_new(&f, NULL, &ta_heap, NULL) < 0)
        abort();
    err = (struct ta_err){0};
    if (ta_free_parse(f, &src.source, &err) < 0 && err.text[0] == '\0')
        abort();
    if (ta_free_run(f, store, to) != 0)
        abort();
    ta_free_free(f);
    if (ta_debug_new(&d, store, text, &ta_heap, &err) >= 0)
        ta_debug_free(d);
    return 0;
}
