/* What lines become: the recorded edge cases at every split, the rules for bad lines, prediction against the
 * plain way, and a journal that refuses. */
#include "ingest/ingest.h"
#include "store_text.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { NOW = 1700010000, TEXT = 1 << 18 };

/* One run of an input into a fresh store, as text: the store, the counts, the verdict. */
struct run {
    struct ta_store *store;
    struct ta_ingest *in;
    char text[TEXT];
};

static void run_open(struct run *r, bool is_plain, struct ta_journal *journal)
{
    struct ta_ingest_conf conf = {
        .journal = journal, .alloc = &ta_heap, .max_future_s = 3600, .is_plain = is_plain};

    r->store = store_text_new(&ta_heap, 0);
    assert_non_null(r->store);
    conf.store = r->store;
    assert_int_equal(ta_ingest_new(&r->in, &conf, NULL), TA_OK);
}

static void run_close(struct run *r)
{
    ta_ingest_free(r->in);
    ta_store_free(r->store);
}

/* Takes all bytes, or what is left when the journal refuses for good. */
static int give(struct run *r, struct ta_feed *f, struct ta_str bytes)
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

static void finish(struct run *r, struct ta_feed *f, bool is_complete)
{
    for (int tries = 0; tries < 1000; tries++)
        if (ta_ingest_end(r->in, f, is_complete, NOW, NULL) != TA_EAGAIN)
            break;
}

static void tell(struct run *r, const struct ta_feed *f)
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

/* The text of one body, fed in pieces of `first` and then `step` bytes. */
static const char *fed(struct run *r, const char *cluster, struct ta_str body, size_t first,
                       size_t step)
{
    struct ta_feed f;

    assert_int_equal(ta_feed_init(&f, &ta_heap, ta_str(cluster), NULL, NOW), TA_OK);
    for (size_t at = 0, n = first; at < body.len; at += n, n = step) {
        n = n < body.len - at ? n : body.len - at;
        assert_int_equal(give(r, &f, (struct ta_str){body.at + at, n}), TA_OK);
    }
    finish(r, &f, true);
    tell(r, &f);
    ta_feed_done(&f);
    return r->text;
}

static struct run one, other;

static const char *result_of(const char *cluster, const char *body)
{
    run_open(&one, false, NULL);
    fed(&one, cluster, ta_str(body), SIZE_MAX, 1);
    run_close(&one);
    return one.text;
}

static void lines_reach_their_series(void **state)
{
    (void)state;
    assert_string_equal(
        result_of("", "cpu_load,cluster=c,hostname=h,type=node value=1.5 1700000040\n"
                      "cpu_load,cluster=c,hostname=h,type=node value=2.5 1700000100\n"
                      "flops_any,cluster=c,hostname=h,type-id=3,type=hwthread value=7i 1700000040\n"
                      "mem_bw,cluster=c,hostname=h,stype=nv,stype-id=1,type=socket,type-id=0 "
                      "value=.5 1700000040\n"
                      "mem_bw,cluster=c,hostname=h,stype=nv,stype-id=1 value=.25 1700000040\n"
                      "mem_used,cluster=c,host=h,type=node,type-id=0 value=9 1700000040"),
        "c/h// cpu_load [1700000010 2: 1.5 2.5]\n"
        "c/h// mem_bw [1700000010 1: 0.25]\n"
        "c/h/0/ mem_used [1700000010 1: 9]\n"
        "c/h/hwthread3/ flops_any [1700000010 1: 7]\n"
        "c/h/socket0/nv1 mem_bw [1700000010 1: 0.5]\n"
        "stored 6\ngood");
}

static void missing_tags_never_carry_over(void **state)
{
    (void)state;
    assert_string_equal(result_of("", "cpu_load,cluster=c,hostname=h value=1 1700000040\n"
                                      "cpu_load,cluster=c value=2 1700000040\n"
                                      "cpu_load,hostname=h value=3 1700000040\n"),
                        "c/h// cpu_load [1700000010 1: 1]\nstored 1, no_host 1, no_cluster 1\n"
                        "at line 2:1: no hostname or host tag (lines refused: 2, stored: 1)");
    assert_string_equal(result_of("d", "cpu_load,cluster=c,hostname=h value=1 1700000040\n"
                                       "cpu_load,hostname=h value=3 1700000040\n"),
                        "c/h// cpu_load [1700000010 1: 1]\nd/h// cpu_load [1700000010 1: 3]\n"
                        "stored 2\ngood");
}

static void a_line_without_time_takes_that_of_the_line_before(void **state)
{
    (void)state;
    assert_string_equal(
        result_of("c", "cpu_load,host=a value=1\n"
                       "cpu_load,host=b value=1 1700000040\n"
                       "unknown,host=b value=1 1600000000\n"
                       "cpu_load,host=b value=x 1500000000\n"
                       "cpu_load,host=c value=2\n"),
        "c/a// cpu_load [1700009970 1: 1]\nc/b// cpu_load [1700000010 1: 1]\n"
        "c/c// cpu_load [1700000010 1: 2]\nstored 3, value 1, unknown_metric 1\n"
        "at line 4:23: value has unrecognized type: 'x' (lines refused: 1, stored: 3)");
}

static void unknown_metrics_and_unsafe_names_are_skipped(void **state)
{
    (void)state;
    assert_string_equal(
        result_of(
            "",
            "zzz,cluster=c,hostname=h value=1 1700000040\nthis is not line protocol\n"
            "cpu_load,cluster=c,hostname=.. value=1\ncpu_load,cluster=c,hostname=a/b value=1\n"
            "cpu_load,cluster=c,hostname=a\\\\b value=1\ncpu_load,cluster=c,hostname=a..b value=1\n"
            "cpu_load,cluster=c,hostname=. value=1\ncpu_load,cluster=.c,hostname=a value=1\n"
            "cpu_load,cluster=c,hostname=.a value=1 1700000040\n"),
        "c/.a// cpu_load [1700000010 1: 1]\nstored 1, unknown_metric 2, unsafe_name 6\ngood");
}

static void the_future_is_refused(void **state)
{
    (void)state;
    assert_string_equal(result_of("c", "cpu_load,host=a value=1 1700013600\n"
                                       "cpu_load,host=a value=2 1700013601\n"
                                       "cpu_load,host=a value=3\n"),
                        "c/a// cpu_load [1700013570 1: 3]\nstored 2, future 1\n"
                        "at line 2:1: the timestamp lies too far in the future "
                        "(lines refused: 1, stored: 2)");
}

static void a_cut_body_is_refused_and_loses_its_partial_line(void **state)
{
    struct ta_feed f;

    (void)state;
    run_open(&one, false, NULL);
    assert_int_equal(ta_feed_init(&f, &ta_heap, ta_str("c"), NULL, NOW), TA_OK);
    give(&one, &f, TA_STR("cpu_load,host=a value=1 1700000040\ncpu_load,host=b value=12"));
    finish(&one, &f, false);
    tell(&one, &f);
    ta_feed_done(&f);
    run_close(&one);
    assert_string_equal(one.text, "c/a// cpu_load [1700000010 1: 1]\nstored 1, truncated 1\n"
                                  "at line 2:1: the body ended before its end "
                                  "(lines refused: 1, stored: 1)");
}

static void influx_lines_give_a_metric_per_field(void **state)
{
    struct ta_line_options influx = {.mode = TA_LINE_INFLUX, .precision = TA_LINE_NS};
    struct ta_feed f;

    (void)state;
    run_open(&one, false, NULL);
    assert_int_equal(ta_feed_init(&f, &ta_heap, ta_str("c"), &influx, NOW), TA_OK);
    give(&one, &f,
         TA_STR("net,host=a rx=1i,tx=2,name=\"eth0\" 1700000040000000000\n"
                "cpu_load,host=a value=3 1700000040999999999\n"));
    finish(&one, &f, true);
    tell(&one, &f);
    assert_int_equal(f.counts.left_out, 1);
    ta_feed_done(&f);
    run_close(&one);
    assert_string_equal(one.text,
                        "c/a// cpu_load [1700000010 1: 3]\nc/a// net_rx [1700000010 1: 1]\n"
                        "stored 2, unknown_metric 1\ngood");
}

/* ---- the recorded cases ------------------------------------------------------------------- */

static char *cases;

static int load_cases(void **state)
{
    FILE *file = fopen("tests/data/ingest/write-edge.txt", "rb");

    (void)state;
    assert_non_null(file);
    cases = calloc(1, 1 << 16);
    assert_true(fread(cases, 1, (1 << 16) - 1, file) > 0);
    fclose(file);
    return 0;
}

static int free_cases(void **state)
{
    (void)state;
    free(cases);
    return 0;
}

/* "=== name cluster\nbody\n", again and again. */
static bool next_case(const char **at, char *cluster, struct ta_str *body)
{
    char name[64];

    if (sscanf(*at, "=== %63s %63s", name, cluster) != 2)
        return false;
    if (strcmp(cluster, "-") == 0)
        cluster[0] = 0;
    const char *begin = strchr(*at, '\n') + 1, *end = strstr(begin, "\n=== ");
    end = end ? end : begin + strlen(begin) - 1;
    *body = (struct ta_str){begin, (size_t)(end - begin)};
    *at = end + 1;
    return true;
}

static void every_split_of_the_recorded_bodies_gives_the_same(void **state)
{
    char cluster[64];
    struct ta_str body;
    int n = 0;

    (void)state;
    for (const char *at = cases; next_case(&at, cluster, &body); n++) {
        run_open(&one, true, NULL);
        fed(&one, cluster, body, SIZE_MAX, 1);
        run_close(&one);
        size_t jump = body.len > 600 ? 7 : 1;
        for (size_t cut = 0; cut <= body.len; cut += jump) {
            run_open(&other, cut & 1, NULL);
            fed(&other, cluster, body, cut, cut % 3 ? SIZE_MAX : 1 + cut % 40);
            run_close(&other);
            assert_string_equal(one.text, other.text);
        }
    }
    assert_int_equal(n, 68);
}

/* The judgement of each body, then all that is stored. */
static void the_recorded_bodies_give_what_is_written_down(void **state)
{
    static char want[1 << 16], got[1 << 16];
    char cluster[64];
    struct ta_str body;
    FILE *file = fopen("tests/data/ingest/write-edge.want", "rb");

    (void)state;
    assert_non_null(file);
    want[fread(want, 1, sizeof(want) - 1, file)] = 0;
    fclose(file);
    for (int plain = 0; plain < 2; plain++) {
        size_t n = 0;
        run_open(&one, plain, NULL);
        for (const char *at = cases, *name = at; next_case(&at, cluster, &body); name = at) {
            const char *text = fed(&one, cluster, body, SIZE_MAX, 1);
            const char *judgement = strstr(text, "stored ");
            n += (size_t)snprintf(got + n, sizeof(got) - n, "%.*s\n%s\n",
                                  (int)(strchr(name, '\n') - name), name, judgement);
        }
        store_text(one.store, got + n, sizeof(got) - n);
        run_close(&one);
        if (getenv("TARN_WRITE_WANT")) {
            file = fopen(getenv("TARN_WRITE_WANT"), "wb");
            fputs(got, file);
            fclose(file);
        }
        assert_string_equal(got, want);
    }
}

/* ---- prediction ------------------------------------------------------------------------------ */

static size_t collector_batch(char *out, size_t cap, const char *host, int tick, int order)
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

static void prediction_stores_what_the_plain_way_stores(void **state)
{
    static char body[1 << 16];
    static const char *const hosts[] = {"n1", "n0002", "n3"};
    struct run *runs[] = {&one, &other};

    (void)state;
    for (int order = 0; order < 3; order += 2) {
        for (int plain = 0; plain < 2; plain++) {
            struct run *r = runs[plain];
            run_open(r, plain, NULL);
            for (int i = 0; i < 60; i++) {
                size_t n = collector_batch(body, sizeof(body), hosts[i % 3], i / 3, order);
                fed(r, "fallback", (struct ta_str){body, n}, SIZE_MAX, 1);
            }
            struct ta_feed f = {0};
            tell(r, &f);
            run_close(r);
        }
        assert_string_equal(one.text, other.text);
        assert_true(strlen(one.text) > 2000);
    }
}

static void lines_of_a_known_kind_are_predicted(void **state)
{
    static char body[1 << 16];
    struct ta_feed f;

    (void)state;
    run_open(&one, false, NULL);
    for (int tick = 0; tick < 3; tick++) {
        size_t n = 0;
        for (int i = 0; i < 50; i++)
            n +=
                (size_t)sprintf(body + n,
                                "cpu_user,cluster=c,hostname=h,type=hwthread,type-id=%d value=%d.5 "
                                "%d\n",
                                i, tick, NOW + 60 * tick);
        assert_int_equal(ta_feed_init(&f, &ta_heap, ta_str(""), NULL, NOW), TA_OK);
        give(&one, &f, (struct ta_str){body, n});
        finish(&one, &f, true);
        assert_int_equal(f.counts.stored, 50);
        /* The last lines of a block have too few bytes behind them to be read the quick way. */
        assert_true(tick == 0 || f.counts.predicted >= 47);
        ta_feed_done(&f);
    }
    run_close(&one);
}

static void a_host_name_with_escapes_is_never_taken_for_its_bytes(void **state)
{
    static const char body[] =
        "cpu_load,hostname=a\\ b,type=node value=1 1700000040\n"
        "cpu_load,hostname=a,type=node value=1 1700000040\n"
        "cpu_load,hostname=a,type=node value=2 1700000100\n"
        "cpu_load,hostname=a\\ b,type=node value=2 1700000100\n"
        "cpu_load,hostname=a b,type=node value=2 1700000100\n"
        "cpu_load,hostname=a=b,type=node value=2 1700000100\n"
        "cpu_load,hostname=a,type=node value=3 1700000160\n"
        "# a comment of some length, so that all lines above can be read quickly, "
        "which needs about a hundred bytes behind them\n";

    (void)state;
    const char *text = result_of("c", body);
    assert_string_equal(
        text, "c/a// cpu_load [1700000010 3: 1 2 3]\n"
              "c/a b// cpu_load [1700000010 2: 1 2]\nstored 5, syntax 2\n"
              "at line 5:22: expected '=' after field key 'b' (lines refused: 2, stored: 5)");
}

static void a_new_table_of_metrics_is_noticed(void **state)
{
    static const char body[] = "later,cluster=c,hostname=h,type=node value=1 1700000040\n"
                               "later,cluster=c,hostname=h,type=node value=1 1700000040\n"
                               "# a comment of some length, so that the lines above can be read "
                               "quickly, which needs about a "
                               "hundred bytes behind them\n";
    struct ta_metric def = {TA_STR("later"), 60, TA_AGG_SUM};
    struct ta_metrics *base, *more;

    (void)state;
    run_open(&one, false, NULL);
    fed(&one, "", TA_STR(body), SIZE_MAX, 1);
    assert_string_equal(one.text, "stored 0, unknown_metric 2\ngood");
    base = ta_store_metrics(one.store);
    assert_int_equal(ta_metrics_new(&more, &ta_heap, base, &def, 1, NULL), TA_OK);
    assert_int_equal(ta_store_set_metrics(one.store, more, NULL), TA_OK);
    ta_metrics_unref(base);
    ta_metrics_unref(more);
    fed(&one, "", TA_STR(body), SIZE_MAX, 1);
    assert_string_equal(one.text, "c/h// later [1700000010 1: 1]\nstored 2\ngood");
    run_close(&one);
}

static void more_kinds_of_lines_than_are_remembered_are_stored_all_the_same(void **state)
{
    static char body[1 << 20];
    struct ta_feed f;
    uint64_t stored = 0;

    (void)state;
    run_open(&one, false, NULL);
    for (int round = 0; round < 20; round++) {
        size_t n = 0;
        for (int i = 0; i < 2000; i++)
            n += (size_t)sprintf(body + n,
                                 "cpu_load,cluster=c%d,hostname=h%d,tag=%d value=1 1700000040\n",
                                 round % 2 ? i % 100 : 0, i / 500, round * 2000 + i);
        assert_int_equal(ta_feed_init(&f, &ta_heap, ta_str(""), NULL, NOW), TA_OK);
        assert_int_equal(give(&one, &f, (struct ta_str){body, n}), TA_OK);
        finish(&one, &f, true);
        stored += f.counts.stored;
        ta_feed_done(&f);
    }
    run_close(&one);
    assert_int_equal(stored, 40000);
}

struct worker {
    pthread_t thread;
    struct ta_store *store;
    int number;
    uint64_t stored;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    struct ta_ingest_conf conf = {.store = w->store, .alloc = &ta_heap, .max_future_s = 3600};
    struct ta_ingest *in;
    char body[8192], host[16];

    if (ta_ingest_new(&in, &conf, NULL) < 0)
        return NULL;
    for (int i = 0; i < 200; i++) {
        struct ta_feed f;
        size_t used;
        snprintf(host, sizeof(host), "h%d", (w->number + i) % 5);
        size_t n = collector_batch(body, sizeof(body), host, i / 5 % 40, 0);
        (void)ta_feed_init(&f, &ta_heap, TA_STR("c"), NULL, NOW);
        (void)ta_ingest_feed(in, &f, (struct ta_str){body, n}, NOW, &used, NULL);
        (void)ta_ingest_end(in, &f, true, NOW, NULL);
        w->stored += f.counts.stored;
        ta_feed_done(&f);
    }
    ta_ingest_free(in);
    return NULL;
}

static void threads_with_an_ingest_each_share_a_store(void **state)
{
    struct worker workers[4];
    struct ta_store_counts counts;

    (void)state;
    run_open(&one, false, NULL);
    for (int i = 0; i < 4; i++) {
        workers[i] = (struct worker){.store = one.store, .number = i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].stored, 200 * 8);
    }
    ta_store_counts(one.store, &counts);
    assert_int_equal(counts.stored, 4 * 200 * 8);
    assert_int_equal(counts.hosts, 10);
    run_close(&one);
}

/* ---- the journal -------------------------------------------------------------------------------- */

struct fake_journal {
    struct ta_journal journal;
    int refuse_every; /* TA_EAGAIN for each n-th reserve; 0 = never */
    int dead_after;   /* TA_EIO from that reserve on; 0 = never */
    int n_reserves, n_open;
    uint64_t ticket, n_samples;
    double sum;
};

static int fake_reserve(struct ta_journal *self, const struct ta_journal_batch *batch,
                        uint64_t *out_room, struct ta_err *err)
{
    struct fake_journal *j = TA_CONTAINER(self, struct fake_journal, journal);

    assert_true(batch->n >= 1 && batch->n <= 256 && j->n_open == 0);
    for (size_t i = 0; i < batch->n; i++)
        assert_true(batch->columns[i] < batch->writer->n_columns);
    j->n_reserves++;
    if (j->dead_after && j->n_reserves >= j->dead_after)
        return ta_fail(err, TA_EIO, "no disk");
    if (j->refuse_every && j->n_reserves % j->refuse_every == 0)
        return TA_EAGAIN;
    j->n_open++;
    *out_room = (uint64_t)j->n_reserves;
    return TA_OK;
}

static uint64_t fake_commit(struct ta_journal *self, const struct ta_journal_batch *accepted,
                            uint64_t room)
{
    struct fake_journal *j = TA_CONTAINER(self, struct fake_journal, journal);

    assert_true(j->n_open == 1 && room == (uint64_t)j->n_reserves);
    j->n_open = 0;
    for (size_t i = 0; i < accepted->n; i++)
        j->sum += accepted->values[i];
    j->n_samples += accepted->n;
    return accepted->n ? ++j->ticket : 0;
}

static void a_full_journal_loses_and_repeats_nothing(void **state)
{
    static char body[1 << 16];
    size_t n = 0;

    (void)state;
    for (int i = 0; i < 30; i++) {
        n += collector_batch(body + n, sizeof(body) - n, i % 4 ? "n1" : "n2", i / 4, i % 2);
        n += (size_t)sprintf(body + n,
                             "cpu_load,cluster=c,hostname=n1,type=node value=7\n"
                             "mem_bw,cluster=c,hostname=n1,type=node value=7 %d\n"
                             "mem_bw,cluster=c,hostname=n1,type=node value=8 %d\n",
                             NOW - 5000 + i, NOW + 4000);
    }
    n += (size_t)sprintf(body + n,
                         "cpu_load,hostname=e\\ f value=1 1700000040\nbad\ncpu_load bad\n");
    run_open(&one, true, NULL);
    fed(&one, "c", (struct ta_str){body, n}, SIZE_MAX, 1);
    run_close(&one);
    for (int every = 2; every < 6; every++) {
        for (size_t step = 50; step < 20000; step = step * 2 + 1) {
            struct fake_journal j = {.journal = {fake_reserve, fake_commit}, .refuse_every = every};
            run_open(&other, every == 5, &j.journal);
            fed(&other, "c", (struct ta_str){body, n}, step, step);
            run_close(&other);
            assert_string_equal(one.text, other.text);
            assert_true(j.ticket > 0);
        }
    }
}

static void a_dead_journal_stores_nothing_and_fails_the_feed(void **state)
{
    struct fake_journal j = {.journal = {fake_reserve, fake_commit}, .dead_after = 2};
    struct ta_feed f;
    struct ta_err err = {0};
    size_t used;

    (void)state;
    run_open(&one, false, &j.journal);
    assert_int_equal(ta_feed_init(&f, &ta_heap, ta_str("c"), NULL, NOW), TA_OK);
    struct ta_str body = TA_STR("cpu_load,host=a value=1 1700000040\n"
                                "cpu_load,host=b value=2 1700000040\n");
    assert_int_equal(ta_ingest_feed(one.in, &f, body, NOW, &used, &err), TA_EIO);
    assert_string_equal(err.text, "no disk");
    assert_int_equal(ta_ingest_feed(one.in, &f, body, NOW, &used, NULL), TA_EIO);
    assert_int_equal(ta_ingest_end(one.in, &f, true, NOW, NULL), TA_EIO);
    tell(&one, &f);
    assert_string_equal(one.text, "c/a// cpu_load [1700000010 1: 1]\nstored 1\ngood");
    assert_int_equal(f.ticket, 1);
    assert_int_equal(j.n_samples, 1);
    ta_feed_done(&f);
    run_close(&one);
}

static void the_journal_gets_what_the_store_accepted(void **state)
{
    struct fake_journal j = {.journal = {fake_reserve, fake_commit}};
    struct ta_feed f;

    (void)state;
    run_open(&one, false, &j.journal);
    ta_store_set_retention(one.store, 86400);
    assert_int_equal(ta_feed_init(&f, &ta_heap, ta_str("c"), NULL, NOW), TA_OK);
    assert_int_equal(give(&one, &f,
                          TA_STR("cpu_load,host=a value=1 1700000040\n"
                                 "cpu_load,host=a value=2 1600000040\n"
                                 "cpu_load,host=a value=4 1700000100\n")),
                     TA_OK);
    tell(&one, &f);
    assert_string_equal(one.text, "c/a// cpu_load [1700000010 2: 1 4]\nstored 2, too_old 1\ngood");
    assert_int_equal(j.n_samples, 2);
    assert_true(j.sum == 5);
    ta_feed_done(&f);
    run_close(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_reach_their_series),
        cmocka_unit_test(missing_tags_never_carry_over),
        cmocka_unit_test(a_line_without_time_takes_that_of_the_line_before),
        cmocka_unit_test(unknown_metrics_and_unsafe_names_are_skipped),
        cmocka_unit_test(the_future_is_refused),
        cmocka_unit_test(a_cut_body_is_refused_and_loses_its_partial_line),
        cmocka_unit_test(influx_lines_give_a_metric_per_field),
        cmocka_unit_test_setup_teardown(every_split_of_the_recorded_bodies_gives_the_same,
                                        load_cases, free_cases),
        cmocka_unit_test_setup_teardown(the_recorded_bodies_give_what_is_written_down, load_cases,
                                        free_cases),
        cmocka_unit_test(prediction_stores_what_the_plain_way_stores),
        cmocka_unit_test(lines_of_a_known_kind_are_predicted),
        cmocka_unit_test(a_host_name_with_escapes_is_never_taken_for_its_bytes),
        cmocka_unit_test(a_new_table_of_metrics_is_noticed),
        cmocka_unit_test(more_kinds_of_lines_than_are_remembered_are_stored_all_the_same),
        cmocka_unit_test(threads_with_an_ingest_each_share_a_store),
        cmocka_unit_test(a_full_journal_loses_and_repeats_nothing),
        cmocka_unit_test(a_dead_journal_stores_nothing_and_fails_the_feed),
        cmocka_unit_test(the_journal_gets_what_the_store_accepted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
