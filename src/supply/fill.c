/* SPDX-License-Identifier: MIT */
/*
 * fill.c: see fill.h.
 */
#include "src/supply/fill.h"

#include "src/contract/slots.h"
#include "src/supply/room.h"
#include "src/supply/slabs.h"

bool hak_supply_slab(struct hak_tcache *tc, hak_class_t cls) {
    struct hak_heap *heap = &tc->heap;
    hak_assert(cls >= 1 && cls < HAK_SLAB_CLASSES);
    hak_supply_scan_if_due(tc, cls);
    bool is_adopted = hak_heap_adopt(heap, cls);
    if (heap->emptied != NULL) hak_supply_release_emptied(heap);
    bool may_give = hak_heap_listed(heap, cls) != NULL || hak_heap_fresh(heap, cls) != NULL;
    if (is_adopted && may_give) return true;
    enum hak_owner owner = cls <= HAK_TINY_CLASSES ? HAK_OWNER_TINY : HAK_OWNER_MID;
    size_t growths = hak_idle_of(&hak_idle.growths);
    struct hak_span *span = hak_spans_acquire(hak_slab_span_bytes(cls), HAK_SLAB_BYTES, owner);
    if (span == NULL) return false;
    hak_assert(hak_span_is_slab(span));
    hak_assert(span->bytes == hak_slab_span_bytes(cls));
    if (hak_unlikely(hak_idle_of(&hak_idle.growths) != growths) && hak_large_idle() > 0) {
        hak_large_purge(HAK_PURGE_ALL, HAK_SUPERSLAB_BYTES); /* the memory moves to small blocks */
    }
    if (hak_heap_bind(heap, span, cls)) return true;
    hak_spans_release(span);
    return false;
}

static unsigned fill_from_new_slab(struct hak_tcache *tc, hak_class_t cls, unsigned want) {
    if (!hak_supply_slab(tc, cls)) return 0;
    unsigned count = hak_supply_from_bits(tc, cls, want);
    return count > 0 ? count : hak_supply_from_fresh(tc, cls, want);
}

unsigned hak_supply_fill_reusing(struct hak_tcache *tc, hak_class_t cls, unsigned want,
                                 bool drain) {
    hak_supply_widen(tc, cls, want);
    unsigned count = hak_supply_from_bits(tc, cls, want);
    if (count > 0) return count;
    if (drain) {
        hak_supply_drain(tc);
        count = hak_supply_from_bits(tc, cls, want);
        if (count > 0) return count;
    }
    count = hak_supply_from_fresh(tc, cls, want);
    return count > 0 ? count : fill_from_new_slab(tc, cls, want);
}

unsigned hak_supply_fill_carving(struct hak_tcache *tc, hak_class_t cls, unsigned want) {
    hak_supply_widen(tc, cls, want);
    unsigned count = hak_supply_from_fresh(tc, cls, want);
    if (count == 0) count = hak_supply_from_bits(tc, cls, want);
    if (count > 0) return count;
    hak_supply_drain(tc);
    count = hak_supply_from_bits(tc, cls, want);
    if (count == 0) count = hak_supply_from_fresh(tc, cls, want); /* a slab that came home whole */
    return count > 0 ? count : fill_from_new_slab(tc, cls, want);
}
