/* tarn doctor: what is found in what was seen, and what to do about it. */
#include "app/doctor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const uint64_t GIB = 1ULL << 30;

static struct ta_config config;

static int read_config(void **state)
{
    (void)state;
    assert_int_equal(ta_config_builtin(&config, &ta_heap, NULL), TA_OK);
    return 0;
}

static int drop_config(void **state)
{
    (void)state;
    ta_config_done(&config);
    return 0;
}

/* A machine without fault. */
static struct ta_machine sound(void)
{
    return (struct ta_machine){.files_max = 65536,
                               .memory_bytes = 64 * GIB,
                               .hosts = 100,
                               .has_directory = true,
                               .directory = "/var/lib/tarn",
                               .is_writable = true,
                               .free_bytes = 500 * GIB,
                               .total_bytes = 900 * GIB,
                               .free_inodes = 1000000,
                               .sync_s_median = 0.001,
                               .sync_s_worst = 0.004,
                               .is_clock_synchronised = true,
                               .now_s = 1790000000};
}

static const struct ta_finding *find(const struct ta_findings *f, const char *words)
{
    for (size_t i = 0; i < f->n; i++)
        if (strstr(f->at[i].what, words))
            return &f->at[i];
    return NULL;
}

static void expect(const struct ta_machine *m, const char *words, enum ta_finding_level level)
{
    struct ta_findings f = {0};

    ta_doctor_judge(&f, &config, m);
    const struct ta_finding *x = find(&f, words);
    if (!x)
        fail_msg("no finding says \"%s\"", words);
    assert_int_equal(x->level, level);
    assert_true(level < TA_FINDING_WARN || x->todo[0]);
}

static void a_sound_machine_has_nothing_to_be_warned_of(void **state)
{
    struct ta_machine m = sound();
    struct ta_findings f = {0};

    (void)state;
    ta_doctor_judge(&f, &config, &m);
    for (size_t i = 0; i < f.n; i++)
        assert_true(f.at[i].level < TA_FINDING_WARN);
}

static void each_fault_of_a_machine_is_found_with_what_to_do(void **state)
{
    struct ta_machine m;

    (void)state;
    m = sound(), m.files_max = 200;
    expect(&m, "allows 200 open files", TA_FINDING_BAD);
    m = sound(), m.files_max = 1024, m.hosts = 0;
    expect(&m, "tarn.limits.connections needs", TA_FINDING_WARN);
    m = sound(), m.hosts = 20000;
    expect(&m, "20000 hosts, but only 8192 connections", TA_FINDING_WARN);
    m = sound(), m.is_writable = false, strcpy(m.trouble, "Permission denied");
    expect(&m, "cannot be written in /var/lib/tarn: Permission denied", TA_FINDING_BAD);
    m = sound(), m.is_others_writable = true;
    expect(&m, "everybody may change", TA_FINDING_WARN);
    m = sound(), m.is_network = true;
    expect(&m, "network file system", TA_FINDING_WARN);
    m = sound(), m.is_memory = true;
    expect(&m, "a reboot loses everything", TA_FINDING_BAD);
    m = sound(), m.free_bytes = GIB / 16;
    expect(&m, "are free", TA_FINDING_BAD);
    m = sound(), m.free_bytes = 10 * GIB;
    expect(&m, "are free", TA_FINDING_WARN);
    m = sound(), m.free_inodes = 50;
    expect(&m, "only 50 files", TA_FINDING_WARN);
    m = sound(), m.sync_s_median = 0.05;
    expect(&m, "a sync takes 50.0 ms", TA_FINDING_WARN);
    m = sound(), m.sync_s_median = 0.5;
    expect(&m, "a sync takes 500.0 ms", TA_FINDING_BAD);
    m = sound(), m.is_clock_synchronised = false;
    expect(&m, "not synchronised", TA_FINDING_WARN);
    m = sound(), m.now_s = 1000;
    expect(&m, "never set", TA_FINDING_BAD);
    m = sound(), m.certificate_end_s = m.now_s - 1;
    expect(&m, "the certificate ended", TA_FINDING_BAD);
    m = sound(), m.certificate_end_s = m.now_s + 86400;
    expect(&m, "the certificate ends", TA_FINDING_WARN);
    m = sound(), m.certificate_end_s = m.now_s + 100 * 86400, m.key_is_readable_by_all = true;
    expect(&m, "everybody may read the private key", TA_FINDING_WARN);
    m = sound(), strcpy(m.tls_trouble, "no such file");
    expect(&m, "no such file", TA_FINDING_BAD);
    m = sound(), strcpy(m.user_trouble, "unknown user \"x\"");
    expect(&m, "unknown user", TA_FINDING_BAD);
}

static void an_open_store_is_bad_beyond_loopback_only(void **state)
{
    struct ta_machine m = sound();

    (void)state;
    expect(&m, "everybody who reaches 127.0.0.1:8082", TA_FINDING_NOTE);
    const char *before = config.main.addr;
    config.main.addr = "0.0.0.0:8082";
    expect(&m, "everybody who reaches 0.0.0.0:8082", TA_FINDING_BAD);
    config.main.addr = before;
}

static void a_cap_above_the_memory_or_its_group_is_bad(void **state)
{
    struct ta_machine m = sound();

    (void)state;
    expect(&m, "there is no memory-cap", TA_FINDING_NOTE);
    config.store.memory_cap_gb = 32;
    expect(&m, "memory-cap and requests", TA_FINDING_GOOD);
    m.memory_limit = 16 * GIB;
    expect(&m, "memory-cap and requests", TA_FINDING_BAD);
    config.store.memory_cap_gb = 0;
}

static void what_cannot_be_measured_is_not_judged(void **state)
{
    struct ta_machine m = sound();
    struct ta_findings f = {0};

    (void)state;
    m.sync_s_median = -1;
    m.total_bytes = m.memory_bytes = 0;
    ta_doctor_judge(&f, &config, &m);
    assert_null(find(&f, "a sync takes"));
    assert_null(find(&f, "are free"));
    assert_null(find(&f, "memory"));
}

static void a_running_store_is_judged_by_its_answer(void **state)
{
    struct ta_asked a = {.url = "http://x", .trouble = "connection refused"};
    struct ta_findings f = {0};

    (void)state;
    ta_doctor_judge_store(&f, &a);
    assert_int_equal(find(&f, "connection refused")->level, TA_FINDING_BAD);
    a.status = 401;
    ta_doctor_judge_store(&f, &a);
    assert_non_null(find(&f, "wants a token"));
    a.has_token = true;
    ta_doctor_judge_store(&f, &a);
    assert_non_null(find(&f, "does not take this token"));
    a.status = 200;
    a.clock_ahead_s = -60;
    a.metrics.value[TA_SCRAPE_LOG_FAILING] = 1;
    a.metrics.value[TA_SCRAPE_FREED_EARLY] = 5;
    ta_doctor_judge_store(&f, &a);
    assert_non_null(find(&f, "60 s behind"));
    assert_int_equal(find(&f, "cannot be written")->level, TA_FINDING_BAD);
    assert_int_equal(find(&f, "5 buffers")->level, TA_FINDING_WARN);
}

static void findings_beyond_the_most_are_dropped(void **state)
{
    struct ta_findings f = {0};

    (void)state;
    for (int i = 0; i < 2 * TA_FINDINGS_MAX; i++)
        ta_finding_add(&f, TA_FINDING_NOTE, "x", "", "%d", i);
    assert_int_equal(f.n, TA_FINDINGS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_machine_has_nothing_to_be_warned_of),
        cmocka_unit_test(each_fault_of_a_machine_is_found_with_what_to_do),
        cmocka_unit_test(an_open_store_is_bad_beyond_loopback_only),
        cmocka_unit_test(a_cap_above_the_memory_or_its_group_is_bad),
        cmocka_unit_test(what_cannot_be_measured_is_not_judged),
        cmocka_unit_test(a_running_store_is_judged_by_its_answer),
        cmocka_unit_test(findings_beyond_the_most_are_dropped),
    };

    return cmocka_run_group_tests(tests, read_config, drop_config);
}
