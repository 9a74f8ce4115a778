/* SPDX-License-Identifier: MIT */
/*
 * bin.h (tiny_simple): the bin is a list.
 */
#ifndef HAK_TINY_SIMPLE_BIN_H
#define HAK_TINY_SIMPLE_BIN_H

#include "src/contract/bin_list.h"

#define HAK_BIN_MEMORY_BYTES 0 /* a list is in its blocks */

#endif
