/* SPDX-License-Identifier: MIT */
/*
 * room.c: see room.h.
 */
#include "src/supply/room.h"

#include "src/base/tunables.h"
#include "src/contract/slots.h"
#include "src/supply/audit.h"
#include "src/supply/link.h"
#include "src/supply/slabs.h"

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

/* As many as the bin holds, and a few: it has seen as many frees as it could serve. */
static uint16_t overflows_before_shrink(unsigned capacity) {
    return (uint16_t)(capacity + HAK_BIN_SHRINK_AFTER);
}

void hak_supply_set_room(struct hak_tcache *tc, hak_class_t cls, unsigned capacity) {
    struct hak_bin *bin = &tc->bins[cls];
    hak_assert(capacity <= HAK_BIN_BLOCKS_MAX);
    hak_assert(capacity >= hak_bin_count(bin));
    if (!hak_bin_has_memory(bin)) hak_bin_give_memory(bin, tc->bin_memory, tc->bins_given++);
    hak_bin_set_capacity(bin, capacity);
}

/* From one look at the overflows of a bin to the next: before it gets smaller for the first time
 * since the last fill, and then. */
static uint16_t overflows_to_look(unsigned capacity, unsigned overflowed) {
    if (overflowed == 0) return overflows_before_shrink(capacity);
    return capacity > 0 ? HAK_BIN_SHRINK_BY : HAK_BIN_COUNT_AFTER;
}

/* What happened since the last look counts, too. */
static void count_overflows(struct hak_tcache *tc, hak_class_t cls) {
    struct hak_class_slabs *slabs = &tc->heap.classes[cls];
    const struct hak_bin *bin = &tc->bins[cls];
    unsigned step = overflows_to_look(bin->capacity, slabs->overflowed);
    hak_assert(bin->overflows_left <= step);
    unsigned sum = slabs->overflowed + step - bin->overflows_left;
    slabs->overflowed = (uint16_t)(sum < UINT16_MAX ? sum : UINT16_MAX);
}

static void forget_overflows(struct hak_tcache *tc, hak_class_t cls) {
    struct hak_bin *bin = &tc->bins[cls];
    tc->heap.classes[cls].overflowed = 0;
    tc->heap.classes[cls].room = bin->capacity;
    bin->overflows_left = overflows_to_look(bin->capacity, 0);
}

/* The bin's capacity, and with it the sum of what all bins may hold. */
static void set_capacity(struct hak_tcache *tc, hak_class_t cls, unsigned capacity) {
    struct hak_bin *bin = &tc->bins[cls];
    hak_assert(cls >= 1 && cls < HAK_SLAB_CLASSES);
    hak_assert(tc->bin_bytes >= bin->capacity * hak_sizeclass_stride(cls));
    if (!hak_fault(HAK_FAULT_SUPPLY_ROOM)) {
        tc->bin_bytes += (capacity - bin->capacity) * hak_sizeclass_stride(cls);
    }
    hak_supply_set_room(tc, cls, capacity);
    hak_audit_bin(tc, cls);
}

/* As much of a capacity as the bins may hold together. Where a bin was too small, the budget grows
 * by it. */
static unsigned within_budget(struct hak_tcache *tc, hak_class_t cls, unsigned capacity,
                              bool was_full) {
    uint32_t stride = hak_sizeclass_stride(cls);
    unsigned before = tc->bins[cls].capacity;
    if (capacity <= before || tc->keeps_capacities) return before;
    uint32_t bytes = tc->bin_bytes + (capacity - before) * stride;
    if (bytes <= tc->bin_budget) return capacity;
    uint32_t most = was_full ? budget_max() : tc->bin_budget;
    if (most < tc->bin_bytes + stride) return before;
    if (bytes > most) capacity = before + (most - tc->bin_bytes) / stride;
    bytes = tc->bin_bytes + (capacity - before) * stride;
    if (bytes > tc->bin_budget) tc->bin_budget = bytes;
    return capacity;
}

#define SEEN_USED    UINT16_MAX       /* filled since */
#define SEEN_EMPTIED (UINT16_MAX - 1) /* by the last scan */

/* Neither of these; and not the same as before when the thread has used the bin in between, as a
 * rule; widen() sees to fills. */
static uint16_t state_of(const struct hak_bin *bin) {
    return (uint16_t)((bin->overflows_left * 257u + hak_bin_count(bin)) & INT16_MAX);
}

/* A bin that was used and not filled since the last scan held more than was asked for: half of it
 * goes, down to the blocks that every bin may have. */
static HAK_NOINLINE void narrow(struct hak_tcache *tc, hak_class_t cls) {
    struct hak_bin *bin = &tc->bins[cls];
    unsigned least = HAK_BIN_FIRST_BLOCKS;
    if (hak_bin_count(bin) <= least) return;
    unsigned capacity = bin->capacity / 2 > least ? bin->capacity / 2 : least;
    unsigned keep = hak_bin_count(bin) / 2 < capacity ? hak_bin_count(bin) / 2 : capacity;
    hak_bins_flush(tc, cls, keep);
    set_capacity(tc, cls, capacity);
    forget_overflows(tc, cls);
}

static void scan_class(struct hak_tcache *tc, hak_class_t cls) {
    struct hak_bin *bin = &tc->bins[cls];
    struct hak_class_slabs *slabs = &tc->heap.classes[cls];
    if (slabs->seen != state_of(bin)) {
        bool is_wide = bin->capacity > HAK_BIN_FIRST_BLOCKS;
        if (hak_unlikely(is_wide) && slabs->seen != SEEN_USED) narrow(tc, cls);
        slabs->seen = state_of(bin);
        return;
    }
    bool had_room = bin->capacity > 0;
    if (had_room || hak_bins_may_hold(cls)) hak_bins_flush(tc, cls, 0);
    if (had_room) {
        set_capacity(tc, cls, 0);
        forget_overflows(tc, cls);
    } else if (hak_unlikely(slabs->overflowed > 0)) {
        forget_overflows(tc, cls);
        slabs->seen = state_of(bin);
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

/* As much was acquired since the last scan as one part of what the thread has, and as the gap. */
void hak_supply_scan_if_due(struct hak_tcache *tc, hak_class_t cls) {
    struct hak_heap *heap = &tc->heap;
    uint64_t slab_bytes = hak_heap_sums(heap).slab_bytes;
    tc->got_bytes += hak_slab_span_bytes(cls);
    if (tc->got_bytes < slab_bytes >> HAK_SCAN_SHIFT || tc->got_bytes < tc->scan_gap) return;
    uint32_t few = share_of(HAK_SCAN_BYTES, HAK_SCAN_BYTES_MIN, HAK_SCAN_BYTES);
    if (tc->bin_bytes + heap->spare_bytes < few) return;
    hak_supply_scan(tc);
}

/* As many places at once as overflows bring the next ones, so that a place is lost an overflow. */
static void shrink(struct hak_tcache *tc, hak_class_t cls) {
    struct hak_bin *bin = &tc->bins[cls];
    unsigned less = bin->capacity < HAK_BIN_SHRINK_BY ? bin->capacity : HAK_BIN_SHRINK_BY;
    unsigned keep = hak_bin_count(bin) > less ? hak_bin_count(bin) - less : 0;
    void *top;
    hak_heap_enter(&tc->heap);
    count_overflows(tc, cls);
    while ((top = hak_supply_pop(tc, cls, keep)) != NULL)
        hak_supply_put(tc, top);
    set_capacity(tc, cls, bin->capacity - less);
    bin->overflows_left = overflows_to_look(bin->capacity, tc->heap.classes[cls].overflowed);
    hak_heap_leave(&tc->heap);
}

static HAK_NOINLINE void shrink_and_put(struct hak_tcache *tc, hak_class_t cls,
                                        struct hak_block *block) {
    shrink(tc, cls);
    hak_supply_put(tc, block);
}

/* Long runs of frees come here for each block: what is rare in them is apart. */
void hak_supply_overflow(struct hak_tcache *tc, hak_class_t cls, struct hak_block *block) {
    if (hak_unlikely(--tc->bins[cls].overflows_left == 0)) {
        shrink_and_put(tc, cls, block);
    } else {
        hak_supply_put(tc, block);
    }
}

/* What came back before a fill, of a bin that overflowed, as far as a bin may hold it; 0 when it is
 * so much that a bin of any size would have been emptied again (shrink). */
static unsigned burst_of(const struct hak_class_slabs *slabs) {
    unsigned burst = (unsigned)slabs->room + slabs->overflowed;
    if (burst >= 3u * slabs->capacity_max || slabs->overflowed == UINT16_MAX) return 0;
    return burst < slabs->capacity_max ? burst : slabs->capacity_max;
}

/* The capacity that a bin should have which has none, or has overflowed since the last fill. That
 * was too small, and is doubled at least; a burst that was as large twice is to fit. */
static unsigned wider(struct hak_class_slabs *slabs, unsigned want) {
    unsigned wide = 2 * (slabs->room > want ? slabs->room : want);
    unsigned first = wide < slabs->capacity_first ? wide : slabs->capacity_first;
    if (slabs->overflowed == 0) return first;
    unsigned burst = burst_of(slabs);
    unsigned again = burst < slabs->burst ? burst : slabs->burst;
    slabs->burst = (uint16_t)burst;
    if (burst == 0 || slabs->room < slabs->capacity_first) return first;
    if (wide > slabs->capacity_max) wide = slabs->capacity_max;
    return wide > again ? wide : again;
}

/* Whether one place more is within the bounds of the bin, and of all bins. */
static bool may_grow(const struct hak_tcache *tc, hak_class_t cls) {
    return tc->bins[cls].capacity < tc->heap.classes[cls].capacity_max &&
           tc->bin_bytes + hak_sizeclass_stride(cls) <= budget_max();
}

static void widen(struct hak_tcache *tc, hak_class_t cls, unsigned want, bool was_full) {
    struct hak_class_slabs *slabs = &tc->heap.classes[cls];
    struct hak_bin *bin = &tc->bins[cls];
    if (was_full) count_overflows(tc, cls);
    unsigned capacity = within_budget(tc, cls, wider(slabs, want), was_full);
    if (capacity < want) capacity = want;
    if (capacity > bin->capacity) set_capacity(tc, cls, capacity);
    forget_overflows(tc, cls);
    hak_assert(bin->capacity >= want);
    hak_assert(bin->capacity <= slabs->capacity_max);
}

void hak_supply_widen(struct hak_tcache *tc, hak_class_t cls, unsigned want) {
    struct hak_class_slabs *slabs = &tc->heap.classes[cls];
    const struct hak_bin *bin = &tc->bins[cls];
    unsigned capacity = bin->capacity;
    hak_assert(hak_bin_count(bin) == 0);
    hak_assert(want >= 1 && want <= slabs->capacity_max);
    bool was_full = bin->overflows_left != overflows_before_shrink(capacity);
    if (slabs->seen == SEEN_EMPTIED) tc->scan_regrets++;
    slabs->seen = SEEN_USED;
    if (hak_likely(capacity >= slabs->capacity_first && capacity >= want)) {
        if (hak_likely(!was_full)) return;
        if (slabs->overflowed == 0 && !may_grow(tc, cls)) {
            tc->bins[cls].overflows_left = overflows_before_shrink(capacity);
            return;
        }
    }
    widen(tc, cls, want, was_full);
}

/* Blocks that a bin of so many bytes holds, and no more than `most`. */
static unsigned bin_capacity(hak_class_t cls, uint32_t bytes, uint32_t most) {
    uint32_t stride = hak_sizeclass_stride(cls);
    if (stride == 0 || cls >= HAK_SLAB_CLASSES) return 0;
    uint32_t fit = bytes / stride;
    if (most > HAK_BIN_BLOCKS_MAX) most = HAK_BIN_BLOCKS_MAX;
    return fit < 1 ? 1 : fit < most ? fit : most;
}

/* Constants, which a cache keeps from thread to thread. */
static void init_capacities(struct hak_tcache *tc) {
    for (hak_class_t cls = 1; cls < HAK_SLAB_CLASSES; cls++) {
        struct hak_class_slabs *slabs = &tc->heap.classes[cls];
        slabs->capacity_first =
            (uint16_t)bin_capacity(cls, HAK_BIN_FIRST_BYTES, HAK_BIN_FIRST_BLOCKS);
        slabs->capacity_max = (uint16_t)bin_capacity(cls, HAK_BIN_MAX_BYTES, HAK_BIN_BLOCKS_MAX);
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
    for (hak_class_t cls = 1; cls < HAK_SLAB_CLASSES; cls++) {
        forget_overflows(tc, cls);
        tc->heap.classes[cls].burst = 0;
        tc->heap.classes[cls].seen = state_of(&tc->bins[cls]);
    }
}
