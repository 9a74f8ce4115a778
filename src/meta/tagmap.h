/* SPDX-License-Identifier: MIT */
/*
 * tagmap.h: address -> owner and class, and the window of addresses that it covers.
 *
 * All spans of span sources lie in one window of the address space, [0, 2^k), which begins where
 * nothing else lives: programs, libraries and stacks are placed above 2^46. One entry stands for
 * each slab-sized piece of the window, so `p >> 16` compared with the map's length is the only
 * range check, and it refuses non-canonical pointers too. The map is as long as the highest span
 * needs and grows in place (region.h): a single-level map that costs a process a megabyte of
 * address space, of which a page is memory for each 32 MiB of spans.
 *
 * An entry's tag is `heap id << 12 | bin offset`; xor with a heap's own tag gives the bin offset of
 * an own block, and more than any bin offset for everything else. Only the owner of a heap id sees
 * that id match, so a stale tag always reads as remote.
 */
#ifndef HAK_META_TAGMAP_H
#define HAK_META_TAGMAP_H

#include "src/base/attrs.h"
#include "src/base/geometry.h"
#include "src/meta/span.h"

#include <stdatomic.h>

struct hak_tag_entry {
    _Atomic uint32_t tag;  /* relaxed: the owner reads its own writes, others any value but 0s */
    _Atomic uint32_t span; /* number of the span's header; release on set, acquire on look-up */
};

struct hak_tagmap {
    struct hak_tag_entry *entries; /* constant after hak_tagmap_init */
    /* Entries; only rises. 0 before init, so that nothing is found. Release after the memory is
     * there; relaxed where it is read: who has a block's address has it from a thread that saw at
     * least the length that covers it. */
    _Atomic uintptr_t slots;
};
extern struct hak_tagmap hak_tagmap;

HAK_INLINE uintptr_t hak_tagmap_slots(void) {
    return atomic_load_explicit(&hak_tagmap.slots, memory_order_relaxed);
}

/* Chooses the window's first place and begins the map; false when memory is out. Once, before other
 * threads. */
bool hak_tagmap_init(void);

/* Memory for a span inside the window, `align` a power of two of at least a slab; NULL when out.
 * Released by hak_tagmap_unmap_window. Any thread. */
void *hak_tagmap_map_window(size_t bytes, size_t align);
void hak_tagmap_unmap_window(void *base, size_t bytes);

/* Enters a span, with tag 0, or clears it. */
void hak_tagmap_enter(struct hak_span *span);
void hak_tagmap_clear(const struct hak_span *span);

/* Sets the tag of all of a span's entries. */
void hak_tagmap_set_tag(const struct hak_span *span, uint32_t tag);

/* The entry of an address; at least `slots` for those outside the window. */
HAK_INLINE uintptr_t hak_tagmap_slot(const void *address) {
    return ((uintptr_t)address - HAK_WINDOW_BASE) >> HAK_SLAB_SHIFT;
}

/* The span of an address that lies in one. */
HAK_INLINE struct hak_span *hak_tagmap_span_inside(const void *address) {
    struct hak_tag_entry *entry = &hak_tagmap.entries[hak_tagmap_slot(address)];
    return hak_span_of_number(atomic_load_explicit(&entry->span, memory_order_acquire));
}

/* The span that an address lies in, by the map alone; NULL for everything else. */
HAK_INLINE struct hak_span *hak_tagmap_span(const void *address) {
    uintptr_t slot = hak_tagmap_slot(address);
    if (slot >= hak_tagmap_slots()) return NULL;
    uint32_t number = atomic_load_explicit(&hak_tagmap.entries[slot].span, memory_order_acquire);
    return number == 0 ? NULL : hak_span_of_number(number);
}

/* Sets the tag of a span's first slab only: for spans that are one block. */
HAK_INLINE void hak_tagmap_tag_first(const struct hak_span *span, uint32_t tag) {
    atomic_store_explicit(&hak_tagmap.entries[hak_tagmap_slot(span->base)].tag, tag,
                          memory_order_relaxed);
}

/* The tag of an address inside the window. */
HAK_INLINE uint32_t hak_tagmap_tag(const void *address) {
    return atomic_load_explicit(&hak_tagmap.entries[hak_tagmap_slot(address)].tag,
                                memory_order_relaxed);
}

size_t hak_tagmap_bytes(void);
void hak_tagmap_after_fork(void);

#endif
