/* SPDX-License-Identifier: MIT */
/*
 * tagmap.c: the map's memory, and placing spans in the window.
 *
 * Spans are placed first-fit from a random start, so that heaps are dense (a page of the map covers
 * 32 MiB) and their addresses differ from run to run. Whatever else lies in the window is found by
 * the kernel's refusal to map over it.
 */
#include "src/meta/tagmap.h"

#include "src/base/bits.h"
#include "src/base/tunables.h"
#include "src/os/lock.h"
#include "src/os/os.h"

/* Entries are made writable in steps of this many bytes of the map. */
#define STEP_BYTES HAK_META_CHUNK_BYTES

struct hak_tagmap hak_tagmap;

static struct {
    struct hak_lock lock;
    uintptr_t floor; /* spans lie in [floor, end); constant after init */
    uintptr_t end;
    uintptr_t cursor;   /* where the next search begins */
    uintptr_t writable; /* [writable_from, writable): bytes of the map that are memory */
    uintptr_t writable_from;
} window;

static bool reserve(unsigned shift) {
    uintptr_t slots = (uintptr_t)1 << (shift - HAK_SLAB_SHIFT);
    struct hak_tag_entry *entries = hak_os_reserve(slots * sizeof(struct hak_tag_entry));
    if (entries == NULL) return false;
    if (!hak_span_table_init(slots)) {
        hak_os_unmap(entries, slots * sizeof(struct hak_tag_entry));
        return false;
    }
    hak_tagmap.entries = entries;
    hak_tagmap.slots = slots;
    return true;
}

bool hak_tagmap_init(void) {
    /* Sixteen times the memory: room for sparse use; a limit on address space is also a limit on
     * what can ever be mapped, and the map itself must fit below it. */
    size_t want = hak_os_memory_bytes();
    unsigned shift = hak_log2_up(want) + 4;
    if (shift < HAK_WINDOW_SHIFT) shift = HAK_WINDOW_SHIFT;
    if (shift > HAK_WINDOW_SHIFT_MAX) shift = HAK_WINDOW_SHIFT_MAX;
    size_t limit = hak_os_address_limit_bytes();
    if (limit != SIZE_MAX && hak_log2_up(limit) + 4 < shift) shift = hak_log2_up(limit) + 4;
    if (shift < HAK_WINDOW_SHIFT_MIN) shift = HAK_WINDOW_SHIFT_MIN;
    while (!reserve(shift)) {
        if (--shift < HAK_WINDOW_SHIFT_MIN) return false;
    }
    uintptr_t bytes = (uintptr_t)1 << shift;
    uintptr_t skip = HAK_WINDOW_SKIP_BYTES;
    if (shift > HAK_WINDOW_SKIP_SHIFT + 1) skip = (uintptr_t)1 << HAK_WINDOW_SKIP_SHIFT;
    window.floor = HAK_WINDOW_BASE + HAK_WINDOW_SKIP_BYTES;
    window.end = HAK_WINDOW_BASE + bytes;
    /* The kernel chose the map's address at random: fold its bits into a place in the lower half
     * of what is left. */
    uint64_t random = (uint64_t)((uintptr_t)hak_tagmap.entries >> 12) * HAK_HASH_MULTIPLIER;
    uintptr_t places = (bytes / 2 - skip) >> HAK_SUPERSLAB_SHIFT;
    window.cursor = HAK_WINDOW_BASE + skip + ((random >> 32) % places << HAK_SUPERSLAB_SHIFT);
    return true;
}

/* Makes the map's memory for [base, base + bytes) writable; callers hold the lock. The stretch
 * grows from the middle: `writable_from` down, `writable` up. */
static bool make_writable(uintptr_t base, size_t bytes) {
    uintptr_t first = hak_tagmap_slot((void *)base) * sizeof(struct hak_tag_entry);
    uintptr_t end = first + (bytes >> HAK_SLAB_SHIFT) * sizeof(struct hak_tag_entry) - 1;
    first &= ~(STEP_BYTES - 1);
    end = (end & ~(STEP_BYTES - 1)) + STEP_BYTES;
    if (window.writable == 0) window.writable_from = window.writable = first;
    if (first < window.writable_from) {
        if (!hak_os_make_writable((char *)hak_tagmap.entries + first,
                                  window.writable_from - first)) {
            return false;
        }
        window.writable_from = first;
    }
    if (end > window.writable) {
        if (!hak_os_make_writable((char *)hak_tagmap.entries + window.writable,
                                  end - window.writable)) {
            return false;
        }
        window.writable = end;
    }
    return true;
}

static bool is_ours(uintptr_t base, size_t bytes) {
    for (uintptr_t at = base; at < base + bytes; at += HAK_SLAB_BYTES) {
        if (atomic_load_explicit(&hak_tagmap.entries[hak_tagmap_slot((void *)at)].span,
                                 memory_order_relaxed) != 0) {
            return true;
        }
    }
    return false;
}

/* The first place in [from, end) where the kernel lets us map; 0 when there is none. */
static uintptr_t place(uintptr_t from, uintptr_t end, size_t bytes, size_t align) {
    unsigned refused = 0;
    for (uintptr_t at = hak_round_up(from, align); at + bytes <= end; at += align) {
        if (is_ours(at, bytes)) continue;
        if (hak_os_map_at((void *)at, bytes)) return at;
        /* Refused for lack of memory, not of room: the next places will be refused as well. */
        if (++refused > 16) {
            void *probe = hak_os_map(bytes);
            if (probe == NULL) return 0;
            hak_os_unmap(probe, bytes);
            refused = 0;
        }
    }
    return 0;
}

void *hak_tagmap_map_window(size_t bytes, size_t align) {
    hak_lock_take(&window.lock);
    uintptr_t at = place(window.cursor, window.end, bytes, align);
    if (at == 0) at = place(window.floor, window.cursor, bytes, align);
    if (at != 0) {
        if (make_writable(at, bytes)) {
            window.cursor = at + bytes;
        } else {
            hak_os_unmap((void *)at, bytes);
            at = 0;
        }
    }
    hak_lock_give(&window.lock);
    return (void *)at;
}

void hak_tagmap_unmap_window(void *base, size_t bytes) {
    hak_os_unmap(base, bytes);
    hak_lock_take(&window.lock);
    if ((uintptr_t)base < window.cursor) window.cursor = (uintptr_t)base;
    hak_lock_give(&window.lock);
}

void hak_tagmap_enter(struct hak_span *span) {
    uint32_t number = hak_span_number(span);
    uintptr_t slot = hak_tagmap_slot(span->base);
    for (size_t i = 0; i < span->bytes >> HAK_SLAB_SHIFT; i++) {
        atomic_store_explicit(&hak_tagmap.entries[slot + i].tag, 0, memory_order_relaxed);
        atomic_store_explicit(&hak_tagmap.entries[slot + i].span, number, memory_order_release);
    }
}

void hak_tagmap_clear(const struct hak_span *span) {
    uintptr_t slot = hak_tagmap_slot(span->base);
    for (size_t i = 0; i < span->bytes >> HAK_SLAB_SHIFT; i++) {
        atomic_store_explicit(&hak_tagmap.entries[slot + i].tag, 0, memory_order_relaxed);
        atomic_store_explicit(&hak_tagmap.entries[slot + i].span, 0, memory_order_release);
    }
}

void hak_tagmap_set_tag(const struct hak_span *span, uint32_t tag) {
    uintptr_t slot = hak_tagmap_slot(span->base);
    for (size_t i = 0; i < span->bytes >> HAK_SLAB_SHIFT; i++) {
        atomic_store_explicit(&hak_tagmap.entries[slot + i].tag, tag, memory_order_relaxed);
    }
}

size_t hak_tagmap_bytes(void) {
    return window.writable - window.writable_from;
}

void hak_tagmap_after_fork(void) {
    hak_lock_reset(&window.lock);
}
