/* SPDX-License-Identifier: MIT */
/*
 * span_bins.c: see span_bins.h.
 */
#include "src/supply/span_bins.h"

#include "src/contract/slots.h"
#include "src/supply/link.h"
#include "src/supply/room.h"

void hak_supply_mark_span(struct hak_tcache *tc, hak_class_t cls, const void *block) {
    hak_assert(cls >= HAK_SLAB_CLASSES && cls < HAK_CLASSES);
    hak_assert(hak_tagmap_span(block)->owner == HAK_OWNER_L25);
    hak_tagmap_tag_first(hak_tagmap_span(block), tc->tag | (uint32_t)cls << HAK_BIN_SHIFT);
}

/* Back to the tier; what is no live block's address is noted. */
static void give_span(struct hak_tcache *tc, void *block) {
    struct hak_span *span = hak_tagmap_span(block);
    if (hak_unlikely(span->base != (char *)block)) {
        hak_heap_note_misuse(&tc->heap, block, HAK_FREE_INSIDE);
    } else if (hak_unlikely(!hak_large_free(block, span))) {
        hak_heap_note_misuse(&tc->heap, block, HAK_FREE_DOUBLE);
    } else {
        hak_heap_note_released(&tc->heap);
    }
}

void hak_supply_flush_spans(struct hak_tcache *tc, hak_class_t cls, unsigned keep) {
    void *block;
    while ((block = hak_supply_pop(tc, cls, keep)) != NULL)
        give_span(tc, block);
}

/* Takes all capacity from the next class that has any, but for `cls`; false when none has. */
static bool take_capacity(struct hak_tcache *tc, hak_class_t cls) {
    for (size_t i = 0; i < HAK_TABLE_SPANS; i++) {
        tc->span_victim = (uint8_t)((tc->span_victim + 1) % HAK_TABLE_SPANS);
        hak_class_t victim = (hak_class_t)(HAK_SLAB_CLASSES + tc->span_victim);
        struct hak_bin *bin = &tc->bins[victim];
        if (victim == cls || bin->capacity == 0) continue;
        hak_supply_flush_spans(tc, victim, 0);
        hak_assert(hak_bin_count(bin) == 0);
        hak_assert(tc->span_bin_bytes >= bin->capacity * hak_sizeclass_stride(victim));
        tc->span_bin_bytes -= (uint32_t)bin->capacity * hak_sizeclass_stride(victim);
        hak_bin_set_capacity(bin, 0);
        return true;
    }
    return false;
}

HAK_NOINLINE void hak_supply_keep_span(struct hak_tcache *tc, hak_class_t cls, void *block) {
    struct hak_bin *bin = &tc->bins[cls];
    uint32_t stride = hak_sizeclass_stride(cls);
    bool has_room = true;
    hak_assert(cls >= HAK_SLAB_CLASSES && cls < HAK_CLASSES);
    hak_heap_enter(&tc->heap);
    while (has_room && tc->span_bin_bytes + stride > HAK_SPAN_BIN_BYTES)
        has_room = take_capacity(tc, cls);
    if (has_room) {
        hak_supply_set_room(tc, cls, bin->capacity + 1u);
        tc->span_bin_bytes += stride;
        hak_bin_push(bin, block);
    } else {
        give_span(tc, block);
    }
    hak_heap_leave(&tc->heap);
}
