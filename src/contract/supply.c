/* SPDX-License-Identifier: MIT */
/*
 * supply.c: see supply.h. Owner thread only, but for what meta and the span source lock themselves.
 */
#include "src/contract/supply.h"

#include "src/base/bits.h"
#include "src/base/tunables.h"
#include "src/contract/purge.h"
#include "src/contract/slots.h"
#include "src/contract/supply_audit.h"
#include "src/os/os.h"

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

_Atomic uint32_t hak_supply_threads;

/* A thread's share of so much, within bounds. Relaxed: it need not be exact. */
static uint32_t share_of(uint32_t bytes, uint32_t least, uint32_t most) {
    uint32_t threads = atomic_load_explicit(&hak_supply_threads, memory_order_relaxed);
    uint32_t share = bytes / (threads > 0 ? threads : 1);
    hak_assert(least <= most);
    return share < least ? least : share < most ? share : most;
}

/* What the budget may grow to. */
static uint32_t budget_max(void) {
    return share_of(HAK_BUDGETS_BYTES, HAK_BUDGET_FIRST_BYTES, HAK_BUDGET_MAX_BYTES);
}

/* As much was acquired since the last scan as one part of what the thread has, and as the gap. */
static void scan_if_due(struct hak_tcache *tc, hak_class_t cls) {
    struct hak_heap *heap = &tc->heap;
    uint64_t slab_bytes = hak_heap_sums(heap).slab_bytes;
    tc->got_bytes += hak_slab_span_bytes(cls);
    if (tc->got_bytes < slab_bytes >> HAK_SCAN_SHIFT || tc->got_bytes < tc->scan_gap) return;
    uint32_t few = share_of(HAK_SCAN_BYTES, HAK_SCAN_BYTES_MIN, HAK_SCAN_BYTES);
    if (tc->bin_bytes + heap->spare_bytes < few) return;
    hak_supply_scan(tc);
}

bool hak_supply_slab(struct hak_tcache *tc, hak_class_t cls) {
    struct hak_heap *heap = &tc->heap;
    hak_assert(cls >= 1 && cls < HAK_SLAB_CLASSES);
    scan_if_due(tc, cls);
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

void hak_supply_drain(struct hak_tcache *tc) {
    hak_heap_drain(&tc->heap);
    hak_supply_release_emptied(&tc->heap);
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

void hak_supply_put(struct hak_tcache *tc, void *block) {
    struct hak_heap *heap = &tc->heap;
    struct hak_slab *slab = hak_slab_of_span(hak_tagmap_span_inside(block));
    hak_assert(hak_span_is_slab(&slab->span));
    if (hak_unlikely(hak_heap_put(heap, slab, block))) hak_supply_release_emptied(heap);
}

void hak_supply_give_up(struct hak_tcache *tc, hak_class_t cls, const void *holder) {
    hak_bin_clear(&tc->bins[cls]);
    hak_assert(hak_bin_count(&tc->bins[cls]) == 0);
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

static void set_room(struct hak_tcache *tc, hak_class_t cls, unsigned capacity) {
    struct hak_bin *bin = &tc->bins[cls];
    hak_assert(capacity <= HAK_BIN_BLOCKS_MAX);
    hak_assert(capacity >= hak_bin_count(bin));
    if (!hak_bin_has_memory(bin)) hak_bin_give_memory(bin, tc->bin_memory, tc->bins_given++);
    hak_bin_set_capacity(bin, capacity);
}

/* The bin's capacity, and with it the sum of what all bins may hold. */
static void set_capacity(struct hak_tcache *tc, hak_class_t cls, unsigned capacity) {
    struct hak_bin *bin = &tc->bins[cls];
    hak_assert(cls >= 1 && cls < HAK_SLAB_CLASSES);
    hak_assert(tc->bin_bytes >= bin->capacity * hak_sizeclass_stride(cls));
    if (!hak_fault(HAK_FAULT_SUPPLY_ROOM)) {
        tc->bin_bytes += (capacity - bin->capacity) * hak_sizeclass_stride(cls);
    }
    set_room(tc, cls, capacity);
    bin->overflows_left = overflows_before_shrink(capacity);
    hak_audit_bin(tc, cls);
}

/* Whether the bins may hold so much more. Where a bin was too small, the budget grows by it. */
static bool may_widen(struct hak_tcache *tc, uint32_t more_bytes, bool was_full) {
    if (tc->keeps_capacities) return false;
    uint32_t bytes = tc->bin_bytes + more_bytes;
    if (bytes > tc->bin_budget && was_full && bytes <= budget_max()) tc->bin_budget = bytes;
    return bytes <= tc->bin_budget;
}

#define SEEN_USED    UINT16_MAX       /* filled since */
#define SEEN_EMPTIED (UINT16_MAX - 1) /* by the last scan */
_Static_assert(HAK_BIN_BLOCKS_MAX < UINT8_MAX - 1, "what a scan sees is neither of these");

/* Not the same as before when the thread has used the bin in between, as a rule; widen() sees to
 * fills. */
static uint16_t state_of(const struct hak_bin *bin) {
    return (uint16_t)((unsigned)bin->overflows_left << 8 | hak_bin_count(bin));
}

static void scan_class(struct hak_tcache *tc, hak_class_t cls) {
    struct hak_bin *bin = &tc->bins[cls];
    struct hak_class_slabs *slabs = &tc->heap.classes[cls];
    uint16_t seen = state_of(bin);
    bool is_cold = slabs->seen == seen;
    if (slabs->seen != seen) slabs->seen = seen;
    if (!is_cold) return;
    bool had_room = bin->capacity > 0;
    if (had_room) {
        hak_supply_flush(tc, cls, 0);
        set_capacity(tc, cls, 0);
    }
    size_t spare_bytes = tc->heap.spare_bytes;
    if (spare_bytes > 0) hak_heap_empty_spare(&tc->heap, cls);
    if (!had_room && tc->heap.spare_bytes == spare_bytes) return;
    slabs->seen = SEEN_EMPTIED;
    tc->scan_emptied++;
}

/* Where much of what the last scan emptied was used again before this one, they come too often. */
static void set_scan_gap(struct hak_tcache *tc) {
    uint32_t most = budget_max() / HAK_SCAN_GAP_PART;
    if (tc->scan_regrets * HAK_SCAN_REGRETS > tc->scan_emptied) {
        tc->scan_gap = tc->scan_gap < HAK_SLAB_BYTES ? (uint32_t)HAK_SLAB_BYTES : tc->scan_gap * 2;
    } else if (tc->scan_regrets * HAK_SCAN_REGRETS * 2 < tc->scan_emptied) {
        tc->scan_gap /= 2;
    }
    if (tc->scan_gap > most) tc->scan_gap = most;
    tc->scan_regrets = 0;
    tc->scan_emptied = 0;
}

void hak_supply_scan(struct hak_tcache *tc) {
    tc->got_bytes = 0;
    set_scan_gap(tc);
    for (hak_class_t cls = 1; cls < HAK_SLAB_CLASSES; cls++)
        scan_class(tc, cls);
    uint32_t most = budget_max();
    uint32_t budget = tc->bin_bytes < most ? tc->bin_bytes : most;
    tc->bin_budget = budget > HAK_BUDGET_FIRST_BYTES ? budget : HAK_BUDGET_FIRST_BYTES;
    hak_assert(tc->bin_budget <= HAK_BUDGET_MAX_BYTES);
    if (tc->heap.emptied != NULL) hak_supply_release_emptied(&tc->heap);
}

/* As many places at once as overflows bring the next ones, so that a place is lost an overflow.
 * With no capacity left, `overflows_left` wraps and means nothing until the next fill. */
static void shrink(struct hak_tcache *tc, hak_class_t cls) {
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

static HAK_NOINLINE void shrink_and_put(struct hak_tcache *tc, hak_class_t cls, void *block) {
    shrink(tc, cls);
    hak_supply_put(tc, block);
}

/* Long runs of frees come here for each block: what is rare in them is apart. */
void hak_supply_overflow(struct hak_tcache *tc, hak_class_t cls, void *block) {
    if (hak_unlikely(--tc->bins[cls].overflows_left == 0)) {
        shrink_and_put(tc, cls, block);
    } else {
        hak_supply_put(tc, block);
    }
}

void hak_supply_widen(struct hak_tcache *tc, hak_class_t cls, unsigned want) {
    struct hak_class_slabs *slabs = &tc->heap.classes[cls];
    struct hak_bin *bin = &tc->bins[cls];
    unsigned capacity = bin->capacity;
    hak_assert(hak_bin_count(bin) == 0);
    hak_assert(want >= 1 && want <= slabs->capacity_max);
    bool was_full = bin->overflows_left != overflows_before_shrink(capacity);
    bin->overflows_left = overflows_before_shrink(capacity);
    if (slabs->seen == SEEN_EMPTIED) tc->scan_regrets++;
    slabs->seen = SEEN_USED;
    if (hak_likely(capacity >= slabs->capacity_first && capacity >= want && !was_full)) return;
    bool is_small = capacity >= slabs->capacity_first && was_full;
    unsigned most = is_small ? slabs->capacity_max : slabs->capacity_first;
    unsigned wider = 2 * (capacity > want ? capacity : want);
    if (wider > most) wider = most;
    if (wider < want) wider = want;
    if (wider <= capacity) return;
    if (!may_widen(tc, (wider - capacity) * hak_sizeclass_stride(cls), was_full)) wider = want;
    if (wider > capacity) set_capacity(tc, cls, wider);
    hak_assert(bin->capacity >= want);
    hak_assert(bin->capacity <= slabs->capacity_max);
}

void hak_supply_flush(struct hak_tcache *tc, hak_class_t cls, unsigned keep) {
    unsigned before = hak_bin_count(&tc->bins[cls]);
    void *block;
    while ((block = pop_proved(tc, cls, keep)) != NULL)
        hak_supply_put(tc, block);
    hak_assert(hak_bin_count(&tc->bins[cls]) <= keep);
    hak_count_up(&tc->heap.counts.flushed_blocks, before - hak_bin_count(&tc->bins[cls]));
    hak_audit_bin(tc, cls);
}

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
        set_room(tc, cls, bin->capacity + 1u);
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

/* Constants, which a cache keeps from thread to thread. */
static void init_capacities(struct hak_tcache *tc) {
    for (hak_class_t cls = 1; cls < HAK_SLAB_CLASSES; cls++) {
        struct hak_class_slabs *slabs = &tc->heap.classes[cls];
        slabs->capacity_first = (uint16_t)bin_capacity(cls, HAK_BIN_FIRST_BYTES);
        slabs->capacity_max = (uint16_t)bin_capacity(cls, HAK_BIN_MAX_BYTES);
    }
}

void hak_supply_init_bins(struct hak_tcache *tc) {
    if (tc->heap.classes[1].capacity_max == 0) init_capacities(tc);
    tc->bin_bytes = 0;
    tc->bin_budget = HAK_BUDGET_FIRST_BYTES;
    tc->bins_given = 0;
    tc->span_bin_bytes = 0;
    for (size_t cls = 0; cls < HAK_BINS; cls++) {
        hak_bin_init(&tc->bins[cls]);
        tc->bins[cls].overflows_left = overflows_before_shrink(0);
    }
    for (hak_class_t cls = 1; cls < HAK_SLAB_CLASSES; cls++)
        tc->heap.classes[cls].seen = state_of(&tc->bins[cls]);
}
