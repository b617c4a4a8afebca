/* Any input: prediction on (by the loop of this processor and that of any) and off, whole and in pieces, give the same store, counts and words. */
#include "ingest/ingest.h"
#include "store_text.h"

#include <stdio.h>
#include <stdlib.h>

enum { NOW = 1700010000, TEXT = 1 << 16 };

struct outcome {
    struct ta_ingest_counts counts;
    char words[400];
    char text[TEXT];
};

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The bytes as two bodies, so that the second meets what the first has taught. */
static void run(struct outcome *out, const char *at, size_t len, bool is_plain, bool is_baseline,
                size_t body, size_t step)
{
    struct ta_store *store = store_text_new(&ta_heap, 86400);
    struct ta_ingest_conf conf = {.store = store,
                                  .alloc = &ta_heap,
                                  .max_future_s = 3600,
                                  .is_plain = is_plain,
                                  .is_baseline = is_baseline};
    struct ta_ingest *in;

    if (!store || ta_ingest_new(&in, &conf, NULL) < 0)
        abort();
    *out = (struct outcome){0};
    for (size_t begin = 0; begin < len; begin += body) {
        size_t end = min(begin + body, len);
        struct ta_feed f;
        if (ta_feed_init(&f, &ta_heap, begin ? TA_STR("d") : (struct ta_str){0}, NULL, NOW) < 0)
            abort();
        for (size_t p = begin; p < end; p += step) {
            size_t n = min(step, end - p), used;
            char *copy = malloc(n);
            memcpy(copy, at + p, n);
            if (ta_ingest_feed(in, &f, (struct ta_str){copy, n}, NOW, &used, NULL) < 0 || used != n)
                abort();
            free(copy);
        }
        if (ta_ingest_end(in, &f, true, NOW, NULL) < 0)
            abort();
        ta_ingest_counts_add(&out->counts, &f.counts);
        if (!out->words[0])
            snprintf(out->words, sizeof(out->words), "%s", f.first_bad.text);
        ta_feed_done(&f);
    }
    out->counts.predicted = 0;
    store_text(store, out->text, TEXT);
    ta_ingest_free(in);
    ta_store_free(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct outcome plain, predicted;

    if (size < 3)
        return 0;
    const char *at = (const char *)data + 2;
    size_t len = size - 2, body = 1 + len * (1 + data[0] % 4) / 4, step = 1 + data[1] * 8u;
    run(&plain, at, len, true, false, body, len);
    run(&predicted, at, len, false, data[0] & 4, body, data[1] == 255 ? len : step);
    if (memcmp(&plain.counts, &predicted.counts, sizeof(plain.counts)) != 0 ||
        strcmp(plain.words, predicted.words) != 0 || strcmp(plain.text, predicted.text) != 0)
        abort();
    return 0;
}
