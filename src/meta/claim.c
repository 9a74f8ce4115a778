/* SPDX-License-Identifier: MIT */
/*
 * claim.c: another thread claims a heap whose thread is away; the protocol is at hak_heap_claim.
 */
#include "src/meta/heap.h"
#include "src/meta/orphans.h"
#include "src/os/os.h"

bool hak_heap_claim(struct hak_heap *heap) HAK_UNCHECKED {
    bool is_used =
        hak_heap_is_busy(heap) || atomic_load_explicit(&heap->putting, memory_order_relaxed) != 0;
    if (is_used) return false; /* a glance, which spares the barrier */
    if (!hak_lock_try(&heap->claim)) return false;
    hak_assert(!hak_heap_is_orphans(heap));
    bool is_away = hak_os_barrier() &&
                   atomic_load_explicit(&heap->busy, memory_order_acquire) == 0 &&
                   atomic_load_explicit(&heap->putting, memory_order_acquire) == 0;
    if (!is_away) hak_lock_give(&heap->claim);
    return is_away;
}

void hak_heap_unclaim(struct hak_heap *heap) HAK_UNCHECKED {
    hak_lock_assert_held(&heap->claim);
    hak_assert(heap->emptied == NULL); /* what the claimer emptied it has released */
    hak_lock_give(&heap->claim);
}

/* The mark is set again under the lock: the next claimer sees it. */
void hak_heap_wait(struct hak_heap *heap, _Atomic uint32_t *mark) {
    atomic_store_explicit(mark, 0, memory_order_release);
    hak_lock_take(&heap->claim);
    atomic_store_explicit(mark, 1, memory_order_relaxed);
    hak_lock_give(&heap->claim);
}
