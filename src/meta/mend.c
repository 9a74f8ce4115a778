/* SPDX-License-Identifier: MIT */
/*
 * mend.c: heaps in the child of a fork: what another thread may have been changing is made anew.
 */
#include "src/meta/heap_slabs.h"
#include "src/meta/orphans.h"
#include "src/meta/remote.h"
#include "src/meta/tagmap.h"

void hak_heap_recount(struct hak_heap *heap) {
    struct hak_slab_sums sums = {0};
    for (size_t cls = 0; cls < HAK_SLAB_CLASSES; cls++) {
        for (struct hak_slab *slab = heap->classes[cls].all; slab != NULL; slab = slab->all_next) {
            hak_slab_recount(slab);
            hak_heap_sum_slab(&sums, slab);
        }
    }
    hak_count_up(&heap->counts.arrived_blocks, sums.free_blocks - hak_heap_sums(heap).free_blocks);
    hak_count_up(&heap->counts.active_bytes, sums.active_bytes - hak_heap_sums(heap).active_bytes);
}

/* A sender that is gone may have left a word without its bit of the summary. */
static void mend_summary(struct hak_slab *slab) {
    for (unsigned word = 0; word < slab->words; word++) {
        uint64_t mark = (uint64_t)1 << word;
        bool has_bits = atomic_load(hak_slab_remote_word(slab, word)) != 0;
        if (has_bits && (atomic_load(&slab->summary) & mark) == 0) {
            atomic_fetch_or(&slab->summary, mark);
        }
    }
}

/* The slab of a header that is bound to a heap or an orphan; NULL for every other span. */
static struct hak_slab *bound_slab(struct hak_span *span) {
    struct hak_slab *slab = hak_slab_of_span(span);
    bool is_bound = hak_span_is_slab(span) && slab->free_bits != NULL &&
                    hak_tagmap_span(span->base) == span && hak_tagmap_tag(span->base) != 0;
    return is_bound ? slab : NULL;
}

/* Another thread may have been changing the lists: what they hold is what belongs to them. */
static void relist(struct hak_heap *heap) {
    for (size_t cls = 0; cls < HAK_SLAB_CLASSES; cls++) {
        struct hak_class_slabs *slabs = &heap->classes[cls];
        slabs->listed = slabs->fresh = slabs->all = NULL;
    }
    uint64_t arrived = hak_heap_count(&heap->counts.taken_blocks);
    arrived -= hak_heap_count(&heap->counts.returned_blocks) +
               hak_heap_count(&heap->counts.drained_blocks);
    atomic_store(&heap->counts.arrived_blocks, arrived);
    atomic_store(&heap->counts.slab_bytes, 0);
    atomic_store(&heap->counts.carved_bytes, 0);
    atomic_store(&heap->counts.active_bytes, 0);
    heap->emptied = NULL;
    heap->spare_bytes = 0;
    for (uint32_t number = 1; number < hak_span_table_count(); number++) {
        struct hak_slab *slab = bound_slab(hak_span_of_number(number));
        if (slab == NULL || atomic_load(&slab->owner) != heap) continue;
        hak_slab_recount(slab);
        hak_heap_enter_slab(heap, slab);
        hak_heap_settle(heap, slab);
    }
}

static void relist_orphans(void) HAK_REQUIRES(hak_orphans.lock) {
    hak_heap_empty_inbox(&hak_orphans.heap);
    atomic_store_explicit(&hak_orphans.count, 0, memory_order_relaxed);
    relist(&hak_orphans.heap);
}

void hak_heap_mend_claimed(struct hak_heap *heap) {
    if (!hak_lock_is_held(&heap->claim)) return;
    relist(heap);
    hak_lock_reset(&heap->claim);
}

void hak_heap_mend(void) {
    hak_lock_take(&hak_orphans.lock);
    relist_orphans();
    hak_lock_give(&hak_orphans.lock);
    for (uint32_t number = 1; number < hak_span_table_count(); number++) {
        struct hak_slab *slab = bound_slab(hak_span_of_number(number));
        if (slab == NULL || atomic_load(&slab->owner) == NULL) continue;
        mend_summary(slab);
        if (atomic_load(&slab->pending) == 0 && atomic_load(&slab->summary) == 0) continue;
        atomic_store(&slab->pending, 1);
        slab->link = NULL;
        hak_remote_notify(slab);
    }
}
