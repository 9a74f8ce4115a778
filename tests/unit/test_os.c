/* SPDX-License-Identifier: MIT */
/*
 * test_os.c: src/os/os.h: memory that is mapped, unmapped and purged; the clock.
 */
#include "tests/unit/os_pages.h"

static void purged_memory_is_not_resident_and_reads_as_zeros(void **state) {
    (void)state;
    bool zeroed = false;
    touch(0, PAGES, 1);
    assert_true(hak_os_purge(memory, (PAGES - 1) * page, &zeroed));
    assert_true(zeroed);
    assert_int_equal(count_resident(memory, PAGES - 1), 0);
    assert_all_zero(PAGES - 1);
    assert_int_equal((unsigned char)memory[(PAGES - 1) * page], 0xa5);
}

static void a_refused_purge_returns_false_says_nothing_and_keeps_errno(void **state) {
    (void)state;
    bool zeroed = false;
    touch(0, 4, 1);
    errno = 77;
    refuse.madvise = true;
    assert_false(hak_os_purge(memory, 4 * page, &zeroed));
    assert_false(zeroed);
    assert_int_equal(errno, 77);
    assert_int_equal((unsigned char)memory[0], 0xa5);
}

static void a_lazy_purge_claims_no_zeros(void **state) {
    (void)state;
    bool zeroed = false;
    touch(0, 4, 1);
    hak_os_purge_lazily(true);
    assert_true(hak_os_purge(memory, 4 * page, &zeroed));
    assert_false(zeroed);
}

/* Purging is lazy from the test before on. */
static void a_lazy_purge_that_is_refused_purges_at_once(void **state) {
    (void)state;
    bool zeroed = false;
    touch(0, 4, 1);
    errno = 77;
    refuse.advice = MADV_FREE;
    assert_true(hak_os_purge(memory, 4 * page, &zeroed));
    assert_true(zeroed);
    assert_int_equal(errno, 77);
    assert_int_equal(count_resident(memory, 4), 0);
    assert_all_zero(4);
}

static void unmapped_memory_is_gone(void **state) {
    (void)state;
    char *mapped = hak_os_map(4 * page);
    assert_non_null(mapped);
    assert_true(hak_os_unmap(mapped + page, 2 * page));
    unsigned char resident[2];
    assert_int_equal(mincore(mapped + page, 2 * page, resident), -1);
    assert_int_equal(mincore(mapped, page, resident), 0);
    assert_true(hak_os_unmap(mapped, page));
    assert_true(hak_os_unmap(mapped + 3 * page, page));
}

static bool is_mapped(const char *base) {
    unsigned char resident;
    return mincore((void *)(uintptr_t)base, page, &resident) == 0;
}

static char *mapped_and_refused(size_t pages) {
    char *mapped = hak_os_map(pages * page);
    assert_non_null(mapped);
    memset(mapped, 1, pages * page);
    errno = 77;
    refuse.munmap = true;
    assert_false(hak_os_unmap(mapped, pages * page));
    refuse.munmap = false;
    assert_int_equal(errno, 77);
    assert_true(is_mapped(mapped));
    return mapped;
}

static void memory_that_cannot_be_unmapped_loses_its_pages_but_for_one(void **state) {
    (void)state;
    const char *mapped = mapped_and_refused(10);
    assert_int_equal(count_resident(mapped + page, 9), 0);
}

static void unmapping_nothing_leaves_what_is_there(void **state) {
    (void)state;
    touch(0, 1, 1);
    assert_true(hak_os_unmap(memory, 0));
    for (size_t at = 0; at < page; at++) {
        assert_int_equal((unsigned char)memory[at], 0xa5);
    }
}

/* The memory of the test that refused it first is among it. */
static void memory_that_could_not_be_unmapped_goes_when_other_memory_does(void **state) {
    (void)state;
    char *mapped[40];
    for (size_t i = 0; i < COUNT_OF(mapped); i++) {
        mapped[i] = mapped_and_refused(i + 1);
    }
    const size_t before = statm_bytes(0);
    for (size_t i = 0; i < COUNT_OF(mapped); i++) {
        assert_true(hak_os_unmap(hak_os_map(page), page));
    }
    for (size_t i = 0; i < COUNT_OF(mapped); i++) {
        assert_false(is_mapped(mapped[i]));
    }
    assert_int_equal(statm_bytes(0), before - (10 + 40 * 41 / 2) * page);
}

static void memory_that_could_not_be_unmapped_goes_when_there_is_none(void **state) {
    (void)state;
    char *mapped[40];
    for (size_t i = 0; i < COUNT_OF(mapped); i++) {
        mapped[i] = mapped_and_refused(2);
    }
    refuse.mmaps = 1;
    char *more = hak_os_map(page);
    assert_non_null(more);
    for (size_t i = 0; i < COUNT_OF(mapped); i++) {
        assert_false(is_mapped(mapped[i]));
    }
    assert_true(hak_os_unmap(more, page));
    refuse.mmaps = 1;
    assert_null(hak_os_map(page));
}

static void what_an_aligned_mapping_cannot_trim_goes_later(void **state) {
    (void)state;
    const size_t before = statm_bytes(0);
    refuse.munmap = true;
    char *mapped = hak_os_map_aligned(3 * page, MIB);
    refuse.munmap = false;
    assert_aligned(mapped, MIB);
    assert_true(hak_os_unmap(mapped, 3 * page));
    assert_true(hak_os_unmap(hak_os_map(page), page));
    assert_int_equal(statm_bytes(0), before);
}

static void aligned_mappings_are_aligned_zeroed_and_take_no_more_than_asked(void **state) {
    (void)state;
    for (size_t align = 1; align <= 8 * MIB; align *= 4) {
        const size_t before = statm_bytes(0);
        char *mapped = hak_os_map_aligned(3 * page, align);
        assert_aligned(mapped, align);
        assert_int_equal(statm_bytes(0), before + 3 * page);
        assert_zeros(mapped, 3 * page);
        assert_true(hak_os_unmap(mapped, 3 * page));
    }
}

static void impossible_mappings_give_null_and_keep_errno(void **state) {
    (void)state;
    errno = 77;
    assert_null(hak_os_map((size_t)PTRDIFF_MAX & ~(page - 1)));
    assert_null(hak_os_map_aligned(page, (size_t)1 << 63));
    assert_null(hak_os_map_aligned(SIZE_MAX & ~(page - 1), 2 * page));
    assert_null(hak_os_remap(memory, PAGES * page, (size_t)PTRDIFF_MAX & ~(page - 1)));
    assert_int_equal(errno, 77);
}

static void nothing_is_mapped_over_what_is_there(void **state) {
    (void)state;
    touch(0, 2, 1);
    errno = 77;
    assert_int_equal(hak_os_map_at(memory + page, page), HAK_OS_TAKEN);
    assert_int_equal(errno, 77);
    assert_int_equal((unsigned char)memory[page], 0xa5);
}

static uint64_t fine_now_ms(void) {
    struct timespec fine;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &fine), 0);
    return (uint64_t)fine.tv_sec * 1000 + (uint64_t)fine.tv_nsec / 1000000;
}

static void the_clock_rises_as_fast_as_time_goes_by(void **state) {
    (void)state;
    const uint64_t from_ms = fine_now_ms();
    const uint64_t coarse_from_ms = hak_os_now_ms();
    hak_os_sleep_ms(60);
    const uint64_t coarse_passed_ms = hak_os_now_ms() - coarse_from_ms;
    const uint64_t passed_ms = fine_now_ms() - from_ms;
    assert_true(coarse_passed_ms >= 40);
    assert_true(coarse_passed_ms <= passed_ms + 20);
}

static void the_clock_never_falls(void **state) {
    (void)state;
    uint64_t before_ms = hak_os_now_ms();
    for (unsigned i = 0; i < 200000; i++) {
        const uint64_t now_ms = hak_os_now_ms();
        assert_true(now_ms >= before_ms);
        before_ms = now_ms;
    }
}

static void the_clock_is_the_monotonic_one_a_few_milliseconds_coarse(void **state) {
    (void)state;
    const uint64_t fine_ms = fine_now_ms();
    errno = 77;
    assert_true(hak_os_now_ms() + 20 >= fine_ms);
    assert_int_equal(errno, 77);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        on_pages(purged_memory_is_not_resident_and_reads_as_zeros),
        on_pages(a_refused_purge_returns_false_says_nothing_and_keeps_errno),
        on_pages(unmapped_memory_is_gone),
        on_pages(memory_that_cannot_be_unmapped_loses_its_pages_but_for_one),
        on_pages(unmapping_nothing_leaves_what_is_there),
        on_pages(memory_that_could_not_be_unmapped_goes_when_other_memory_does),
        on_pages(memory_that_could_not_be_unmapped_goes_when_there_is_none),
        on_pages(what_an_aligned_mapping_cannot_trim_goes_later),
        on_pages(aligned_mappings_are_aligned_zeroed_and_take_no_more_than_asked),
        on_pages(impossible_mappings_give_null_and_keep_errno),
        on_pages(nothing_is_mapped_over_what_is_there),
        on_pages(the_clock_rises_as_fast_as_time_goes_by),
        on_pages(the_clock_never_falls),
        on_pages(the_clock_is_the_monotonic_one_a_few_milliseconds_coarse),
        on_pages(a_lazy_purge_claims_no_zeros),
        on_pages(a_lazy_purge_that_is_refused_purges_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
