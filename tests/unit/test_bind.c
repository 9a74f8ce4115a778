/* SPDX-License-Identifier: MIT */
/*
 * test_bind.c: a module without an entry that has no default is refused at start. bind.c is
 * compiled for this program with the refill module below.
 */
#include "include/hakmem.h"
#include "src/contract/slots.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

const struct hak_refill_ops hak_refill_lacking = {.name = "lacking"};

static void without_a_fill_no_allocation_succeeds(void **state) {
    (void)state;
    assert_int_equal(hak_bind_check(), -EINVAL);
    errno = 0;
    assert_null(hak_malloc(HAK_ALIGN_BYTES));
    assert_int_equal(errno, ENOMEM);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_fill_no_allocation_succeeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
