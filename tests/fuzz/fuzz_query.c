/* Any request body over a small store: never a crash, and the same answer whatever the room. */
#include "query/query.h"

#include "store/write.h"

#include <stdio.h>
#include <stdlib.h>

enum { T0 = 1700000040, ANSWER_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(struct ta_store *s, const char *host, uint32_t metric, const char *type, int i)
{
    struct ta_column_key key = {metric, ta_str(type), TA_STR("")};
    struct ta_writer w;

    if (ta_writer_begin(&w, s, TA_STR("c"), ta_str(host), T0, NULL) < 0)
        abort();
    int64_t col = ta_writer_column(&w, &key);
    if (col < 0 || ta_writer_append(&w, (uint32_t)col, T0 + 60 * i, i * 0.37) < 0)
        abort();
    ta_writer_end(&w);
}

static struct ta_store *small_store(void)
{
    static const struct ta_metric defs[] = {
        {{"a", 1}, 60, TA_AGG_NONE}, {{"b", 1}, 60, TA_AGG_SUM}, {{"d", 1}, 60, TA_AGG_AVG}};
    struct ta_store_conf conf = {.alloc = &ta_heap, .n_shards = 2};
    struct ta_store *s = NULL;

    if (ta_metrics_new(&conf.metrics, &ta_heap, NULL, defs, 3, NULL) < 0 ||
        ta_store_new(&s, &conf, NULL) < 0)
        abort();
    ta_metrics_unref(conf.metrics);
    for (int i = 0; i < 1200; i++)
        put(s, "h", 0, "", i);
    for (int t = 0; t < 3; t++)
        for (int i = t; i < 20; i++) {
            char type[16];
            snprintf(type, sizeof(type), "t%d", t);
            put(s, "h", 1, type, i);
            put(s, "g", 2, type, i);
        }
    return s;
}

/* The first bytes of the answer and their number; -1 when the request is refused. */
static long answer(struct ta_store *s, const uint8_t *body, size_t n, size_t step,
                   size_t room_bytes, char *out)
{
    struct ta_query_limits limits = ta_query_limits_default;
    struct ta_query *q = NULL;
    struct ta_mem_source src;
    struct ta_err err = {0};
    size_t len = 0;

    limits.arena_bytes = 256 * KiB;
    limits.ids_max = 512;
    ta_mem_source_init(&src, body, n, step);
    if (ta_query_new(&q, s, &limits, &ta_heap, NULL) < 0)
        abort();
    int r = ta_query_parse(q, &src.source, &err);
    if (r < 0 && err.text[0] == '\0')
        abort(); /* the client must be told why */
    for (r = r < 0 ? r : 1; r == 1 && len + room_bytes <= ANSWER_MAX;) {
        struct ta_buf room = {out + len, 0, room_bytes, room_bytes, NULL};
        r = ta_query_fill(q, &room, NULL);
        if (r < 0 || (r == 1 && room.len == 0))
            abort();
        len += room.len;
    }
    ta_query_free(q);
    return r < 0 ? -1 : (long)len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ta_store *store;
    static char whole[ANSWER_MAX], parts[ANSWER_MAX];

    if (!store)
        store = small_store();
    if (size == 0)
        return 0;
    long n = answer(store, data + 1, size - 1, 0, ANSWER_MAX, whole);
    long m = answer(store, data + 1, size - 1, 1 + data[0] % 16u, 1 + data[0], parts);
    if ((n < 0) != (m < 0) || (n > 0 && memcmp(whole, parts, (size_t)(n < m ? n : m)) != 0))
        abort();
    return 0;
}
