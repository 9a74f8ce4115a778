/* SPDX-License-Identifier: MIT */
/*
 * heap_slabs.c: the lists and counts of a heap's slabs: how one enters, leaves, and settles where
 * its free blocks say it belongs.
 *
 * Called by the files of src/meta/ that change what a heap owns. The owner only; of the orphans the
 * holder of their lock.
 */
#include "src/meta/heap_slabs.h"

#include "src/meta/orphans.h"
#include "src/meta/tagmap.h"

static uint64_t active_bytes(const struct hak_slab *slab) {
    return (uint64_t)(slab->carved - slab->nfree) * slab->stride;
}

static uint64_t carved_bytes(const struct hak_slab *slab) {
    return (uint64_t)slab->carved * slab->stride;
}

void hak_heap_sum_slab(struct hak_slab_sums *sums, const struct hak_slab *slab) {
    sums->slab_bytes += slab->span.bytes;
    sums->carved_bytes += carved_bytes(slab);
    sums->active_bytes += active_bytes(slab);
    sums->free_blocks += slab->nfree;
}

uint32_t hak_heap_tag(const struct hak_heap *heap, hak_class_t cls) {
    uint32_t tag = hak_heap_is_orphans(heap) ? HAK_HEAP_ID_ORPHAN << HAK_TAG_SHIFT : heap->tag;
    return tag | (uint32_t)cls << HAK_BIN_SHIFT;
}

static void list_slab(struct hak_heap *heap, struct hak_slab *slab) {
    struct hak_class_slabs *slabs = &heap->classes[slab->cls];
    hak_assert(!slab->is_listed);
    hak_assert(slabs->listed != slab);
    slab->is_listed = true;
    slab->prev = NULL;
    slab->next = slabs->listed;
    if (slab->next != NULL) slab->next->prev = slab;
    slabs->listed = slab;
}

void hak_heap_unlist_slab(struct hak_heap *heap, struct hak_slab *slab) {
    if (!slab->is_listed) return;
    hak_assert(slab->next == NULL || slab->next->prev == slab);
    hak_assert(slab->prev == NULL ? heap->classes[slab->cls].listed == slab
                                  : slab->prev->next == slab);
    slab->is_listed = false;
    if (slab->next != NULL) slab->next->prev = slab->prev;
    if (slab->prev != NULL) {
        slab->prev->next = slab->next;
    } else {
        heap->classes[slab->cls].listed = slab->next;
    }
}

/* The slab enters the heap's lists and counts. */
void hak_heap_enter_slab(struct hak_heap *heap, struct hak_slab *slab) {
    struct hak_class_slabs *slabs = &heap->classes[slab->cls];
    hak_assert(slab->free_bits != NULL);
    hak_assert(slabs->all != slab);
    slab->is_listed = false;
    slab->all_prev = NULL;
    slab->all_next = slabs->all;
    if (slab->all_next != NULL) slab->all_next->all_prev = slab;
    slabs->all = slab;
    if (!hak_fault(HAK_FAULT_HEAP_UNCOUNTED)) {
        hak_count_up(&heap->counts.slab_bytes, slab->span.bytes);
    }
    hak_count_up(&heap->counts.carved_bytes, carved_bytes(slab));
    hak_count_up(&heap->counts.active_bytes, active_bytes(slab));
    hak_count_up(&heap->counts.arrived_blocks, slab->nfree);
    if (hak_heap_is_orphans(heap))
        atomic_fetch_add_explicit(&hak_orphans.count, 1, memory_order_relaxed);
}

/* It belongs to the heap from the last store on. */
void hak_heap_own_slab(struct hak_heap *heap, struct hak_slab *slab) {
    if (hak_heap_is_orphans(heap)) hak_lock_assert_held(&hak_orphans.lock);
    hak_heap_enter_slab(heap, slab);
    hak_tagmap_set_tag(&slab->span, hak_heap_tag(heap, slab->cls));
    atomic_store(&slab->owner, heap);
}

/* `fresh` of a class changes here only, so that the sum of what is spare follows. */
void hak_heap_set_fresh(struct hak_heap *heap, hak_class_t cls, struct hak_slab *slab) {
    struct hak_slab *before = heap->classes[cls].fresh;
    hak_assert(slab == NULL || slab->cls == cls);
    hak_assert(slab == NULL || slab->carved < slab->capacity);
    hak_assert(before == NULL || before->carved > 0 || heap->spare_bytes >= before->span.bytes);
    if (before != NULL && before->carved == 0) heap->spare_bytes -= before->span.bytes;
    if (slab != NULL && slab->carved == 0) heap->spare_bytes += slab->span.bytes;
    heap->classes[cls].fresh = slab;
}

void hak_heap_leave_slab(struct hak_heap *heap, struct hak_slab *slab) {
    if (hak_heap_is_orphans(heap)) hak_lock_assert_held(&hak_orphans.lock);
    struct hak_class_slabs *slabs = &heap->classes[slab->cls];
    hak_assert(atomic_load(&slab->owner) == heap);
    hak_assert(slab->all_next == NULL || slab->all_next->all_prev == slab);
    hak_assert(slab->all_prev == NULL ? slabs->all == slab : slab->all_prev->all_next == slab);
    hak_assert(hak_heap_count(&heap->counts.slab_bytes) >= slab->span.bytes);
    hak_assert(hak_heap_count(&heap->counts.active_bytes) >= active_bytes(slab));
    if (!hak_fault(HAK_FAULT_HEAP_LISTED)) hak_heap_unlist_slab(heap, slab);
    if (slab->all_next != NULL) slab->all_next->all_prev = slab->all_prev;
    if (slab->all_prev != NULL) {
        slab->all_prev->all_next = slab->all_next;
    } else {
        slabs->all = slab->all_next;
    }
    if (slabs->fresh == slab) hak_heap_set_fresh(heap, slab->cls, NULL);
    hak_count_down(&heap->counts.slab_bytes, slab->span.bytes);
    hak_count_down(&heap->counts.carved_bytes, carved_bytes(slab));
    hak_count_down(&heap->counts.active_bytes, active_bytes(slab));
    hak_count_down(&heap->counts.arrived_blocks, slab->nfree);
    if (hak_heap_is_orphans(heap))
        atomic_fetch_sub_explicit(&hak_orphans.count, 1, memory_order_relaxed);
}

/* Takes a wholly free slab out of the heap; false while a sender holds its link: then its inbox
 * entry will bring it back to settle(). */
bool hak_heap_empty_out(struct hak_heap *heap, struct hak_slab *slab) {
    hak_assert(hak_slab_is_empty(slab));
    if (atomic_exchange(&slab->pending, 1) != 0) return false;
    hak_heap_leave_slab(heap, slab);
    atomic_store(&slab->owner, NULL);
    hak_slab_unbind(slab);
    slab->next = heap->emptied;
    heap->emptied = slab;
    return true;
}

/* Puts a slab where its free count says it belongs. */
void hak_heap_settle(struct hak_heap *heap, struct hak_slab *slab) {
    struct hak_class_slabs *slabs = &heap->classes[slab->cls];
    hak_assert(atomic_load(&slab->owner) == heap);
    hak_assert(slab->nfree <= slab->carved);
    if (hak_slab_is_empty(slab)) {
        bool has_room = heap->spare_bytes + slab->span.bytes <= HAK_SPARE_BYTES_MAX;
        if (hak_heap_is_orphans(heap)) has_room = false;
        if (has_room && (slabs->fresh == NULL || slabs->fresh == slab)) {
            hak_heap_unlist_slab(heap, slab);
            hak_heap_set_fresh(heap, slab->cls, NULL);
            if (slab->carved > 0) { /* else it may still be known to be zero */
                hak_count_down(&heap->counts.arrived_blocks, slab->nfree);
                hak_count_down(&heap->counts.carved_bytes, carved_bytes(slab));
                hak_slab_reset(slab);
            }
            hak_heap_set_fresh(heap, slab->cls, slab);
            return;
        }
        if (hak_heap_empty_out(heap, slab)) return;
    }
    if (hak_heap_is_orphans(heap)) {
        bool may_give = slab->nfree > 0 || slab->carved < slab->capacity;
        if (may_give && !slab->is_listed) list_slab(heap, slab);
        return;
    }
    if (slab->nfree > 0 && !slab->is_listed) list_slab(heap, slab);
    if (slab->carved < slab->capacity && slabs->fresh == NULL)
        hak_heap_set_fresh(heap, slab->cls, slab);
}
