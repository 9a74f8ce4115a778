/* SPDX-License-Identifier: MIT */
/*
 * refill.c (tiny_simple): the reference refill module: carve in a row while there is memory never
 * used, else take the lowest free bits, else look further.
 */
#include "src/supply/supply.h"

const struct hak_refill_ops hak_refill_simple = {
    .name = "simple",
    .fill = hak_supply_fill_carving,
};
