/* SPDX-License-Identifier: MIT */
/*
 * bin.h (stack): the bin is a list; beside it each tiny class has a stack, in the cache's memory.
 */
#ifndef HAK_STACK_BIN_H
#define HAK_STACK_BIN_H

#include "src/base/geometry.h"
#include "src/contract/bin_list.h"

#define STACK_BLOCKS 64u

/* Owner thread only. A slot is written before it counts: a fork in between loses one block. */
struct stack {
    void *blocks[STACK_BLOCKS];
    unsigned count;
};

#define HAK_BIN_MEMORY_BYTES ((HAK_TINY_CLASSES + 1) * sizeof(struct stack))

#endif
