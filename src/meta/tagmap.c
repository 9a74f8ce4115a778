/* SPDX-License-Identifier: MIT */
/*
 * tagmap.c: the map's memory, and placing spans in the window.
 *
 * Spans are placed first-fit from a random start, so that heaps are dense (a page of the map covers
 * 32 MiB) and their addresses differ from run to run. Whatever else lies in the window is found by
 * the kernel's refusal to map over it, and passed in steps that double: a neighbour of a terabyte
 * costs twenty refusals. The map ends behind the highest span there was.
 */
#include "src/meta/tagmap.h"

#include "src/base/bits.h"
#include "src/base/check.h"
#include "src/base/tunables.h"
#include "src/meta/region.h"
#include "src/os/lock.h"
#include "src/os/os.h"

struct hak_tagmap hak_tagmap;

struct window {
    struct hak_lock lock;
    struct hak_region map; /* the entries */
    uintptr_t floor;       /* spans lie in [floor, end); constant after init */
    uintptr_t end;
    uintptr_t cursor; /* where the next search begins */
};
HAK_GUARDED_STATIC(struct window, window) = {.lock = HAK_LOCK_INIT(HAK_RANK_WINDOW)};

/* Bytes of the map that cover the window up to an address. */
static size_t map_bytes(uintptr_t end) {
    return ((end - HAK_WINDOW_BASE + HAK_SLAB_BYTES - 1) >> HAK_SLAB_SHIFT) *
           sizeof(struct hak_tag_entry);
}

/* The first address that the map does not cover. */
static uintptr_t covered(void) HAK_REQUIRES(window.lock) {
    uintptr_t end = HAK_WINDOW_BASE + (hak_tagmap_slots() << HAK_SLAB_SHIFT);
    return end < window.end ? end : window.end;
}

/* After the map has grown. */
static void publish_slots(void) HAK_REQUIRES(window.lock) {
    atomic_store_explicit(&hak_tagmap.slots, window.map.bytes / sizeof(struct hak_tag_entry),
                          memory_order_release);
}

/* Places the map, and behind it the table of span headers, which has all the room there is. */
static enum hak_os_mapped begin_regions(uintptr_t at, size_t bytes) HAK_REQUIRES(window.lock) {
    enum hak_os_mapped mapped = hak_region_begin(&window.map, at, bytes);
    if (mapped != HAK_OS_MAPPED) return mapped;
    mapped = hak_span_table_init(at + map_bytes(window.end));
    if (mapped != HAK_OS_MAPPED) hak_region_end(&window.map);
    return mapped;
}

bool hak_tagmap_init(void) HAK_UNCHECKED {
    unsigned address_shift = hak_os_address_shift();
    unsigned shift = address_shift - 2;
    if (shift > HAK_WINDOW_SHIFT_MAX) shift = HAK_WINDOW_SHIFT_MAX;
    if (shift < HAK_WINDOW_SHIFT_MIN) return false;
    uint64_t random = hak_os_random();
    window.floor = HAK_WINDOW_BASE + HAK_WINDOW_SKIP_BYTES;
    window.end = HAK_WINDOW_BASE + ((uintptr_t)1 << shift);
    window.cursor =
        window.floor + hak_round_down(random % HAK_WINDOW_START_BYTES, HAK_SUPERSLAB_BYTES);
    enum hak_os_mapped mapped = HAK_OS_TAKEN;
    for (unsigned tries = 0; mapped == HAK_OS_TAKEN && tries < HAK_REGION_TRIES; tries++) {
        random = random * HAK_HASH_MULTIPLIER + 1;
        uintptr_t places = HAK_REGION_BYTES(address_shift) / 2;
        uintptr_t at = HAK_REGION_BASE(address_shift) +
                       hak_round_down((random >> 1) % places, HAK_REGION_STEP_BYTES);
        mapped = begin_regions(at, map_bytes(window.cursor + HAK_SUPERSLAB_BYTES));
    }
    if (mapped != HAK_OS_MAPPED) return false;
    hak_tagmap.entries = (struct hak_tag_entry *)(void *)window.map.base;
    publish_slots();
    return true;
}

static bool is_ours(uintptr_t base, size_t bytes) {
    for (uintptr_t at = base; at < base + bytes; at += HAK_SLAB_BYTES) {
        uintptr_t slot = hak_tagmap_slot((void *)at);
        if (slot >= hak_tagmap_slots()) return false;
        if (atomic_load_explicit(&hak_tagmap.entries[slot].span, memory_order_relaxed) != 0) {
            return true;
        }
    }
    return false;
}

/* The first place in [from, end) where the kernel lets us map, passing what is foreign in steps
 * that double; 0 when there is none, or memory is out. */
static uintptr_t place(uintptr_t from, uintptr_t end, size_t bytes, size_t align) {
    uintptr_t step = align;
    uintptr_t at = hak_round_up(from, align);
    while (at < end && bytes <= end - at) {
        bool is_own = is_ours(at, bytes);
        enum hak_os_mapped mapped = is_own ? HAK_OS_TAKEN : hak_os_map_at((void *)at, bytes);
        if (mapped == HAK_OS_MAPPED) return at;
        if (mapped == HAK_OS_OUT) return 0;
        step = is_own ? align : 2 * step;
        at += step;
    }
    return 0;
}

/* Maps a place and makes the map cover it; 0 when there is none. */
static uintptr_t place_covered(uintptr_t from, uintptr_t end, size_t bytes, size_t align)
    HAK_REQUIRES(window.lock) {
    uintptr_t at = place(from, end, bytes, align);
    if (at == 0) return 0;
    if (!hak_region_grow(&window.map, map_bytes(at + bytes))) {
        hak_os_unmap((void *)at, bytes);
        return 0;
    }
    publish_slots();
    return at;
}

void *hak_tagmap_map_window(size_t bytes, size_t align) {
    hak_assert(hak_is_pow2(align) && align >= HAK_SLAB_BYTES);
    hak_assert(bytes > 0 && (bytes & (HAK_SLAB_BYTES - 1)) == 0);
    hak_lock_take(&window.lock);
    uintptr_t at = place_covered(window.cursor, window.end, bytes, align);
    /* Below the cursor; and with the map that there is, where it cannot grow. */
    if (at == 0) at = place_covered(window.floor, covered(), bytes, align);
    hak_assert((at & (align - 1)) == 0);
    hak_assert(at == 0 || at + bytes <= covered());
    if (at != 0) window.cursor = at + bytes;
    hak_lock_give(&window.lock);
    return (void *)at;
}

void hak_tagmap_unmap_window(void *base, size_t bytes) {
    hak_assert(!is_ours((uintptr_t)base, bytes)); /* the tag map was cleared before */
    hak_os_unmap(base, bytes);
    hak_lock_take(&window.lock);
    if ((uintptr_t)base < window.cursor) window.cursor = (uintptr_t)base;
    hak_lock_give(&window.lock);
}

/* The map has an entry for each slab of the span, and a span is made of whole slabs. */
static void assert_covered(const struct hak_span *span) {
    (void)span;
    hak_assert(((uintptr_t)span->base & (HAK_SLAB_BYTES - 1)) == 0);
    hak_assert(span->bytes > 0 && (span->bytes & (HAK_SLAB_BYTES - 1)) == 0);
    hak_assert(hak_tagmap_slot(span->base + span->bytes - 1) < hak_tagmap_slots());
}

void hak_tagmap_enter(struct hak_span *span) {
    uint32_t number = hak_span_number(span);
    uintptr_t slot = hak_tagmap_slot(span->base);
    assert_covered(span);
    for (size_t i = 0; i < span->bytes >> HAK_SLAB_SHIFT; i++) {
        atomic_store_explicit(&hak_tagmap.entries[slot + i].tag, 0, memory_order_relaxed);
        atomic_store_explicit(&hak_tagmap.entries[slot + i].span, number, memory_order_release);
    }
}

void hak_tagmap_clear(const struct hak_span *span) {
    uintptr_t slot = hak_tagmap_slot(span->base);
    assert_covered(span);
    for (size_t i = 0; i < span->bytes >> HAK_SLAB_SHIFT; i++) {
        atomic_store_explicit(&hak_tagmap.entries[slot + i].tag, 0, memory_order_relaxed);
        atomic_store_explicit(&hak_tagmap.entries[slot + i].span, 0, memory_order_release);
    }
}

void hak_tagmap_set_tag(const struct hak_span *span, uint32_t tag) {
    uintptr_t slot = hak_tagmap_slot(span->base);
    assert_covered(span);
    hak_assert(hak_tagmap_span(span->base) == span);
    for (size_t i = 0; i < span->bytes >> HAK_SLAB_SHIFT; i++) {
        atomic_store_explicit(&hak_tagmap.entries[slot + i].tag, tag, memory_order_relaxed);
    }
}

size_t hak_tagmap_bytes(void) {
    hak_lock_take(&window.lock);
    size_t bytes = window.map.bytes;
    hak_lock_give(&window.lock);
    return bytes;
}

void hak_tagmap_after_fork(void) HAK_UNCHECKED {
    hak_lock_reset(&window.lock);
    if (hak_region_after_fork(&window.map)) publish_slots();
}
