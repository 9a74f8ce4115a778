/* SPDX-License-Identifier: MIT */
/*
 * test_room.c: what src/supply/room.h says of one bin: overflows take its room away, and fills give
 * it more.
 */
#include "tests/conform/conform.h"

#define BLOCKS_MAX ((size_t)4 * HAK_BIN_BLOCKS_MAX)

static void *held[BLOCKS_MAX];

static void a_bin_that_only_overflows_gets_smaller_and_fills_widen_it(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    for_each_class(cls) {
        struct hak_bin *bin = &tc->bins[cls];
        widen_bin(tc, cls);
        const unsigned most = tc->heap.classes[cls].capacity_max;
        const size_t count = 3 * (size_t)most + 2 * HAK_BIN_SHRINK_AFTER;
        if (count * hak_sizeclass_stride(cls) > 8 * MIB) continue;
        for (size_t i = 0; i < count; i++) {
            held[i] = take_block(tc, cls);
        }
        for (size_t i = 0; i < count; i++) {
            const unsigned before = hak_bin_count(bin);
            give_block(tc, cls, held[i]);
            assert_true(hak_bin_count(bin) + HAK_BIN_SHRINK_BY >= before);
        }
        assert_int_equal(bin->capacity, 0);
        assert_int_equal(hak_bin_count(bin), 0);
        widen_bin(tc, cls);
        assert_int_equal(bin->capacity, tc->heap.classes[cls].capacity_first);
    }
}

static void a_bin_that_overflows_and_runs_empty_gets_larger(void **state) {
    (void)state;
    struct hak_tcache *tc = this_cache();
    for_each_class(cls) {
        struct hak_bin *bin = &tc->bins[cls];
        widen_bin(tc, cls);
        const struct hak_class_slabs *slabs = &tc->heap.classes[cls];
        const unsigned before = bin->capacity;
        for (unsigned i = 0; i <= before; i++) {
            held[i] = take_block(tc, cls);
        }
        hak_bins_flush(tc, cls, 0);
        for (unsigned i = 0; i <= before; i++) {
            give_block(tc, cls, held[i]);
        }
        hak_bins_flush(tc, cls, 0);
        assert_true(hak_bins_fill(tc, cls, 1) >= 1);
        assert_true(bin->capacity > before || before == slabs->capacity_max);
        assert_true(bin->capacity <= slabs->capacity_max);
        hak_bins_flush(tc, cls, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        scenario(a_bin_that_only_overflows_gets_smaller_and_fills_widen_it),
        scenario(a_bin_that_overflows_and_runs_empty_gets_larger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
