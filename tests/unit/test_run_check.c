/* What passes the check can be read within its bounds; what breaks a rule of the format does not pass. */
#include "base/err.h"
#include "columns.h"
#include "store/run.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SLOTS = TA_RUN_SLOTS_MAX, ROOM = 600 };

static unsigned char run[TA_RUN_ROOM(SLOTS)];

/* Reads everything a run offers; the sanitizer watches. The copy is exactly as long as promised. */
static void read_all(const unsigned char *bytes, size_t n)
{
    unsigned char *copy = malloc(n + TA_RUN_PAD);
    double slot[SLOTS];
    struct ta_run_stats stats;

    assert_non_null(copy);
    memcpy(copy, bytes, n);
    memset(copy + n, 0xFF, TA_RUN_PAD);
    int r = ta_run_check(copy, n);
    if (r >= 0) {
        unsigned len = ta_run_len(copy);

        assert_true((size_t)r <= n && len <= SLOTS);
        assert_true(ta_run_count(copy) <= len);
        ta_run_decode(copy, 0, len, slot);
        ta_run_decode(copy, len / 3, len - len / 3, slot);
        ta_run_add(copy, 0, len, slot);
        ta_run_stats(copy, 0, len, &stats);
    }
    free(copy);
}

static void a_truncated_or_damaged_run_is_refused_or_read_in_bounds(void **state)
{
    double v[SLOTS];
    struct column dice;

    (void)state;
    column_init(&dice, 11);
    for (unsigned k = 0; k < n_column_kinds; k++) {
        struct ta_run_hint hint = {0};
        unsigned n = k % 2 ? 40 : 300;

        for (unsigned i = 0; i < n; i++)
            v[i] = column_bits(&dice) % 9 ? column_kinds[k].next(&dice) : (double)NAN;
        size_t bytes = ta_run_encode(v, n, &hint, run, TA_RUN_ROOM(n));
        for (size_t cut = 0; cut < bytes; cut++) {
            assert_int_equal(ta_run_check(run, cut), TA_EFORMAT);
            read_all(run, cut);
        }
        for (size_t bit = 0; bit < bytes * 8; bit++) {
            run[bit / 8] ^= (unsigned char)(1U << bit % 8);
            read_all(run, bytes);
            run[bit / 8] ^= (unsigned char)(1U << bit % 8);
        }
    }
}

/* Begins of runs, each followed by as many zeros as it wants; the last byte or two break a rule, or not. */
struct rule {
    const char *good;
    const char *bad;
};

static const struct rule rules[] = {
    {"010800", "090800"},             /* codec */
    {"010800", "810800"},             /* flag of no meaning */
    {"010800", "410800"},             /* binary32 where it has none */
    {"000300", "000304"},             /* width of nothing */
    {"000300", "100300"},             /* flags of nothing */
    {"080002", "080102"},             /* 513 slots */
    {"080820", "080824"},             /* nine bytes of a double */
    {"0108E0", "0108E4"},             /* 57 bits a value */
    {"01080016", "01080017"},         /* 10^23 */
    {"010800A00100", "010800C00100"}, /* kind of grid */
    {"010800400100", "010800400000"}, /* steps of 0 */
    {"010800400100", "010800410100"}, /* exponent and argument */
    {"010800604C04", "01080060FFFF"}, /* 2^64435 */
    {"010800604C04", "010800600100"}, /* 2^-1099 */
    {"01080000FEFFFFFFFFFFFFFFFF01", "01080000FFFFFFFFFFFFFFFFFFFF01"}, /* 71 bits of an integer */
    {"180400 01", "180400 11"},                           /* bit behind the last slot */
    {"180400 01", "180400 00"},                           /* no value, yet a codec */
    {"186400 630001000100", "186400 640001000100"},       /* span past the end */
    {"186400 0A0005000500", "186400 0A0005000600"},       /* more values than slots */
    {"186400 0A0005000300 07", "186400 0A0005000300 0F"}, /* more bits than values */
    {"186400 0A0005000300 07", "186400 0A0005000300 23"}, /* bit behind the span */
    {"186400 0A0005000300 07", "186400 0A0005000000"},    /* no value in a span */
    {"030820 01FF", "030824 01FF"},                       /* 9 bits an index */
    {"030804 01000038", "030804 01000039"},               /* 57 bits an entry */
    {"0408D0 3010", "0408D0 3011"},                       /* 17 upper parts */
    {"0408D0 3010", "0408D0 3000"},                       /* no upper part */
    {"0408D0 3010", "0408D4 3010"},                       /* 5 bits an index */
    {"0408D0 3010", "0408BC 3010"},                       /* width below the cut */
    {"0408D0 3010", "0408CC 2F10"},                       /* 17 bits of upper part */
    {"440870 1C10", "4408D0 3010"},                       /* cut outside of binary32 */
    {"070800 01 0800", "070800 00 0800"},                 /* sparse without others */
    {"070400 01 0800", "070400 11 0800"},                 /* others behind the last value */
    {"070800 01 0138", "070800 01 0139"},                 /* 57 bits inside */
    {"070800 01 0808", "070800 01 0809"},                 /* nine bytes of a double inside */
    {"070800 01 0800", "070800 01 0700"},                 /* sparse inside sparse */
    {"070800 01 0800", "070800 01 0000"},                 /* nothing inside */
    {"070800 01 0800", "070800 01 0900"},                 /* codec inside */
    {"070800 01 0100", "070800 01 4100"},                 /* binary32 inside where it has none */
};

static int check_hex(const char *hex)
{
    unsigned char bytes[ROOM + TA_RUN_PAD] = {0};
    unsigned n = 0;

    while (*hex) {
        unsigned byte;

        assert_int_equal(sscanf(hex, "%2x", &byte), 1);
        bytes[n++] = (unsigned char)byte;
        hex += 2;
        hex += strspn(hex, " ");
    }
    read_all(bytes, ROOM);
    return ta_run_check(bytes, ROOM);
}

static void every_rule_of_the_format_is_held(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (check_hex(rules[i].good) < 0)
            fail_msg("%s is refused", rules[i].good);
        if (check_hex(rules[i].bad) != TA_EFORMAT)
            fail_msg("%s is taken", rules[i].bad);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_truncated_or_damaged_run_is_refused_or_read_in_bounds),
        cmocka_unit_test(every_rule_of_the_format_is_held),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
