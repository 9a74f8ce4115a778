/* SPDX-License-Identifier: MIT */
/*
 * heap_slabs.h: the lists and counts of a heap's slabs, for the files of src/meta/ only.
 */
#ifndef HAK_META_HEAP_SLABS_H
#define HAK_META_HEAP_SLABS_H

#include "src/meta/heap.h"

HAK_INLINE uint64_t hak_heap_count(const _Atomic uint64_t *count) {
    return atomic_load_explicit(count, memory_order_relaxed);
}

/* The slab enters the heap's lists and counts; and becomes its own, from the last store on. */
void hak_heap_enter_slab(struct hak_heap *heap, struct hak_slab *slab);
void hak_heap_own_slab(struct hak_heap *heap, struct hak_slab *slab);
void hak_heap_leave_slab(struct hak_heap *heap, struct hak_slab *slab);

/* Off the list of slabs with free bits, if it is on it. */
void hak_heap_unlist_slab(struct hak_heap *heap, struct hak_slab *slab);

/* The slab that the class is carved from, or NULL. */
void hak_heap_set_fresh(struct hak_heap *heap, hak_class_t cls, struct hak_slab *slab);

/* Takes a wholly free slab out of the heap; false while a sender holds its link. */
bool hak_heap_empty_out(struct hak_heap *heap, struct hak_slab *slab);

/* Puts a slab where its free count says it belongs. */
void hak_heap_settle(struct hak_heap *heap, struct hak_slab *slab);

/* Takes in the remote frees of one slab, and settles it; returns the number of blocks. */
size_t hak_heap_collect(struct hak_heap *heap, struct hak_slab *slab);

#endif
