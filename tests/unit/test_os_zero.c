/* SPDX-License-Identifier: MIT */
/*
 * test_os_zero.c: src/os/os.h: memory that is to read as zeros.
 */
#include "tests/unit/os_pages.h"

static void dense_memory_is_zeroed_and_stays_resident(void **state) {
    (void)state;
    touch(0, PAGES, 1);
    hak_os_zero(memory, PAGES * page);
    assert_int_equal(count_resident(memory, PAGES), PAGES);
    assert_all_zero(PAGES);
}

static void sparse_memory_is_zeroed_by_giving_it_back(void **state) {
    (void)state;
    static const size_t steps[] = {50, 64, 256, 1024, PAGES};
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        for (size_t from = 0; from < 40; from++) {
            touch(from, PAGES, steps[i]);
            hak_os_zero(memory, PAGES * page);
            assert_int_equal(count_resident(memory, PAGES), 0);
        }
    }
    assert_all_zero(PAGES);
}

static void memory_that_was_used_on_every_fourth_page_is_written(void **state) {
    (void)state;
    static const size_t steps[] = {1, 2, 3, 4};
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        touch(0, PAGES, steps[i]);
        hak_os_zero(memory, PAGES * page);
        assert_int_equal(count_resident(memory, PAGES), PAGES);
        assert_all_zero(PAGES);
        assert_int_equal(__real_madvise(memory, PAGES * page, MADV_DONTNEED), 0);
    }
}

/* What was dense once and holds hardly anything now. */
static void memory_that_holds_zeros_is_given_back(void **state) {
    (void)state;
    touch(0, PAGES, 1);
    hak_os_zero(memory, PAGES * page);
    touch(7, PAGES, 500);
    hak_os_zero(memory, PAGES * page);
    assert_int_equal(count_resident(memory, PAGES), 0);
    assert_all_zero(PAGES);
}

static void a_byte_anywhere_on_a_page_is_found(void **state) {
    (void)state;
    for (size_t at = 0; at < page; at += 61) {
        for (size_t i = 0; i < PAGES; i++) {
            memory[i * page + at] = 1;
        }
        hak_os_zero(memory, PAGES * page);
        assert_int_equal(count_resident(memory, PAGES), PAGES);
        assert_int_equal(memory[(PAGES - 1) * page + at], 0);
    }
}

static void untouched_memory_stays_untouched(void **state) {
    (void)state;
    hak_os_zero(memory, PAGES * page);
    assert_int_equal(count_resident(memory, PAGES), 0);
    assert_all_zero(PAGES);
}

static void memory_with_a_dense_part_is_written_as_a_whole(void **state) {
    (void)state;
    touch(0, PAGES / 2, 1);
    touch(PAGES / 2 + 3, PAGES, 80);
    hak_os_zero(memory, PAGES * page);
    assert_int_equal(count_resident(memory, PAGES), PAGES);
    assert_all_zero(PAGES);
}

static void an_unaligned_tail_is_zeroed_and_nothing_behind_it(void **state) {
    (void)state;
    static const size_t tails[] = {0, 1, 100, 4095};
    for (size_t i = 0; i < COUNT_OF(tails); i++) {
        for (size_t pages = 0; pages < 4; pages++) {
            touch(0, 5, 1);
            const size_t bytes = pages * page + tails[i];
            hak_os_zero(memory, bytes);
            assert_zeros(memory, bytes);
            for (size_t at = bytes; at < 5 * page; at++) {
                assert_int_equal((unsigned char)memory[at], 0xa5);
            }
        }
    }
}

static void what_lies_before_and_behind_is_left_alone(void **state) {
    (void)state;
    touch(0, PAGES, 1);
    hak_os_zero(memory + page, (PAGES - 2) * page);
    for (size_t at = 0; at < page; at++) {
        assert_int_equal((unsigned char)memory[at], 0xa5);
        assert_int_equal((unsigned char)memory[(PAGES - 1) * page + at], 0xa5);
    }
    assert_zeros(memory + page, (PAGES - 2) * page);
}

static void sparse_memory_is_zeroed_though_the_kernel_does_not_take_it(void **state) {
    (void)state;
    touch(0, PAGES, 64);
    refuse.madvise = true;
    hak_os_zero(memory, PAGES * page);
    assert_all_zero(PAGES);
}

static void zeroing_keeps_errno(void **state) {
    (void)state;
    touch(0, PAGES, 64);
    errno = 77;
    refuse.madvise = true;
    hak_os_zero(memory, PAGES * page - 5);
    assert_int_equal(errno, 77);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        on_pages(dense_memory_is_zeroed_and_stays_resident),
        on_pages(sparse_memory_is_zeroed_by_giving_it_back),
        on_pages(memory_that_was_used_on_every_fourth_page_is_written),
        on_pages(memory_that_holds_zeros_is_given_back),
        on_pages(a_byte_anywhere_on_a_page_is_found),
        on_pages(untouched_memory_stays_untouched),
        on_pages(memory_with_a_dense_part_is_written_as_a_whole),
        on_pages(an_unaligned_tail_is_zeroed_and_nothing_behind_it),
        on_pages(what_lies_before_and_behind_is_left_alone),
        on_pages(sparse_memory_is_zeroed_though_the_kernel_does_not_take_it),
        on_pages(zeroing_keeps_errno),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
