#include "app/plot.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *draw(const struct ta_plot *p)
{
    static struct ta_buf text;

    ta_buf_done(&text);
    ta_buf_init(&text, &ta_heap, 1 << 20);
    assert_int_equal(ta_plot_draw(p, &text), TA_OK);
    assert_int_equal(ta_buf_byte(&text, 0), TA_OK);
    return text.at;
}

/* Width in cells of each line, all equal or shorter than the plot's. */
static size_t widest(const char *text)
{
    size_t best = 0, now = 0;

    for (; *text; text++) {
        if (*text == '\n')
            now = 0;
        else if ((*text & 0xc0) != 0x80)
            now++;
        best = now > best ? now : best;
    }
    return best;
}

static size_t lines(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static void a_rising_line_goes_from_corner_to_corner(void **state)
{
    double v[200];
    struct ta_plot p = {.title = "t",
                        .values = v,
                        .n = 200,
                        .from_s = 1700000000,
                        .step_s = 60,
                        .width = 60,
                        .height = 8,
                        .is_ascii = true};

    (void)state;
    for (size_t i = 0; i < 200; i++)
        v[i] = (double)i;
    char *text = draw(&p);
    char *first = strchr(text, '\n') + 1;

    assert_int_equal(first[strcspn(first, "\n") - 1], '*'); /* top right */
    assert_int_equal(lines(text), 1 + 8 + 2);
    assert_true(widest(text) <= 60);
    assert_non_null(strstr(text, "199 |"));
    assert_non_null(strstr(text, "0 |*"));
}

static void a_single_peak_is_never_lost(void **state)
{
    enum { N = 10000 };
    double *v = calloc(N, sizeof(*v));
    struct ta_plot p = {.title = "t",
                        .values = v,
                        .n = N,
                        .from_s = 0,
                        .step_s = 1,
                        .width = 80,
                        .height = 10,
                        .is_ascii = true};

    (void)state;
    v[7777] = 1000;
    char *top = strchr(draw(&p), '\n') + 1;

    assert_non_null(memchr(top, '*', strcspn(top, "\n")));
    free(v);
}

static void a_gap_stays_empty(void **state)
{
    double v[100];
    struct ta_plot p = {.title = "t",
                        .values = v,
                        .n = 100,
                        .from_s = 0,
                        .step_s = 60,
                        .width = 58,
                        .height = 4,
                        .is_ascii = true};

    (void)state;
    for (size_t i = 0; i < 100; i++)
        v[i] = i >= 40 && i < 60 ? NAN : 5;
    char *row = strchr(draw(&p), '\n') + 1;
    while (!memchr(row, '*', strcspn(row, "\n")))
        row = strchr(row, '\n') + 1;
    assert_int_equal(row[9 + 10], '*');
    assert_int_equal(row[9 + 25], ' ');
    assert_int_equal(row[9 + 40], '*');
}

static void no_samples_are_said_in_one_line(void **state)
{
    double v[3] = {NAN, NAN, INFINITY};
    struct ta_plot p = {
        .title = "cpu_load", .values = v, .n = 3, .step_s = 60, .width = 80, .height = 10};

    (void)state;
    assert_string_equal(draw(&p), "cpu_load: no samples in this range\n");
    p.n = 0;
    assert_string_equal(draw(&p), "cpu_load: no samples in this range\n");
}

static void any_width_and_height_stay_in_bounds(void **state)
{
    double v[7] = {-1e300, 1e300, 0, -0.0, 1e-300, 5, 5};

    (void)state;
    for (unsigned width = 0; width <= 1000; width += 37)
        for (unsigned height = 0; height <= 100; height += 13) {
            struct ta_plot p = {.title = "t",
                                .values = v,
                                .n = 7,
                                .from_s = INT32_MAX,
                                .step_s = 3600,
                                .width = width,
                                .height = height};
            size_t limit = width < TA_PLOT_WIDTH_MIN   ? TA_PLOT_WIDTH_MIN
                           : width > TA_PLOT_WIDTH_MAX ? TA_PLOT_WIDTH_MAX
                                                       : width;
            assert_true(widest(draw(&p)) <= limit);
        }
}

static void a_constant_stands_in_the_middle(void **state)
{
    double v[50];
    struct ta_plot p = {.title = "t",
                        .values = v,
                        .n = 50,
                        .step_s = 1,
                        .width = 40,
                        .height = 5,
                        .is_ascii = true};

    (void)state;
    for (size_t i = 0; i < 50; i++)
        v[i] = 42;
    char *text = draw(&p);
    for (int i = 0; i < 3; i++)
        text = strchr(text, '\n') + 1;
    assert_non_null(memchr(text, '*', strcspn(text, "\n")));
}

static void colour_is_only_there_when_asked_for(void **state)
{
    double v[2] = {1, 2};
    struct ta_plot p = {.title = "t", .values = v, .n = 2, .step_s = 1, .width = 40, .height = 5};

    (void)state;
    assert_null(strchr(draw(&p), 27));
    p.has_colour = true;
    assert_non_null(strchr(draw(&p), 27));
}

static void numbers_are_short(void **state)
{
    static const struct {
        double v;
        const char *want;
    } cases[] = {{0, "0"},          {1.5, "1.5"},    {1250, "1.25k"},
                 {37.2e6, "37.2M"}, {4e-3, "0.004"}, {2e12, "2T"},
                 {-1250, "-1.25k"}, {1e-9, "1e-09"}, {1e30, "1e+30"}};
    char out[24];

    (void)state;
    for (size_t i = 0; i < TA_COUNT(cases); i++)
        assert_string_equal(ta_plot_number(out, cases[i].v), cases[i].want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rising_line_goes_from_corner_to_corner),
        cmocka_unit_test(a_single_peak_is_never_lost),
        cmocka_unit_test(a_gap_stays_empty),
        cmocka_unit_test(no_samples_are_said_in_one_line),
        cmocka_unit_test(any_width_and_height_stay_in_bounds),
        cmocka_unit_test(a_constant_stands_in_the_middle),
        cmocka_unit_test(colour_is_only_there_when_asked_for),
        cmocka_unit_test(numbers_are_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
