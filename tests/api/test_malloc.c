/* SPDX-License-Identifier: MIT */
/*
 * test_malloc.c: what malloc and malloc_usable_size promise for every size: alignment to 16, a
 * unique block for size 0, at least the bytes asked for, no block over another, and a usable size
 * that does not change while the block lives.
 */
#include "tests/api/names.h"
#include "tests/api/suite.h"

#define LIVE_BLOCKS 64U
#define TOP_SIZE    ((size_t)70000)

static size_t next_size(size_t size) {
    return size < 4200 ? size + 1 : size + 7;
}

static void every_size_is_aligned_to_16(void **state) {
    (void)state;
    void *live[LIVE_BLOCKS] = {NULL};
    unsigned turn = 0;
    for (size_t size = 0; size <= TOP_SIZE; size = next_size(size)) {
        void **slot = &live[turn++ % LIVE_BLOCKS];
        mem.free(*slot);
        *slot = mem.malloc(size);
        assert_aligned(*slot, 16);
    }
    for (unsigned i = 0; i < LIVE_BLOCKS; i++) {
        mem.free(live[i]);
    }
}

static void powers_of_two_and_their_neighbours_are_aligned_to_16(void **state) {
    (void)state;
    for (size_t power = 2; power <= 64 * MIB; power *= 2) {
        for (size_t size = power - 1; size <= power + 1; size++) {
            void *block = mem.malloc(size);
            assert_aligned(block, 16);
            assert_true(mem.usable_size(block) >= size);
            memset(block, 0x5a, size < MIB ? size : MIB);
            ((char *)block)[size - 1] = 1;
            mem.free(block);
        }
    }
}

static void size_zero_gives_unique_blocks(void **state) {
    (void)state;
    enum { BLOCKS = 500 };
    void *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = mem.malloc(0);
        assert_aligned(blocks[i], 16);
        for (int j = 0; j < i; j++) {
            assert_ptr_not_equal(blocks[i], blocks[j]);
        }
    }
    for (int i = 0; i < BLOCKS; i++) {
        mem.free(blocks[i]);
    }
}

static void size_zero_has_a_usable_byte(void **state) {
    (void)state;
    char *block = mem.malloc(0);
    assert_non_null(block);
    const size_t usable = mem.usable_size(block);
    assert_true(usable >= 1);
    memset(block, 0x77, usable);
    mem.free(block);
}

static void usable_size_covers_every_request(void **state) {
    (void)state;
    for (size_t size = 0; size <= TOP_SIZE; size = next_size(size)) {
        void *block = mem.malloc(size);
        assert_non_null(block);
        assert_true(mem.usable_size(block) >= size);
        mem.free(block);
    }
}

static void usable_size_of_null_is_zero(void **state) {
    (void)state;
    assert_int_equal(mem.usable_size(NULL), 0);
}

static void usable_size_is_constant_while_the_block_lives(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 24, 100, 1000, 5000, 33000, 65537, 300000, 3000000};
    void *blocks[COUNT_OF(sizes)];
    size_t usable[COUNT_OF(sizes)];
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        blocks[i] = mem.malloc(sizes[i]);
        assert_non_null(blocks[i]);
        usable[i] = mem.usable_size(blocks[i]);
    }
    uint64_t random = 2;
    for (int i = 0; i < 20000; i++) {
        mem.free(mem.malloc((size_t)(random_next(&random) % 5000)));
    }
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        assert_int_equal(mem.usable_size(blocks[i]), usable[i]);
        mem.free(blocks[i]);
    }
}

static void live_blocks_do_not_overlap_to_their_last_usable_byte(void **state) {
    (void)state;
    enum { BLOCKS = 3000 };
    static void *blocks[BLOCKS];
    static size_t usable[BLOCKS];
    uint64_t random = 12345;
    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < BLOCKS; i++) {
            const uint64_t dice = random_next(&random);
            const size_t top = dice % 16 == 0 ? 100000 : dice % 4 == 0 ? 4000 : 300;
            blocks[i] = mem.malloc((size_t)((dice >> 8) % top));
            assert_non_null(blocks[i]);
            usable[i] = mem.usable_size(blocks[i]);
            pattern_write(blocks[i], usable[i], i + round);
        }
        for (unsigned i = 0; i < BLOCKS; i++) {
            assert_pattern(blocks[i], usable[i], i + round);
        }
        for (unsigned i = 0; i < BLOCKS; i++) {
            mem.free(blocks[(i * 1009U) % BLOCKS]);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_is_aligned_to_16),
        cmocka_unit_test(powers_of_two_and_their_neighbours_are_aligned_to_16),
        cmocka_unit_test(size_zero_gives_unique_blocks),
        cmocka_unit_test(size_zero_has_a_usable_byte),
        cmocka_unit_test(usable_size_covers_every_request),
        cmocka_unit_test(usable_size_of_null_is_zero),
        cmocka_unit_test(usable_size_is_constant_while_the_block_lives),
        cmocka_unit_test(live_blocks_do_not_overlap_to_their_last_usable_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
