/* SPDX-License-Identifier: MIT */
/*
 * test_budget.c: what src/supply/room.h says of all bins of a thread together: they begin with
 * nothing, widen within a budget that follows use, and a scan takes from those that are not used.
 */
#include "tests/conform/conform.h"

#include "src/supply/supply.h"

#define BLOCKS_MAX   ((size_t)5 * HAK_BIN_BLOCKS_MAX)
#define MANY_THREADS 1000000U

static void *held[BLOCKS_MAX];
static hak_class_t one, other; /* two classes of the tiny ones */

/* From bins that nothing is left in. */
static int begin(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    one = hak_sizeclass_of(48);
    other = hak_sizeclass_of(640);
    hak_purge();
    hak_supply_scan(tc);
    hak_supply_scan(tc);
    return 0;
}
#define from_nothing(test) cmocka_unit_test_setup_teardown(test, begin, audit_holds)

/* So many blocks are taken and given back. */
static void burst(struct hak_tcache *tc, hak_class_t cls, size_t count) {
    for (size_t i = 0; i < count; i++)
        held[i] = take_block(tc, cls);
    for (size_t i = 0; i < count; i++)
        give_block(tc, cls, held[i]);
}

/* Each time a few blocks more than the bin has room for. */
static void overflow_much(struct hak_tcache *tc, hak_class_t cls) {
    for (unsigned round = 0; round < HAK_WORD_BITS / 4; round++)
        burst(tc, cls, tc->bins[cls].capacity + 8U);
}

/* Most that fills may have beyond the budget, since a bin has room for what it gets. */
static size_t wanted_bytes(const struct hak_tcache *tc) {
    size_t bytes = 0;
    for_each_class(cls) {
        const unsigned most = tc->heap.classes[cls].capacity_max;
        bytes += (size_t)smaller(HAK_REFILL_BLOCKS_MAX, most) * hak_sizeclass_stride(cls);
    }
    return bytes;
}

static void *see_new_cache(void *unused) {
    const struct hak_tcache *tc = this_cache();
    require(tc->bin_bytes == 0);
    require(tc->bin_budget == HAK_BUDGET_FIRST_BYTES);
    for (size_t cls = 0; cls < HAK_BINS; cls++)
        require(tc->bins[cls].capacity == 0);
    return unused;
}

static void *use_all(void *unused) {
    struct hak_tcache *tc = this_cache();
    for_each_class(cls) {
        overflow_much(tc, cls);
        require(tc->bin_bytes > 0);
    }
    return unused;
}

static void the_bins_of_each_thread_begin_with_nothing(void **state) {
    (void)state;
    run_thread(see_new_cache, NULL);
    run_thread(use_all, NULL);
    run_thread(see_new_cache, NULL);
}

static void threads_that_have_a_cache_are_counted(void **state) {
    (void)state;
    const uint32_t before = atomic_load(&hak_supply_threads);
    assert_true(before >= 1);
    run_thread(see_new_cache, NULL);
    assert_int_equal(atomic_load(&hak_supply_threads), before);
}

static void all_bins_together_stay_within_the_largest_budget(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    for_each_class(cls) {
        overflow_much(tc, cls);
        assert_true(tc->bin_budget <= HAK_BUDGET_MAX_BYTES);
        assert_true(tc->bin_bytes <= HAK_BUDGET_MAX_BYTES + wanted_bytes(tc));
        assert_true(hak_check());
    }
}

static void among_many_threads_the_budget_does_not_grow(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    const size_t most = HAK_BUDGET_FIRST_BYTES + wanted_bytes(tc);
    atomic_fetch_add(&hak_supply_threads, MANY_THREADS);
    bool holds = true;
    for_each_class(cls) {
        overflow_much(tc, cls);
        holds = holds && tc->bin_budget == HAK_BUDGET_FIRST_BYTES && tc->bin_bytes <= most;
    }
    atomic_fetch_sub(&hak_supply_threads, MANY_THREADS);
    assert_true(holds);
}

static void a_scan_empties_what_was_not_used_since_the_last(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    burst(tc, one, 20);
    burst(tc, other, 20);
    hak_supply_scan(tc);
    const unsigned count = hak_bin_count(&tc->bins[one]);
    const unsigned capacity = tc->bins[one].capacity;
    assert_true(count > 0 && hak_bin_count(&tc->bins[other]) > 0); /* both were used */
    void *block = hak_bin_pop(&tc->bins[one]);
    hak_supply_scan(tc);
    assert_int_equal(hak_bin_count(&tc->bins[one]), count - 1);
    assert_int_equal(tc->bins[one].capacity, capacity);
    assert_int_equal(hak_bin_count(&tc->bins[other]), 0);
    assert_int_equal(tc->bins[other].capacity, 0);
    assert_int_equal(tc->bin_bytes, capacity * hak_sizeclass_stride(one));
    give_block(tc, one, block);
}

static void a_bin_that_a_scan_emptied_serves_again(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    burst(tc, one, 20);
    hak_supply_scan(tc);
    hak_supply_scan(tc);
    assert_int_equal(tc->bins[one].capacity, 0);
    burst(tc, one, 20);
    assert_true(tc->bins[one].capacity > 0);
    assert_true(hak_bin_count(&tc->bins[one]) > 0);
}

static void a_scan_empties_spare_slabs_of_classes_not_used(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    burst(tc, one, 1);
    hak_bins_flush(tc, one, 0);
    assert_true(tc->heap.spare_bytes > 0);
    hak_supply_scan(tc);
    hak_supply_scan(tc);
    assert_int_equal(tc->heap.spare_bytes, 0);
    assert_null(tc->heap.emptied);
}

static void scans_bring_the_budget_down_again(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    for (hak_class_t cls = 1; tc->bin_budget == HAK_BUDGET_FIRST_BYTES; cls++) {
        assert_true(is_binned_class(cls));
        overflow_much(tc, cls);
    }
    hak_supply_scan(tc);
    hak_supply_scan(tc);
    assert_int_equal(tc->bin_bytes, 0);
    assert_int_equal(tc->bin_budget, HAK_BUDGET_FIRST_BYTES);
}

static void a_thread_that_gets_slabs_scans(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    const hak_class_t large = hak_sizeclass_of(1024);
    const size_t count = 4 * hak_slab_span_bytes(large) / hak_sizeclass_stride(large);
    burst(tc, other, HAK_BIN_FIRST_BYTES / hak_sizeclass_stride(other) + 1);
    assert_true(hak_bin_count(&tc->bins[other]) > 0);
    atomic_fetch_add(&hak_supply_threads, MANY_THREADS);
    for (size_t i = 0; i < count; i++)
        held[i] = take_block(tc, large);
    atomic_fetch_sub(&hak_supply_threads, MANY_THREADS);
    assert_int_equal(hak_bin_count(&tc->bins[other]), 0);
    assert_int_equal(tc->bins[other].capacity, 0);
    for (size_t i = 0; i < count; i++)
        give_block(tc, large, held[i]);
}

/* One call on the slow path, at which the clock is looked at and seen to have moved far. */
static void visit_late(struct hak_tcache *tc) {
    hak_bins_flush(tc, other, 0);
    tc->visits_left = 1;
    tc->visited_ms = 0;
    tc->scanned_ms = 0;
    hak_free(hak_malloc(640));
}

/* A bin is emptied by each scan and used again before the next, round for round. */
static void scans_that_are_regretted_come_less_often(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    burst(tc, one, 20);
    hak_supply_scan(tc);
    const uint32_t before = tc->scan_gap;
    for (unsigned round = 0; round < 4; round++) {
        hak_supply_scan(tc);
        burst(tc, one, 20);
        hak_supply_scan(tc);
    }
    const uint32_t after = tc->scan_gap;
    assert_true(after > before);
    for (unsigned round = 0; round < 4; round++) {
        burst(tc, one, 20);
        hak_supply_scan(tc);
        hak_supply_scan(tc);
        hak_supply_scan(tc); /* nobody used what the one before emptied */
    }
    assert_true(tc->scan_gap < after);
}

static void a_thread_that_visits_scans_by_the_clock(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    burst(tc, one, 20);
    visit_late(tc);
    assert_true(hak_bin_count(&tc->bins[one]) > 0);
    visit_late(tc);
    assert_int_equal(hak_bin_count(&tc->bins[one]), 0);
}

static uint64_t overflows_of(const struct hak_tcache *tc) {
    return atomic_load(&tc->heap.counts.returned_blocks) -
           atomic_load(&tc->heap.counts.flushed_blocks);
}

/* Of a class alone, so that the budget has room for its largest bin; with what a refill may leave
 * in the bin beside it. */
static unsigned largest_burst(const struct hak_tcache *tc) {
    const unsigned most = tc->heap.classes[one].capacity_max;
    return most > 2 * HAK_REFILL_BLOCKS_MAX ? most - HAK_REFILL_BLOCKS_MAX : most / 2;
}

static void a_burst_that_comes_again_fits_in_the_third_round(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    const unsigned count = largest_burst(tc);
    for (unsigned round = 0; round < 6; round++) {
        const uint64_t before = overflows_of(tc);
        burst(tc, one, count);
        if (round >= 2) assert_int_equal(overflows_of(tc), before);
    }
    assert_true(hak_bin_count(&tc->bins[one]) >= count);
}

/* The bin would be emptied again before its blocks are asked for. */
static void a_burst_of_many_times_what_fits_widens_nothing(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    const size_t count = (size_t)4 * tc->heap.classes[one].capacity_max;
    for (unsigned round = 0; round < 4; round++) {
        burst(tc, one, count);
        assert_int_equal(hak_bin_count(&tc->bins[one]), 0);
    }
    burst(tc, one, 1);
    assert_true(tc->bins[one].capacity <= tc->heap.classes[one].capacity_first);
}

/* A few blocks go to and fro on top of a bin that a burst has filled. */
static void scans_take_from_a_bin_what_lies_in_it(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    const unsigned first = tc->heap.classes[one].capacity_first;
    for (unsigned round = 0; round < 3; round++)
        burst(tc, one, largest_burst(tc));
    hak_supply_scan(tc);
    for (unsigned scan = 0; scan < 12; scan++) {
        void *block = take_block(tc, one);
        hak_supply_scan(tc);
        give_block(tc, one, block);
        hak_supply_scan(tc);
    }
    assert_in_range(hak_bin_count(&tc->bins[one]), 1, first);
    assert_in_range(tc->bins[one].capacity, 1, first);
    burst(tc, one, largest_burst(tc));
    burst(tc, one, largest_burst(tc));
    assert_true(hak_bin_count(&tc->bins[one]) >= largest_burst(tc)); /* it is not forgotten */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        from_nothing(the_bins_of_each_thread_begin_with_nothing),
        from_nothing(threads_that_have_a_cache_are_counted),
        from_nothing(all_bins_together_stay_within_the_largest_budget),
        from_nothing(among_many_threads_the_budget_does_not_grow),
        from_nothing(a_scan_empties_what_was_not_used_since_the_last),
        from_nothing(a_bin_that_a_scan_emptied_serves_again),
        from_nothing(a_scan_empties_spare_slabs_of_classes_not_used),
        from_nothing(scans_bring_the_budget_down_again),
        from_nothing(a_thread_that_gets_slabs_scans),
        from_nothing(scans_that_are_regretted_come_less_often),
        from_nothing(a_thread_that_visits_scans_by_the_clock),
        from_nothing(a_burst_that_comes_again_fits_in_the_third_round),
        from_nothing(a_burst_of_many_times_what_fits_widens_nothing),
        from_nothing(scans_take_from_a_bin_what_lies_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
