/* SPDX-License-Identifier: MIT */
/*
 * test_spans_purge.c: the contract of src/contract/span_source.h: free memory goes back when it
 * should. HAKMEM_PURGE_MS is some tens of milliseconds.
 */
#include "tests/conform/spans.h"

static void purge_of_all_leaves_nothing_idle(void **state) {
    (void)state;
    struct hak_span *live[8];
    leave_idle(live, COUNT_OF(live));
    hak_spans_purge(HAK_PURGE_ALL, SIZE_MAX);
    assert_int_equal(hak_spans_idle(), 0);
    for (size_t i = 0; i < COUNT_OF(live); i++) {
        release(live[i]);
    }
}

static void purge_returns_the_bytes_that_were_idle(void **state) {
    (void)state;
    struct hak_span *live[8];
    leave_idle(live, COUNT_OF(live));
    const size_t idle = hak_spans_idle();
    assert_int_equal(hak_spans_purge(HAK_PURGE_ALL, SIZE_MAX), idle);
    assert_int_equal(hak_spans_purge(HAK_PURGE_ALL, SIZE_MAX), 0);
    for (size_t i = 0; i < COUNT_OF(live); i++) {
        release(live[i]);
    }
}

static bool is_resident(const char *page) {
    unsigned char resident = 0;
    return mincore((void *)(uintptr_t)page, 1, &resident) == 0 && (resident & 1) != 0;
}

static bool is_mapped(const char *page) {
    unsigned char resident;
    return mincore((void *)(uintptr_t)page, 1, &resident) == 0;
}

/* As khugepaged does, which makes a huge page of what is left of one. */
static void purge_of_all_gives_back_what_the_kernel_has_filled_again(void **state) {
    (void)state;
    struct hak_span *live = acquire(HAK_SLAB_BYTES, HAK_SLAB_BYTES);
    struct hak_span *freed = acquire(4 * HAK_SLAB_BYTES, HAK_SLAB_BYTES);
    volatile char *page = freed->base + HAK_SLAB_BYTES;
    *live->base = 1;
    *page = 1;
    release(freed);
    hak_purge_policy.again_ms = HAK_AGE_MS_MAX;
    hak_spans_purge(HAK_PURGE_ALL, SIZE_MAX);
    assert_false(is_resident((const char *)(uintptr_t)page));
    if (is_mapped((const char *)(uintptr_t)page)) {
        *page = 0;
        hak_spans_purge(HAK_PURGE_ALL, SIZE_MAX); /* not so soon */
        assert_true(is_resident((const char *)(uintptr_t)page));
        hak_purge_policy.again_ms = 0;
        assert_int_equal(hak_spans_purge(HAK_PURGE_ALL, SIZE_MAX), 0);
        assert_false(is_resident((const char *)(uintptr_t)page));
        assert_int_equal(*live->base, 1);
    }
    hak_purge_policy.again_ms = HAK_PURGE_AGAIN_MS;
    release(live);
}

static void purge_of_all_stops_near_the_bytes_asked_for(void **state) {
    (void)state;
    leave_idle(NULL, 0);
    const size_t idle = hak_spans_idle();
    const size_t given = hak_spans_purge(HAK_PURGE_ALL, HAK_SLAB_BYTES);
    assert_true(given <= HAK_SLAB_BYTES + HAK_SUPERSLAB_BYTES);
    assert_int_equal(hak_spans_idle(), idle - given);
}

/* Makes memory idle and at once asks for a step; false when that took so long that it may be old.
 */
static bool nothing_young_goes_back(void) {
    hak_spans_purge(HAK_PURGE_ALL, SIZE_MAX);
    const uint64_t from_ms = hak_os_now_ms();
    leave_idle(NULL, 0);
    const size_t idle = hak_spans_idle();
    const size_t given = hak_spans_purge(HAK_PURGE_SOME, SIZE_MAX);
    const size_t left = hak_spans_idle();
    if (hak_os_now_ms() - from_ms >= age_ms) return false;
    assert_int_equal(given, 0);
    assert_int_equal(left, idle);
    return true;
}

static void a_step_gives_nothing_back_that_is_younger_than_the_age(void **state) {
    (void)state;
    unsigned tries = 1;
    while (!nothing_young_goes_back()) {
        assert_true(++tries <= TRIES);
    }
}

/* Steps until three in a row give nothing back; each makes at most one system call. */
static void step_to_the_end(void) {
    for (unsigned without = 0; without < 3;) {
        const unsigned long before = calls_made();
        const size_t given = hak_spans_purge(HAK_PURGE_SOME, SIZE_MAX);
        assert_true(calls_made() - before <= 1);
        without = given == 0 ? without + 1 : 0;
    }
}

static void what_is_old_goes_back_in_steps_of_one_system_call(void **state) {
    (void)state;
    struct hak_span *live[8];
    leave_idle(live, COUNT_OF(live));
    hak_os_sleep_ms(age_ms + age_ms / 2);
    step_to_the_end();
    assert_int_equal(hak_spans_idle(), 0);
    for (size_t i = 0; i < COUNT_OF(live); i++) {
        release(live[i]);
    }
}

/* One slab comes and goes all the time, in the superslab of others that are free. */
static void what_is_old_goes_back_though_a_neighbour_comes_and_goes(void **state) {
    (void)state;
    struct hak_span *spans[16];
    for (size_t i = 0; i < COUNT_OF(spans); i++) {
        spans[i] = acquire(HAK_SLAB_BYTES, HAK_SLAB_BYTES);
        memset(spans[i]->base, 0xa5, spans[i]->bytes);
    }
    for (size_t i = 0; i < COUNT_OF(spans); i++) {
        release(spans[i]);
    }
    for (unsigned tries = 0; hak_spans_idle() > HAK_SLAB_BYTES; tries++) {
        assert_true(tries < TRIES);
        const uint64_t from_ms = hak_os_now_ms();
        while (hak_os_now_ms() - from_ms < age_ms) {
            struct hak_span *span = acquire(HAK_SLAB_BYTES, HAK_SLAB_BYTES);
            release(span);
            hak_spans_purge(HAK_PURGE_SOME, SIZE_MAX);
            hak_os_sleep_ms(1);
        }
    }
}

static void steps_end_when_no_more_is_idle_than_the_policy_keeps(void **state) {
    (void)state;
    hak_purge_policy.age_ms = 0;
    hak_purge_policy.keep_bytes = 5 * MIB;
    leave_idle(NULL, 0);
    const size_t idle = hak_spans_idle();
    step_to_the_end();
    assert_true(hak_spans_idle() <= 5 * MIB);
    assert_true(idle == 0 || hak_spans_idle() + HAK_SUPERSLAB_BYTES >= 5 * MIB);
    const size_t kept = hak_spans_idle();
    assert_int_equal(hak_spans_purge(HAK_PURGE_SOME, SIZE_MAX), 0);
    assert_int_equal(hak_spans_idle(), kept);
}

static void live_spans_are_not_idle(void **state) {
    (void)state;
    struct hak_span *spans[SPANS];
    for (size_t i = 0; i < SPANS; i++) {
        spans[i] = acquire(sizes[i % COUNT_OF(sizes)], HAK_SLAB_BYTES);
        memset(spans[i]->base, 0xa5, spans[i]->bytes);
    }
    assert_int_equal(hak_spans_idle(), 0);
    for (size_t i = 0; i < SPANS; i++) {
        release(spans[i]);
    }
}

static void stats_count_what_is_mapped(void **state) {
    (void)state;
    struct hak_span *spans[SPANS];
    struct hak_stats before = {.version = HAK_STATS_VERSION};
    struct hak_stats during = before;
    hak_spans_stats(&before);
    size_t bytes = 0;
    for (size_t i = 0; i < SPANS; i++) {
        spans[i] = acquire(HAK_SPAN_BYTES_MAX, HAK_SLAB_BYTES);
        bytes += spans[i]->bytes;
    }
    hak_spans_stats(&during);
    for (size_t i = 0; i < SPANS; i++) {
        release(spans[i]);
    }
    assert_true(during.mapped_bytes >= bytes);
    assert_true(during.mapped_bytes + HAK_SUPERSLAB_BYTES >= before.mapped_bytes);
    during.mapped_bytes = 1000;
    before.mapped_bytes = 0;
    hak_spans_stats(&during);
    hak_spans_stats(&before);
    assert_int_equal(during.mapped_bytes, before.mapped_bytes + 1000); /* adds its part */
}

int main(void) {
    this_cache();
    age_ms = hak_purge_policy.age_ms;
    const struct CMUnitTest tests[] = {
        from_nothing(purge_of_all_leaves_nothing_idle),
        from_nothing(purge_returns_the_bytes_that_were_idle),
        from_nothing(purge_of_all_gives_back_what_the_kernel_has_filled_again),
        from_nothing(purge_of_all_stops_near_the_bytes_asked_for),
        from_nothing(a_step_gives_nothing_back_that_is_younger_than_the_age),
        from_nothing(what_is_old_goes_back_in_steps_of_one_system_call),
        from_nothing(what_is_old_goes_back_though_a_neighbour_comes_and_goes),
        from_nothing(steps_end_when_no_more_is_idle_than_the_policy_keeps),
        from_nothing(live_spans_are_not_idle),
        from_nothing(stats_count_what_is_mapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
