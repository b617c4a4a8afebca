#include "feed.h"

#include "store/write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { METRICS_MAX = 64 };

struct ta_metrics *feed_metrics(struct ta_alloc *alloc, const char *words)
{
    struct ta_metric defs[METRICS_MAX];
    struct ta_metrics *table = NULL;
    size_t n = 0;

    for (const char *at = words; *at && n < METRICS_MAX; n++) {
        const char *space = strchr(at, ' '), *end = strchr(at, ',');
        char agg[8] = "";
        long long freq = 0;

        if (!space || sscanf(space, "%lld %7[a-z]", &freq, agg) != 2)
            return NULL;
        defs[n] = (struct ta_metric){{at, (size_t)(space - at)},
                                     freq,
                                     agg[0] == 's'   ? TA_AGG_SUM
                                     : agg[0] == 'a' ? TA_AGG_AVG
                                                     : TA_AGG_NONE};
        at = end ? end + 1 : at + strlen(at);
    }
    return ta_metrics_new(&table, alloc, NULL, defs, n, NULL) < 0 ? NULL : table;
}

struct ta_store *feed_store(struct ta_alloc *alloc, const char *words)
{
    struct ta_metrics *table = feed_metrics(alloc, words);
    struct ta_store_conf conf = {.alloc = alloc, .metrics = table, .n_shards = 4};
    struct ta_store *s = NULL;

    if (!table)
        return NULL;
    (void)ta_store_new(&s, &conf, NULL); /* s stays NULL when it fails */
    ta_metrics_unref(table);
    return s;
}

static int feed_key(struct ta_store *s, struct ta_str cluster, struct ta_str host,
                    struct ta_str metric, struct ta_str type, struct ta_str stype, int64_t ts_s,
                    double v, int64_t now_s)
{
    struct ta_metrics *table = ta_store_metrics(s);
    int id = ta_metrics_find(table, metric);
    struct ta_writer w;
    int r = TA_OK;

    ta_metrics_unref(table);
    if (id < 0)
        return TA_OK;
    r = ta_writer_begin(&w, s, cluster, host, now_s, NULL);
    if (r < 0)
        return r;
    struct ta_column_key key = {(uint32_t)id, type, stype};
    int64_t col = ta_writer_column(&w, &key);
    r = col < 0 ? (int)col : ta_writer_append(&w, (uint32_t)col, ts_s, v);
    ta_writer_end(&w);
    return r == TA_ERANGE ? TA_OK : r;
}

int feed_sample(struct ta_store *s, const char *cluster, const char *host, const char *metric,
                const char *type, const char *stype, int64_t ts_s, double v, int64_t now_s)
{
    return feed_key(s, ta_str(cluster), ta_str(host), ta_str(metric), ta_str(type), ta_str(stype),
                    ts_s, v, now_s);
}

/* The value of a tag in "m,a=b,c=d"; empty when it is not there. */
static struct ta_str tag(struct ta_str tags, const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i + n + 2 <= tags.len; i++) {
        if (tags.at[i] != ',' || memcmp(tags.at + i + 1, name, n) != 0 || tags.at[i + 1 + n] != '=')
            continue;
        const char *at = tags.at + i + n + 2, *end = at;
        while (end < tags.at + tags.len && *end != ',')
            end++;
        return (struct ta_str){at, (size_t)(end - at)};
    }
    return TA_STR("");
}

static struct ta_str element(char *room, size_t size, struct ta_str type, struct ta_str id)
{
    if (ta_str_is(type, "node"))
        type.len = 0;
    return (struct ta_str){
        room, (size_t)snprintf(room, size, "%.*s%.*s", TA_STR_FMT(type), TA_STR_FMT(id))};
}

static int feed_line(struct ta_store *s, struct ta_str line, int64_t now_s)
{
    const char *space = memchr(line.at, ' ', line.len), *value, *comma;
    char type[256], stype[256], number[64];

    if (!space)
        return TA_OK;
    struct ta_str tags = {line.at, (size_t)(space - line.at)};
    comma = memchr(tags.at, ',', tags.len);
    value = space + 1 + strlen("value=");
    snprintf(number, sizeof(number), "%.*s", (int)(line.at + line.len - value), value);
    struct ta_str host = tag(tags, "hostname");
    struct ta_str t = element(type, sizeof(type), tag(tags, "type"), tag(tags, "type-id"));
    struct ta_str st = element(stype, sizeof(stype), tag(tags, "stype"), tag(tags, "stype-id"));
    char *stamp = strchr(number, ' ');
    if (!stamp)
        return TA_OK;
    return feed_key(s, tag(tags, "cluster"), host.len ? host : tag(tags, "host"),
                    (struct ta_str){tags.at, comma ? (size_t)(comma - tags.at) : tags.len}, t,
                    t.len ? st : TA_STR(""), strtoll(stamp, NULL, 10), strtod(number, NULL), now_s);
}

long feed_lines(struct ta_store *s, const char *lines, int64_t now_s)
{
    long n = 0;

    while (*lines) {
        size_t len = strcspn(lines, "\n");
        int r = feed_line(s, (struct ta_str){lines, len}, now_s);
        if (r < 0)
            return r;
        n++;
        lines += len + (lines[len] == '\n');
    }
    return n;
}
