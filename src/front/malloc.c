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

static void *fill_and_pop(struct hak_tcache *tc, hak_class_t cls) {
    struct hak_heap *heap = &tc->heap;
    struct hak_bin *bin = &tc->bins[cls];
    unsigned want = hak_options.refill_count[cls];
    unsigned room = bin->capacity; /* the bin is empty */
    unsigned count = hak_bins_fill(tc, cls, want < room ? want : room);
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
