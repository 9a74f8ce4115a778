/* SPDX-License-Identifier: MIT */
/*
 * orphans.c: slabs change owner where threads end: orphaned, adopted, and purged without one.
 */
#include "src/meta/orphans.h"

#include "src/meta/conserve.h"
#include "src/meta/heap_slabs.h"
#include "src/meta/remote.h"

struct hak_orphans hak_orphans = {
    .lock = HAK_LOCK_INIT(HAK_RANK_ORPHANS),
};

bool hak_heap_adopt(struct hak_heap *heap, hak_class_t cls) {
    hak_assert(cls >= 1 && cls < HAK_SLAB_CLASSES);
    hak_assert(!hak_heap_is_orphans(heap));
    if (atomic_load_explicit(&hak_orphans.count, memory_order_relaxed) == 0) return false;
    hak_lock_take(&hak_orphans.lock);
    hak_heap_drain_held_orphans(heap);
    struct hak_slab *slab = hak_orphans.heap.classes[cls].listed;
    if (slab != NULL) {
        hak_assert(slab->cls == cls);
        hak_heap_leave_slab(&hak_orphans.heap, slab);
        hak_heap_own_slab(heap, slab);
    }
    hak_lock_give(&hak_orphans.lock);
    hak_heap_drain_orphans(heap); /* what was left to us meanwhile */
    if (slab == NULL) return false;
    /* Whatever `pending` says: its holder may still look for the owner. */
    hak_heap_collect(heap, slab);
    hak_count_up(&heap->counts.adopted_slabs, 1);
    hak_audit_heap(heap);
    return true;
}

static void orphan(struct hak_heap *heap, struct hak_slab *slab) {
    hak_assert(!hak_heap_is_orphans(heap));
    hak_heap_leave_slab(heap, slab);
    hak_lock_take(&hak_orphans.lock);
    hak_heap_own_slab(&hak_orphans.heap, slab);
    hak_heap_collect(&hak_orphans.heap, slab);
    hak_audit_heap(&hak_orphans.heap);
    hak_lock_give(&hak_orphans.lock);
}

void hak_heap_orphan_all(struct hak_heap *heap) {
    hak_assert(heap->sender_bytes == 0); /* the sender's cache was flushed */
    hak_heap_drain(heap);
    for (size_t cls = 0; cls < HAK_SLAB_CLASSES; cls++) {
        struct hak_slab *slab;
        while ((slab = heap->classes[cls].all) != NULL) {
            if (hak_slab_is_empty(slab) && hak_heap_empty_out(heap, slab)) continue;
            orphan(heap, slab);
        }
        hak_assert(heap->classes[cls].listed == NULL);
        hak_assert(heap->classes[cls].fresh == NULL);
    }
    hak_assert(heap->spare_bytes == 0);
    hak_assert(hak_heap_count(&heap->counts.slab_bytes) == 0);
    hak_remote_notify(atomic_exchange(&heap->inbox, NULL));
    hak_lock_take(&hak_orphans.lock);
    hak_heap_drain_held_orphans(heap);
    hak_lock_give(&hak_orphans.lock);
    hak_heap_drain_orphans(heap);
}

size_t hak_heap_purge_some_orphans(size_t bytes_max) {
    hak_lock_take(&hak_orphans.lock);
    size_t bytes = hak_heap_purge_some(&hak_orphans.heap, bytes_max);
    hak_lock_give(&hak_orphans.lock);
    return bytes;
}

size_t hak_heap_purge_orphans(void) {
    hak_lock_take(&hak_orphans.lock);
    size_t bytes = hak_heap_purge(&hak_orphans.heap);
    hak_lock_give(&hak_orphans.lock);
    return bytes;
}

struct hak_slab *hak_heap_pop_emptied_orphan(void) {
    hak_lock_take(&hak_orphans.lock);
    struct hak_slab *slab = hak_heap_pop_emptied(&hak_orphans.heap);
    hak_lock_give(&hak_orphans.lock);
    return slab;
}

const struct hak_heap *hak_heap_orphans(void) {
    return &hak_orphans.heap;
}

void hak_heap_lock_orphans(void) HAK_UNCHECKED {
    hak_lock_take(&hak_orphans.lock);
}

void hak_heap_unlock_orphans(void) HAK_UNCHECKED {
    hak_lock_give(&hak_orphans.lock);
}

void hak_heap_after_fork(void) {
    hak_lock_reset(&hak_orphans.lock);
}
