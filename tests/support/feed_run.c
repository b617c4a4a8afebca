#include "feed_run.h"

#include "store_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void feed_run_open(struct feed_run *r, bool is_plain, struct ta_journal *journal)
{
    struct ta_ingest_conf conf = {.journal = journal,
                                  .alloc = &ta_heap,
                                  .max_future_s = 3600,
                                  .is_plain = is_plain,
                                  .is_baseline = r->is_baseline};

    r->store = store_text_new(&ta_heap, 0);
    assert_non_null(r->store);
    conf.store = r->store;
    assert_int_equal(ta_ingest_new(&r->in, &conf, NULL), TA_OK);
}

void feed_run_close(struct feed_run *r)
{
    ta_ingest_free(r->in);
    ta_store_free(r->store);
}

int feed_run_give(struct feed_run *r, struct ta_feed *f, struct ta_str bytes)
{
    size_t at = 0, used;
    int res = TA_OK;

    for (int tries = 0; tries < 1000; tries++) {
        /* A heap block of just this size: reading past it shows under ASan. */
        char *copy = malloc(bytes.len - at + (bytes.len == at));
        memcpy(copy, bytes.at + at, bytes.len - at);
        res = ta_ingest_feed(r->in, f, (struct ta_str){copy, bytes.len - at}, NOW, &used, NULL);
        free(copy);
        at += used;
        if (res != TA_EAGAIN)
            break;
    }
    return res;
}

void feed_run_finish(struct feed_run *r, struct ta_feed *f, bool is_complete)
{
    for (int tries = 0; tries < 1000; tries++)
        if (ta_ingest_end(r->in, f, is_complete, NOW, NULL) != TA_EAGAIN)
            break;
}

void feed_run_tell(struct feed_run *r, const struct ta_feed *f)
{
    struct ta_err err = {0};
    size_t len;

    store_text(r->store, r->text, TEXT - 4096);
    len = strlen(r->text);
    len += (size_t)sprintf(r->text + len, "stored %llu", (unsigned long long)f->counts.stored);
    for (int i = 0; i < TA_INGEST_N_REASONS; i++)
        if (f->counts.bad[i])
            len += (size_t)sprintf(r->text + len, ", %s %llu",
                                   ta_ingest_reason_name((enum ta_ingest_reason)i),
                                   (unsigned long long)f->counts.bad[i]);
    sprintf(r->text + len, "\n%s", ta_feed_verdict(f, &err) < 0 ? err.text : "good");
}

const char *feed_run_all(struct feed_run *r, const char *cluster, struct ta_str body, size_t first,
                         size_t step)
{
    struct ta_feed f;

    assert_int_equal(ta_feed_init(&f, &ta_heap, ta_str(cluster), NULL, NOW), TA_OK);
    for (size_t at = 0, n = first; at < body.len; at += n, n = step) {
        n = n < body.len - at ? n : body.len - at;
        assert_int_equal(feed_run_give(r, &f, (struct ta_str){body.at + at, n}), TA_OK);
    }
    feed_run_finish(r, &f, true);
    feed_run_tell(r, &f);
    ta_feed_done(&f);
    return r->text;
}

size_t feed_run_batch(char *out, size_t cap, const char *host, int tick, int order)
{
    static const char *const forms[][4] = {
        /* HOST VALUE TIME stand between them */
        {"cpu_load,cluster=c,hostname=", ",type=node value=", ".5 ", "\n"},
        {"unknown,cluster=c,hostname=", ",type=node value=", ".5 ", "\n"},
        {"mem_used,cluster=c,hostname=", ",type=node value=", ".68767e+08 ", "\n"},
        {"cpu_user,cluster=c,hostname=", ",type=hwthread,type-id=0,unit=Percent value=", " ", "\n"},
        {"cpu_user,cluster=c,hostname=", ",type=hwthread,type-id=1,unit=Percent value=", "i ",
         "\n"},
        {"cpu_user,cluster=d,hostname=", ",type=hwthread,type-id=1,unit=Percent value=", " ", "\n"},
        {"cpu_user,hostname=", ",type=hwthread,type-id=1,unit=Percent value=-", ".25 ", "\n"},
        {"acc_power,cluster=c,hostname=", ",type=accelerator,type-id=00000000:0E:00.0 value=",
         ".7 ", "\r\n"},
        {"net_bytes,cluster=c,device=sda,hostname=", ",stype-id=eth0,type=node value=", " ",
         "000\n"},
    };
    size_t n = 0, count = TA_COUNT(forms);

    for (size_t i = 0; i < count; i++) {
        size_t k = order ? (i * (size_t)order + (size_t)tick) % count : i;
        n += (size_t)snprintf(out + n, cap - n, "%s%s%s%d%s%d%s", forms[k][0], host, forms[k][1],
                              tick + (int)k, forms[k][2], NOW - 6000 + 60 * tick, forms[k][3]);
    }
    return n;
}
