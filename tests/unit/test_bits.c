/* SPDX-License-Identifier: MIT */
/*
 * test_bits.c: the helpers of src/base/bits.h.
 */
#include "tests/api/suite.h"

#include "src/base/bits.h"

static void the_lowest_bit_is_found_below_any_others(void **state) {
    (void)state;
    for (unsigned i = 0; i < 64; i++) {
        assert_int_equal(hak_bits_lowest((uint64_t)1 << i), i);
        assert_int_equal(hak_bits_lowest(UINT64_MAX << i), i);
    }
}

static void set_bits_are_counted(void **state) {
    (void)state;
    assert_int_equal(hak_bits_count(0), 0);
    assert_int_equal(hak_bits_count(UINT64_MAX), 64);
    for (unsigned i = 0; i < 64; i++) {
        assert_int_equal(hak_bits_count(((uint64_t)1 << i) - 1), i);
    }
}

static void powers_of_two_are_known(void **state) {
    (void)state;
    assert_false(hak_is_pow2(0));
    for (unsigned i = 0; i < 64; i++) {
        assert_true(hak_is_pow2((size_t)1 << i));
        if (i >= 2) assert_false(hak_is_pow2(((size_t)1 << i) - 1));
        if (i >= 1) assert_false(hak_is_pow2(((size_t)1 << i) + 1));
    }
}

static void rounding_up_gives_the_next_multiple(void **state) {
    (void)state;
    for (size_t unit = 1; unit <= 4096; unit *= 2) {
        for (size_t n = 0; n <= 3 * unit; n++) {
            const size_t rounded = hak_round_up(n, unit);
            assert_int_equal(rounded % unit, 0);
            assert_true(rounded >= n && rounded - n < unit);
        }
    }
}

static void log2_up_is_the_smallest_shift_that_reaches(void **state) {
    (void)state;
    assert_int_equal(hak_log2_up(1), 0);
    assert_int_equal(hak_log2_up((size_t)1 << 63), 63);
    for (unsigned i = 1; i < 63; i++) {
        assert_int_equal(hak_log2_up((size_t)1 << i), i);
        assert_int_equal(hak_log2_up(((size_t)1 << i) + 1), i + 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lowest_bit_is_found_below_any_others),
        cmocka_unit_test(set_bits_are_counted),
        cmocka_unit_test(powers_of_two_are_known),
        cmocka_unit_test(rounding_up_gives_the_next_multiple),
        cmocka_unit_test(log2_up_is_the_smallest_shift_that_reaches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
