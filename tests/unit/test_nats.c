/* Messages come from a real nats-server: late, again and never twice acknowledged for nothing. */
#include "nats_server.h"
#include "net/nats.h"

#include <nats/nats.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct nats_server server;

static int start_server(void **state)
{
    (void)state;
    nats_server_start(&server);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    nats_server_stop(&server, true);
    return 0;
}

static struct ta_nats *connect_here(void)
{
    struct ta_nats_conf conf = {.servers = server.url, .reconnect_ms = 50};
    struct ta_nats *n = NULL;

    assert_int_equal(ta_nats_open(&n, &conf, &ta_heap, NULL), TA_OK);
    return n;
}

static bool becomes_connected(struct ta_nats *n, bool wanted)
{
    struct ta_nats_state s;

    for (int i = 0; i < 1000; i++) {
        ta_nats_state(n, &s);
        if (s.is_connected == wanted)
            return true;
        usleep(10000);
    }
    return false;
}

/* Another client, straight on the library. */
static natsConnection *publisher(void)
{
    natsConnection *c = NULL;

    assert_int_equal(natsConnection_ConnectTo(&c, server.url), NATS_OK);
    return c;
}

static void publish(const char *subject, int from, int to)
{
    natsConnection *c = publisher();

    for (int i = from; i < to; i++) {
        char text[32];
        snprintf(text, sizeof(text), "%d", i);
        assert_int_equal(natsConnection_PublishString(c, subject, text), NATS_OK);
    }
    assert_int_equal(natsConnection_Flush(c), NATS_OK);
    natsConnection_Destroy(c);
}

static void a_server_that_is_late_or_goes_away_is_waited_for(void **state)
{
    struct ta_nats_sub *sub = NULL;
    struct ta_nats_msg m = {0};
    struct ta_nats_state s;

    (void)state;
    struct ta_nats *n = connect_here();
    ta_nats_state(n, &s);
    assert_false(s.is_connected);
    assert_int_equal(ta_nats_subscribe(&sub, n, "hpc.>", 1000, 1 << 20, NULL), TA_OK);
    nats_server_start(&server);
    assert_true(becomes_connected(n, true));
    publish("hpc.a", 7, 8);
    assert_int_equal(ta_nats_next(sub, 5000, &m, NULL), 1);
    assert_true(ta_str_is(m.text, "7") && ta_str_is(m.subject, "hpc.a"));
    ta_nats_msg_done(&m);
    nats_server_stop(&server, true);
    assert_true(becomes_connected(n, false));
    assert_int_equal(ta_nats_next(sub, 10, &m, NULL), 0);
    nats_server_start(&server);
    assert_true(becomes_connected(n, true));
    publish("hpc.b", 8, 9);
    assert_int_equal(ta_nats_next(sub, 5000, &m, NULL), 1);
    assert_true(ta_str_is(m.text, "8"));
    ta_nats_msg_done(&m);
    ta_nats_state(n, &s);
    assert_int_equal(s.connects, 2);
    ta_nats_unsubscribe(sub);
    ta_nats_close(n);
}

static void what_does_not_fit_the_queue_is_counted(void **state)
{
    struct ta_nats_sub *sub = NULL;
    struct ta_nats_sub_counts c = {0};
    struct ta_nats_msg m = {0};
    int got = 0;

    (void)state;
    struct ta_nats *n = connect_here();
    assert_true(becomes_connected(n, true));
    assert_int_equal(ta_nats_subscribe(&sub, n, "x", 10, 1 << 20, NULL), TA_OK);
    publish("y", 0, 1); /* a round trip later the subscription is known to the server */
    usleep(100000);
    publish("x", 0, 100);
    for (int i = 0; i < 500 && c.dropped + c.waiting < 100; i++) {
        usleep(10000);
        ta_nats_sub_counts(sub, &c);
    }
    while (ta_nats_next(sub, 100, &m, NULL) == 1 || got == 0) {
        got++;
        ta_nats_msg_done(&m);
    }
    assert_int_equal(c.dropped + c.waiting, 100);
    assert_int_equal(c.waiting, 10);
    ta_nats_unsubscribe(sub);
    ta_nats_close(n);
}

static void make_stream(void)
{
    natsConnection *c = publisher();
    jsCtx *js = NULL;
    jsStreamConfig cfg;
    const char *subjects[] = {"ccm.>"};
    jsErrCode why = 0;

    jsStreamConfig_Init(&cfg);
    cfg.Name = "CCM";
    cfg.Subjects = subjects;
    cfg.SubjectsLen = 1;
    assert_int_equal(natsConnection_JetStream(&js, c, NULL), NATS_OK);
    assert_int_equal(js_AddStream(NULL, js, &cfg, NULL, &why), NATS_OK);
    jsCtx_Destroy(js);
    natsConnection_Destroy(c);
}

static struct ta_nats_consumer *consume(struct ta_nats *n, const char *subject, const char *durable)
{
    struct ta_nats_consumer_conf conf = {.stream = "CCM",
                                         .durable = durable,
                                         .subject = subject,
                                         .max_ack_pending = 600,
                                         .ack_wait_ms = 500};
    struct ta_nats_consumer *c = NULL;
    struct ta_err err = {0};
    int r = TA_EAGAIN;

    for (int i = 0; i < 100 && r == TA_EAGAIN; i++) {
        err = (struct ta_err){0};
        r = ta_nats_consume(&c, n, &conf, 1000, &ta_heap, &err);
    }
    if (r != TA_OK)
        fail_msg("%s", err.text);
    return c;
}

/* Fetches until `want` distinct messages were seen; acknowledges those whose number is a multiple of `ack`. */
static int fetch_all(struct ta_nats_consumer *c, int want, int ack, bool seen[], int *redelivered)
{
    struct ta_nats_msg batch[64];
    int distinct = 0;

    for (int rounds = 0; rounds < 200 && distinct < want; rounds++) {
        int n = ta_nats_fetch(c, batch, 64, 200, NULL);
        for (int i = 0; i < n; i++) {
            int number = 0;
            assert_int_equal(sscanf(batch[i].text.at, "%d", &number), 1);
            *redelivered += batch[i].deliveries > 1;
            distinct += !seen[number];
            seen[number] = true;
            if (number % ack == 0)
                assert_int_equal(ta_nats_ack(&batch[i], NULL), TA_OK);
            else
                ta_nats_msg_done(&batch[i]);
        }
    }
    return distinct;
}

static void unacknowledged_messages_come_again_and_others_do_not(void **state)
{
    bool first[500] = {false};
    bool again[500] = {false};
    struct ta_nats_lag lag = {0};
    int redelivered = 0;

    (void)state;
    struct ta_nats *n = connect_here();
    assert_true(becomes_connected(n, true));
    make_stream();
    publish("ccm.a", 0, 500);
    struct ta_nats_consumer *c = consume(n, NULL, "one");
    assert_int_equal(fetch_all(c, 500, 2, first, &redelivered), 500);
    for (int i = 0; i < 500 && lag.ack_pending != 250;
         i++) { /* acknowledgements are on their way */
        usleep(10000);
        assert_int_equal(ta_nats_consumer_lag(c, &lag, NULL), TA_OK);
    }
    assert_int_equal(lag.ack_pending, 250);
    ta_nats_consumer_close(c);
    nats_server_stop(&server, false);
    nats_server_start(&server);
    assert_true(becomes_connected(n, true));
    c = consume(n, NULL, "one");
    redelivered = 0;
    assert_int_equal(fetch_all(c, 250, 1, again, &redelivered), 250);
    for (int i = 0; i < 500; i++)
        assert_true(again[i] == (i % 2 == 1));
    assert_int_equal(ta_nats_consumer_lag(c, &lag, NULL), TA_OK);
    assert_int_equal(lag.pending, 0);
    ta_nats_consumer_close(c);
    ta_nats_close(n);
}

static void a_filtered_consumer_gets_its_partition_alone(void **state)
{
    bool seen[64] = {false};
    int redelivered = 0;

    (void)state;
    struct ta_nats *n = connect_here();
    assert_true(becomes_connected(n, true));
    publish("ccm.p.1.x", 0, 20);
    publish("ccm.p.2.x", 20, 50);
    struct ta_nats_consumer *c = consume(n, "ccm.p.2.>", "two");
    assert_int_equal(fetch_all(c, 30, 1, seen, &redelivered), 30);
    for (int i = 0; i < 50; i++)
        assert_true(seen[i] == (i >= 20));
    ta_nats_consumer_close(c);
    ta_nats_close(n);
}

static void a_missing_stream_is_something_to_wait_for(void **state)
{
    struct ta_nats_consumer_conf conf = {.stream = "NONE", .durable = "d"};
    struct ta_nats_consumer *c = NULL;

    (void)state;
    struct ta_nats *n = connect_here();
    assert_true(becomes_connected(n, true));
    assert_int_equal(ta_nats_consume(&c, n, &conf, 1000, &ta_heap, NULL), TA_EAGAIN);
    ta_nats_close(n);
}

static void unusable_settings_are_named(void **state)
{
    struct ta_nats_conf conf = {.servers = server.url, .ca_file = "/nonexistent/ca.pem"};
    struct ta_nats *n = NULL;
    struct ta_err err = {0};

    (void)state;
    assert_int_equal(ta_nats_open(&n, &conf, &ta_heap, &err), TA_EINVAL);
    assert_non_null(strstr(err.text, "/nonexistent/ca.pem"));
    conf = (struct ta_nats_conf){.servers = " , "};
    assert_int_equal(ta_nats_open(&n, &conf, &ta_heap, NULL), TA_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_server_that_is_late_or_goes_away_is_waited_for, stop_server),
        cmocka_unit_test_setup_teardown(what_does_not_fit_the_queue_is_counted, start_server,
                                        stop_server),
        cmocka_unit_test_setup_teardown(unacknowledged_messages_come_again_and_others_do_not,
                                        start_server, stop_server),
        cmocka_unit_test_setup_teardown(a_filtered_consumer_gets_its_partition_alone, start_server,
                                        stop_server),
        cmocka_unit_test_setup_teardown(a_missing_stream_is_something_to_wait_for, start_server,
                                        stop_server),
        cmocka_unit_test(unusable_settings_are_named),
    };

    signal(SIGPIPE, SIG_IGN); /* as the server does: the library writes to connections that died */
    if (!nats_server_init(&server)) {
        printf("[  SKIPPED ] nats: no nats-server is installed\n");
        return 0;
    }
    int r = cmocka_run_group_tests_name("nats", tests, NULL, NULL);
    nats_server_done(&server);
    nats_Close();
    return r;
}
