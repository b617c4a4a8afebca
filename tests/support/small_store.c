#include "small_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct ta_store *small_store(struct ta_alloc *alloc, size_t cap_bytes, int64_t retention_s)
{
    static const struct ta_metric defs[] = {{TA_STR("load"), 60, TA_AGG_NONE},
                                            {TA_STR("m2"), 2, TA_AGG_SUM},
                                            {TA_STR("flops"), 5, TA_AGG_AVG}};
    struct ta_store_conf conf = {
        .alloc = alloc, .cap_bytes = cap_bytes, .retention_s = retention_s, .n_shards = 4};
    struct ta_store *s;

    assert_int_equal(ta_metrics_new(&conf.metrics, alloc, NULL, defs, 3, NULL), 0);
    assert_int_equal(ta_store_new(&s, &conf, NULL), 0);
    ta_metrics_unref(conf.metrics);
    return s;
}

int small_put(struct ta_store *s, const char *host, int metric, const char *type, const char *stype,
              int64_t ts, double v)
{
    struct ta_column_key key = {(uint32_t)(metric - M60), ta_str(type), ta_str(stype)};
    struct ta_writer w;

    assert_int_equal(ta_writer_begin(&w, s, TA_STR("c"), ta_str(host), NOW, NULL), 0);
    int64_t col = ta_writer_column(&w, &key);
    int r = col < 0 ? (int)col : ta_writer_append(&w, (uint32_t)col, ts, v);
    ta_writer_end(&w);
    return r;
}

size_t small_buffers(struct ta_store *s, const char *host, int metric, const char *type,
                     struct ta_buffer_info *out)
{
    struct ta_column_key key = {(uint32_t)(metric - M60), ta_str(type), TA_STR("")};

    return ta_walk_buffers(s, TA_STR("c"), ta_str(host), &key, INT64_MIN, out, 16);
}

struct ta_selection small_select(const char *host, int metric, const struct ta_sel *path,
                                 size_t n_path)
{
    return (struct ta_selection){TA_STR("c"), ta_str(host), path, n_path, (uint32_t)(metric - M60)};
}
