/* Any cluster file; and any load request over a small store with a good one. */
#include "query/fetch_json.h"

#include "store/write.h"

#include <stdlib.h>

enum { T0 = 1700000040, ANSWER_MAX = 1 << 18 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ta_store *small_store(void)
{
    static const struct ta_metric defs[] = {{{"f", 1}, 60, TA_AGG_SUM},
                                            {{"l", 1}, 60, TA_AGG_NONE}};
    static const char *const types[] = {"hwthread0", "hwthread1", ""};
    struct ta_store_conf conf = {.alloc = &ta_heap, .n_shards = 2};
    struct ta_store *s = NULL;
    struct ta_writer w;

    if (ta_metrics_new(&conf.metrics, &ta_heap, NULL, defs, 2, NULL) < 0 ||
        ta_store_new(&s, &conf, NULL) < 0 ||
        ta_writer_begin(&w, s, TA_STR("c"), TA_STR("h"), T0, NULL) < 0)
        abort();
    ta_metrics_unref(conf.metrics);
    for (size_t t = 0; t < TA_COUNT(types); t++) {
        struct ta_column_key key = {types[t][0] ? 0 : 1, ta_str(types[t]), TA_STR("")};
        int64_t col = ta_writer_column(&w, &key);
        for (int i = 0; i < 10; i++)
            if (col < 0 || ta_writer_append(&w, (uint32_t)col, T0 + 60 * i, i) < 0)
                abort();
    }
    ta_writer_end(&w);
    return s;
}

static struct ta_cluster *read_cluster(const void *p, size_t n)
{
    struct ta_cluster *c = NULL;
    struct ta_mem_source src;
    struct ta_err err = {0};

    ta_mem_source_init(&src, p, n, 11);
    if (ta_cluster_new(&c, &src.source, &ta_heap, &err) < 0 && err.text[0] == '\0')
        abort();
    return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char good[] =
        "{\"name\":\"c\",\"metricConfig\":[{\"name\":\"f\",\"scope\":\"hwthread\",\"timestep\":60},"
        "{\"name\":\"l\",\"timestep\":60}],\"subClusters\":[{\"name\":\"m\",\"nodes\":\"*\","
        "\"topology\":{\"node\":[0,1],\"socket\":[[0,1]],\"core\":[[0],[1]],\"memoryDomain\":[[1]]}"
        "}]}";
    static struct ta_store *store;
    static struct ta_cluster *cluster;
    static char room_bytes[4096];
    struct ta_fetch_query *q = NULL;
    struct ta_mem_source src;
    size_t total = 0;

    if (!store) {
        store = small_store();
        cluster = read_cluster(good, sizeof(good) - 1);
    }
    ta_cluster_free(read_cluster(data, size));
    const struct ta_cluster *clusters[] = {cluster};
    if (!cluster || ta_fetch_query_new(&q, store, clusters, 1, NULL, &ta_heap, NULL) < 0)
        abort();
    ta_mem_source_init(&src, data, size, 7);
    int r = ta_fetch_query_parse(q, &src.source, NULL);
    for (r = r < 0 ? r : 1; r == 1 && total < ANSWER_MAX;) {
        struct ta_buf room = {room_bytes, 0, sizeof(room_bytes), sizeof(room_bytes), NULL};
        r = ta_fetch_query_fill(q, &room, NULL);
        if (r < 0)
            abort();
        total += room.len;
    }
    ta_fetch_query_free(q);
    return 0;
}
