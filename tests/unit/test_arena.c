/* SPDX-License-Identifier: MIT */
/*
 * test_arena.c: memory for metadata, src/meta/arena.h.
 */
#include "tests/api/suite.h"

#include "src/base/geometry.h"
#include "src/meta/arena.h"

static const size_t sizes[] = {1,    63,   64,   65,   128,
                               1000, 1984, 1985, 5000, HAK_META_CHUNK_BYTES + 1};

static void memory_is_zeroed_and_aligned_to_a_line(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        void *memory = hak_arena_alloc(sizes[i]);
        assert_aligned(memory, HAK_LINE_BYTES);
        assert_zeros(memory, sizes[i]);
    }
}

static void pieces_do_not_overlap(void **state) {
    (void)state;
    unsigned char *pieces[COUNT_OF(sizes)];
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        pieces[i] = hak_arena_alloc(sizes[i]);
        memset(pieces[i], (int)i + 1, sizes[i]);
    }
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        for (size_t at = 0; at < sizes[i]; at++) {
            assert_int_equal(pieces[i][at], i + 1);
        }
    }
}

static void freed_memory_comes_again_and_is_zeroed(void **state) {
    (void)state;
    for (size_t size = 1; size <= 1984; size += 31) {
        void *memory = hak_arena_alloc(size);
        memset(memory, 0xa5, size);
        hak_arena_free(memory, size);
        assert_ptr_equal(hak_arena_alloc(size), memory);
        assert_zeros(memory, size);
    }
}

static void freed_memory_is_not_given_to_another_size(void **state) {
    (void)state;
    void *memory = hak_arena_alloc(640);
    hak_arena_free(memory, 640);
    assert_ptr_not_equal(hak_arena_alloc(1280), memory);
    assert_ptr_not_equal(hak_arena_alloc(64), memory);
    assert_ptr_equal(hak_arena_alloc(640), memory);
}

static void memory_that_comes_and_goes_takes_nothing_more(void **state) {
    (void)state;
    hak_arena_free(hak_arena_alloc(512), 512);
    const size_t bytes = hak_arena_bytes();
    for (unsigned i = 0; i < 10000; i++) {
        hak_arena_free(hak_arena_alloc(512), 512);
    }
    assert_int_equal(hak_arena_bytes(), bytes);
}

static void the_bytes_taken_cover_what_is_held(void **state) {
    (void)state;
    const size_t before = hak_arena_bytes();
    for (unsigned i = 0; i < 100; i++) {
        assert_non_null(hak_arena_alloc(HAK_META_CHUNK_BYTES / 10));
    }
    assert_true(hak_arena_bytes() - before >= 9 * HAK_META_CHUNK_BYTES);
}

static void freeing_null_does_nothing(void **state) {
    (void)state;
    hak_arena_free(NULL, 64);
    assert_non_null(hak_arena_alloc(64));
}

static void an_impossible_size_gives_null_and_keeps_errno(void **state) {
    (void)state;
    errno = 77;
    assert_null(hak_arena_alloc(PTRDIFF_MAX));
    assert_int_equal(errno, 77);
    assert_non_null(hak_arena_alloc(64));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_aligned_to_a_line),
        cmocka_unit_test(pieces_do_not_overlap),
        cmocka_unit_test(freed_memory_comes_again_and_is_zeroed),
        cmocka_unit_test(freed_memory_is_not_given_to_another_size),
        cmocka_unit_test(memory_that_comes_and_goes_takes_nothing_more),
        cmocka_unit_test(the_bytes_taken_cover_what_is_held),
        cmocka_unit_test(freeing_null_does_nothing),
        cmocka_unit_test(an_impossible_size_gives_null_and_keeps_errno),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
