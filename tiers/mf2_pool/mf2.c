/* SPDX-License-Identifier: MIT */
/*
 * mf2.c: mid sizes, above tiny up to 64 KiB, from pages of one class owned by the thread.
 *
 * A page is a span of 64 to 512 KiB cut like a slab, so that mid blocks live in the same bins,
 * answer the same tag compare and take the same remote and adopt paths as tiny ones; what is mid's
 * own is the size of the pages (meta/slab.c) and bins bounded in bytes.
 */
#include "src/contract/tier.h"
#include "src/supply/supply.h"

static unsigned mf2_fill(struct hak_tcache *tc, hak_class_t cls, unsigned want) {
    return hak_supply_fill_reusing(tc, cls, want, true);
}

const struct hak_mid_ops hak_mid_mf2 = {
    .name = "mf2",
    .size_max = HAK_MID_MAX,
    .fill = mf2_fill,
};
