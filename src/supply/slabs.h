/* SPDX-License-Identifier: MIT */
/*
 * slabs.h: the steps between a thread's slabs and its bins: blocks are taken, and go back; remote
 * frees are taken in; slabs that became free are released.
 *
 * Called by fills, by modules and by the front, by the owner of the heap or whoever has claimed it.
 */
#ifndef HAK_SUPPLY_SLABS_H
#define HAK_SUPPLY_SLABS_H

#include "src/contract/tcache.h"
#include "src/meta/remote.h"

/* Moves up to `want` of the lowest free blocks of listed slabs into the bin, lowest on top; returns
 * their number. */
unsigned hak_supply_from_bits(struct hak_tcache *tc, hak_class_t cls, unsigned want);

/* Carves up to `want` blocks of the fresh slab into the bin, lowest on top: no further than the
 * end of the page where the memory was never touched. */
unsigned hak_supply_from_fresh(struct hak_tcache *tc, hak_class_t cls, unsigned want);

/* Takes in the remote frees of this heap and releases what became empty. */
void hak_supply_drain(struct hak_tcache *tc);

/* Posts the heap's own remote frees, and releases the orphans that this empties. */
void hak_supply_post(struct hak_heap *heap);

/* Takes in what was posted to orphans, and releases those that this empties. */
void hak_supply_drain_orphans(struct hak_heap *heap);

/* Slabs that became wholly free go back to the span source. */
void hak_supply_release_emptied(struct hak_heap *heap);

/* One block goes back to its slab. */
void hak_supply_put(struct hak_tcache *tc, void *block);

/* Blocks go back until at most `keep` are in the bin. */
void hak_supply_flush(struct hak_tcache *tc, hak_class_t cls, unsigned keep);

#endif
