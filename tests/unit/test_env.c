/* SPDX-License-Identifier: MIT */
/*
 * test_env.c: switches and numbers in the environment, src/os/env.h.
 */
#include "tests/api/suite.h"

#include "src/os/env.h"

#define NAME     "HAKMEM_TEST_NUMBER"
#define FALLBACK 4711U

/* What the variable is read as when it is `value`, where up to `max` is allowed. */
static uint64_t read_as(const char *value, uint64_t max) {
    assert_int_equal(setenv(NAME, value, 1), 0);
    return hak_env_number(NAME, FALLBACK, max);
}

static int unset(void **state) {
    (void)state;
    return unsetenv(NAME);
}

static void an_unset_variable_gives_the_fallback(void **state) {
    (void)state;
    assert_int_equal(hak_env_number(NAME, FALLBACK, UINT64_MAX), FALLBACK);
    assert_false(hak_env_is_on(NAME));
    assert_false(hak_env_is(NAME, ""));
}

static void decimal_numbers_are_read(void **state) {
    (void)state;
    assert_int_equal(read_as("0", UINT64_MAX), 0);
    assert_int_equal(read_as("7", UINT64_MAX), 7);
    assert_int_equal(read_as("0012", UINT64_MAX), 12);
    assert_int_equal(read_as("1234567890123", UINT64_MAX), 1234567890123U);
    assert_int_equal(read_as("18446744073709551615", UINT64_MAX), UINT64_MAX);
}

static void units_multiply_in_either_case(void **state) {
    (void)state;
    assert_int_equal(read_as("3k", UINT64_MAX), 3 * KIB);
    assert_int_equal(read_as("3K", UINT64_MAX), 3 * KIB);
    assert_int_equal(read_as("24m", UINT64_MAX), 24 * MIB);
    assert_int_equal(read_as("24M", UINT64_MAX), 24 * MIB);
    assert_int_equal(read_as("5g", UINT64_MAX), 5 * GIB);
    assert_int_equal(read_as("5G", UINT64_MAX), 5 * GIB);
    assert_int_equal(read_as("0g", UINT64_MAX), 0);
}

static void a_number_that_overflows_gives_the_fallback(void **state) {
    (void)state;
    assert_int_equal(read_as("18446744073709551616", UINT64_MAX), FALLBACK);
    assert_int_equal(read_as("18446744073709551625", UINT64_MAX), FALLBACK);
    assert_int_equal(read_as("99999999999999999999", UINT64_MAX), FALLBACK);
    assert_int_equal(read_as("184467440737095516150", UINT64_MAX), FALLBACK);
    assert_int_equal(read_as("100000000000000000000000000000000000000000", UINT64_MAX), FALLBACK);
}

static void a_unit_that_overflows_gives_the_fallback(void **state) {
    (void)state;
    assert_int_equal(read_as("18014398509481983k", UINT64_MAX), UINT64_MAX - 1023);
    assert_int_equal(read_as("18014398509481984k", UINT64_MAX), FALLBACK);
    assert_int_equal(read_as("17592186044415m", UINT64_MAX), UINT64_MAX - (MIB - 1));
    assert_int_equal(read_as("17592186044416m", UINT64_MAX), FALLBACK);
    assert_int_equal(read_as("17179869183g", UINT64_MAX), UINT64_MAX - (GIB - 1));
    assert_int_equal(read_as("17179869184g", UINT64_MAX), FALLBACK);
}

static void numbers_up_to_the_most_are_taken_and_no_larger_ones(void **state) {
    (void)state;
    assert_int_equal(read_as("64", 64), 64);
    assert_int_equal(read_as("65", 64), FALLBACK);
    assert_int_equal(read_as("1k", 1024), 1024);
    assert_int_equal(read_as("1k", 1023), FALLBACK);
    assert_int_equal(read_as("0", 0), 0);
    assert_int_equal(read_as("1", 0), FALLBACK);
}

static void what_is_no_number_gives_the_fallback(void **state) {
    (void)state;
    static const char *const junk[] = {"",    " ",   "k",   "-1",  "+1",  " 1", "1 ",  "1kk", "1kb",
                                       "1 k", "1.5", "0x8", "1e3", "one", "1t", "1\n", "1k ", "1;"};
    for (size_t i = 0; i < COUNT_OF(junk); i++) {
        assert_int_equal(read_as(junk[i], UINT64_MAX), FALLBACK);
    }
}

static void a_switch_is_on_when_set_to_anything_but_no(void **state) {
    (void)state;
    static const char *const on[] = {"1", "00", "no", "0 ", "FALSE"};
    for (size_t i = 0; i < COUNT_OF(on); i++) {
        assert_int_equal(setenv(NAME, on[i], 1), 0);
        assert_true(hak_env_is_on(NAME));
    }
    static const char *const off[] = {"0", "false"};
    for (size_t i = 0; i < COUNT_OF(off); i++) {
        assert_int_equal(setenv(NAME, off[i], 1), 0);
        assert_false(hak_env_is_on(NAME));
        assert_true(hak_env_is_off(NAME));
    }
}

static void an_empty_variable_is_as_if_unset(void **state) {
    (void)state;
    assert_int_equal(setenv(NAME, "", 1), 0);
    assert_false(hak_env_is_on(NAME));
    assert_false(hak_env_is_off(NAME));
    assert_false(hak_env_is(NAME, ""));
    assert_null(hak_env_value(NAME).bytes);
}

static void a_word_is_compared_whole(void **state) {
    (void)state;
    assert_int_equal(setenv(NAME, "free", 1), 0);
    assert_true(hak_env_is(NAME, "free"));
    assert_false(hak_env_is(NAME, "fre"));
    assert_false(hak_env_is(NAME, "frees"));
    assert_false(hak_env_is(NAME, ""));
}

static void names_that_begin_alike_are_told_apart(void **state) {
    (void)state;
    assert_int_equal(setenv(NAME "S", "1", 1), 0);
    assert_false(hak_env_is_on(NAME));
    assert_int_equal(hak_env_number(NAME, FALLBACK, UINT64_MAX), FALLBACK);
    assert_int_equal(unsetenv(NAME "S"), 0);
}

static void reading_keeps_errno(void **state) {
    (void)state;
    errno = 77;
    (void)read_as("99999999999999999999", UINT64_MAX);
    (void)read_as("1x", UINT64_MAX);
    assert_int_equal(errno, 77);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_unset_variable_gives_the_fallback, unset),
        cmocka_unit_test_setup(decimal_numbers_are_read, unset),
        cmocka_unit_test_setup(units_multiply_in_either_case, unset),
        cmocka_unit_test_setup(a_number_that_overflows_gives_the_fallback, unset),
        cmocka_unit_test_setup(a_unit_that_overflows_gives_the_fallback, unset),
        cmocka_unit_test_setup(numbers_up_to_the_most_are_taken_and_no_larger_ones, unset),
        cmocka_unit_test_setup(what_is_no_number_gives_the_fallback, unset),
        cmocka_unit_test_setup(a_switch_is_on_when_set_to_anything_but_no, unset),
        cmocka_unit_test_setup(an_empty_variable_is_as_if_unset, unset),
        cmocka_unit_test_setup(a_word_is_compared_whole, unset),
        cmocka_unit_test_setup(names_that_begin_alike_are_told_apart, unset),
        cmocka_unit_test_setup(reading_keeps_errno, unset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
