/* SPDX-License-Identifier: MIT */
/*
 * heap.c: what a heap's owner does with its slabs: binds, takes blocks, puts them back, purges.
 */
#include "src/meta/heap.h"

#include "src/meta/conserve.h"
#include "src/meta/heap_slabs.h"
#include "src/meta/orphans.h"
#include "src/meta/tagmap.h"

void hak_heap_init(struct hak_heap *heap, uint32_t id) {
    hak_assert(id >= 1 && id < HAK_HEAP_ID_ORPHAN);
    hak_assert(heap->emptied == NULL);
    heap->tag = id << HAK_TAG_SHIFT;
    hak_lock_init(&heap->claim, HAK_RANK_CLAIM);
}

bool hak_heap_bind(struct hak_heap *heap, struct hak_span *span, hak_class_t cls) {
    struct hak_slab *slab = hak_slab_of_span(span);
    hak_assert(!hak_heap_is_orphans(heap));
    hak_assert(atomic_load(&slab->owner) == NULL); /* no slab, or its header was released */
    hak_assert(hak_tagmap_tag(span->base) == 0);
    if (!hak_slab_bind(slab, cls)) return false;
    atomic_store(&slab->summary, 0);
    hak_heap_own_slab(heap, slab);
    /* Last: from here on a late sender of the header's former slab may push it, as a slab of its
     * new owner, which is harmless. */
    atomic_store(&slab->pending, 0);
    hak_heap_set_fresh(heap, cls, slab);
    hak_assert(hak_heap_fresh(heap, cls) == slab);
    hak_assert(heap->spare_bytes >= slab->span.bytes);
    hak_audit_slab(slab, heap);
    hak_audit_heap(heap);
    return true;
}

uint64_t hak_heap_take_word(struct hak_heap *heap, struct hak_slab *slab, unsigned want,
                            unsigned *first_index) {
    unsigned before = slab->nfree;
    hak_assert(atomic_load(&slab->owner) == heap);
    hak_assert(slab->is_listed);
    uint64_t bits = hak_slab_take_word(slab, want, first_index);
    uint64_t count = before - slab->nfree;
    hak_count_up(&heap->counts.taken_blocks, count);
    hak_count_up(&heap->counts.active_bytes, count * slab->stride);
    if (slab->nfree == 0) hak_heap_unlist_slab(heap, slab);
    hak_assert(slab->is_listed == (slab->nfree > 0));
    return bits;
}

unsigned hak_heap_carve(struct hak_heap *heap, struct hak_slab *slab, unsigned want,
                        unsigned *first_index) {
    hak_assert(atomic_load(&slab->owner) == heap);
    hak_assert(hak_heap_fresh(heap, slab->cls) == slab);
    hak_assert(slab->carved > 0 || heap->spare_bytes >= slab->span.bytes);
    if (slab->carved == 0) heap->spare_bytes -= slab->span.bytes;
    unsigned count = hak_slab_carve(slab, want, first_index);
    hak_count_up(&heap->counts.carved_blocks, count);
    hak_count_up(&heap->counts.carved_bytes, (uint64_t)count * slab->stride);
    hak_count_up(&heap->counts.active_bytes, (uint64_t)count * slab->stride);
    if (slab->carved == slab->capacity) hak_heap_set_fresh(heap, slab->cls, NULL);
    return count;
}

uint64_t hak_heap_excess(const struct hak_heap *heap) {
    uint64_t carved = hak_heap_count(&heap->counts.carved_bytes);
    uint64_t active = hak_heap_count(&heap->counts.active_bytes);
    return carved > active ? carved - active : 0;
}

uint64_t hak_heap_activity(const struct hak_heap *heap) {
    const struct hak_heap_counts *counts = &heap->counts;
    return hak_heap_count(&counts->returned_blocks) + hak_heap_count(&counts->taken_blocks) +
           hak_heap_count(&counts->carved_blocks) + hak_heap_count(&counts->posted_blocks);
}

/* So much more than when it was noted last has come back to slabs which stay: the front has to look
 * again, even if the thread makes no call that comes to a slow path by itself. */
static void note_excess(struct hak_heap *heap) {
    uint64_t excess = hak_heap_excess(heap);
    if (excess < heap->excess_noted) heap->excess_noted = excess;
    if (excess - heap->excess_noted < HAK_CARE_NOTE_BYTES) return;
    heap->excess_noted = excess;
    heap->looks_left = HAK_CARE_LOOKS;
    heap->has_grown = true;
    hak_heap_note_released(heap);
}

/* Apart, so that the usual way through hak_heap_put saves no registers. */
static HAK_NOINLINE bool put_rare(struct hak_heap *heap, struct hak_slab *slab, const void *block,
                                  enum hak_free_verdict verdict) {
    hak_heap_enter(heap);
    if (verdict != HAK_FREE_OK) {
        hak_heap_note_misuse(heap, block, verdict);
    } else {
        hak_heap_settle(heap, slab);
        note_excess(heap);
    }
    hak_heap_leave(heap);
    return heap->emptied != NULL;
}

bool hak_heap_put(struct hak_heap *heap, struct hak_slab *slab, const void *block) {
    hak_assert(atomic_load(&slab->owner) == heap);
    enum hak_free_verdict verdict = hak_slab_put(slab, block);
    if (hak_likely(verdict == HAK_FREE_OK)) {
        hak_count_up(&heap->counts.returned_blocks, 1);
        hak_count_down(&heap->counts.active_bytes, slab->stride);
    }
    bool is_usual = verdict == HAK_FREE_OK && slab->is_listed && !hak_slab_is_empty(slab);
    return hak_likely(is_usual) ? false : put_rare(heap, slab, block, verdict);
}

void hak_heap_empty_spare(struct hak_heap *heap, hak_class_t cls) {
    struct hak_slab *slab = heap->classes[cls].fresh;
    hak_assert(slab == NULL || slab->nfree <= slab->carved);
    if (slab != NULL && slab->carved == 0) (void)hak_heap_empty_out(heap, slab);
}

void hak_heap_empty_spares(struct hak_heap *heap) {
    for (hak_class_t cls = 0; cls < HAK_SLAB_CLASSES && heap->spare_bytes > 0; cls++)
        hak_heap_empty_spare(heap, cls);
}

struct hak_slab *hak_heap_pop_emptied(struct hak_heap *heap) {
    struct hak_slab *slab = heap->emptied;
    hak_assert(slab == NULL || slab->free_bits == NULL);
    hak_assert(slab == NULL || atomic_load(&slab->pending) == 1);
    if (slab != NULL) heap->emptied = slab->next;
    return slab;
}

size_t hak_heap_purge(struct hak_heap *heap) {
    size_t bytes = 0;
    for (size_t cls = 1; cls < HAK_SLAB_CLASSES; cls++) {
        for (struct hak_slab *slab = heap->classes[cls].all; slab != NULL; slab = slab->all_next)
            bytes += hak_slab_purge(slab);
    }
    hak_audit_heap(heap);
    return bytes;
}

size_t hak_heap_purge_some(struct hak_heap *heap, size_t bytes_max) {
    size_t bytes = 0;
    for (size_t cls = 1; cls < HAK_SLAB_CLASSES; cls++) {
        struct hak_slab *slab = heap->classes[cls].all;
        for (; slab != NULL && bytes < bytes_max; slab = slab->all_next)
            bytes += hak_slab_purge_settled(slab);
    }
    hak_audit_heap(heap);
    return bytes;
}

struct hak_slab_sums hak_heap_sums(const struct hak_heap *heap) {
    const struct hak_heap_counts *counts = &heap->counts;
    uint64_t free_blocks =
        hak_heap_count(&counts->returned_blocks) + hak_heap_count(&counts->drained_blocks);
    free_blocks += hak_heap_count(&counts->arrived_blocks);
    free_blocks -=
        hak_heap_count(&counts->taken_blocks); /* last: then the sum is rather too small */
    return (struct hak_slab_sums){
        .slab_bytes = hak_heap_count(&counts->slab_bytes),
        .carved_bytes = hak_heap_count(&counts->carved_bytes),
        .active_bytes = hak_heap_count(&counts->active_bytes),
        .free_blocks = (int64_t)free_blocks < 0 ? 0 : free_blocks,
    };
}
