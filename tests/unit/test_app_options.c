#include "app/nearest.h"
#include "app/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct values {
    bool date, version;
    const char *config, *format;
    struct ta_opt_list hosts;
    int64_t n, last_ns, from_s;
    uint64_t size;
    double rate;
};

#define AT(member) offsetof(struct values, member)
static const struct ta_option rows[] = {
    {.name = "logdate", .kind = TA_OPT_SWITCH, .offset = AT(date), .help = "dates"},
    {.name = "version", .kind = TA_OPT_SWITCH, .offset = AT(version), .help = "version"},
    {.name = "config",
     .kind = TA_OPT_TEXT,
     .offset = AT(config),
     .arg = "FILE",
     .default_ = "./config.json",
     .help = "the file"},
    {.name = "format",
     .kind = TA_OPT_CHOICE,
     .offset = AT(format),
     .rule = "table|json",
     .default_ = "table",
     .help = "shape"},
    {.name = "host", .kind = TA_OPT_LIST, .offset = AT(hosts), .arg = "NAME", .help = "hosts"},
    {.name = "n",
     .kind = TA_OPT_INT,
     .offset = AT(n),
     .arg = "N",
     .rule = ">0",
     .default_ = "3",
     .help = "how many"},
    {.name = "last", .kind = TA_OPT_DURATION, .offset = AT(last_ns), .arg = "TIME", .help = "back"},
    {.name = "from", .kind = TA_OPT_TIME, .offset = AT(from_s), .arg = "TIME", .help = "begin"},
    {.name = "size", .kind = TA_OPT_SIZE, .offset = AT(size), .arg = "SIZE", .help = "bytes"},
    {.name = "rate", .kind = TA_OPT_REAL, .offset = AT(rate), .arg = "X", .help = "per second"},
};
static const struct ta_option_table table = {rows, TA_COUNT(rows), false};
static const struct ta_option_table go_table = {rows, TA_COUNT(rows), true};

struct parsed {
    struct values v;
    struct ta_operands operands;
    struct ta_err err;
    int r;
};

static struct parsed parse(const struct ta_option_table *t, const char *line)
{
    static char copy[512]; /* the values borrow it */
    struct parsed p = {0};
    char *word[32];
    int n = 0;

    snprintf(copy, sizeof(copy), "%s", line);
    for (char *at = strtok(copy, " "); at; at = strtok(NULL, " "))
        word[n++] = at;
    p.r = ta_options_parse(t, n, word, &p.v, &p.operands, &p.err);
    return p;
}

static void one_dash_and_two_mean_the_same(void **state)
{
    (void)state;
    for (int dashes = 1; dashes <= 2; dashes++) {
        struct parsed p = parse(&table, dashes == 1 ? "-config a.json -n=7 -logdate"
                                                    : "--config a.json --n=7 --logdate");
        assert_int_equal(p.r, TA_OK);
        assert_string_equal(p.v.config, "a.json");
        assert_int_equal(p.v.n, 7);
        assert_true(p.v.date);
    }
}

static void defaults_stand_until_a_flag_replaces_them(void **state)
{
    struct parsed p = parse(&table, "");

    (void)state;
    assert_int_equal(p.r, TA_OK);
    assert_string_equal(p.v.config, "./config.json");
    assert_string_equal(p.v.format, "table");
    assert_int_equal(p.v.n, 3);
    assert_false(p.v.date);
}

static void switches_take_the_words_of_go(void **state)
{
    (void)state;
    assert_true(parse(&table, "-logdate=t").v.date);
    assert_true(parse(&table, "-logdate=1").v.date);
    assert_false(parse(&table, "-logdate=false").v.date);
    assert_false(parse(&table, "-logdate -logdate=F").v.date);
    assert_true(parse(&table, "-logdate=maybe").r < 0);
}

static void every_kind_of_value_is_converted(void **state)
{
    struct parsed p = parse(&table, "--host a,b --host c --last 1h30m --from 2026-11-21T00:00:00Z "
                                    "--size 32MiB --rate 0.5 --format json");

    (void)state;
    assert_int_equal(p.r, TA_OK);
    assert_int_equal(p.v.hosts.n, 3);
    assert_true(ta_str_is(p.v.hosts.item[2], "c"));
    assert_int_equal(p.v.last_ns, 5400 * INT64_C(1000000000));
    assert_int_equal(p.v.from_s, 1795219200);
    assert_int_equal(p.v.size, 32 * MiB);
    assert_true(p.v.rate == 0.5);
    assert_string_equal(p.v.format, "json");
}

static void a_bad_value_names_its_flag(void **state)
{
    static const struct {
        const char *line, *want;
    } cases[] = {
        {"--n x", "--n"},          {"--n 0", "greater than 0"}, {"--format xml", "table|json"},
        {"--last soon", "--last"}, {"--size much", "--size"},   {"--config", "needs a value"},
        {"--rate fast", "--rate"}, {"--from never", "--from"},
    };

    (void)state;
    for (size_t i = 0; i < TA_COUNT(cases); i++) {
        struct parsed p = parse(&table, cases[i].line);

        assert_true(p.r < 0);
        assert_non_null(strstr(p.err.text, cases[i].want));
    }
}

static void an_unknown_flag_names_the_nearest(void **state)
{
    struct parsed p = parse(&table, "--confg x");

    (void)state;
    assert_true(p.r < 0);
    assert_non_null(strstr(p.err.text, "--confg"));
    assert_non_null(strstr(p.err.text, "did you mean --config"));
    assert_null(strstr(parse(&table, "--zzzzzzzz").err.text, "did you mean"));
}

static void words_that_are_no_flags_are_operands_or_end_the_flags(void **state)
{
    struct parsed p = parse(&table, "a -n 5 b -- --logdate");

    (void)state;
    assert_int_equal(p.r, TA_OK);
    assert_int_equal(p.operands.n, 3);
    assert_string_equal(p.operands.word[2], "--logdate");
    assert_int_equal(p.v.n, 5);
    p = parse(&go_table, "-n 5 stop -nonsense");
    assert_int_equal(p.r, TA_OK);
    assert_int_equal(p.v.n, 5);
}

static void help_is_asked_for_in_every_spelling(void **state)
{
    (void)state;
    assert_int_equal(parse(&table, "-h").r, TA_ECANCELED);
    assert_int_equal(parse(&table, "-help").r, TA_ECANCELED);
    assert_int_equal(parse(&table, "--n 5 --help").r, TA_ECANCELED);
}

static void help_names_every_flag_and_its_default(void **state)
{
    struct ta_buf text;

    (void)state;
    ta_buf_init(&text, &ta_heap, 8192);
    assert_int_equal(ta_options_help(&table, &text), TA_OK);
    assert_int_equal(ta_buf_byte(&text, 0), TA_OK);
    for (size_t i = 0; i < TA_COUNT(rows); i++) {
        assert_non_null(strstr(text.at, rows[i].name));
        assert_non_null(strstr(text.at, rows[i].help));
    }
    assert_non_null(strstr(text.at, "(default ./config.json)"));
    assert_non_null(strstr(text.at, "table|json"));
    ta_buf_done(&text);
}

static const char *nearest(const char *wanted)
{
    static const char *const names[] = {"retention-in-memory", "memory-cap", "checkpoints",
                                        "cleanup", "num-workers"};
    struct ta_nearest n;

    ta_nearest_init(&n, ta_str(wanted));
    for (size_t i = 0; i < TA_COUNT(names); i++)
        ta_nearest_offer(&n, names[i]);
    return n.best;
}

static void slips_of_the_finger_find_their_name(void **state)
{
    (void)state;
    assert_string_equal(nearest("memory-cpa"), "memory-cap");
    assert_string_equal(nearest("memory_cap"), "memory-cap");
    assert_string_equal(nearest("checkpoint"), "checkpoints");
    assert_string_equal(nearest("retention-in-memroy"), "retention-in-memory");
    assert_null(nearest("x"));
    assert_null(nearest(""));
    assert_null(nearest("something-else-entirely"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_dash_and_two_mean_the_same),
        cmocka_unit_test(defaults_stand_until_a_flag_replaces_them),
        cmocka_unit_test(switches_take_the_words_of_go),
        cmocka_unit_test(every_kind_of_value_is_converted),
        cmocka_unit_test(a_bad_value_names_its_flag),
        cmocka_unit_test(an_unknown_flag_names_the_nearest),
        cmocka_unit_test(words_that_are_no_flags_are_operands_or_end_the_flags),
        cmocka_unit_test(help_is_asked_for_in_every_spelling),
        cmocka_unit_test(help_names_every_flag_and_its_default),
        cmocka_unit_test(slips_of_the_finger_find_their_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
