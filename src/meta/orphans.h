/* SPDX-License-Identifier: MIT */
/*
 * orphans.h: the slabs of ended threads, for the files of src/meta/ only; others call heap.h.
 *
 * A heap like any other, but that its owner is whoever holds the lock. What its slabs may give,
 * free or never carved, lists them; none is kept for being fresh. Fork: the child makes the lists
 * anew from the slabs' owners.
 */
#ifndef HAK_META_ORPHANS_H
#define HAK_META_ORPHANS_H

#include "src/meta/heap.h"

struct hak_orphans {
    struct hak_lock lock;
    _Atomic size_t count; /* of its slabs: written under the lock; a peek may be relaxed */
    struct hak_heap heap;
};
HAK_GUARDED_EXTERN(struct hak_orphans, hak_orphans);

HAK_INLINE bool hak_heap_is_orphans(const struct hak_heap *heap) {
    return heap == &hak_orphans.heap;
}

/* Takes in what was posted to orphans. What became empty goes to the heap, which releases it, or
 * stays for the next that comes without one. */
void hak_heap_drain_held_orphans(struct hak_heap *heap) HAK_REQUIRES(hak_orphans.lock);

#endif
