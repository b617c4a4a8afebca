#include "app/stderr_log.h"
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct bench {
    struct ta_clock_manual clock;
    struct ta_stderr_log log;
    int pipe[2];
    char text[65536];
};

static int set_up(void **state)
{
    static struct bench b;

    memset(&b, 0, sizeof(b));
    ta_clock_manual_init(&b.clock, 1795225829);
    if (pipe(b.pipe) < 0)
        return -1;
    ta_stderr_log_init(&b.log, b.pipe[1], &b.clock.clock);
    *state = &b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;

    close(b->pipe[0]);
    close(b->pipe[1]);
    return 0;
}

static const char *all_text(struct bench *b)
{
    ta_stderr_log_done(&b->log);
    close(b->pipe[1]);
    ssize_t n = read(b->pipe[0], b->text, sizeof(b->text) - 1);
    b->text[n > 0 ? n : 0] = 0;
    return b->text;
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;

    for (const char *p = strstr(text, what); p; p = strstr(p + 1, what))
        n++;
    return n;
}

static void a_line_begins_with_priority_and_level(void **state)
{
    struct bench *b = *state;

    b->log.level = TA_LOG_DEBUG;
    ta_logf(&b->log.log, TA_LOG_DEBUG, "one");
    ta_logf(&b->log.log, TA_LOG_INFO, "two");
    ta_logf(&b->log.log, TA_LOG_WARN, "three");
    ta_logf(&b->log.log, TA_LOG_ERROR, "four");
    ta_logf(&b->log.log, TA_LOG_CRIT, "five");
    assert_string_equal(all_text(b), "<7>[DEBUG]    one\n<6>[INFO]     two\n<4>[WARNING]  three\n"
                                     "<3>[ERROR]    four\n<2>[CRITICAL] five\n");
}

static void lines_below_the_level_are_not_written(void **state)
{
    struct bench *b = *state;

    ta_logf(&b->log.log, TA_LOG_INFO, "quiet");
    ta_logf(&b->log.log, TA_LOG_WARN, "loud");
    assert_string_equal(all_text(b), "<4>[WARNING]  loud\n");
}

static void dates_stand_behind_the_prefix_when_asked_for(void **state)
{
    struct bench *b = *state;
    int year, month, day, hour, minute, second, end = 0;

    b->log.has_date = true;
    ta_logf(&b->log.log, TA_LOG_WARN, "now");
    assert_int_equal(sscanf(all_text(b), "<4>[WARNING]  %4d/%2d/%2d %2d:%2d:%2d now%n", &year,
                            &month, &day, &hour, &minute, &second, &end),
                     6);
    assert_int_equal(year, 2026);
    assert_true(end > 0);
}

static void a_flood_of_one_kind_is_cut_and_counted(void **state)
{
    struct bench *b = *state;

    for (int i = 0; i < 1000; i++)
        ta_logf(&b->log.log, TA_LOG_WARN, "host \"n%04d\" refused %d samples", i, i);
    ta_logf(&b->log.log, TA_LOG_WARN, "something else");
    ta_clock_manual_advance(&b->clock, INT64_C(11000000000));
    ta_stderr_log_tick(&b->log);
    const char *text = all_text(b);

    assert_int_equal(count(text, "refused"), TA_LOG_BURST + 1);
    assert_int_equal(count(text, "something else"), 1);
    assert_non_null(strstr(text, "(990 more like this in 10 s)"));
}

static void after_a_window_the_kind_is_heard_again(void **state)
{
    struct bench *b = *state;

    for (int i = 0; i < 3 * TA_LOG_BURST; i++) {
        ta_logf(&b->log.log, TA_LOG_WARN, "again");
        ta_clock_manual_advance(&b->clock, INT64_C(1100000000));
    }
    assert_int_equal(count(all_text(b), "again"), 3 * TA_LOG_BURST);
}

static void text_can_not_forge_a_line(void **state)
{
    struct bench *b = *state;

    ta_logf(&b->log.log, TA_LOG_WARN, "name \n<2>[CRITICAL] lies\033[2J");
    assert_int_equal(count(all_text(b), "\n"), 1);
    assert_null(strchr(b->text, 27));
}

static void overlong_text_is_cut(void **state)
{
    struct bench *b = *state;
    char text[5000];

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = 0;
    ta_logf(&b->log.log, TA_LOG_WARN, "%s", text);
    assert_in_range(strlen(all_text(b)), 900, 1200);
}

static void levels_have_the_words_of_the_reference(void **state)
{
    enum ta_log_level level;

    (void)state;
    assert_int_equal(ta_log_level_parse("debug", &level), TA_OK);
    assert_int_equal(level, TA_LOG_DEBUG);
    assert_int_equal(ta_log_level_parse("fatal", &level), TA_OK);
    assert_int_equal(level, TA_LOG_ERROR);
    assert_int_equal(ta_log_level_parse("crit", &level), TA_OK);
    assert_int_equal(level, TA_LOG_CRIT);
    assert_true(ta_log_level_parse("verbose", &level) < 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_line_begins_with_priority_and_level),
        TEST(lines_below_the_level_are_not_written),
        TEST(dates_stand_behind_the_prefix_when_asked_for),
        TEST(a_flood_of_one_kind_is_cut_and_counted),
        TEST(after_a_window_the_kind_is_heard_again),
        TEST(text_can_not_forge_a_line),
        TEST(overlong_text_is_cut),
        cmocka_unit_test(levels_have_the_words_of_the_reference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
