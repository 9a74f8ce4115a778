/* SPDX-License-Identifier: MIT */
/*
 * test_region.c: src/meta/region.h: memory that grows where it lies, what stops it, and what the
 * child of a fork finds.
 */
#include "tests/api/suite.h"

#include "src/base/geometry.h"
#include "src/meta/region.h"

#define STEP HAK_REGION_STEP_BYTES

static struct hak_region region;

static int begin(void **state) {
    (void)state;
    const uintptr_t at = HAK_REGION_BASE(hak_os_address_shift());
    return hak_region_begin(&region, at, 1) == HAK_OS_MAPPED ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    hak_region_end(&region);
    return 0;
}

static void a_region_begins_with_whole_steps_of_zeros(void **state) {
    (void)state;
    assert_int_equal(region.bytes, STEP);
    assert_zeros(region.base, STEP);
}

static void growth_keeps_the_place_and_the_contents(void **state) {
    (void)state;
    const char *base = region.base;
    memset(region.base, 0x5a, STEP);
    assert_true(hak_region_grow(&region, 10 * STEP));
    assert_ptr_equal(region.base, base);
    assert_true(region.bytes >= 10 * STEP);
    for (size_t at = 0; at < STEP; at++) {
        assert_int_equal(region.base[at], 0x5a);
    }
    assert_zeros(region.base + STEP, 9 * STEP);
}

static void a_region_that_is_long_enough_stays_as_it_is(void **state) {
    (void)state;
    assert_true(hak_region_grow(&region, STEP));
    assert_int_equal(region.bytes, STEP);
}

static void many_small_steps_are_few_mappings(void **state) {
    (void)state;
    unsigned growths = 0;
    for (size_t bytes = STEP; bytes < 1000 * STEP; bytes += STEP / 4) {
        const size_t before = region.bytes;
        assert_true(hak_region_grow(&region, bytes));
        growths += region.bytes != before;
    }
    assert_true(growths < 100);
}

static void something_in_the_way_stops_growth_until_it_is_gone(void **state) {
    (void)state;
    char *foreign = region.base + 4 * STEP;
    assert_int_equal(hak_os_map_at(foreign, STEP), HAK_OS_MAPPED);
    memset(foreign, 1, STEP);
    errno = 77;
    assert_false(hak_region_grow(&region, 5 * STEP));
    assert_int_equal(errno, 77);
    assert_int_equal(region.bytes, STEP);
    assert_int_equal(region.growing, 0);
    assert_int_equal(foreign[0], 1);
    assert_true(hak_region_grow(&region, 2 * STEP));
    hak_os_unmap(foreign, STEP);
    assert_true(hak_region_grow(&region, 5 * STEP));
    assert_zeros(region.base, region.bytes);
}

static void nothing_begins_where_something_is(void **state) {
    (void)state;
    struct hak_region second = {.base = NULL};
    assert_int_equal(hak_region_begin(&second, (uintptr_t)region.base, STEP), HAK_OS_TAKEN);
    assert_null(second.base);
}

static void growth_that_a_fork_cut_short_is_completed(void **state) {
    (void)state;
    assert_false(hak_region_after_fork(&region));
    region.growing = 3 * STEP; /* before the kernel was asked */
    assert_true(hak_region_after_fork(&region));
    assert_int_equal(region.bytes, 3 * STEP);
    assert_int_equal(region.growing, 0);
    region.growing = 5 * STEP; /* after it had answered */
    assert_int_equal(hak_os_map_at(region.base + 3 * STEP, 2 * STEP), HAK_OS_MAPPED);
    assert_true(hak_region_after_fork(&region));
    assert_int_equal(region.bytes, 5 * STEP);
    assert_true(hak_region_grow(&region, 6 * STEP));
    assert_zeros(region.base, region.bytes);
}

#define on_region(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        on_region(a_region_begins_with_whole_steps_of_zeros),
        on_region(growth_keeps_the_place_and_the_contents),
        on_region(a_region_that_is_long_enough_stays_as_it_is),
        on_region(many_small_steps_are_few_mappings),
        on_region(something_in_the_way_stops_growth_until_it_is_gone),
        on_region(nothing_begins_where_something_is),
        on_region(growth_that_a_fork_cut_short_is_completed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
