/* SPDX-License-Identifier: MIT */
/*
 * malloc.c: what malloc does when the bin is empty, the size is unusual or the thread is new.
 */
#include "src/front/malloc.h"

#include "src/front/fast.h"
#include "src/front/misuse.h"
#include "src/front/options.h"
#include "src/front/purge.h"
#include "src/front/route.h"
#include "src/supply/link.h"
#include "src/supply/span_bins.h"

#include <errno.h>

/* How many blocks this refill asks for; the bin is empty. */
static unsigned refill_want(struct hak_tcache *tc, hak_class_t cls) {
    struct hak_class_slabs *slabs = &tc->heap.classes[cls];
    unsigned most = hak_options.refill_count[cls];
    unsigned want = slabs->batch == 0 ? HAK_REFILL_BLOCKS_FIRST : slabs->batch;
    if (most > slabs->capacity_max) most = slabs->capacity_max;
    if (want > most) want = most;
    slabs->batch = (uint16_t)(2 * want);
    return want;
}

static void *fill_and_pop(struct hak_tcache *tc, hak_class_t cls) {
    struct hak_heap *heap = &tc->heap;
    struct hak_bin *bin = &tc->bins[cls];
    hak_supply_check_empty(tc, cls);
    hak_purge_visit(tc);
    if (hak_unlikely(hak_bin_count(bin) > 0)) return hak_bin_pop(bin); /* the visit called malloc */
    hak_heap_enter(heap);
    unsigned count = hak_bins_fill(tc, cls, refill_want(tc, cls));
    if (hak_unlikely(heap->sender_bytes >= HAK_SENDER_FLUSH_REFILL)) hak_thread_post(tc);
    hak_misuse_check(tc);
    hak_thread_see_map(tc);
    hak_count_up(&heap->counts.refills, 1);
    hak_heap_leave(heap);
    return count == 0 ? NULL : hak_bin_pop(bin);
}

void *hak_malloc_class(hak_class_t cls) {
    struct hak_tcache *tc = hak_thread_cache();
    if (hak_unlikely(tc == NULL)) return hak_thread_uncached_alloc(cls);
    if (hak_unlikely(hak_thread_is_watched())) hak_purge_visit_of(tc, cls);
    void *block = hak_bin_pop(&tc->bins[cls]);
    return block != NULL ? block : fill_and_pop(tc, cls);
}

/* A block of its tier, as one step. */
static void *alloc_large(struct hak_tcache *tc, enum hak_owner owner, size_t size, size_t align,
                         bool *zeroed) {
    hak_thread_enter(tc);
    void *block = hak_large_alloc(owner, size, align, zeroed);
    hak_thread_leave(tc);
    return block;
}

/* A whole span: one that the thread keeps, else one from the tier, marked as the thread's. */
static void *malloc_span(hak_class_t cls, bool *zeroed) {
    size_t bytes = hak_sizeclass_stride(cls);
    struct hak_tcache *tc = hak_thread_cache();
    if (hak_unlikely(tc == NULL)) {
        return alloc_large(hak_thread_current(), HAK_OWNER_L25, bytes, HAK_ALIGN_BYTES, zeroed);
    }
    if (hak_unlikely(hak_thread_is_watched())) hak_purge_visit_of(tc, cls);
    void *block = hak_bin_pop(&tc->bins[cls]);
    if (block != NULL) return block;
    hak_purge_visit(tc);
    hak_supply_check_empty(tc, cls);
    hak_misuse_check(tc);
    block = alloc_large(tc, HAK_OWNER_L25, bytes, HAK_ALIGN_BYTES, zeroed);
    if (block == NULL) return NULL;
    hak_thread_see_map(tc);
    hak_supply_mark_span(tc, cls, block);
    return block;
}

static void *malloc_any(size_t size, size_t align, bool *zeroed) {
    const struct hak_route route = hak_route(size, align);
    if (hak_likely(hak_route_is_slab(&route))) return hak_malloc_class(route.cls);
    if (route.cls != 0) return malloc_span(route.cls, zeroed);
    struct hak_tcache *tc = hak_thread_cache();
    if (hak_likely(tc != NULL)) hak_purge_visit(tc);
    return alloc_large(hak_thread_current(), route.owner, size, align, zeroed);
}

/* Address space or memory is out: what is kept for reuse may be in the way. An aligned mapping is
 * cut out of one that is larger by the alignment. */
static HAK_COLD void *malloc_after_purge(size_t size, size_t align, bool *zeroed) {
    size_t memory = hak_os_memory_bytes();
    if (size > memory || align > memory - size) return NULL; /* it cannot help */
    (void)hak_purge();
    return malloc_any(size, align, zeroed);
}

void *hak_malloc_any(size_t size, size_t align, bool *zeroed) {
    *zeroed = false;
    if (size > PTRDIFF_MAX || !hak_init()) return NULL;
    void *block = malloc_any(size, align, zeroed);
    return hak_likely(block != NULL) ? block : malloc_after_purge(size, align, zeroed);
}

/* The link of the top block is about to be followed. */
void hak_malloc_checked(uintptr_t offset) {
    struct hak_tcache *tc = hak_thread_current();
    hak_class_t cls = (hak_class_t)(offset >> HAK_BIN_SHIFT);
    struct hak_bin *bin = &tc->bins[cls];
    unsigned count = hak_bin_count(bin);
    if (!tc->is_live || count == 0) return;
    void *top = hak_bin_next(bin, NULL, 0);
    bool is_right = hak_supply_is_link(tc, cls, top, count);
    if (is_right && hak_supply_is_link(tc, cls, hak_bin_next(bin, top, 1), count - 1)) return;
    hak_supply_give_up(tc, cls, is_right ? top : NULL);
    hak_misuse_check(tc);
}

HAK_TLS const void *hak_call_site;

/* The short way to a block of the big tier, for sizes above the bins; NULL: take the long one. */
static void *malloc_big(size_t size) {
    struct hak_tcache *tc = hak_thread_current();
    if (hak_unlikely(!tc->is_live || size > PTRDIFF_MAX)) return NULL;
    bool zeroed;
    hak_purge_visit(tc);
    return alloc_large(tc, HAK_OWNER_BIG, size, HAK_ALIGN_BYTES, &zeroed);
}

/* The fast path of a watched thread (thread.h); NULL: take the long way. */
HAK_INLINE void *malloc_watched(size_t size) {
    struct hak_tcache *tc = hak_tls_own;
    hak_class_t cls = hak_sizeclass_of(size);
    hak_purge_visit_of(tc, cls);
    return hak_bin_pop(&tc->bins[cls]);
}

void *hak_malloc_slow(size_t size) {
    bool zeroed;
    if (hak_unlikely(hak_thread_is_watched()) && size <= HAK_BINNED_MAX) {
        void *block = malloc_watched(size);
        if (hak_likely(block != NULL)) return block;
    }
    if (size > HAK_BINNED_MAX) {
        hak_call_site = __builtin_return_address(0);
        void *big = malloc_big(size);
        if (hak_likely(big != NULL)) return big;
    }
    void *block = hak_malloc_any(size == 0 ? 1 : size, HAK_ALIGN_BYTES, &zeroed);
    if (hak_unlikely(block == NULL)) errno = ENOMEM;
    return block;
}
