/* SPDX-License-Identifier: MIT */
/*
 * test_aligned.c: aligned_alloc, memalign, posix_memalign, valloc and pvalloc: alignments up to
 * 4 MiB for all sorts of sizes, what each does with an alignment that is no power of two, and the
 * rounding of pvalloc.
 */
#include "tests/api/names.h"
#include "tests/api/suite.h"

#define TOP_ALIGNMENT (4 * MIB)

static const size_t sizes[] = {0,     1,     8,     15,    16,     17,     63,    64,      100,
                               592,   1024,  1025,  4095,  4096,   4097,   20000, 32768,   40000,
                               65535, 65536, 65537, 99999, 262144, 300001, MIB,   3000000, 9000000};

/* The block must be aligned, hold what was asked for, and take a pattern to its last byte. */
static void check_block(void *block, size_t alignment, size_t size) {
    assert_aligned(block, alignment < 16 ? 16 : alignment);
    const size_t usable = mem.usable_size(block);
    assert_true(usable >= size);
    if (usable == 0) return;
    ((char *)block)[0] = 'a';
    ((char *)block)[usable - 1] = 'z';
}

static void aligned_alloc_serves_every_alignment_and_size(void **state) {
    (void)state;
    for (size_t alignment = 1; alignment <= TOP_ALIGNMENT; alignment *= 2) {
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            void *block = mem.aligned_alloc(alignment, sizes[i]);
            check_block(block, alignment, sizes[i]);
            mem.free(block);
        }
    }
}

static void memalign_serves_every_alignment_and_size(void **state) {
    (void)state;
    for (size_t alignment = 1; alignment <= TOP_ALIGNMENT; alignment *= 2) {
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            void *block = mem.memalign(alignment, sizes[i]);
            check_block(block, alignment, sizes[i]);
            mem.free(block);
        }
    }
}

static void posix_memalign_serves_every_alignment_and_size(void **state) {
    (void)state;
    for (size_t alignment = sizeof(void *); alignment <= TOP_ALIGNMENT; alignment *= 2) {
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            void *block = NULL;
            errno = 4321;
            assert_int_equal(mem.posix_memalign(&block, alignment, sizes[i]), 0);
            check_block(block, alignment, sizes[i]);
            mem.free(block);
        }
    }
}

static void live_aligned_blocks_do_not_overlap(void **state) {
    (void)state;
    enum { BLOCKS = 600 };
    static void *blocks[BLOCKS];
    static size_t usable[BLOCKS];
    uint64_t random = 31;
    for (unsigned i = 0; i < BLOCKS; i++) {
        const uint64_t dice = random_next(&random);
        const size_t alignment = (size_t)16 << (dice % 12);
        const size_t size = (size_t)((dice >> 10) % (dice % 9 == 0 ? 100000 : 2000));
        blocks[i] = mem.aligned_alloc(alignment, size);
        check_block(blocks[i], alignment, size);
        usable[i] = mem.usable_size(blocks[i]);
        pattern_write(blocks[i], usable[i], i);
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        assert_pattern(blocks[i], usable[i], i);
        mem.free(blocks[i]);
    }
}

static void aligned_blocks_of_no_bytes_are_unique(void **state) {
    (void)state;
    for (size_t alignment = sizeof(void *); alignment <= 64 * KIB; alignment *= 2) {
        void *blocks[4] = {mem.aligned_alloc(alignment, 0), mem.memalign(alignment, 0), NULL,
                           mem.aligned_alloc(alignment, 0)};
        assert_int_equal(mem.posix_memalign(&blocks[2], alignment, 0), 0);
        for (int i = 0; i < 4; i++) {
            assert_aligned(blocks[i], alignment);
            for (int j = 0; j < i; j++) {
                assert_ptr_not_equal(blocks[i], blocks[j]);
            }
        }
        for (int i = 0; i < 4; i++) {
            mem.free(blocks[i]);
        }
    }
}

static void usable_size_of_an_aligned_block_is_constant(void **state) {
    (void)state;
    for (size_t alignment = 32; alignment <= MIB; alignment *= 8) {
        void *block = mem.aligned_alloc(alignment, 5000);
        const size_t usable = mem.usable_size(block);
        void *other = mem.aligned_alloc(alignment, 5000);
        mem.free(other);
        assert_int_equal(mem.usable_size(block), usable);
        mem.free(block);
    }
}

static const size_t no_powers[] = {
    0,  3,   5,    6,    7,       9,        15,           24,
    48, 100, 4095, 4097, 3 * MIB, SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / 2 + 2};

static void aligned_alloc_refuses_an_alignment_that_is_no_power_of_two(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(no_powers); i++) {
        assert_refused(EINVAL, mem.aligned_alloc(no_powers[i], 0));
        assert_refused(EINVAL, mem.aligned_alloc(no_powers[i], 64));
        assert_refused(EINVAL, mem.aligned_alloc(no_powers[i], 100000));
    }
}

static void check_posix_refusal(size_t alignment, size_t size) {
    char marker = 0;
    void *out = &marker;
    errno = 4321;
    const int result = mem.posix_memalign(&out, alignment, size);
    const int after = errno;
    assert_int_equal(result, EINVAL);
    assert_int_equal(after, 4321);
    assert_ptr_equal(out, &marker);
}

static void posix_memalign_refuses_an_alignment_that_is_no_power_of_two(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(no_powers); i++) {
        check_posix_refusal(no_powers[i], 64);
    }
}

static void posix_memalign_refuses_an_alignment_below_a_pointer(void **state) {
    (void)state;
    check_posix_refusal(1, 64);
    check_posix_refusal(2, 64);
    check_posix_refusal(4, 64);
}

static void memalign_rounds_the_alignment_up_to_a_power_of_two(void **state) {
    (void)state;
    static const struct {
        size_t asked, given;
    } cases[] = {{0, 16},      {3, 16},         {17, 32},           {24, 32},
                 {33, 64},     {100, 128},      {1000, 1024},       {4097, 8192},
                 {5000, 8192}, {65537, 131072}, {MIB + 1, 2 * MIB}, {3 * MIB, 4 * MIB}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t size = 0; size <= 200000; size = size * 3 + 1) {
            void *block = mem.memalign(cases[i].asked, size);
            check_block(block, cases[i].given, size);
            mem.free(block);
        }
    }
}

static void memalign_refuses_an_alignment_that_has_no_power_of_two_above(void **state) {
    (void)state;
    static const size_t alignments[] = {SIZE_MAX / 2 + 2, SIZE_MAX / 2 + 17, SIZE_MAX - 4095,
                                        SIZE_MAX - 1, SIZE_MAX};
    for (size_t i = 0; i < COUNT_OF(alignments); i++) {
        assert_refused(EINVAL, mem.memalign(alignments[i], 0));
        assert_refused(EINVAL, mem.memalign(alignments[i], 64));
    }
}

static void valloc_is_aligned_to_a_page(void **state) {
    (void)state;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        void *block = mem.valloc(sizes[i]);
        check_block(block, page, sizes[i]);
        mem.free(block);
    }
}

static void pvalloc_rounds_the_size_up_to_pages(void **state) {
    (void)state;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        const size_t size = sizes[i] == 0 ? 1 : sizes[i];
        const size_t whole = (size + page - 1) / page * page;
        void *block = mem.pvalloc(sizes[i]);
        check_block(block, page, whole);
        pattern_write(block, whole, 6);
        assert_pattern(block, whole, 6);
        mem.free(block);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aligned_alloc_serves_every_alignment_and_size),
        cmocka_unit_test(memalign_serves_every_alignment_and_size),
        cmocka_unit_test(posix_memalign_serves_every_alignment_and_size),
        cmocka_unit_test(live_aligned_blocks_do_not_overlap),
        cmocka_unit_test(aligned_blocks_of_no_bytes_are_unique),
        cmocka_unit_test(usable_size_of_an_aligned_block_is_constant),
        cmocka_unit_test(aligned_alloc_refuses_an_alignment_that_is_no_power_of_two),
        cmocka_unit_test(posix_memalign_refuses_an_alignment_that_is_no_power_of_two),
        cmocka_unit_test(posix_memalign_refuses_an_alignment_below_a_pointer),
        cmocka_unit_test(memalign_rounds_the_alignment_up_to_a_power_of_two),
        cmocka_unit_test(memalign_refuses_an_alignment_that_has_no_power_of_two_above),
        cmocka_unit_test(valloc_is_aligned_to_a_page),
        cmocka_unit_test(pvalloc_rounds_the_size_up_to_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
