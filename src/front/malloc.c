/* SPDX-License-Identifier: MIT */
/*
 * malloc.c: what malloc does when the bin is empty, the size is unusual or the thread is new.
 */
#include "src/front/malloc.h"

#include "src/contract/slots.h"
#include "src/front/fast.h"
#include "src/front/misuse.h"
#include "src/front/options.h"

#include <errno.h>

/* How many blocks this refill asks for; the bin is empty. */
static unsigned refill_want(struct hak_class_slabs *slabs, const struct hak_bin *bin,
                            hak_class_t cls) {
    unsigned most = hak_options.refill_count[cls];
    unsigned want = slabs->batch == 0 ? HAK_REFILL_BLOCKS_FIRST : slabs->batch;
    if (most > bin->capacity) most = bin->capacity;
    if (want > most) want = most;
    slabs->batch = 2 * want;
    return want;
}

static void *fill_and_pop(struct hak_tcache *tc, hak_class_t cls) {
    struct hak_heap *heap = &tc->heap;
    struct hak_bin *bin = &tc->bins[cls];
    unsigned count = hak_bins_fill(tc, cls, refill_want(&heap->classes[cls], bin, cls));
    if (hak_unlikely(heap->sender_frees >= HAK_SENDER_FLUSH_REFILL)) hak_remote_flush(heap);
    hak_misuse_check(tc);
    heap->counts.refills++;
    heap->counts.refill_blocks += count;
    return count == 0 ? NULL : hak_bin_pop(bin);
}

void *hak_malloc_class(hak_class_t cls) {
    struct hak_tcache *tc = hak_thread_cache();
    if (hak_unlikely(tc == NULL)) return hak_thread_uncached_alloc(cls);
    void *block = hak_bin_pop(&tc->bins[cls]);
    return block != NULL ? block : fill_and_pop(tc, cls);
}

void *hak_malloc_any(size_t size, size_t align, bool *zeroed) {
    *zeroed = false;
    if (size > PTRDIFF_MAX || !hak_init()) return NULL;
    if (size <= hak_bins_size_max() && align <= HAK_SLAB_BYTES) {
        hak_class_t cls =
            align <= HAK_ALIGN_BYTES ? hak_sizeclass_of(size) : hak_sizeclass_aligned(size, align);
        if (cls != 0 && hak_sizeclass_stride(cls) <= hak_bins_size_max()) {
            return hak_malloc_class(cls);
        }
    }
    return hak_large_alloc(size, align, zeroed);
}

void *hak_malloc_slow(size_t size) {
    bool zeroed;
    void *block = hak_malloc_any(size == 0 ? 1 : size, HAK_ALIGN_BYTES, &zeroed);
    if (hak_unlikely(block == NULL)) errno = ENOMEM;
    return block;
}
