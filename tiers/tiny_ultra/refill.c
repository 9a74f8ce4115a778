/* SPDX-License-Identifier: MIT */
/*
 * refill.c (tiny_ultra): array bins, filled by half a bin at a time from the free bits.
 */
#include "src/supply/supply.h"

/* Half the array, so that a free right after a refill finds room. */
#define ULTRA_BATCH_MAX (HAK_BIN_SLOTS / 2)

HAK_ALIGNED(HAK_BIN_ARRAY_BYTES) void *hak_ultra_no_slots[HAK_BIN_SLOTS];

static int ultra_init(void) {
    return 0;
}

static void ultra_thread_init(struct hak_tcache *tc) {
    hak_supply_init_bins(tc);
}

static unsigned ultra_fill(struct hak_tcache *tc, hak_class_t cls, unsigned want) {
    hak_assert(cls >= 1 && cls <= HAK_TINY_CLASSES);
    hak_assert(want >= 1 && want <= ULTRA_BATCH_MAX);
    return hak_supply_fill_reusing(tc, cls, want, true);
}

static void ultra_overflow(struct hak_tcache *tc, hak_class_t cls, struct hak_block *block) {
    hak_assert(block != NULL);
    hak_supply_overflow(tc, cls, block);
}

static void ultra_flush(struct hak_tcache *tc, hak_class_t cls, unsigned keep) {
    hak_supply_flush(tc, cls, keep);
}

static void ultra_stats(struct hak_stats *out) {
    (void)out;
}

static bool ultra_check(hak_report_fn report, void *arg) {
    for (size_t i = 0; i < HAK_BIN_SLOTS; i++) {
        if (hak_ultra_no_slots[i] == NULL) continue;
        report(arg, "a bin without an array is empty", hak_ultra_no_slots, 0, 1);
        return false;
    }
    return true;
}

const struct hak_refill_ops hak_refill_ultra = {
    .name = "ultra",
    .batch_max = ULTRA_BATCH_MAX,
    .init = ultra_init,
    .thread_init = ultra_thread_init,
    .fill = ultra_fill,
    .overflow = ultra_overflow,
    .flush = ultra_flush,
    .stats = ultra_stats,
    .check = ultra_check,
};
