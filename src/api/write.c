/* write.c - samples into the library's store. */
#include "store/write.h"
#include "api/api_int.h"
#include "base/clock.h"

/* One sample under one lock. TA_ENOMEM: the next begin makes room. */
static int append(struct tarn_store *s, const struct ta_str *path, const struct ta_column_key *key,
                  int64_t time_s, double value, struct ta_err *err)
{
    struct ta_writer w;
    int r = ta_writer_begin(&w, s->store, path[0], path[1], ta_now_s(&ta_clock_system), err);

    if (r < 0)
        return r;
    int64_t column = ta_writer_column(&w, key);
    r = column < 0 ? (int)column : ta_writer_append(&w, (uint32_t)column, time_s, value);
    ta_writer_end(&w);
    return r;
}

int tarn_write(struct tarn_store *s, const struct tarn_path *host_or_below, const char *metric,
               int64_t time_s, double value, struct tarn_error *err)
{
    struct ta_column_key key = {0};
    struct ta_err why = {0};
    struct ta_str path[4];
    size_t n = api_path(host_or_below, path);

    if (n < 2) {
        ta_fail(&why, TA_EINVAL, "a sample needs a cluster and a host");
        return api_fail(err, TA_EINVAL, &why);
    }
    int r = api_metric(s, metric, &key.metric, NULL, NULL, err);
    if (r < 0)
        return r;
    if (n > 2)
        key.type = path[2];
    if (n > 3)
        key.stype = path[3];
    r = append(s, path, &key, time_s, value, &why);
    if (r == TA_ENOMEM) {
        why = (struct ta_err){0};
        r = append(s, path, &key, time_s, value, &why);
    }
    return r < 0 ? api_fail(err, r, &why) : TA_OK;
}

static int feed_all(struct tarn_store *s, struct ta_feed *feed, struct ta_str text,
                    struct ta_err *err)
{
    int64_t now_s = ta_now_s(&ta_clock_system);
    size_t used;
    int r = ta_ingest_feed(s->ingest, feed, text, now_s, &used, err);

    if (r == TA_OK)
        r = ta_ingest_end(s->ingest, feed, true, now_s, err);
    return r == TA_OK ? ta_feed_verdict(feed, err) : r;
}

int tarn_write_lines(struct tarn_store *s, const char *cluster, const char *text, size_t len,
                     struct tarn_lines *out, struct tarn_error *err)
{
    struct ta_err why = {0};
    struct ta_feed feed;
    int r = ta_feed_init(&feed, &ta_heap, ta_str(cluster), NULL, ta_now_s(&ta_clock_system));

    if (r < 0)
        return api_fail(err, r, NULL);
    pthread_mutex_lock(&s->lines_lock);
    r = feed_all(s, &feed, (struct ta_str){text, len}, &why);
    pthread_mutex_unlock(&s->lines_lock);
    if (out)
        *out = (struct tarn_lines){.n_stored = feed.counts.stored,
                                   .n_refused = ta_ingest_refused(&feed.counts),
                                   .n_skipped = ta_ingest_skipped(&feed.counts)};
    ta_feed_done(&feed);
    return r < 0 ? api_fail(err, r, &why) : TA_OK;
}
