/* SPDX-License-Identifier: MIT */
/*
 * none.c: the null module of the slot "mid": sizes above tiny go to the tiers above.
 */
#include "src/contract/tier.h"

static unsigned none_fill(struct hak_tcache *tc, hak_class_t cls, unsigned want) {
    (void)tc;
    (void)cls;
    (void)want;
    return 0;
}

static void none_overflow(struct hak_tcache *tc, hak_class_t cls, struct hak_block *block) {
    (void)tc;
    (void)cls;
    (void)block;
}

static void none_flush(struct hak_tcache *tc, hak_class_t cls, unsigned keep) {
    (void)tc;
    (void)cls;
    (void)keep;
}

const struct hak_mid_ops hak_mid_none = {
    .name = "none",
    .size_max = 0,
    .fill = none_fill,
    .overflow = none_overflow,
    .flush = none_flush,
};
