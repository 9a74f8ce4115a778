/* SPDX-License-Identifier: MIT */
/*
 * none.c: the null module of the slot "mid": sizes above tiny go to the tiers above.
 */
#include "src/contract/tier.h"

const struct hak_mid_ops hak_mid_none = {
    .name = "none",
};
