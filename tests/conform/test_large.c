/* SPDX-License-Identifier: MIT */
/*
 * test_large.c: the contract of src/contract/tier.h for blocks above the bins: alloc, free,
 * usable_size, resize and find.
 */
#include "tests/conform/large.h"

#define BLOCKS  40
#define THREADS 4

/* Sizes above the bins, as steps from their limit. */
static const size_t steps[] = {1, 4095, 4096, 4097, 100 * KIB, MIB, 3 * MIB + 1};

static size_t size_at(size_t i) {
    return hak_bins_size_max() + steps[i % COUNT_OF(steps)];
}

static void a_block_is_aligned_and_as_large_as_asked(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        for (size_t align = 1; align <= 4 * MIB; align *= 2) {
            void *block = take_large(size_at(i), align);
            assert_aligned(block, HAK_ALIGN_BYTES);
            assert_aligned(block, align);
            assert_true(hak_large_usable_size(block, large_span(block)) >= size_at(i));
            pattern_write(block, size_at(i), 1);
            give_large(block);
        }
    }
}

static void all_of_the_usable_size_may_be_written(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        void *block = take_large(size_at(i), HAK_ALIGN_BYTES);
        const size_t usable = hak_large_usable_size(block, large_span(block));
        assert_true(shadow_add(block, usable));
        pattern_write(block, usable, 2);
        assert_int_equal(hak_large_usable_size(block, large_span(block)), usable);
        assert_pattern(block, usable, 2);
        give_large(block);
        assert_true(shadow_remove(block));
    }
}

static void blocks_that_live_at_once_never_overlap(void **state) {
    (void)state;
    void *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = take_large(size_at(i), HAK_ALIGN_BYTES);
        assert_true(shadow_add(blocks[i], hak_large_usable_size(blocks[i], large_span(blocks[i]))));
        pattern_write(blocks[i], size_at(i), (unsigned)i);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        assert_pattern(blocks[i], size_at(i), (unsigned)i);
        give_large(blocks[i]);
    }
}

static void the_span_of_a_large_block_has_no_binned_owner(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        void *block = take_large(size_at(i), HAK_ALIGN_BYTES);
        const struct hak_span *span = large_span(block);
        assert_non_null(span);
        assert_int_not_equal(span->owner, HAK_OWNER_NONE);
        assert_int_not_equal(span->owner, HAK_OWNER_TINY);
        assert_int_not_equal(span->owner, HAK_OWNER_MID);
        give_large(block);
    }
}

static void find_does_not_know_what_was_freed(void **state) {
    (void)state;
    void *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = take_large(size_at(i), HAK_ALIGN_BYTES);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        assert_non_null(large_span(blocks[i]));
        give_large(blocks[i]);
        assert_null(hak_large_find(blocks[i]));
    }
}

static void find_does_not_know_addresses_that_begin_no_block(void **state) {
    (void)state;
    char *block = take_large(size_at(4), HAK_ALIGN_BYTES);
    int local = 0;
    assert_null(hak_large_find(block + HAK_ALIGN_BYTES));
    assert_null(hak_large_find(block - HAK_ALIGN_BYTES));
    assert_null(hak_large_find(block + hak_large_usable_size(block, large_span(block)) - 1));
    assert_null(hak_large_find(&local));
    assert_null(hak_large_find(NULL));
    assert_null(hak_large_find((void *)UINTPTR_MAX));
    assert_null(hak_large_find((void *)((uintptr_t)1 << 63)));
    give_large(block);
}

static void find_around_knows_every_address_of_a_block_and_none_beside_it(void **state) {
    (void)state;
    char *block = take_large(size_at(5), HAK_ALIGN_BYTES);
    const struct hak_span *span = large_span(block);
    for (size_t at = 0; at < size_at(5); at += 4093) {
        assert_ptr_equal(hak_large_find_around(block + at), span);
    }
    assert_ptr_not_equal(hak_large_find_around(block - 1), span);
    assert_ptr_not_equal(hak_large_find_around(block + hak_large_usable_size(block, span)), span);
    give_large(block);
}

static void memory_called_zeroed_reads_as_zeros_when_it_comes_again(void **state) {
    (void)state;
    for (unsigned round = 0; round < 20; round++) {
        void *blocks[8];
        for (size_t i = 0; i < COUNT_OF(blocks); i++) {
            blocks[i] = take_large(size_at(i), HAK_ALIGN_BYTES); /* asserts it */
            memset(blocks[i], 0xa5, size_at(i));
        }
        for (size_t i = 0; i < COUNT_OF(blocks); i++) {
            give_large(blocks[i]);
        }
        if (round % 5 == 4) hak_large_purge(HAK_PURGE_SOME, SIZE_MAX);
    }
}

/* Resizes; whatever the answer, the first bytes are there and the block is one of the tier's. */
static void check_resize(size_t from, size_t to) {
    void *block = take_large(from, HAK_ALIGN_BYTES);
    pattern_write(block, from, 3);
    const size_t usable = hak_large_usable_size(block, large_span(block));
    void *resized = hak_large_resize(block, to, large_span(block));
    if (resized == NULL) {
        assert_int_equal(hak_large_usable_size(block, large_span(block)), usable);
        assert_pattern(block, from, 3);
        give_large(block);
        return;
    }
    assert_true(hak_large_usable_size(resized, large_span(resized)) >= to);
    assert_pattern(resized, from < to ? from : to, 3);
    if (resized != block) assert_null(large_span(block));
    pattern_write(resized, to, 4);
    assert_pattern(resized, to, 4);
    give_large(resized);
}

static void resize_keeps_the_contents_or_changes_nothing(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        for (size_t j = 0; j < COUNT_OF(steps); j++) {
            check_resize(size_at(i), size_at(j));
        }
    }
}

static void resize_to_an_impossible_size_changes_nothing(void **state) {
    (void)state;
    void *block = take_large(size_at(4), HAK_ALIGN_BYTES);
    pattern_write(block, size_at(4), 5);
    struct hak_span *span = large_span(block);
    const size_t usable = hak_large_usable_size(block, span);
    errno = 77;
    assert_null(hak_large_resize(block, PTRDIFF_MAX, span));
    assert_null(hak_large_resize(block, SIZE_MAX / 4, span));
    assert_int_equal(errno, 77);
    assert_ptr_equal(large_span(block), span);
    assert_int_equal(hak_large_usable_size(block, span), usable);
    assert_pattern(block, size_at(4), 5);
    give_large(block);
}

static void an_impossible_size_gives_null_and_keeps_errno(void **state) {
    (void)state;
    bool zeroed;
    errno = 77;
    assert_null(large_alloc(PTRDIFF_MAX, HAK_ALIGN_BYTES, &zeroed));
    assert_null(large_alloc(SIZE_MAX / 4, HAK_ALIGN_BYTES, &zeroed));
    assert_null(large_alloc(size_at(0), (size_t)1 << 62, &zeroed));
    assert_int_equal(errno, 77);
}

static void stats_count_the_blocks_that_live(void **state) {
    (void)state;
    void *blocks[BLOCKS];
    const struct hak_stats before = stats_now();
    size_t bytes = 0;
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = take_large(size_at(i), HAK_ALIGN_BYTES);
        bytes += size_at(i);
    }
    const struct hak_stats during = stats_now();
    assert_int_equal(during.large_live_count, before.large_live_count + BLOCKS);
    assert_true(during.large_live_bytes >= before.large_live_bytes + bytes);
    for (size_t i = 0; i < BLOCKS; i++) {
        give_large(blocks[i]);
    }
    const struct hak_stats after = stats_now();
    assert_int_equal(after.large_live_count, before.large_live_count);
    assert_int_equal(after.large_live_bytes, before.large_live_bytes);
}

static _Atomic(void *) exchanged[64];

static void *exchange_blocks(void *argument) {
    uint64_t random = (uintptr_t)argument * 7919 + 1;
    for (unsigned turn = 0; turn < 1000; turn++) {
        const uint64_t dice = random_next(&random) >> 16;
        const size_t size = size_at((size_t)(dice >> 10) % 5);
        size_t *block = take_large(size, HAK_ALIGN_BYTES);
        require(shadow_add(block, size));
        block[0] = size;
        block[size / sizeof(size_t) - 1] = size;
        size_t *got = atomic_exchange(&exchanged[dice % COUNT_OF(exchanged)], block);
        if (got == NULL) continue;
        require(got[got[0] / sizeof(size_t) - 1] == got[0]);
        require(shadow_remove(got));
        give_large(got);
    }
    return NULL;
}

static void blocks_that_four_threads_exchange_never_overlap(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, exchange_blocks, (void *)(i + 1)), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    for (size_t i = 0; i < COUNT_OF(exchanged); i++) {
        void *block = atomic_exchange(&exchanged[i], NULL);
        if (block != NULL) give_large(block);
    }
}

int main(void) {
    this_cache();
    const struct CMUnitTest tests[] = {
        scenario(a_block_is_aligned_and_as_large_as_asked),
        scenario(all_of_the_usable_size_may_be_written),
        scenario(blocks_that_live_at_once_never_overlap),
        scenario(the_span_of_a_large_block_has_no_binned_owner),
        scenario(find_does_not_know_what_was_freed),
        scenario(find_does_not_know_addresses_that_begin_no_block),
        scenario(find_around_knows_every_address_of_a_block_and_none_beside_it),
        scenario(memory_called_zeroed_reads_as_zeros_when_it_comes_again),
        scenario(resize_keeps_the_contents_or_changes_nothing),
        scenario(resize_to_an_impossible_size_changes_nothing),
        scenario(an_impossible_size_gives_null_and_keeps_errno),
        scenario(stats_count_the_blocks_that_live),
        scenario(blocks_that_four_threads_exchange_never_overlap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
