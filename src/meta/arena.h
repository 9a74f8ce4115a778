/* SPDX-License-Identifier: MIT */
/*
 * arena.h: memory for metadata other than span headers: bitmaps, heaps, superslab records.
 *
 * Called by meta and the tiers. Memory comes zeroed, in units of a cache line, from chunks of its
 * own, so that no program's write past a block reaches it, and is never given back to the kernel:
 * what is freed is kept by its size and given out again. Any thread; one leaf lock.
 */
#ifndef HAK_META_ARENA_H
#define HAK_META_ARENA_H

#include "src/os/lock.h"

#include <stddef.h>

/* Zeroed memory of `bytes`, aligned to a cache line; NULL when out. */
void *hak_arena_alloc(size_t bytes);

/* Takes back memory of hak_arena_alloc of the same `bytes`. */
void hak_arena_free(void *memory, size_t bytes);

/* Bytes taken from the kernel so far. */
size_t hak_arena_bytes(void);

/* The child of a fork: open the lock. */
void hak_arena_after_fork(void);

#endif
