/* SPDX-License-Identifier: MIT */
/*
 * none.c: the null module of the slot "l25": size_max 0, so it is never asked.
 */
#include "src/contract/tier.h"

const struct hak_tier_ops hak_l25_none = {
    .name = "none",
    .owner = HAK_OWNER_L25,
};
