/* SPDX-License-Identifier: MIT */
/*
 * test_hak.c: the functions that only hakmem.h has: good sizes, sized frees, statistics, purge, the
 * check and the build's description. What both families share is tested by the other suites, which
 * are compiled for the hak_* names too.
 */
#include "include/hakmem.h"
#include "tests/api/suite.h"

#include <pthread.h>

#include <malloc.h>

static struct hak_stats stats_now(void) {
    struct hak_stats stats = {.version = HAK_STATS_VERSION};
    assert_int_equal(hak_stats(&stats), 0);
    return stats;
}

static void good_size_is_what_a_block_will_have(void **state) {
    (void)state;
    for (size_t size = 0; size < 400000; size += size < 3000 ? 1 : 501) {
        const size_t good = hak_good_size(size);
        void *block = hak_malloc(size);
        assert_non_null(block);
        assert_true(good >= size);
        assert_int_equal(hak_usable_size(block), good);
        hak_free(block);
    }
}

static size_t late_mismatches;

static void compare_sizes_late(void *unused) {
    (void)unused;
    for (size_t size = 1; size < MIB; size += 4999) {
        void *block = hak_malloc(size);
        late_mismatches += block == NULL || hak_usable_size(block) != hak_good_size(size);
        hak_free(block);
    }
}

static void *end_with_a_destructor(void *key) {
    hak_free(hak_malloc(1)); /* the thread has a cache, and so an end */
    assert_int_equal(pthread_setspecific(*(pthread_key_t *)key, key), 0);
    return NULL;
}

static void good_size_is_what_an_ending_thread_gets(void **state) {
    (void)state;
    pthread_key_t key;
    pthread_t thread;
    hak_free(hak_malloc(1)); /* hakmem's own key is older, so its destructor runs first */
    assert_int_equal(pthread_key_create(&key, compare_sizes_late), 0);
    assert_int_equal(pthread_create(&thread, NULL, end_with_a_destructor, &key), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(pthread_key_delete(key), 0);
    assert_int_equal(late_mismatches, 0);
}

static void good_size_of_what_cannot_be_served_is_zero(void **state) {
    (void)state;
    assert_int_equal(hak_good_size(SIZE_MAX), 0);
    assert_int_equal(hak_good_size(SIZE_MAX - 4096), 0);
    assert_int_equal(hak_good_size((size_t)PTRDIFF_MAX + 1), 0);
}

static void sized_frees_return_blocks_whatever_size_they_claim(void **state) {
    (void)state;
    static const size_t claims[] = {0, 1, 64, 5000, 100000, SIZE_MAX};
    for (size_t i = 0; i < COUNT_OF(claims); i++) {
        for (size_t size = 1; size < 500000; size = size * 3 + 1) {
            hak_free_sized(hak_malloc(size), claims[i]);
            hak_free_aligned_sized(hak_aligned_alloc(64, size), 64, claims[i]);
        }
    }
    hak_free_sized(NULL, 7);
    hak_free_aligned_sized(NULL, 64, 7);
    assert_true(hak_check());
}

static void both_families_of_names_mix(void **state) {
    (void)state;
    void (*volatile libc_free)(void *) = free;
    void *(*volatile libc_malloc)(size_t) = malloc;
    for (size_t size = 1; size < 500000; size = size * 3 + 1) {
        libc_free(hak_malloc(size));
        hak_free(libc_malloc(size));
        char *block = libc_malloc(size);
        assert_non_null(block);
        assert_int_equal(hak_usable_size(block), malloc_usable_size(block));
        hak_free(hak_realloc(block, size * 2));
    }
}

static void stats_refuse_an_unknown_version(void **state) {
    (void)state;
    struct hak_stats stats = {.version = HAK_STATS_VERSION + 1000};
    assert_int_equal(hak_stats(&stats), -1);
    stats.version = 0;
    assert_int_equal(hak_stats(&stats), -1);
}

/* What is kept for reuse, and pages that are free: a purge would give back both. */
static void what_no_purge_can_help_makes_none(void **state) {
    (void)state;
    static void *volatile blocks[400];
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        blocks[i] = hak_malloc(i % 100 == 0 ? 2 * MIB : 50000);
        assert_non_null(blocks[i]);
        memset(blocks[i], 1, 50000);
    }
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        hak_free(blocks[i]);
    }
    const struct hak_stats before = stats_now();
    const size_t resident_before = statm_bytes(1);
    assert_null(hak_malloc((size_t)1 << 45));
    assert_null(hak_aligned_alloc((size_t)1 << 46, 1));
    assert_null(hak_aligned_alloc((size_t)1 << 46, 3 * MIB));
    assert_null(hak_aligned_alloc((size_t)1 << 62, 100));
    assert_null(hak_aligned_alloc(64, (size_t)1 << 45));
    const struct hak_stats after = stats_now();
    assert_int_equal(after.large_kept_bytes, before.large_kept_bytes);
    assert_int_equal(after.mapped_bytes, before.mapped_bytes);
    assert_true(statm_bytes(1) + MIB > resident_before);
}

static void stats_count_small_live_bytes(void **state) {
    (void)state;
    enum { BLOCKS = 10000 };
    static void *blocks[BLOCKS];
    hak_purge(); /* what lies in bins counts as live, and a scan may empty them meanwhile */
    const struct hak_stats before = stats_now();
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = hak_malloc(500);
        assert_non_null(blocks[i]);
    }
    const struct hak_stats during = stats_now();
    for (int i = 0; i < BLOCKS; i++) {
        hak_free(blocks[i]);
    }
    const struct hak_stats after = stats_now();
    assert_true(during.small_live_bytes >= before.small_live_bytes + BLOCKS * 500 - 64 * KIB);
    assert_true(during.small_slab_bytes >= during.small_live_bytes);
    assert_true(during.mapped_bytes >= during.small_slab_bytes);
    assert_true(after.small_live_bytes <= during.small_live_bytes - BLOCKS * 250);
    assert_true(during.heaps >= 1);
}

static void stats_count_large_blocks(void **state) {
    (void)state;
    enum { BLOCKS = 5 };
    void *blocks[BLOCKS];
    (void)hak_purge(); /* what a thread's cache holds counts as live */
    const struct hak_stats before = stats_now();
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = hak_malloc(MIB);
        assert_non_null(blocks[i]);
    }
    const struct hak_stats during = stats_now();
    for (int i = 0; i < BLOCKS; i++) {
        hak_free(blocks[i]);
    }
    (void)hak_purge();
    const struct hak_stats after = stats_now();
    assert_int_equal(during.large_live_count, before.large_live_count + BLOCKS);
    assert_true(during.large_live_bytes >= before.large_live_bytes + BLOCKS * MIB);
    assert_int_equal(after.large_live_count, before.large_live_count);
    assert_int_equal(after.large_live_bytes, before.large_live_bytes);
}

static void purge_gives_free_memory_back(void **state) {
    (void)state;
    enum { BLOCKS = 60000 };
    static void *blocks[BLOCKS];
    const size_t before = statm_bytes(1);
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = hak_malloc(1000);
        assert_non_null(blocks[i]);
        memset(blocks[i], 1, 1000);
    }
    for (int i = 0; i < BLOCKS; i++) {
        hak_free(blocks[i]);
    }
    hak_purge();
    assert_true(statm_bytes(1) <= before + 8 * MIB);
    assert_true(hak_check());
}

static void check_holds_while_blocks_are_live(void **state) {
    (void)state;
    enum { BLOCKS = 4000 };
    static void *blocks[BLOCKS];
    uint64_t random = 5;
    for (int i = 0; i < 40000; i++) {
        const uint64_t dice = random_next(&random);
        void **slot = &blocks[dice % BLOCKS];
        hak_free(*slot);
        *slot = hak_malloc((size_t)((dice >> 16) % (dice % 50 == 0 ? 100000 : 900)));
        assert_non_null(*slot);
    }
    assert_true(hak_check());
    for (int i = 0; i < BLOCKS; i++) {
        hak_free(blocks[i]);
    }
    assert_true(hak_check());
}

static void build_info_is_one_line_that_names_the_build(void **state) {
    (void)state;
    const char *info = hak_build_info();
    assert_non_null(info);
    assert_true(strlen(info) > 0);
    assert_null(strchr(info, '\n'));
    assert_non_null(strstr(info, "refill="));
    assert_ptr_equal(info, hak_build_info());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_size_is_what_a_block_will_have),
        cmocka_unit_test(good_size_is_what_an_ending_thread_gets),
        cmocka_unit_test(good_size_of_what_cannot_be_served_is_zero),
        cmocka_unit_test(sized_frees_return_blocks_whatever_size_they_claim),
        cmocka_unit_test(both_families_of_names_mix),
        cmocka_unit_test(stats_refuse_an_unknown_version),
        cmocka_unit_test(what_no_purge_can_help_makes_none),
        cmocka_unit_test(stats_count_small_live_bytes),
        cmocka_unit_test(stats_count_large_blocks),
        cmocka_unit_test(purge_gives_free_memory_back),
        cmocka_unit_test(check_holds_while_blocks_are_live),
        cmocka_unit_test(build_info_is_one_line_that_names_the_build),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
