/* SPDX-License-Identifier: MIT */
/*
 * test_limit.c: an address space with a limit (RLIMIT_AS) that the process sets itself: every
 * function refuses with NULL and ENOMEM, nothing aborts, and what is freed or allowed again serves
 * again. The limit is absolute, as programs set it: what the allocator reserves counts.
 */
#include "tests/api/names.h"
#include "tests/api/suite.h"

#include <sys/resource.h>

#define LIMIT    (64 * MIB)
#define TOO_MUCH (512 * MIB)

static struct rlimit unlimited;

static int remember_limit(void **state) {
    (void)state;
    return getrlimit(RLIMIT_AS, &unlimited);
}

static int restore_limit(void **state) {
    (void)state;
    return setrlimit(RLIMIT_AS, &unlimited);
}

static void lower_limit(void) {
    const struct rlimit low = {.rlim_cur = LIMIT, .rlim_max = unlimited.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_AS, &low), 0);
}

static void every_function_refuses_what_is_over_the_limit(void **state) {
    (void)state;
    char marker = 0;
    void *out = &marker;
    lower_limit();
    assert_refused(ENOMEM, mem.malloc(TOO_MUCH));
    assert_refused(ENOMEM, mem.calloc(1, TOO_MUCH));
    assert_refused(ENOMEM, mem.calloc(TOO_MUCH / 16, 16));
    assert_refused(ENOMEM, mem.realloc(NULL, TOO_MUCH));
    assert_refused(ENOMEM, mem.aligned_alloc(64, TOO_MUCH));
    assert_refused(ENOMEM, mem.aligned_alloc(TOO_MUCH, 64));
    assert_refused(ENOMEM, mem.memalign(4096, TOO_MUCH));
    assert_refused(ENOMEM, mem.valloc(TOO_MUCH));
    assert_refused(ENOMEM, mem.pvalloc(TOO_MUCH));
    errno = 4321;
    const int result = mem.posix_memalign(&out, 64, TOO_MUCH);
    const int after = errno;
    assert_int_equal(result, ENOMEM);
    assert_int_equal(after, 4321);
    assert_ptr_equal(out, &marker);
}

static void realloc_over_the_limit_leaves_the_block_as_it_was(void **state) {
    (void)state;
    static const size_t sizes[] = {100, 40000, 300000, 5 * MIB};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        assert_int_equal(restore_limit(state), 0);
        void *block = mem.malloc(sizes[i]);
        assert_non_null(block);
        pattern_write(block, sizes[i], 4);
        lower_limit();
        assert_refused(ENOMEM, mem.realloc(block, TOO_MUCH));
        assert_pattern(block, sizes[i], 4);
        mem.free(block);
    }
}

/* Takes blocks of this size, as a chain through their first words, until one is refused. */
static size_t take_all(size_t size, void **chain) {
    size_t taken = 0;
    for (;;) {
        errno = 0;
        void **block = mem.malloc(size);
        if (block == NULL) break;
        *block = *chain;
        *chain = (void *)block;
        taken++;
    }
    assert_int_equal(errno, ENOMEM);
    return taken;
}

static void give_all(void **chain) {
    while (*chain != NULL) {
        void **block = *chain;
        *chain = *block;
        mem.free((void *)block);
    }
}

static void memory_freed_under_the_limit_serves_again(void **state) {
    (void)state;
    static const size_t sizes[] = {64, 1000, 20000, 100000, 2 * MIB};
    void *chain = NULL;
    lower_limit();
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        const size_t first = take_all(sizes[i], &chain);
        give_all(&chain);
        const size_t second = take_all(sizes[i], &chain);
        give_all(&chain);
        assert_true(first > 0);
        assert_true(second >= first - first / 10);
        assert_int_equal(restore_limit(state), 0);
        lower_limit();
    }
}

static void a_limit_that_is_lifted_serves_again(void **state) {
    (void)state;
    void *chain = NULL;
    lower_limit();
    take_all(4000, &chain);
    assert_refused(ENOMEM, mem.malloc(TOO_MUCH));
    assert_int_equal(restore_limit(state), 0);
    void *large = mem.malloc(TOO_MUCH);
    assert_non_null(large);
    mem.free(large);
    for (int i = 0; i < 1000; i++) {
        void *small = mem.malloc(4000);
        assert_non_null(small);
        mem.free(small);
    }
    give_all(&chain);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_function_refuses_what_is_over_the_limit,
                                        remember_limit, restore_limit),
        cmocka_unit_test_setup_teardown(realloc_over_the_limit_leaves_the_block_as_it_was,
                                        remember_limit, restore_limit),
        cmocka_unit_test_setup_teardown(memory_freed_under_the_limit_serves_again, remember_limit,
                                        restore_limit),
        cmocka_unit_test_setup_teardown(a_limit_that_is_lifted_serves_again, remember_limit,
                                        restore_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
