/* SPDX-License-Identifier: MIT */
/*
 * test_lock_rank.c: the order of locks (src/os/lock_rank.h): what keeps it passes, and each breach
 * ends the process with a line that names it.
 */
#include "tests/unit/dies.h"

#include "src/os/lock.h"

static struct hak_lock tier = HAK_LOCK_INIT(HAK_RANK_TIER);
static struct hak_lock other_tier = HAK_LOCK_INIT(HAK_RANK_TIER);
static struct hak_lock spans = HAK_LOCK_INIT(HAK_RANK_SPANS);
static struct hak_lock arena = HAK_LOCK_INIT(HAK_RANK_ARENA);
static struct hak_lock without_rank;

static void rising_ranks_pass(void **state) {
    (void)state;
    hak_lock_take(&tier);
    hak_lock_take(&spans);
    hak_lock_take(&arena);
    assert_true(hak_lock_is_mine(&spans));
    hak_lock_give(&spans); /* in any order */
    assert_false(hak_lock_is_mine(&spans));
    assert_true(hak_lock_is_mine(&arena));
    assert_false(hak_lock_holds_below(HAK_RANK_TIER));
    hak_lock_give(&arena);
    assert_true(hak_lock_holds_below(HAK_RANK_SPANS));
    hak_lock_give(&tier);
    assert_true(hak_lock_holds_below(HAK_RANK_INIT));
}

static void a_lock_that_is_tried_may_have_any_rank(void **state) {
    (void)state;
    hak_lock_take(&arena);
    assert_true(hak_lock_try(&tier));
    assert_true(hak_lock_is_mine(&tier));
    hak_lock_give(&tier);
    hak_lock_give(&arena);
}

static void take_falling(void) {
    hak_lock_take(&spans);
    hak_lock_take(&tier);
}

static void take_equal(void) {
    hak_lock_take(&tier);
    hak_lock_take(&other_tier);
}

static void take_twice(void) {
    hak_lock_take(&tier);
    hak_lock_take(&tier);
}

static void take_without_rank(void) {
    hak_lock_take(&without_rank);
}

static void give_what_is_not_held(void) {
    hak_lock_give(&tier);
}

static void require_held(void) {
    hak_lock_assert_held(&tier);
}

static void require_below(void) {
    hak_lock_take(&tier);
    hak_lock_assert_below(HAK_RANK_TIER);
}

static void each_breach_of_the_order_is_named(void **state) {
    (void)state;
    assert_dies(take_falling, "tier is taken while spans is held");
    assert_dies(take_equal, "tier is taken while tier is held");
    assert_dies(take_twice, "locks are taken in the order of their ranks");
    assert_dies(take_without_rank, "a lock that is taken has a rank");
    assert_dies(give_what_is_not_held, "who releases a lock holds it");
    assert_dies(require_held, "hak_lock_is_mine(&tier)");
    assert_dies(require_below, "hak_lock_holds_below(HAK_RANK_TIER)");
}

static void a_breach_is_named_where_it_happens(void **state) {
    (void)state;
    assert_dies(take_falling, "test_lock_rank.c:");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rising_ranks_pass),
        cmocka_unit_test(a_lock_that_is_tried_may_have_any_rank),
        cmocka_unit_test(each_breach_of_the_order_is_named),
        cmocka_unit_test(a_breach_is_named_where_it_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
