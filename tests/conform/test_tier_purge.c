/* SPDX-License-Identifier: MIT */
/*
 * test_tier_purge.c: the contract of src/contract/tier.h: what is kept, counted and given back.
 */
#include "tests/conform/tier.h"

static void purge_of_all_leaves_nothing_idle_and_nothing_mapped_for_it(void **state) {
    (void)state;
    void *blocks[BLOCKS];
    const uint64_t before = stats_now().mapped_bytes;
    take_all(blocks, BLOCKS);
    const uint64_t during = stats_now().mapped_bytes;
    give_all(blocks, BLOCKS);
    purge_all();
    const uint64_t after = stats_now().mapped_bytes;
    assert_int_equal(hak_large_idle(), 0);
    assert_int_equal(hak_spans_idle(), 0);
    assert_true(during > before);
    assert_true(after <= before);
}

static void purge_of_all_leaves_live_blocks_alone(void **state) {
    (void)state;
    void *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = take_large(size_at(i), HAK_ALIGN_BYTES);
        large_stamp(blocks[i], size_at(i), i);
    }
    for (size_t i = 0; i < BLOCKS; i += 2) {
        give_large(blocks[i]);
    }
    purge_all();
    for (size_t i = 1; i < BLOCKS; i += 2) {
        assert_true(large_has_stamp(blocks[i], size_at(i), i));
        give_large(blocks[i]);
    }
}

static void purge_keeps_errno(void **state) {
    (void)state;
    void *blocks[BLOCKS];
    errno = 77;
    take_all(blocks, BLOCKS);
    give_all(blocks, BLOCKS);
    hak_large_purge(HAK_PURGE_SOME, SIZE_MAX);
    purge_all();
    assert_int_equal(errno, 77);
}

static void purge_returns_the_bytes_that_were_idle(void **state) {
    (void)state;
    void *blocks[BLOCKS];
    take_all(blocks, BLOCKS);
    give_all(blocks, BLOCKS);
    const size_t idle = idle_now();
    assert_int_equal(purge_all(), idle);
}

static void purge_of_all_stops_near_the_bytes_asked_for(void **state) {
    (void)state;
    void *blocks[BLOCKS];
    take_all(blocks, BLOCKS);
    give_all(blocks, BLOCKS);
    const size_t idle = idle_now();
    size_t bytes = hak_large_purge(HAK_PURGE_ALL, MIB);
    bytes += hak_spans_purge(HAK_PURGE_ALL, MIB);
    assert_true(bytes <= 2 * (MIB + LARGE_TOP));
    assert_true(idle - idle_now() <= bytes);
}

/* Frees blocks and at once asks for a step; false when that took so long that they may be old. */
static bool nothing_young_goes_back(void) {
    void *blocks[BLOCKS];
    take_all(blocks, BLOCKS);
    const uint64_t from_ms = hak_os_now_ms();
    give_all(blocks, BLOCKS);
    const size_t idle = idle_now();
    const size_t given =
        hak_large_purge(HAK_PURGE_SOME, SIZE_MAX) + hak_spans_purge(HAK_PURGE_SOME, SIZE_MAX);
    const size_t left = idle_now();
    if (hak_os_now_ms() - from_ms >= age_ms) return false;
    assert_int_equal(given, 0);
    assert_int_equal(left, idle);
    return true;
}

static void a_step_gives_nothing_back_that_is_younger_than_the_age(void **state) {
    (void)state;
    unsigned tries = 1;
    while (!nothing_young_goes_back()) {
        hak_purge();
        assert_true(++tries <= TRIES);
    }
}

/* One step of either slot: at most one system call, and none that gives back nothing. */
static size_t checked_step(hak_spans_purge_fn *purge) {
    const unsigned long before = calls_made();
    const size_t bytes = purge(HAK_PURGE_SOME, SIZE_MAX);
    assert_true(calls_made() - before <= 1);
    return bytes;
}

static void what_is_old_goes_back_in_steps_of_one_system_call(void **state) {
    (void)state;
    void *blocks[BLOCKS];
    take_all(blocks, BLOCKS);
    give_all(blocks, BLOCKS);
    for (unsigned tries = 0; idle_now() > 0; tries++) {
        assert_true(tries < TRIES);
        hak_os_sleep_ms(age_ms / 2);
        while (checked_step(hak_large_purge) + checked_step(hak_spans_purge) > 0) {
        }
    }
}

static void a_step_with_nothing_idle_returns_0_and_asks_the_kernel_nothing(void **state) {
    (void)state;
    const unsigned long before = calls_made();
    assert_int_equal(hak_large_purge(HAK_PURGE_SOME, SIZE_MAX), 0);
    assert_int_equal(hak_spans_purge(HAK_PURGE_SOME, SIZE_MAX), 0);
    assert_int_equal(calls_made(), before);
}

static void live_blocks_are_not_idle_and_kept_ones_are(void **state) {
    (void)state;
    void *blocks[BLOCKS];
    take_all(blocks, BLOCKS);
    assert_int_equal(hak_large_idle(), 0);
    give_all(blocks, BLOCKS);
    const struct hak_stats stats = stats_now();
    assert_int_equal(hak_large_idle(), stats.large_kept_bytes);
}

static uint64_t served_by_l25(void) {
    return counter_of("l25", "hits") + counter_of("l25", "misses");
}

static uint64_t served_by_bigcache(void) {
    static const char *const ways[] = {"hits", "splits", "gathers", "misses"};
    uint64_t served = 0;
    for (size_t i = 0; i < COUNT_OF(ways); i++)
        served += counter_of("bigcache", ways[i]);
    return served;
}

static void stats_count_where_every_block_came_from(void **state) {
    (void)state;
    const uint64_t l25_before = served_by_l25();
    const uint64_t big_before = served_by_bigcache();
    uint64_t blocks[2] = {0, 0}; /* of the slots l25 and big */
    for (size_t i = 0; i < 5 * size_count; i++) {
        void *block = take_large(size_at(i * 7), HAK_ALIGN_BYTES);
        blocks[size_at(i * 7) > hak_l25_size_max()]++;
        give_large(block);
    }
    const struct hak_stats after = stats_now();
    const uint64_t served = served_by_bigcache();
    assert_int_equal(served_by_l25() - l25_before, blocks[0]);
    /* The null module counts nothing. */
    assert_true(served - big_before == blocks[1] || served == 0);
    assert_true(after.mapped_bytes >= after.large_live_bytes + hak_large_idle());
}

static void no_more_is_kept_than_the_bounds_allow(void **state) {
    (void)state;
    const char *value = getenv("HAKMEM_BIGCACHE_BYTES");
    assert_non_null(value);
    const size_t big_bytes_max = strtoul(value, NULL, 10);
    void *blocks[3 * BLOCKS];
    take_all(blocks, COUNT_OF(blocks));
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        give_large(blocks[i]);
        assert_true(counter_of("l25", "kept_bytes") <= HAK_L25_KEEP_BYTES);
        assert_true(counter_of("bigcache", "kept_bytes") <= big_bytes_max);
    }
}

int main(int argc, char **argv) {
    words = argv + (argc > 0);
    this_cache();
    age_ms = hak_purge_policy.age_ms;
    size_count = large_sizes(sizes);
    const struct CMUnitTest tests[] = {
        from_nothing(purge_of_all_leaves_nothing_idle_and_nothing_mapped_for_it),
        from_nothing(purge_of_all_leaves_live_blocks_alone),
        from_nothing(purge_keeps_errno),
        from_nothing(purge_returns_the_bytes_that_were_idle),
        from_nothing(purge_of_all_stops_near_the_bytes_asked_for),
        from_nothing(a_step_gives_nothing_back_that_is_younger_than_the_age),
        from_nothing(what_is_old_goes_back_in_steps_of_one_system_call),
        from_nothing(a_step_with_nothing_idle_returns_0_and_asks_the_kernel_nothing),
        from_nothing(live_blocks_are_not_idle_and_kept_ones_are),
        from_nothing(stats_count_where_every_block_came_from),
        from_nothing(no_more_is_kept_than_the_bounds_allow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
