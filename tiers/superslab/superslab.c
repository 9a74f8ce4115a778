/* SPDX-License-Identifier: MIT */
/*
 * superslab.c: spans from aligned 2 MiB superslabs of 32 slabs; the default span source.
 *
 * All under one leaf lock, which no system call is made under but the mapping of a superslab: what
 * is purged is taken meanwhile. The child of a fork makes the free slabs anew from the tag map.
 */
#include "tiers/superslab/superslab.h"

#include "src/base/bits.h"
#include "src/meta/tagmap.h"
#include "tiers/superslab/groups.h"

static int superslab_init(void) {
    return 0;
}

/* Takes a run of `bytes` for the span; false when memory is out. */
static bool take_run(struct hak_span *span, size_t bytes, unsigned order) {
    unsigned i;
    hak_lock_take(&hak_superslabs.lock);
    struct hak_group *group = hak_group_find(order, &i);
    if (group == NULL && hak_group_add()) group = hak_group_find(order, &i);
    if (group != NULL) {
        struct hak_superslab *ss = &group->superslabs[i];
        unsigned index = hak_group_best_run(ss, order);
        uint32_t mask = hak_run_mask((unsigned)(bytes >> HAK_SLAB_SHIFT)) << index;
        span->base = ss->base + ((size_t)index << HAK_SLAB_SHIFT);
        span->zeroed = (ss->dirty & mask) == 0;
        span->source = group;
        hak_group_use(group, i, mask);
    }
    hak_lock_give(&hak_superslabs.lock);
    return group != NULL;
}

static struct hak_span *superslab_acquire(size_t bytes, size_t align, enum hak_owner owner) {
    hak_assert(bytes > 0);
    hak_assert(hak_is_pow2(align));
    hak_assert(owner != HAK_OWNER_NONE);
    if (bytes > HAK_SPAN_BYTES_MAX || align > HAK_SPAN_BYTES_MAX) return NULL;
    bytes = hak_round_up(bytes, HAK_SLAB_BYTES);
    size_t reach = bytes > align ? bytes : align; /* runs begin at multiples of their size */
    struct hak_span *span = hak_span_header_alloc();
    if (span == NULL) return NULL;
    if (!take_run(span, bytes, hak_log2_up(reach >> HAK_SLAB_SHIFT))) {
        hak_span_header_free(span);
        return NULL;
    }
    span->bytes = bytes;
    span->owner = (uint8_t)owner;
    hak_assert(((uintptr_t)span->base & (align - 1)) == 0);
    hak_assert(hak_tagmap_span(span->base) == NULL);
    hak_tagmap_enter(span);
    hak_assert(hak_tagmap_span(span->base + bytes - 1) == span);
    return span;
}

/* The superslab of a group that an address lies in. */
static unsigned superslab_of(const struct hak_group *group, const char *address) {
    unsigned i = 0;
    while ((uintptr_t)address - (uintptr_t)group->superslabs[i].base >= HAK_SUPERSLAB_BYTES)
        i++;
    hak_assert(i < HAK_GROUP_SIZE);
    hak_assert((group->mapped >> i & 1) != 0);
    return i;
}

static void superslab_release(struct hak_span *span) {
    hak_assert(span->owner != HAK_OWNER_NONE);
    hak_assert(hak_tagmap_span(span->base) == span);
    hak_assert(hak_tagmap_span(span->base + span->bytes - 1) == span);
    struct hak_group *group = span->source;
    const char *base = span->base;
    uint32_t mask = hak_run_mask((unsigned)(span->bytes >> HAK_SLAB_SHIFT));
    if (!hak_fault(HAK_FAULT_SPANS_MAP)) hak_tagmap_clear(span);
    hak_assert(hak_tagmap_span(base) == NULL);
    hak_span_header_free(span);
    hak_lock_take(&hak_superslabs.lock);
    unsigned i = superslab_of(group, base);
    struct hak_superslab *ss = &group->superslabs[i];
    mask <<= (size_t)(base - ss->base) >> HAK_SLAB_SHIFT;
    hak_group_free(group, i, mask);
    hak_lock_give(&hak_superslabs.lock);
}

/* Grows over the free slabs that follow, or gives the last ones back. */
static bool superslab_resize(struct hak_span *span, size_t bytes) {
    hak_assert(bytes > 0);
    hak_assert(hak_tagmap_span(span->base) == span);
    struct hak_group *group = span->source;
    unsigned have = (unsigned)(span->bytes >> HAK_SLAB_SHIFT);
    unsigned want = (unsigned)(hak_round_up(bytes, HAK_SLAB_BYTES) >> HAK_SLAB_SHIFT);
    if (bytes > HAK_SPAN_BYTES_MAX) return false;
    if (want < have) {
        struct hak_span tail = {.base = span->base + ((size_t)want << HAK_SLAB_SHIFT),
                                .bytes = (size_t)(have - want) << HAK_SLAB_SHIFT};
        hak_tagmap_clear(&tail);
    }
    hak_lock_take(&hak_superslabs.lock);
    unsigned i = superslab_of(group, span->base);
    struct hak_superslab *ss = &group->superslabs[i];
    unsigned index = (unsigned)((size_t)(span->base - ss->base) >> HAK_SLAB_SHIFT);
    uint32_t old_mask = hak_run_mask(have) << index;
    uint32_t new_mask = hak_run_mask(want) << index;
    uint32_t added = new_mask & ~old_mask;
    bool done = index + want <= HAK_SUPERSLAB_SLABS && (ss->free & added) == added;
    if (done && added != 0) {
        hak_group_use(group, i, added);
        span->zeroed = false;
    } else if (done) {
        hak_group_free(group, i, old_mask & ~new_mask);
    }
    hak_lock_give(&hak_superslabs.lock);
    if (!done) return false;
    span->bytes = (size_t)want << HAK_SLAB_SHIFT;
    if (added != 0) hak_tagmap_enter(span);
    hak_tagmap_set_tag(span, 0);
    return true;
}

static void superslab_stats(struct hak_stats *out) {
    hak_lock_take(&hak_superslabs.lock);
    out->mapped_bytes += hak_superslabs.mapped * HAK_SUPERSLAB_BYTES;
    hak_lock_give(&hak_superslabs.lock);
}

const struct hak_span_ops hak_spans_superslab = {
    .name = "superslab",
    .init = superslab_init,
    .acquire = superslab_acquire,
    .release = superslab_release,
    .resize = superslab_resize,
    .purge = hak_superslab_purge,
    .stats = superslab_stats,
    .check = hak_superslab_check,
    .after_fork = hak_superslab_after_fork,
};
