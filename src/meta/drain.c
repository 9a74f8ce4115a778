/* SPDX-License-Identifier: MIT */
/*
 * drain.c: remote frees are taken in: from a heap's own inbox, and from that of the orphans.
 */
#include "src/meta/conserve.h"
#include "src/meta/heap_slabs.h"
#include "src/meta/orphans.h"
#include "src/meta/remote.h"

size_t hak_heap_collect(struct hak_heap *heap, struct hak_slab *slab) {
    void *doubled = NULL;
    size_t count = hak_slab_collect(slab, &doubled);
    if (hak_unlikely(doubled != NULL)) hak_heap_note_misuse(heap, doubled, HAK_FREE_DOUBLE);
    hak_count_up(&heap->counts.drained_blocks, count);
    hak_count_down(&heap->counts.active_bytes, count * slab->stride);
    hak_audit_slab(slab, heap);
    hak_heap_settle(heap, slab);
    return count;
}

size_t hak_heap_drain(struct hak_heap *heap) {
    if (atomic_load_explicit(&heap->inbox, memory_order_relaxed) == NULL) return 0;
    struct hak_slab *slab = atomic_exchange(&heap->inbox, NULL);
    struct hak_slab *foreign = NULL;
    size_t count = 0;
    while (slab != NULL) {
        struct hak_slab *next = slab->link; /* ours until `pending` is cleared */
        hak_assert(atomic_load(&slab->pending) == 1);
        hak_assert(next != slab);
        if (atomic_load(&slab->owner) == heap) {
            atomic_exchange(&slab->pending, 0); /* before the summary is read: see remote.c */
            count += hak_heap_collect(heap, slab);
        } else {
            slab->link = foreign;
            foreign = slab;
        }
        slab = next;
    }
    hak_remote_notify(foreign);
    if (foreign != NULL && !hak_heap_is_orphans(heap)) hak_heap_drain_orphans(heap);
    hak_audit_heap(heap);
    return count;
}

/* Takes in what was posted to orphans. What became empty goes to the heap, which releases it, or
 * stays for the next that comes without one. */
void hak_heap_drain_held_orphans(struct hak_heap *heap) HAK_REQUIRES(hak_orphans.lock) {
    hak_lock_assert_held(&hak_orphans.lock);
    hak_heap_drain(&hak_orphans.heap);
    struct hak_slab *slab;
    while (heap != NULL && (slab = hak_heap_pop_emptied(&hak_orphans.heap)) != NULL) {
        slab->next = heap->emptied;
        heap->emptied = slab;
    }
}

/* A sender that finds the lock held leaves its post to the holder, who looks at the inbox once more
 * after giving the lock: of the sender's push and look at the lock, and the holder's store to the
 * lock and look at the inbox, all in one order, one sees the other. */
void hak_heap_drain_orphans(struct hak_heap *heap) {
    if (atomic_load(&hak_orphans.heap.inbox) == NULL) return; /* our push was taken by a holder */
    do {
        if (!hak_lock_try(&hak_orphans.lock)) return;
        hak_heap_drain_held_orphans(heap);
        hak_lock_give(&hak_orphans.lock);
        atomic_thread_fence(memory_order_seq_cst);
    } while (atomic_load(&hak_orphans.heap.inbox) != NULL);
}
