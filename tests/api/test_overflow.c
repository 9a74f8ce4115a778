/* SPDX-License-Identifier: MIT */
/*
 * test_overflow.c: requests that cannot be served, because the size is over PTRDIFF_MAX or wraps
 * once it is rounded, aligned or multiplied. Each is refused with NULL and ENOMEM, and leaves what
 * was there before as it was.
 */
#include "tests/api/names.h"
#include "tests/api/suite.h"

/* Sizes in families around the places where arithmetic on them wraps or changes sign. */
static const size_t anchors[] = {SIZE_MAX, (size_t)PTRDIFF_MAX, (size_t)1 << 62, (size_t)1 << 48};

/* Visits each anchor, the anchor less 0..4 pages, and each of these with small steps about it. */
static void for_each_huge_size(void (*visit)(size_t size)) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < COUNT_OF(anchors); i++) {
        for (size_t pages = 0; pages <= 4; pages++) {
            for (size_t step = 0; step <= 130; step++) {
                visit(anchors[i] - pages * page - step);
            }
        }
        for (size_t back = 1; back <= 16 * MIB; back *= 2) {
            visit(anchors[i] - back);
        }
        if (anchors[i] == SIZE_MAX) continue; /* nothing above */
        for (size_t step = 1; step <= 4 * page; step += 61) {
            visit(anchors[i] + step);
        }
    }
}

static void visit_malloc(size_t size) {
    assert_refused(ENOMEM, mem.malloc(size));
}

static void malloc_refuses_huge_sizes(void **state) {
    (void)state;
    for_each_huge_size(visit_malloc);
}

static void visit_calloc(size_t size) {
    assert_refused(ENOMEM, mem.calloc(1, size));
    assert_refused(ENOMEM, mem.calloc(size, 1));
    assert_refused(ENOMEM, mem.calloc(size, 3));
    assert_refused(ENOMEM, mem.calloc(16, size));
}

static void calloc_refuses_huge_sizes(void **state) {
    (void)state;
    for_each_huge_size(visit_calloc);
}

static void calloc_refuses_products_that_wrap(void **state) {
    (void)state;
    assert_refused(ENOMEM, mem.calloc((size_t)1 << 32, (size_t)1 << 32));
    assert_refused(ENOMEM, mem.calloc(((size_t)1 << 32) + 1, (size_t)1 << 32));
    assert_refused(ENOMEM, mem.calloc(SIZE_MAX / 2 + 1, 2));
    assert_refused(ENOMEM, mem.calloc(2, SIZE_MAX / 2 + 1));
    assert_refused(ENOMEM, mem.calloc(SIZE_MAX / 3 + 1, 3));
    assert_refused(ENOMEM, mem.calloc(SIZE_MAX / 16 + 2, 16));
    assert_refused(ENOMEM, mem.calloc(SIZE_MAX, SIZE_MAX));
}

static void calloc_of_no_elements_is_no_overflow(void **state) {
    (void)state;
    void *none = mem.calloc(0, SIZE_MAX);
    void *empty = mem.calloc(SIZE_MAX, 0);
    assert_non_null(none);
    assert_non_null(empty);
    assert_ptr_not_equal(none, empty);
    mem.free(none);
    mem.free(empty);
}

static void visit_realloc(size_t size) {
    assert_refused(ENOMEM, mem.realloc(NULL, size));
}

static void realloc_of_null_refuses_huge_sizes(void **state) {
    (void)state;
    for_each_huge_size(visit_realloc);
}

static struct {
    void *block;
    size_t size;
} kept;

static void visit_realloc_of_block(size_t size) {
    assert_refused(ENOMEM, mem.realloc(kept.block, size));
}

static void realloc_that_fails_leaves_the_block_as_it_was(void **state) {
    (void)state;
    static const size_t sizes[] = {1, 16, 1000, 40000, 65537, 300000, 4000000};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        kept.size = sizes[i];
        kept.block = mem.malloc(kept.size);
        assert_non_null(kept.block);
        pattern_write(kept.block, kept.size, 9);
        const size_t usable = mem.usable_size(kept.block);
        for_each_huge_size(visit_realloc_of_block);
        assert_int_equal(mem.usable_size(kept.block), usable);
        assert_pattern(kept.block, kept.size, 9);
        mem.free(kept.block);
    }
}

static void visit_aligned(size_t size) {
    for (size_t alignment = 1; alignment <= 4 * MIB; alignment *= 8) {
        assert_refused(ENOMEM, mem.aligned_alloc(alignment, size));
        assert_refused(ENOMEM, mem.memalign(alignment, size));
    }
}

static void aligned_alloc_and_memalign_refuse_huge_sizes(void **state) {
    (void)state;
    for_each_huge_size(visit_aligned);
}

static void alignment_and_size_that_wrap_together_are_refused(void **state) {
    (void)state;
    for (size_t alignment = (size_t)1 << 40; alignment != 0; alignment *= 2) {
        assert_refused(ENOMEM, mem.aligned_alloc(alignment, SIZE_MAX - alignment + 1));
        assert_refused(ENOMEM, mem.memalign(alignment, SIZE_MAX - alignment + 1));
        assert_refused(ENOMEM, mem.memalign(alignment, SIZE_MAX - alignment - 15));
        assert_refused(ENOMEM, mem.memalign(alignment, (size_t)PTRDIFF_MAX - 64));
    }
}

static void alignments_beyond_the_address_space_are_refused(void **state) {
    (void)state;
    for (size_t alignment = (size_t)1 << 50; alignment != 0; alignment *= 2) {
        assert_refused(ENOMEM, mem.aligned_alloc(alignment, 100));
        assert_refused(ENOMEM, mem.memalign(alignment, 100));
    }
}

static void visit_posix_memalign(size_t size) {
    char marker = 0;
    for (size_t alignment = sizeof(void *); alignment <= 4 * MIB; alignment *= 8) {
        void *out = &marker;
        errno = 4321;
        const int result = mem.posix_memalign(&out, alignment, size);
        const int after = errno;
        assert_int_equal(result, ENOMEM);
        assert_int_equal(after, 4321);
        assert_ptr_equal(out, &marker);
    }
}

static void posix_memalign_that_fails_touches_neither_out_nor_errno(void **state) {
    (void)state;
    for_each_huge_size(visit_posix_memalign);
}

static void visit_valloc(size_t size) {
    assert_refused(ENOMEM, mem.valloc(size));
    assert_refused(ENOMEM, mem.pvalloc(size));
}

static void valloc_and_pvalloc_refuse_huge_sizes(void **state) {
    (void)state;
    for_each_huge_size(visit_valloc);
}

static void refusals_leave_no_memory_behind(void **state) {
    (void)state;
    const size_t before = statm_bytes(0);
    for (int i = 0; i < 200; i++) {
        for_each_huge_size(visit_malloc);
    }
    for_each_huge_size(visit_aligned);
    assert_true(statm_bytes(0) <= before + 64 * MIB);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malloc_refuses_huge_sizes),
        cmocka_unit_test(calloc_refuses_huge_sizes),
        cmocka_unit_test(calloc_refuses_products_that_wrap),
        cmocka_unit_test(calloc_of_no_elements_is_no_overflow),
        cmocka_unit_test(realloc_of_null_refuses_huge_sizes),
        cmocka_unit_test(realloc_that_fails_leaves_the_block_as_it_was),
        cmocka_unit_test(aligned_alloc_and_memalign_refuse_huge_sizes),
        cmocka_unit_test(alignment_and_size_that_wrap_together_are_refused),
        cmocka_unit_test(alignments_beyond_the_address_space_are_refused),
        cmocka_unit_test(posix_memalign_that_fails_touches_neither_out_nor_errno),
        cmocka_unit_test(valloc_and_pvalloc_refuse_huge_sizes),
        cmocka_unit_test(refusals_leave_no_memory_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
