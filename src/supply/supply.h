/* SPDX-License-Identifier: MIT */
/*
 * supply.h: the steps that refill modules and the mid tier share, all that a module needs.
 *
 * A module is then the order in which it takes these steps and the size of its batches.
 */
#ifndef HAK_SUPPLY_SUPPLY_H
#define HAK_SUPPLY_SUPPLY_H

#include "src/supply/fill.h"
#include "src/supply/link.h"
#include "src/supply/room.h"
#include "src/supply/slabs.h"

#endif
