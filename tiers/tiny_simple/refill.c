/* SPDX-License-Identifier: MIT */
/*
 * refill.c (tiny_simple): the reference refill module: carve in a row while there is memory never
 * used, else take the lowest free bits, else look further.
 */
#include "src/supply/supply.h"

static int simple_init(void) {
    return 0;
}

static void simple_thread_init(struct hak_tcache *tc) {
    hak_supply_init_bins(tc);
}

static unsigned simple_fill(struct hak_tcache *tc, hak_class_t cls, unsigned want) {
    hak_assert(cls >= 1 && cls <= HAK_TINY_CLASSES);
    hak_assert(want >= 1 && want <= HAK_REFILL_BLOCKS_MAX);
    return hak_supply_fill_carving(tc, cls, want);
}

static void simple_overflow(struct hak_tcache *tc, hak_class_t cls, struct hak_block *block) {
    hak_assert(block != NULL);
    hak_supply_overflow(tc, cls, block);
}

static void simple_flush(struct hak_tcache *tc, hak_class_t cls, unsigned keep) {
    hak_supply_flush(tc, cls, keep);
}

static void simple_stats(struct hak_stats *out) {
    (void)out;
}

static bool simple_check(hak_report_fn report, void *arg) {
    (void)report;
    (void)arg;
    return true;
}

const struct hak_refill_ops hak_refill_simple = {
    .name = "simple",
    .batch_max = HAK_REFILL_BLOCKS_MAX,
    .init = simple_init,
    .thread_init = simple_thread_init,
    .fill = simple_fill,
    .overflow = simple_overflow,
    .flush = simple_flush,
    .stats = simple_stats,
    .check = simple_check,
};
