/* SPDX-License-Identifier: MIT */
/*
 * refill.c (tiny_ultra): array bins, filled by half a bin at a time from the free bits.
 */
#include "src/supply/supply.h"

/* Half the array, so that a free right after a refill finds room. */
#define ULTRA_BATCH_MAX (HAK_BIN_SLOTS / 2)

HAK_ALIGNED(HAK_BIN_ARRAY_BYTES) void *hak_ultra_no_slots[HAK_BIN_SLOTS];

static unsigned ultra_fill(struct hak_tcache *tc, hak_class_t cls, unsigned want) {
    return hak_supply_fill_reusing(tc, cls, want, true);
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
    .fill = ultra_fill,
    .check = ultra_check,
};
