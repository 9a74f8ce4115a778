/* SPDX-License-Identifier: MIT */
/*
 * test_span.c: the table of span headers, src/meta/span.h.
 */
#include "tests/api/suite.h"

#include "src/meta/span.h"

static char *table; /* where it begins */

static int make_table(void **state) {
    (void)state;
    const uintptr_t at = HAK_REGION_BASE(hak_os_address_shift());
    table = (char *)at;
    return hak_span_table_init(at) == HAK_OS_MAPPED ? 0 : -1;
}

static void a_header_reads_as_zeros_at_its_first_use(void **state) {
    (void)state;
    struct hak_span *span = hak_span_header_alloc();
    assert_aligned(span, HAK_LINE_BYTES);
    assert_zeros(span, HAK_SPAN_META_BYTES);
}

static void headers_stand_apart(void **state) {
    (void)state;
    const char *last = (const char *)hak_span_header_alloc();
    for (size_t i = 0; i < 50; i++) {
        const char *span = (const char *)hak_span_header_alloc();
        assert_non_null(span);
        const size_t apart = span > last ? (size_t)(span - last) : (size_t)(last - span);
        assert_true(apart >= HAK_SPAN_META_BYTES);
        last = span;
    }
}

static void numbers_lead_back_to_headers_and_are_never_0(void **state) {
    (void)state;
    for (size_t i = 0; i < 20; i++) {
        struct hak_span *span = hak_span_header_alloc();
        assert_int_not_equal(hak_span_number(span), 0);
        assert_ptr_equal(hak_span_of_number(hak_span_number(span)), span);
    }
}

static void a_freed_header_serves_again_as_the_last_span_left_it(void **state) {
    (void)state;
    struct hak_span *span = hak_span_header_alloc();
    unsigned char *rest = (unsigned char *)(span + 1);
    memset(rest, 0x5a, HAK_SPAN_META_BYTES - sizeof(*span));
    hak_span_header_free(span);
    assert_ptr_equal(hak_span_header_alloc(), span);
    for (size_t i = 0; i < HAK_SPAN_META_BYTES - sizeof(*span); i++) {
        assert_int_equal(rest[i], 0x5a);
    }
}

static void a_freed_header_has_no_owner(void **state) {
    (void)state;
    struct hak_span *span = hak_span_header_alloc();
    span->owner = HAK_OWNER_BIG;
    hak_span_header_free(span);
    assert_int_equal(span->owner, HAK_OWNER_NONE);
    hak_span_header_alloc();
}

static void all_freed_headers_serve_again(void **state) {
    (void)state;
    struct hak_span *spans[20];
    for (size_t i = 0; i < COUNT_OF(spans); i++) {
        spans[i] = hak_span_header_alloc();
    }
    for (size_t i = 0; i < COUNT_OF(spans); i++) {
        hak_span_header_free(spans[i]);
    }
    for (size_t i = 0; i < COUNT_OF(spans); i++) {
        const struct hak_span *again = hak_span_header_alloc();
        size_t at = 0;
        while (at < COUNT_OF(spans) && spans[at] != again) {
            at++;
        }
        assert_true(at < COUNT_OF(spans));
        spans[at] = NULL;
    }
}

static void a_table_that_cannot_grow_gives_null_until_it_can(void **state) {
    (void)state;
    const size_t most = hak_span_table_bytes() / HAK_SPAN_META_BYTES;
    char *neighbour = table + hak_span_table_bytes();
    assert_int_equal(hak_os_map_at(neighbour, HAK_REGION_STEP_BYTES), HAK_OS_MAPPED);
    struct hak_span *span;
    struct hak_span *last = NULL;
    while ((span = hak_span_header_alloc()) != NULL) {
        assert_true(hak_span_number(span) < most);
        last = span;
    }
    assert_int_equal(hak_span_number(last), most - 1);
    hak_span_header_free(last);
    assert_ptr_equal(hak_span_header_alloc(), last);
    assert_true(hak_os_unmap(neighbour, HAK_REGION_STEP_BYTES));
    span = hak_span_header_alloc();
    assert_int_equal(hak_span_number(span), most);
    assert_zeros(span, HAK_SPAN_META_BYTES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_reads_as_zeros_at_its_first_use),
        cmocka_unit_test(headers_stand_apart),
        cmocka_unit_test(numbers_lead_back_to_headers_and_are_never_0),
        cmocka_unit_test(a_freed_header_serves_again_as_the_last_span_left_it),
        cmocka_unit_test(a_freed_header_has_no_owner),
        cmocka_unit_test(all_freed_headers_serve_again),
        cmocka_unit_test(a_table_that_cannot_grow_gives_null_until_it_can),
    };
    return cmocka_run_group_tests(tests, make_table, NULL);
}
