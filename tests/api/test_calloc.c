/* SPDX-License-Identifier: MIT */
/*
 * test_calloc.c: calloc's bytes are zero up to the usable size, also where the memory was used and
 * written before: by blocks of the same size, of other sizes, and by blocks that moved.
 */
#include "tests/api/names.h"
#include "tests/api/suite.h"

#define ROUND_BLOCKS 6U
#define TOP_SIZE     (300 * KIB)

static void assert_all_zeros(const void *block, size_t size) {
    assert_non_null(block);
    assert_true(mem.usable_size(block) >= size);
    assert_zeros(block, mem.usable_size(block));
}

/* Fills a few blocks of this size to their last usable byte and gives them back. */
static void leave_dirt(size_t size) {
    void *blocks[ROUND_BLOCKS];
    for (unsigned i = 0; i < ROUND_BLOCKS; i++) {
        blocks[i] = mem.malloc(size);
        assert_non_null(blocks[i]);
        memset(blocks[i], 0xff, mem.usable_size(blocks[i]));
    }
    for (unsigned i = 0; i < ROUND_BLOCKS; i++) {
        mem.free(blocks[i]);
    }
}

static void check_recycled(size_t count, size_t size) {
    void *blocks[ROUND_BLOCKS];
    leave_dirt(count * size);
    for (unsigned i = 0; i < ROUND_BLOCKS; i++) {
        blocks[i] = mem.calloc(count, size);
        assert_aligned(blocks[i], 16);
        assert_all_zeros(blocks[i], count * size);
        memset(blocks[i], 0xee, mem.usable_size(blocks[i]));
    }
    for (unsigned i = 0; i < ROUND_BLOCKS; i++) {
        mem.free(blocks[i]);
    }
}

static void recycled_small_memory_is_zero(void **state) {
    (void)state;
    for (size_t size = 1; size <= 4200; size++) {
        check_recycled(1, size);
    }
}

static void recycled_memory_is_zero_up_to_300_kib(void **state) {
    (void)state;
    for (size_t size = 4200; size <= TOP_SIZE; size += size / 40) {
        check_recycled(size, 1);
    }
    check_recycled(1, 64 * KIB - 1);
    check_recycled(1, 64 * KIB);
    check_recycled(1, 64 * KIB + 1);
}

static void recycled_memory_is_zero_for_every_split_of_the_product(void **state) {
    (void)state;
    static const size_t totals[] = {48, 240, 1008, 5040, 30240, 65520, 75600, 151200};
    for (size_t i = 0; i < COUNT_OF(totals); i++) {
        for (size_t count = 1; count <= 24; count++) {
            if (totals[i] % count == 0) check_recycled(count, totals[i] / count);
        }
    }
}

static void memory_recycled_from_other_sizes_is_zero(void **state) {
    (void)state;
    enum { SLOTS = 256, OPERATIONS = 60000 };
    static void *slots[SLOTS];
    uint64_t random = 77;
    for (int i = 0; i < OPERATIONS; i++) {
        const uint64_t dice = random_next(&random);
        const size_t top = dice % 64 == 0 ? TOP_SIZE : dice % 8 == 0 ? 20000 : 600;
        const size_t size = (size_t)((dice >> 20) % top) + 1;
        void **slot = &slots[(dice >> 8) % SLOTS];
        mem.free(*slot);
        if (dice & 0x40) {
            *slot = mem.calloc(1, size);
            assert_all_zeros(*slot, size);
        } else {
            *slot = mem.malloc(size);
            assert_non_null(*slot);
        }
        memset(*slot, 0xdd, mem.usable_size(*slot));
    }
    for (int i = 0; i < SLOTS; i++) {
        mem.free(slots[i]);
        slots[i] = NULL;
    }
}

static void memory_left_by_a_block_that_moved_is_zero(void **state) {
    (void)state;
    for (size_t size = 16; size <= TOP_SIZE; size += size / 3) {
        char *block = mem.malloc(size);
        assert_non_null(block);
        memset(block, 0xcc, mem.usable_size(block));
        block = mem.realloc(block, size * 5);
        assert_non_null(block);
        memset(block, 0xcc, mem.usable_size(block));
        char *zeros = mem.calloc(1, size);
        assert_all_zeros(zeros, size);
        block = mem.realloc(block, size);
        assert_non_null(block);
        char *more = mem.calloc(4, size);
        assert_all_zeros(more, 4 * size);
        mem.free(block);
        mem.free(zeros);
        mem.free(more);
    }
}

static void no_bytes_give_unique_blocks(void **state) {
    (void)state;
    void *a = mem.calloc(0, 0);
    void *b = mem.calloc(0, 8);
    void *c = mem.calloc(8, 0);
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    assert_ptr_not_equal(a, b);
    assert_ptr_not_equal(b, c);
    assert_ptr_not_equal(a, c);
    mem.free(a);
    mem.free(b);
    mem.free(c);
}

static void large_memory_is_zero(void **state) {
    (void)state;
    static const size_t sizes[] = {MIB - 16, 2 * MIB, 5 * MIB + 1, 33 * MIB};
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            char *block = mem.calloc(sizes[i], 1);
            assert_all_zeros(block, sizes[i]);
            memset(block, 0xbb, mem.usable_size(block));
            mem.free(block);
        }
    }
}

/* A block is freed, and a somewhat smaller one asked for: it may get the first one's memory whole.
 */
static void large_memory_recycled_for_less_is_zero(void **state) {
    (void)state;
    static const size_t sizes[] = {80 * KIB, 400 * KIB, MIB, 3 * MIB, 33 * MIB};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        for (unsigned less = 1; less <= 64; less *= 2) {
            char *block = mem.malloc(sizes[i]);
            assert_non_null(block);
            memset(block, 0xaa, mem.usable_size(block));
            mem.free(block);
            const size_t size = sizes[i] - sizes[i] / (8 * less) - 1;
            block = mem.calloc(1, size);
            assert_all_zeros(block, size);
            mem.free(block);
        }
    }
}

/* A block that was used all over, then twice on a few pages only: these two do not make it resident
 * as a whole again. */
static void large_memory_that_is_hardly_used_is_hardly_resident(void **state) {
    (void)state;
    const size_t size = 64 * MIB;
    char *block = mem.malloc(size);
    assert_non_null(block);
    memset(block, 0x99, size);
    mem.free(block);
    mem.free(mem.calloc(1, size));
    const size_t before = statm_bytes(1);
    for (int round = 0; round < 2; round++) {
        block = mem.calloc(1, size);
        assert_non_null(block);
        for (size_t at = 12345; at < size; at += 8 * MIB) {
            assert_int_equal(block[at], 0);
            block[at] = 1;
        }
        if (round == 0) mem.free(block);
    }
    const size_t after = statm_bytes(1);
    assert_true(after < before || after - before < size / 2);
    assert_true(after < size);
    mem.free(block);
}

/* A block of no bytes has room too. */
static void recycled_memory_of_no_bytes_is_zero(void **state) {
    (void)state;
    leave_dirt(0);
    void *block = mem.calloc(3, 0);
    assert_all_zeros(block, 0);
    mem.free(block);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recycled_small_memory_is_zero),
        cmocka_unit_test(recycled_memory_is_zero_up_to_300_kib),
        cmocka_unit_test(recycled_memory_is_zero_for_every_split_of_the_product),
        cmocka_unit_test(memory_recycled_from_other_sizes_is_zero),
        cmocka_unit_test(memory_left_by_a_block_that_moved_is_zero),
        cmocka_unit_test(no_bytes_give_unique_blocks),
        cmocka_unit_test(large_memory_is_zero),
        cmocka_unit_test(large_memory_recycled_for_less_is_zero),
        cmocka_unit_test(large_memory_that_is_hardly_used_is_hardly_resident),
        cmocka_unit_test(recycled_memory_of_no_bytes_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
