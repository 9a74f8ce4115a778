/* SPDX-License-Identifier: MIT */
/*
 * test_text.c: lines of text without stdio, src/front/text.h.
 */
#include "tests/api/suite.h"

#include "src/front/text.h"

#include <inttypes.h>

static void assert_text(const struct hak_text *text, const char *expected) {
    assert_int_equal(text->length, strlen(expected));
    assert_memory_equal(text->bytes, expected, text->length);
}

static void strings_follow_one_another(void **state) {
    (void)state;
    struct hak_text text = {.length = 0};
    hak_text_add(&text, "one ");
    hak_text_add(&text, "");
    hak_text_add(&text, "two");
    assert_text(&text, "one two");
}

static const uint64_t numbers[] = {0,          1,          9,         10,         15,
                                   16,         255,        65536,     4294967295, 4294967296,
                                   UINT64_MAX, 1ULL << 63, INT64_MAX, 1000000007, 0xdeadbeef};

static void decimal_numbers_are_as_printf_writes_them(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        char expected[40];
        snprintf(expected, sizeof expected, "%" PRIu64, numbers[i]);
        struct hak_text text = {.length = 0};
        hak_text_add_decimal(&text, numbers[i]);
        assert_text(&text, expected);
    }
}

static void hexadecimal_numbers_begin_with_0x(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        char expected[40];
        snprintf(expected, sizeof expected, "0x%" PRIx64, numbers[i]);
        struct hak_text text = {.length = 0};
        hak_text_add_hex(&text, numbers[i]);
        assert_text(&text, expected);
    }
}

/* Adds digits until nothing more is taken. */
static void overfill(struct hak_text *text) {
    for (unsigned i = 0; i < 100; i++) {
        hak_text_add(text, "0123456789");
    }
}

static void what_does_not_fit_is_cut_off(void **state) {
    (void)state;
    struct {
        struct hak_text text;
        char beyond[64];
    } guarded = {.text = {.length = 0}};
    overfill(&guarded.text);
    hak_text_add_decimal(&guarded.text, UINT64_MAX);
    assert_true(guarded.text.length < sizeof guarded.text.bytes); /* the newline has room */
    for (size_t i = 0; i < guarded.text.length; i++) {
        assert_int_equal(guarded.text.bytes[i], '0' + i % 10);
    }
    assert_zeros(guarded.beyond, sizeof guarded.beyond);
}

/* What print_line writes to stderr. */
static size_t printed(struct hak_text *text, char *out, size_t room) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const int saved = dup(STDERR_FILENO);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    hak_text_print_line(text);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    const ssize_t got = read(ends[0], out, room);
    close(ends[0]);
    assert_true(got > 0);
    return (size_t)got;
}

static void a_printed_line_ends_with_one_newline(void **state) {
    (void)state;
    char out[1000];
    struct hak_text text = {.length = 0};
    hak_text_add(&text, "a line");
    assert_int_equal(printed(&text, out, sizeof out), 7);
    assert_memory_equal(out, "a line\n", 7);
}

static void a_line_that_was_cut_off_ends_with_a_newline_too(void **state) {
    (void)state;
    char out[1000];
    struct hak_text text = {.length = 0};
    overfill(&text);
    const size_t length = text.length;
    assert_int_equal(printed(&text, out, sizeof out), length + 1);
    assert_int_equal(out[length], '\n');
}

static void printing_keeps_errno(void **state) {
    (void)state;
    char out[100];
    struct hak_text text = {.length = 0};
    hak_text_add(&text, "x");
    errno = 77;
    printed(&text, out, sizeof out);
    assert_int_equal(errno, 77);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_follow_one_another),
        cmocka_unit_test(decimal_numbers_are_as_printf_writes_them),
        cmocka_unit_test(hexadecimal_numbers_begin_with_0x),
        cmocka_unit_test(what_does_not_fit_is_cut_off),
        cmocka_unit_test(a_printed_line_ends_with_one_newline),
        cmocka_unit_test(a_line_that_was_cut_off_ends_with_a_newline_too),
        cmocka_unit_test(printing_keeps_errno),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
