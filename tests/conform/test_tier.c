/* SPDX-License-Identifier: MIT */
/*
 * test_tier.c: the contract of src/contract/tier.h that only the module itself can be asked about,
 * the blocks that it hands out.
 */
#include "tests/conform/tier.h"

static void the_build_has_the_modules_asked_for(void **state) {
    (void)state;
    for (size_t i = 0; words[i] != NULL; i++) {
        assert_non_null(strstr(hak_build_info(), words[i]));
    }
}

static void a_recycled_block_is_aligned_as_asked(void **state) {
    (void)state;
    void *blocks[BLOCKS];
    for (size_t align = HAK_ALIGN_BYTES; align <= 4 * MIB; align *= 4) {
        take_all(blocks, BLOCKS / 2);
        give_all(blocks, BLOCKS / 2);
        for (size_t i = 0; i < size_count; i++) {
            blocks[i] = take_large(size_at(i), align);
            assert_aligned(blocks[i], align);
            assert_true(large_usable(blocks[i]) >= size_at(i));
            assert_true(shadow_add(blocks[i], large_usable(blocks[i])));
        }
        for (size_t i = 0; i < size_count; i++) {
            assert_true(shadow_remove(blocks[i]));
        }
        give_all(blocks, size_count);
    }
}

static void a_small_size_is_served_at_a_large_alignment(void **state) {
    (void)state;
    for (size_t align = HAK_SLAB_BYTES; align <= 4 * MIB; align *= 2) {
        for (size_t size = 1; size <= HAK_SLAB_BYTES; size *= 16) {
            void *block = take_large(size, align);
            assert_aligned(block, align);
            assert_true(large_usable(block) >= size);
            memset(block, 0xa5, size);
            give_large(block);
        }
    }
}

static void memory_called_zeroed_was_never_written_whatever_it_served(void **state) {
    (void)state;
    void *blocks[16] = {NULL};
    uint64_t random = 4711;
    for (unsigned turn = 0; turn < 400; turn++) {
        const uint64_t dice = random_next(&random) >> 16;
        void **block = &blocks[dice % COUNT_OF(blocks)];
        if (dice % 97 == 0) hak_large_purge(HAK_PURGE_SOME, SIZE_MAX);
        if (dice % 193 == 0) purge_all();
        if (*block != NULL) {
            give_large(*block);
            *block = NULL;
            continue;
        }
        const size_t align = HAK_ALIGN_BYTES << (dice >> 8) % 14;
        const size_t size = size_at((size_t)(dice >> 16)) - (size_t)(dice >> 24) % 1000;
        *block = take_large(size, align); /* asserts it */
        memset(*block, 0xa5, large_usable(*block));
    }
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        if (blocks[i] != NULL) give_large(blocks[i]);
    }
}

static void a_second_free_returns_false_and_does_nothing(void **state) {
    (void)state;
    for (size_t i = 0; i < size_count; i++) {
        void *block = take_large(size_at(i), HAK_ALIGN_BYTES);
        struct hak_span *span = large_span(block);
        assert_true(hak_large_free(block, span));
        const struct hak_stats before = stats_now();
        const size_t idle = idle_now();
        assert_false(hak_large_free(block, span));
        const struct hak_stats after = stats_now();
        assert_int_equal(after.large_live_count, before.large_live_count);
        assert_int_equal(after.large_live_bytes, before.large_live_bytes);
        assert_int_equal(after.mapped_bytes, before.mapped_bytes);
        assert_int_equal(idle_now(), idle);
        assert_true(hak_check());
    }
}

/* A block that two threads free at once. */
static struct {
    void *block;
    struct hak_span *span;
    atomic_uint turn;
    atomic_uint taken; /* frees that returned true */
    atomic_uint ended;
} contested;

static void free_contested(void) {
    if (hak_large_free(contested.block, contested.span)) atomic_fetch_add(&contested.taken, 1);
    atomic_fetch_add(&contested.ended, 1);
}

static void *free_each_turn(void *turns) {
    for (unsigned turn = 1; turn <= (uintptr_t)turns; turn++) {
        while (atomic_load(&contested.turn) != turn)
            sched_yield();
        free_contested();
    }
    return NULL;
}

static void of_two_frees_at_once_one_returns_true(void **state) {
    (void)state;
    const uintptr_t turns = 200;
    pthread_t other;
    atomic_store(&contested.turn, 0);
    assert_int_equal(pthread_create(&other, NULL, free_each_turn, (void *)turns), 0);
    for (unsigned turn = 1; turn <= turns; turn++) {
        contested.block = take_large(size_at(turn), HAK_ALIGN_BYTES);
        contested.span = large_span(contested.block);
        atomic_store(&contested.taken, 0);
        atomic_store(&contested.ended, 0);
        atomic_store(&contested.turn, turn);
        free_contested();
        while (atomic_load(&contested.ended) != 2)
            sched_yield();
        assert_int_equal(atomic_load(&contested.taken), 1);
    }
    assert_int_equal(pthread_join(other, NULL), 0);
}

static void a_resized_block_overlaps_no_other_and_keeps_its_contents(void **state) {
    (void)state;
    void *blocks[BLOCKS];
    size_t held[BLOCKS];
    uint64_t random = 815;
    for (size_t i = 0; i < BLOCKS; i++) {
        held[i] = size_at(i);
        blocks[i] = take_large(held[i], HAK_ALIGN_BYTES);
        assert_true(shadow_add(blocks[i], large_usable(blocks[i])));
        large_stamp(blocks[i], held[i], i);
    }
    for (unsigned turn = 0; turn < 400; turn++) {
        const uint64_t dice = random_next(&random) >> 16;
        const size_t i = (size_t)(dice % BLOCKS);
        const size_t size = size_at((size_t)(dice >> 20));
        assert_true(shadow_remove(blocks[i]));
        void *resized = hak_large_resize(blocks[i], size, large_span(blocks[i]));
        const size_t common = resized == NULL || size > held[i] ? held[i] : size;
        if (resized != NULL) {
            blocks[i] = resized;
            held[i] = size;
        }
        assert_true(large_has_stamp(blocks[i], common, i));
        assert_true(large_usable(blocks[i]) >= held[i]);
        assert_true(shadow_add(blocks[i], large_usable(blocks[i])));
        large_stamp(blocks[i], held[i], i);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        assert_true(large_has_stamp(blocks[i], held[i], i));
    }
    give_all(blocks, BLOCKS);
}

static void find_never_reads_the_block(void **state) {
    (void)state;
    for (size_t i = 0; i < size_count; i++) {
        char *block = take_large(size_at(i), HAK_SLAB_BYTES);
        struct hak_span *span = large_span(block);
        const size_t bytes = large_usable(block) & ~(hak_os_page_bytes() - 1);
        assert_int_equal(mprotect(block, bytes, PROT_NONE), 0);
        assert_ptr_equal(large_span(block), span);
        assert_null(hak_large_find(block + bytes / 2));
        assert_ptr_equal(hak_large_find_around(block + bytes / 2), span);
        assert_int_equal(mprotect(block, bytes, PROT_READ | PROT_WRITE), 0);
        give_large(block);
    }
}

static void find_around_knows_kept_blocks_until_they_are_given_back(void **state) {
    (void)state;
    for (size_t i = 0; i < size_count; i++) {
        char *block = take_large(size_at(i), HAK_ALIGN_BYTES);
        const size_t kept_before = hak_large_idle();
        char *inside = block + size_at(i) / 2;
        give_large(block);
        const struct hak_span *span = hak_large_find_around(inside);
        assert_int_equal(span != NULL, hak_large_idle() > kept_before);
        assert_null(hak_large_find(block));
        if (span != NULL) {
            assert_ptr_equal(hak_large_find_around(block), span);
            assert_true(span->base <= block && block < span->base + span->bytes);
        }
        purge_all();
        assert_null(hak_large_find_around(inside));
    }
}

int main(int argc, char **argv) {
    words = argv + (argc > 0);
    this_cache();
    age_ms = hak_purge_policy.age_ms;
    size_count = large_sizes(sizes);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_build_has_the_modules_asked_for),
        from_nothing(a_recycled_block_is_aligned_as_asked),
        from_nothing(a_small_size_is_served_at_a_large_alignment),
        from_nothing(memory_called_zeroed_was_never_written_whatever_it_served),
        from_nothing(a_second_free_returns_false_and_does_nothing),
        from_nothing(of_two_frees_at_once_one_returns_true),
        from_nothing(a_resized_block_overlaps_no_other_and_keeps_its_contents),
        from_nothing(find_never_reads_the_block),
        from_nothing(find_around_knows_kept_blocks_until_they_are_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
