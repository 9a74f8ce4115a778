/* SPDX-License-Identifier: MIT */
/*
 * slabs.c: see slabs.h. Owner thread only, but for what meta and the span source lock themselves.
 */
#include "src/supply/slabs.h"

#include "src/base/bits.h"
#include "src/contract/slots.h"
#include "src/os/os.h"
#include "src/supply/audit.h"
#include "src/supply/link.h"

void hak_supply_release_emptied(struct hak_heap *heap) {
    struct hak_slab *slab;
    hak_heap_enter(heap);
    while ((slab = hak_heap_pop_emptied(heap)) != NULL) {
        hak_assert(atomic_load(&slab->owner) == NULL);
        hak_spans_release(&slab->span);
        hak_heap_note_released(heap);
    }
    hak_assert(heap->emptied == NULL);
    hak_heap_leave(heap);
}

void hak_supply_post(struct hak_heap *heap) {
    hak_remote_flush(heap);
    hak_supply_release_emptied(heap);
}

void hak_supply_drain_orphans(struct hak_heap *heap) {
    hak_heap_drain_orphans(heap);
    if (heap->emptied != NULL) hak_supply_release_emptied(heap);
}

void hak_supply_drain(struct hak_tcache *tc) {
    hak_heap_drain(&tc->heap);
    hak_supply_release_emptied(&tc->heap);
}

unsigned hak_supply_from_bits(struct hak_tcache *tc, hak_class_t cls, unsigned want) {
    struct hak_heap *heap = &tc->heap;
    unsigned count = 0;
    struct hak_slab *slab;
    hak_assert(hak_bin_count(&tc->bins[cls]) + want <= tc->bins[cls].capacity);
    while (count < want && (slab = hak_heap_listed(heap, cls)) != NULL) {
        unsigned first;
        uint64_t bits = hak_heap_take_word(heap, slab, want - count, &first);
        hak_bin_put_word(&tc->bins[cls], hak_slab_block(slab, first), slab->stride, bits);
        count += hak_bits_count(bits);
        hak_assert(bits != 0); /* a listed slab has free bits */
    }
    hak_assert(count <= want);
    hak_audit_bin(tc, cls);
    return count;
}

unsigned hak_supply_from_fresh(struct hak_tcache *tc, hak_class_t cls, unsigned want) {
    struct hak_slab *slab = hak_heap_fresh(&tc->heap, cls);
    if (slab == NULL) return 0;
    hak_assert(slab->cls == cls);
    hak_assert(hak_bin_count(&tc->bins[cls]) + want <= tc->bins[cls].capacity);
    if (slab->span.zeroed) {
        size_t offset = (size_t)slab->carved * slab->stride;
        size_t page = hak_os_page_bytes();
        size_t left = page - (offset & (page - 1));
        size_t fit = (left + slab->stride - 1) / slab->stride;
        if (fit < want) want = (unsigned)fit;
    }
    unsigned first;
    unsigned count = hak_heap_carve(&tc->heap, slab, want, &first);
    hak_assert(count >= 1 && count <= want);
    if (hak_fault(HAK_FAULT_SUPPLY_EXTRA)) count++;
    if (count > 0) {
        hak_bin_put_run(&tc->bins[cls], hak_slab_block(slab, first), slab->stride, count);
    }
    hak_audit_bin(tc, cls);
    return count;
}

void hak_supply_put(struct hak_tcache *tc, void *block) {
    struct hak_heap *heap = &tc->heap;
    struct hak_slab *slab = hak_slab_of_span(hak_tagmap_span_inside(block));
    hak_assert(hak_span_is_slab(&slab->span));
    if (hak_unlikely(hak_heap_put(heap, slab, block))) hak_supply_release_emptied(heap);
}

void hak_supply_flush(struct hak_tcache *tc, hak_class_t cls, unsigned keep) {
    unsigned before = hak_bin_count(&tc->bins[cls]);
    void *block;
    while ((block = hak_supply_pop(tc, cls, keep)) != NULL)
        hak_supply_put(tc, block);
    hak_assert(hak_bin_count(&tc->bins[cls]) <= keep);
    hak_count_up(&tc->heap.counts.flushed_blocks, before - hak_bin_count(&tc->bins[cls]));
    hak_audit_bin(tc, cls);
}
