/* SPDX-License-Identifier: MIT */
/*
 * supply.c: see supply.h. Owner thread only, but for what meta and the span source lock themselves.
 */
#include "src/contract/supply.h"

#include "src/base/bits.h"
#include "src/base/tunables.h"
#include "src/contract/purge.h"
#include "src/contract/slots.h"
#include "src/os/os.h"

void hak_supply_release_emptied(struct hak_heap *heap) {
    struct hak_slab *slab;
    hak_heap_enter(heap);
    while ((slab = hak_heap_pop_emptied(heap)) != NULL) {
        hak_spans_release(&slab->span);
        heap->has_released = true;
    }
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

bool hak_supply_slab(struct hak_heap *heap, hak_class_t cls) {
    bool is_adopted = hak_heap_adopt(heap, cls);
    if (heap->emptied != NULL) hak_supply_release_emptied(heap);
    bool may_give = hak_heap_listed(heap, cls) != NULL || hak_heap_fresh(heap, cls) != NULL;
    if (is_adopted && may_give) return true;
    enum hak_owner owner = cls <= HAK_TINY_CLASSES ? HAK_OWNER_TINY : HAK_OWNER_MID;
    size_t growths = hak_idle_of(&hak_idle.growths);
    struct hak_span *span = hak_spans_acquire(hak_slab_span_bytes(cls), HAK_SLAB_BYTES, owner);
    if (span == NULL) return false;
    if (hak_unlikely(hak_idle_of(&hak_idle.growths) != growths) && hak_large_idle() > 0) {
        hak_large_purge(HAK_PURGE_ALL, HAK_SUPERSLAB_BYTES); /* the memory moves to small blocks */
    }
    if (hak_heap_bind(heap, span, cls)) return true;
    hak_spans_release(span);
    return false;
}

unsigned hak_supply_from_bits(struct hak_tcache *tc, hak_class_t cls, unsigned want) {
    struct hak_heap *heap = &tc->heap;
    unsigned count = 0;
    struct hak_slab *slab;
    while (count < want && (slab = hak_heap_listed(heap, cls)) != NULL) {
        unsigned first;
        uint64_t bits = hak_heap_take_word(heap, slab, want - count, &first);
        hak_bin_put_word(&tc->bins[cls], hak_slab_block(slab, first), slab->stride, bits);
        count += hak_bits_count(bits);
    }
    return count;
}

unsigned hak_supply_from_fresh(struct hak_tcache *tc, hak_class_t cls, unsigned want) {
    struct hak_slab *slab = hak_heap_fresh(&tc->heap, cls);
    if (slab == NULL) return 0;
    if (slab->span.zeroed) {
        size_t offset = (size_t)slab->carved * slab->stride;
        size_t page = hak_os_page_bytes();
        size_t left = page - (offset & (page - 1));
        size_t fit = (left + slab->stride - 1) / slab->stride;
        if (fit < want) want = (unsigned)fit;
    }
    unsigned first;
    unsigned count = hak_heap_carve(&tc->heap, slab, want, &first);
    if (count > 0) {
        hak_bin_put_run(&tc->bins[cls], hak_slab_block(slab, first), slab->stride, count);
    }
    return count;
}

void hak_supply_drain(struct hak_tcache *tc) {
    hak_heap_drain(&tc->heap);
    hak_supply_release_emptied(&tc->heap);
}

static unsigned fill_from_new_slab(struct hak_tcache *tc, hak_class_t cls, unsigned want) {
    if (!hak_supply_slab(&tc->heap, cls)) return 0;
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

void hak_supply_put(struct hak_tcache *tc, void *block) {
    struct hak_heap *heap = &tc->heap;
    hak_heap_put(heap, hak_slab_of_span(hak_tagmap_span_inside(block)), block);
    if (hak_unlikely(heap->emptied != NULL)) hak_supply_release_emptied(heap);
}

void hak_supply_give_up(struct hak_tcache *tc, hak_class_t cls, const void *holder) {
    struct hak_bin *bin = &tc->bins[cls];
    hak_bin_init(bin, bin->capacity, tc->bin_memory, cls);
    hak_heap_note_overwritten(&tc->heap, cls, holder);
}

/* The top block, if the bin has more than `keep`, and both it and its link are what they should be:
 * else NULL, and the bin is given up where they are not. What was proved as a link is not proved
 * again as the top, where it stays unless malloc takes it. */
static void *pop_proved(struct hak_tcache *tc, hak_class_t cls, unsigned keep) {
    struct hak_bin *bin = &tc->bins[cls];
    unsigned count = hak_bin_count(bin);
    if (count <= keep) return NULL;
    void *block = NULL;
    const void *top = hak_bin_next(bin, NULL, 0);
    bool is_known = top != NULL && top == tc->proved;
    if (hak_likely(is_known || hak_supply_is_link(tc, cls, top, count))) {
        block = hak_bin_pop(bin);
        const void *link = hak_bin_next(bin, NULL, 0);
        tc->proved = link;
        if (hak_likely(hak_supply_is_link(tc, cls, link, count - 1))) return block;
        tc->proved = NULL;
    }
    hak_supply_give_up(tc, cls, block);
    return block;
}

/* As many as the bin holds, and a few: it has seen as many frees as it could serve. */
static uint16_t overflows_before_shrink(unsigned capacity) {
    return (uint16_t)(capacity + HAK_BIN_SHRINK_AFTER);
}

/* The bin's capacity, and with it the sum of what bins may hold beyond their first capacities. */
static void set_capacity(struct hak_tcache *tc, hak_class_t cls, unsigned capacity) {
    struct hak_bin *bin = &tc->bins[cls];
    unsigned first = tc->heap.classes[cls].capacity_first;
    unsigned before = bin->capacity > first ? bin->capacity - first : 0;
    unsigned after = capacity > first ? capacity - first : 0;
    tc->wide_bytes += (after - before) * hak_sizeclass_stride(cls);
    hak_bin_set_capacity(bin, capacity);
    bin->overflows_left = overflows_before_shrink(capacity);
}

/* As many places at once as overflows bring the next ones, so that a place is lost an overflow.
 * With no capacity left, `overflows_left` wraps and means nothing until the next fill. */
static HAK_NOINLINE void shrink(struct hak_tcache *tc, hak_class_t cls) {
    struct hak_bin *bin = &tc->bins[cls];
    unsigned less = bin->capacity < HAK_BIN_SHRINK_BY ? bin->capacity : HAK_BIN_SHRINK_BY;
    if (less == 0) return;
    unsigned keep = hak_bin_count(bin) > less ? hak_bin_count(bin) - less : 0;
    void *top;
    hak_heap_enter(&tc->heap);
    while ((top = pop_proved(tc, cls, keep)) != NULL)
        hak_supply_put(tc, top);
    set_capacity(tc, cls, bin->capacity - less);
    bin->overflows_left = (uint16_t)less;
    hak_heap_leave(&tc->heap);
}

/* Long runs of frees come here for each block: what is rare in them is apart. */
void hak_supply_overflow(struct hak_tcache *tc, hak_class_t cls, void *block) {
    if (hak_unlikely(--tc->bins[cls].overflows_left == 0)) shrink(tc, cls);
    hak_supply_put(tc, block);
}

void hak_supply_widen(struct hak_tcache *tc, hak_class_t cls, unsigned want) {
    struct hak_class_slabs *slabs = &tc->heap.classes[cls];
    struct hak_bin *bin = &tc->bins[cls];
    unsigned capacity = bin->capacity;
    unsigned most = slabs->capacity_first;
    bool was_full = bin->overflows_left != overflows_before_shrink(capacity);
    bin->overflows_left = overflows_before_shrink(capacity);
    if (hak_likely(capacity >= most && capacity >= want && !was_full)) return;
    if (capacity >= most && tc->wide_bytes < HAK_BIN_WIDE_BYTES) most = slabs->capacity_max;
    unsigned wider = 2 * capacity < most ? 2 * capacity : most;
    if (wider < want) wider = want;
    if (wider > capacity) set_capacity(tc, cls, wider);
}

void hak_supply_flush(struct hak_tcache *tc, hak_class_t cls, unsigned keep) {
    unsigned before = hak_bin_count(&tc->bins[cls]);
    void *block;
    while ((block = pop_proved(tc, cls, keep)) != NULL)
        hak_supply_put(tc, block);
    hak_count_up(&tc->heap.counts.flushed_blocks, before - hak_bin_count(&tc->bins[cls]));
}

void hak_supply_mark_span(struct hak_tcache *tc, hak_class_t cls, const void *block) {
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
        tc->heap.has_released = true;
    }
}

void hak_supply_flush_spans(struct hak_tcache *tc, hak_class_t cls, unsigned keep) {
    void *block;
    while ((block = pop_proved(tc, cls, keep)) != NULL)
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
    hak_heap_enter(&tc->heap);
    while (has_room && tc->span_bin_bytes + stride > HAK_SPAN_BIN_BYTES)
        has_room = take_capacity(tc, cls);
    if (has_room) {
        hak_bin_set_capacity(bin, bin->capacity + 1u);
        tc->span_bin_bytes += stride;
        hak_bin_push(bin, block);
    } else {
        give_span(tc, block);
    }
    hak_heap_leave(&tc->heap);
}

/* Blocks that a bin of so many bytes holds. */
static unsigned bin_capacity(hak_class_t cls, uint32_t bytes) {
    uint32_t stride = hak_sizeclass_stride(cls);
    if (stride == 0 || cls >= HAK_SLAB_CLASSES) return 0;
    uint32_t fit = bytes / stride;
    return fit < 1 ? 1 : fit < HAK_BIN_BLOCKS_MAX ? fit : HAK_BIN_BLOCKS_MAX;
}

void hak_supply_init_bins(struct hak_tcache *tc) {
    for (size_t i = 0; i < HAK_BINS; i++) {
        hak_class_t cls = (hak_class_t)i;
        unsigned capacity = bin_capacity(cls, HAK_BIN_CAP_BYTES);
        hak_bin_init(&tc->bins[cls], capacity, tc->bin_memory, cls);
        tc->bins[cls].overflows_left = overflows_before_shrink(capacity);
        if (cls >= HAK_SLAB_CLASSES) continue;
        tc->heap.classes[cls].capacity_first = (uint16_t)capacity;
        tc->heap.classes[cls].capacity_max = (uint16_t)bin_capacity(cls, HAK_BIN_CAP_BYTES_MAX);
    }
}
