/* SPDX-License-Identifier: MIT */
/*
 * test_realloc.c: realloc keeps the first min(old, new) bytes whichever way the block goes, from
 * one byte to 8 MiB; NULL allocates; size 0 frees and returns NULL without an error.
 */
#include "tests/api/names.h"
#include "tests/api/suite.h"

#define TOP_SIZE (8 * MIB)

static const size_t sizes[] = {
    1,      7,      16,     17,    100,     256,     1000,    1024,        1025,
    4096,   5000,   16384,  32768, 40000,   65535,   65536,   65537,       100000,
    131072, 262144, 300000, MIB,   MIB + 1, 2 * MIB, 3000000, 4 * MIB - 1, TOP_SIZE,
};

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

static void null_allocates(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        void *block = mem.realloc(NULL, sizes[i]);
        assert_aligned(block, 16);
        assert_true(mem.usable_size(block) >= sizes[i]);
        pattern_write(block, sizes[i], 1);
        mem.free(block);
    }
    void *empty = mem.realloc(NULL, 0);
    assert_non_null(empty);
    mem.free(empty);
}

static void every_pair_of_sizes_keeps_the_common_bytes(void **state) {
    (void)state;
    for (size_t from = 0; from < COUNT_OF(sizes); from++) {
        for (size_t to = 0; to < COUNT_OF(sizes); to++) {
            void *block = mem.malloc(sizes[from]);
            assert_non_null(block);
            pattern_write(block, sizes[from], (unsigned)(from + to));
            block = mem.realloc(block, sizes[to]);
            assert_aligned(block, 16);
            assert_true(mem.usable_size(block) >= sizes[to]);
            assert_pattern(block, smaller(sizes[from], sizes[to]), (unsigned)(from + to));
            ((char *)block)[sizes[to] - 1] = 1;
            mem.free(block);
        }
    }
}

static void a_block_that_grows_by_bytes_keeps_its_contents(void **state) {
    (void)state;
    unsigned char *block = NULL;
    for (size_t size = 1; size <= 9000; size++) {
        block = mem.realloc(block, size);
        assert_aligned(block, 16);
        block[size - 1] = pattern_at(size - 1, 5);
        if (size % 97 == 0) assert_pattern(block, size, 5);
    }
    assert_pattern(block, 9000, 5);
    for (size_t size = 9000; size > 0; size--) {
        block = mem.realloc(block, size);
        assert_non_null(block);
        if (size % 97 == 0) assert_pattern(block, size, 5);
    }
    mem.free(block);
}

static void a_block_that_grows_to_8_mib_and_back_keeps_its_contents(void **state) {
    (void)state;
    size_t size = 1;
    unsigned char *block = mem.malloc(size);
    assert_non_null(block);
    pattern_write(block, size, 3);
    while (size < TOP_SIZE) {
        const size_t next = smaller(size + size / 2 + 1, TOP_SIZE);
        block = mem.realloc(block, next);
        assert_non_null(block);
        assert_pattern(block, size, 3);
        pattern_write(block, next, 3);
        size = next;
    }
    while (size > 1) {
        size = size * 2 / 3;
        block = mem.realloc(block, size);
        assert_non_null(block);
        assert_pattern(block, size, 3);
    }
    mem.free(block);
}

static void neighbours_are_not_touched(void **state) {
    (void)state;
    enum { BLOCKS = 200, OPERATIONS = 20000 };
    static void *blocks[BLOCKS];
    static size_t held[BLOCKS];
    uint64_t random = 99;
    for (int i = 0; i < OPERATIONS; i++) {
        const uint64_t dice = random_next(&random);
        const unsigned at = (unsigned)(dice % BLOCKS);
        const size_t top = (dice >> 10) % 40 == 0 ? 200000 : (dice >> 10) % 5 == 0 ? 9000 : 400;
        const size_t size = (size_t)((dice >> 20) % top) + 1;
        void *block = mem.realloc(blocks[at], size);
        assert_non_null(block);
        assert_pattern(block, smaller(held[at], size), at);
        pattern_write(block, size, at);
        blocks[at] = block;
        held[at] = size;
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        assert_pattern(blocks[i], held[i], i);
        mem.free(blocks[i]);
        blocks[i] = NULL;
        held[i] = 0;
    }
}

static void aligned_blocks_keep_their_contents(void **state) {
    (void)state;
    for (size_t alignment = 16; alignment <= 4 * MIB; alignment *= 4) {
        for (size_t i = 0; i < COUNT_OF(sizes); i += 4) {
            void *block = mem.aligned_alloc(alignment, sizes[i]);
            assert_aligned(block, alignment);
            pattern_write(block, sizes[i], 8);
            block = mem.realloc(block, sizes[i] * 2 + 1);
            assert_non_null(block);
            assert_pattern(block, sizes[i], 8);
            mem.free(block);
        }
    }
}

static void size_zero_frees_and_returns_null_without_an_error(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        void *block = mem.malloc(sizes[i]);
        assert_non_null(block);
        errno = 4321;
        const void *result = mem.realloc(block, 0);
        const int after = errno;
        assert_null(result);
        assert_int_equal(after, 4321);
    }
}

static void size_zero_gives_the_memory_back(void **state) {
    (void)state;
    const size_t before = statm_bytes(1);
    for (int i = 0; i < 100000; i++) {
        void *block = mem.malloc(2000);
        assert_non_null(block);
        memset(block, 1, 2000);
        assert_null(mem.realloc(block, 0));
    }
    assert_true(statm_bytes(1) < before + 16 * MIB);
}

static void a_block_that_moves_gives_the_old_memory_back(void **state) {
    (void)state;
    const size_t before = statm_bytes(1);
    for (int i = 0; i < 400; i++) {
        void *block = NULL;
        for (size_t size = 100; size < MIB; size *= 3) {
            block = mem.realloc(block, size);
            assert_non_null(block);
            memset(block, 1, size);
        }
        mem.free(block);
    }
    assert_true(statm_bytes(1) < before + 16 * MIB);
}

static void big_blocks_that_grow_again_and_again_do_not_pile_up(void **state) {
    (void)state;
    const size_t before = statm_bytes(1);
    for (int i = 0; i < 100; i++) {
        void *block = mem.malloc(3 * MIB / 2);
        assert_non_null(block);
        memset(block, 1, 3 * MIB / 2);
        for (size_t size = 2 * MIB; size < 6 * MIB; size += 700000) {
            block = mem.realloc(block, size);
            assert_non_null(block);
            memset(block, 2, size);
        }
        mem.free(block);
    }
    assert_true(statm_bytes(1) < before + 24 * MIB);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_allocates),
        cmocka_unit_test(every_pair_of_sizes_keeps_the_common_bytes),
        cmocka_unit_test(a_block_that_grows_by_bytes_keeps_its_contents),
        cmocka_unit_test(a_block_that_grows_to_8_mib_and_back_keeps_its_contents),
        cmocka_unit_test(neighbours_are_not_touched),
        cmocka_unit_test(aligned_blocks_keep_their_contents),
        cmocka_unit_test(size_zero_frees_and_returns_null_without_an_error),
        cmocka_unit_test(size_zero_gives_the_memory_back),
        cmocka_unit_test(a_block_that_moves_gives_the_old_memory_back),
        cmocka_unit_test(big_blocks_that_grow_again_and_again_do_not_pile_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
