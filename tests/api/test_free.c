/* SPDX-License-Identifier: MIT */
/*
 * test_free.c: free takes NULL, keeps errno whatever the kernel says to it, and gives memory back
 * so that it serves again.
 */
#include "tests/api/names.h"
#include "tests/api/suite.h"

#include <sys/mman.h>

static const size_t sizes[] = {0,     1,     100,    1024, 5000,    32768,    65536,
                               65537, 99999, 300000, MIB,  5 * MIB, 32 * MIB, 100 * MIB};

static void check_free_keeps_errno(void *block, int value) {
    errno = value;
    mem.free(block);
    const int after = errno;
    assert_int_equal(after, value);
}

static void free_of_null_keeps_errno(void **state) {
    (void)state;
    check_free_keeps_errno(NULL, 0);
    check_free_keeps_errno(NULL, 4321);
}

static void free_keeps_errno_for_every_size(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        char *block = mem.malloc(sizes[i]);
        assert_non_null(block);
        if (sizes[i] > 0) block[sizes[i] - 1] = 1;
        check_free_keeps_errno(block, 4321);
        check_free_keeps_errno(mem.malloc(sizes[i]), 0);
        check_free_keeps_errno(mem.aligned_alloc(4096, sizes[i]), ENOMEM);
    }
}

static void free_keeps_errno_while_many_blocks_return(void **state) {
    (void)state;
    enum { BLOCKS = 20000 };
    static void *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = mem.malloc((size_t)(i % 3000));
        assert_non_null(blocks[i]);
    }
    for (int i = 0; i < BLOCKS; i++) {
        check_free_keeps_errno(blocks[i], 4321);
    }
}

/* Cuts a mapping into single pages of alternating protection until the kernel has no more; returns
 * whether the limit of mappings was met. */
static bool exhaust_mappings(char *area, size_t area_bytes, size_t page) {
    for (size_t at = page; at + page < area_bytes; at += 2 * page) {
        if (mprotect(area + at, page, PROT_READ | PROT_WRITE) != 0) return true;
    }
    return false;
}

static void free_keeps_errno_when_the_kernel_has_no_mapping_left(void **state) {
    (void)state;
    enum { BLOCKS = 48 };
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t area_bytes = (size_t)140000 * page;
    void *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = mem.malloc(i % 2 ? 300000 : 2 * MIB);
        assert_non_null(blocks[i]);
    }
    char *area = mmap(NULL, area_bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(area, MAP_FAILED);
    const bool is_exhausted = exhaust_mappings(area, area_bytes, page);
    bool is_kept = true;
    for (int i = 0; i < BLOCKS; i++) {
        errno = 4321;
        mem.free(blocks[(i * 7) % BLOCKS]);
        is_kept = is_kept && errno == 4321;
    }
    munmap(area, area_bytes);
    assert_true(is_kept);
    void *again = mem.malloc(2 * MIB);
    assert_non_null(again);
    mem.free(again);
    if (!is_exhausted) skip(); /* this kernel allows more mappings than the test makes */
}

static void freed_memory_serves_again(void **state) {
    (void)state;
    static const size_t recycled[] = {16, 100, 1000, 5000, 30000, 65536, 200000, 4 * MIB};
    const size_t before = statm_bytes(1);
    for (size_t i = 0; i < COUNT_OF(recycled); i++) {
        const size_t turns = 512 * MIB / recycled[i];
        for (size_t turn = 0; turn < (turns < 40000 ? turns : 40000); turn++) {
            char *block = mem.malloc(recycled[i]);
            assert_non_null(block);
            block[0] = 1;
            block[recycled[i] - 1] = 1;
            mem.free(block);
        }
    }
    assert_true(statm_bytes(1) < before + 32 * MIB);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(free_of_null_keeps_errno),
        cmocka_unit_test(free_keeps_errno_for_every_size),
        cmocka_unit_test(free_keeps_errno_while_many_blocks_return),
        cmocka_unit_test(free_keeps_errno_when_the_kernel_has_no_mapping_left),
        cmocka_unit_test(freed_memory_serves_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
