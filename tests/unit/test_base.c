/* Errors, memory, buffers, clocks, hashes, queues: the ground everything stands on. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/queue.h"
#include "base/rand.h"
#include "fault.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void the_first_error_keeps_its_words(void **state)
{
    struct ta_err err = {0};

    (void)state;
    assert_int_equal(ta_fail(&err, TA_EFORMAT, "line %d", 7), TA_EFORMAT);
    assert_int_equal(ta_fail(&err, TA_EIO, "later"), TA_EIO);
    assert_string_equal(err.text, "line 7");
    assert_int_equal(ta_fail_context(&err, TA_EIO, "reading %s: ", "x"), TA_EFORMAT);
    assert_string_equal(err.text, "reading x: line 7");
    assert_int_equal(ta_fail(NULL, TA_EIO, "nobody listens"), TA_EIO);
}

static void system_errors_carry_errno_and_its_kind(void **state)
{
    struct ta_err err = {0};

    (void)state;
    errno = ENOENT;
    assert_int_equal(ta_fail_sys(&err, "opening %s", "f"), TA_ENOTFOUND);
    assert_int_equal(err.sys, ENOENT);
    assert_string_equal(err.text, "opening f: No such file or directory");
    errno = ENOSPC;
    assert_int_equal(ta_fail_sys(NULL, "x"), TA_EIO);
    errno = EEXIST;
    assert_int_equal(ta_fail_sys(NULL, "x"), TA_EEXIST);
}

static void long_words_are_cut_and_stay_text(void **state)
{
    struct ta_err err = {0};
    char text[1000];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    ta_fail(&err, TA_EIO, "%s", text);
    ta_fail_context(&err, TA_EIO, "%s", "front: ");
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_int_equal(strncmp(err.text, "front: xxx", 10), 0);
    for (int code = 0; code >= TA_ECANCELED; code--)
        assert_string_not_equal(ta_strerror(code), "unknown error");
    assert_string_equal(ta_strerror(-99), "unknown error");
    assert_string_equal(ta_strerror(INT32_MIN), "unknown error");
}

static void a_budget_refuses_over_its_cap_and_counts_to_zero(void **state)
{
    struct ta_budget outer, inner;

    (void)state;
    ta_budget_init(&outer, "outer", 100, &ta_heap);
    ta_budget_init(&inner, "inner", 0, &outer.alloc);
    void *p = ta_alloc(&inner.alloc, 60);
    assert_non_null(p);
    assert_null(ta_alloc(&inner.alloc, 41));
    assert_int_equal(ta_budget_used(&inner), 60);
    p = ta_resize(&inner.alloc, p, 60, 100);
    assert_non_null(p);
    assert_null(ta_resize(&inner.alloc, p, 100, 101));
    p = ta_resize(&inner.alloc, p, 100, 10);
    assert_int_equal(ta_budget_used(&outer), 10);
    ta_release(&inner.alloc, p, 10);
    assert_int_equal(ta_budget_used(&outer), 0);
    assert_int_equal(outer.peak, 100);
    assert_int_equal(outer.refused, 2);
    assert_int_equal(inner.refused, 0);
    assert_null(ta_alloc_zero(&inner.alloc, SIZE_MAX / 2, 3));
}

enum { THREADS = 4, ROUNDS = 20000 };

static void *take_and_give(void *arg)
{
    struct ta_budget *b = arg;

    for (int i = 0; i < ROUNDS; i++) {
        void *p = ta_alloc(&b->alloc, 40);
        if (p)
            ta_release(&b->alloc, p, 40);
    }
    return NULL;
}

static void threads_never_pass_a_cap_together(void **state)
{
    struct ta_budget b;
    pthread_t t[THREADS];

    (void)state;
    ta_budget_init(&b, "shared", 100, &ta_heap);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, take_and_give, &b), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(ta_budget_used(&b), 0);
    assert_true(b.peak <= 100);
}

static void pages_keep_what_they_hold_when_they_grow(void **state)
{
    (void)state;
    unsigned char *p = ta_alloc(&ta_pages, 5000);
    assert_non_null(p);
    ta_pages_populate(p, 5000);
    assert_true(p[0] == 0 && p[4999] == 0);
    memset(p, 7, 5000);
    ta_pages_populate(p, 5000);
    ta_pages_populate(p + 1, 1); /* no page of its own: nothing happens */
    p = ta_resize(&ta_pages, p, 5000, 3 * MiB);
    assert_true(p[0] == 7 && p[4999] == 7 && p[3 * MiB - 1] == 0);
    p = ta_resize(&ta_pages, p, 3 * MiB, 100);
    assert_int_equal(p[99], 7);
    ta_release(&ta_pages, p, 100);
    assert_null(ta_alloc(&ta_pages, SIZE_MAX));
}

static void an_arena_stays_below_its_maximum_and_leaks_nothing(void **state)
{
    struct ta_rand rand = {1};
    struct fault f = {0};

    (void)state;
    fault_count_only(&f);
    struct ta_arena a;
    ta_arena_init(&a, &f.alloc, 64 * KiB);
    for (int round = 0; round < 20; round++) {
        for (;;) {
            size_t n = (size_t)ta_rand_below(&rand, 3000);
            char *p = ta_arena_get(&a, n);
            if (!p)
                break;
            assert_int_equal((uintptr_t)p % 16, 0);
            memset(p, round, n);
            assert_true(a.used <= 64 * KiB && f.live == a.used);
        }
        ta_arena_reset(&a);
    }
    assert_null(ta_arena_get(&a, SIZE_MAX));
    ta_arena_done(&a);
    assert_int_equal(f.live, 0);
    assert_int_equal(a.used, 0);
}

static void an_arenas_newest_block_grows_in_place_and_others_move(void **state)
{
    struct ta_arena a;

    (void)state;
    ta_arena_init(&a, &ta_heap, 64 * KiB);
    char *p = ta_alloc(&a.alloc, 10);
    memcpy(p, "123456789", 10);
    assert_ptr_equal(ta_resize(&a.alloc, p, 10, 100), p);
    char *q = ta_alloc(&a.alloc, 10);
    char *moved = ta_resize(&a.alloc, p, 100, 200);
    assert_ptr_not_equal(moved, p);
    assert_string_equal(moved, "123456789");
    assert_ptr_not_equal(moved, q);
    ta_release(&a.alloc, moved, 200);
    assert_ptr_equal(ta_alloc(&a.alloc, 10), moved);
    assert_true(ta_str_is(ta_arena_copy(&a, TA_STR("copy")), "copy"));
    ta_arena_done(&a);
}

static void a_buffer_holds_its_maximum_and_not_a_byte_more(void **state)
{
    struct ta_buf b;

    (void)state;
    ta_buf_init(&b, &ta_heap, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(ta_buf_byte(&b, 'x'), TA_OK);
    assert_int_equal(ta_buf_byte(&b, 'x'), TA_ERANGE);
    assert_int_equal(b.len, 1000);
    ta_buf_reset(&b);
    assert_int_equal(ta_buf_i64(&b, INT64_MIN), TA_OK);
    assert_int_equal(ta_buf_printf(&b, " %d", 5), TA_OK);
    assert_true(ta_str_is(ta_buf_view(&b), "-9223372036854775808 5"));
    ta_buf_done(&b);
}

/* Also when the room is larger than the maximum: what ta_buf_byte() puts there must not let the
 * next add ask an allocator that is not there. */
static void a_buffer_over_given_memory_never_grows(void **state)
{
    char room[16];
    struct ta_buf b = {.at = room, .cap = sizeof(room), .max = sizeof(room) - 8};

    (void)state;
    for (size_t i = 0; i < sizeof(room); i++)
        assert_int_equal(ta_buf_byte(&b, 'x'), TA_OK);
    assert_int_equal(ta_buf_byte(&b, 'x'), TA_ERANGE);
    assert_int_equal(ta_buf_z(&b, "xy"), TA_ERANGE);
    assert_int_equal(b.len, sizeof(room));
}

static void a_manual_clock_moves_only_when_told(void **state)
{
    struct ta_clock_manual c;

    (void)state;
    ta_clock_manual_init(&c, 1000);
    int64_t mono = ta_mono_ns(&c.clock);
    assert_int_equal(ta_now_s(&c.clock), 1000);
    ta_clock_manual_advance(&c, 1500000000);
    ta_clock_manual_step(&c, INT64_C(-2000000000) * 1000);
    assert_int_equal(ta_now_s(&c.clock), -999);
    assert_int_equal(ta_mono_ns(&c.clock) - mono, 1500000000);
    assert_true(ta_mono_ns(&ta_clock_system) <= ta_mono_ns(&ta_clock_system));
}

static void hashes_depend_on_bytes_and_seed_alone(void **state)
{
    (void)state;
    assert_int_equal(ta_hash(NULL, 0), ta_hash("", 0));
    assert_int_equal(ta_hash_str(TA_STR("ab")), ta_hash("abc", 2));
    assert_int_not_equal(ta_hash("a", 1), ta_hash("b", 1));
    assert_int_not_equal(ta_hash("a", 1), ta_hash_seeded("a", 1, 1));
}

struct relay {
    struct ta_queue queue;
    _Atomic uint64_t sum;
};

static void *drain(void *arg)
{
    struct relay *r = arg;
    void *item;

    while (ta_queue_get(&r->queue, &item, -1) == TA_OK)
        r->sum += (uintptr_t)item;
    return NULL;
}

static void a_queue_passes_everything_on_and_ends_after_close(void **state)
{
    struct relay r = {.sum = 0};
    pthread_t t[3];
    uint64_t want = 0;

    (void)state;
    assert_int_equal(ta_queue_init(&r.queue, 4, &ta_heap), TA_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&t[i], NULL, drain, &r), 0);
    for (uintptr_t i = 1; i <= 20000; i++, want += i - 1)
        assert_int_equal(ta_queue_put(&r.queue, (void *)i, -1), TA_OK);
    ta_queue_close(&r.queue);
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(r.sum, want);
    assert_int_equal(ta_queue_put(&r.queue, NULL, -1), TA_ESTATE);
    ta_queue_done(&r.queue);
}

static void a_full_or_empty_queue_waits_no_longer_than_asked(void **state)
{
    struct ta_queue q;
    void *item = NULL;
    int x = 0;

    (void)state;
    assert_int_equal(ta_queue_init(&q, 1, &ta_heap), TA_OK);
    assert_int_equal(ta_queue_get(&q, &item, 0), TA_EAGAIN);
    assert_int_equal(ta_queue_get(&q, &item, 1000000), TA_EAGAIN);
    assert_int_equal(ta_queue_put(&q, &x, 0), TA_OK);
    assert_int_equal(ta_queue_put(&q, &x, 0), TA_EAGAIN);
    assert_int_equal(ta_queue_put(&q, &x, 1000000), TA_EAGAIN);
    ta_queue_close(&q);
    assert_int_equal(ta_queue_count(&q), 1);
    assert_int_equal(ta_queue_get(&q, &item, -1), TA_OK);
    assert_ptr_equal(item, &x);
    assert_int_equal(ta_queue_get(&q, &item, -1), TA_ESTATE);
    ta_queue_done(&q);
}

static int use_memory(struct ta_alloc *alloc)
{
    struct ta_arena a;
    struct ta_buf b;
    struct ta_queue q = {0};
    int r = TA_OK;

    ta_arena_init(&a, alloc, 64 * KiB);
    ta_buf_init(&b, alloc, 64 * KiB);
    for (int i = 0; i < 10 && r == TA_OK; i++) {
        r = ta_arena_get(&a, 3000) ? TA_OK : TA_ENOMEM;
        if (r == TA_OK)
            r = ta_buf_add(&b, "0123456789abcdef0123456789abcdef0123456789abcdef", 48);
    }
    if (r == TA_OK)
        r = ta_queue_init(&q, 3, alloc);
    ta_queue_done(&q);
    ta_buf_done(&b);
    ta_arena_done(&a);
    return r;
}

static void every_failing_allocation_is_clean(void **state)
{
    (void)state;
    for (struct fault f = {0}; fault_next(&f);)
        fault_judge(&f, use_memory(&f.alloc));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_error_keeps_its_words),
        cmocka_unit_test(system_errors_carry_errno_and_its_kind),
        cmocka_unit_test(long_words_are_cut_and_stay_text),
        cmocka_unit_test(a_budget_refuses_over_its_cap_and_counts_to_zero),
        cmocka_unit_test(threads_never_pass_a_cap_together),
        cmocka_unit_test(pages_keep_what_they_hold_when_they_grow),
        cmocka_unit_test(an_arena_stays_below_its_maximum_and_leaks_nothing),
        cmocka_unit_test(an_arenas_newest_block_grows_in_place_and_others_move),
        cmocka_unit_test(a_buffer_holds_its_maximum_and_not_a_byte_more),
        cmocka_unit_test(a_buffer_over_given_memory_never_grows),
        cmocka_unit_test(a_manual_clock_moves_only_when_told),
        cmocka_unit_test(hashes_depend_on_bytes_and_seed_alone),
        cmocka_unit_test(a_queue_passes_everything_on_and_ends_after_close),
        cmocka_unit_test(a_full_or_empty_queue_waits_no_longer_than_asked),
        cmocka_unit_test(every_failing_allocation_is_clean),
    };

    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
