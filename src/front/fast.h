/* SPDX-License-Identifier: MIT */
/*
 * fast.h: the fast paths of malloc and free, inlined into each entry point (libc's names, C++
 * operators, hak_*).
 *
 * Straight lines without a call; everything else is a function in malloc.c or free.c. Their
 * length is a golden (tests/lint/fastpath.golden) and grows only for a measured reason.
 */
#ifndef HAK_FRONT_FAST_H
#define HAK_FRONT_FAST_H

#include "src/front/thread.h"

/* Not on the straight line, but busy enough in some programs to be optimised for speed. */
HAK_NOINLINE void *hak_malloc_slow(size_t size);
HAK_NOINLINE void hak_free_slow(void *block);
HAK_NOINLINE void hak_free_overflow(void *block, struct hak_tcache *tc, uintptr_t offset);
HAK_NOINLINE void hak_free_checked(void *block);
/* For verbs that have found the block's span: what is not the thread's own is not looked up again.
 */
HAK_NOINLINE void hak_free_proved(void *block, struct hak_span *span);
HAK_NOINLINE void hak_malloc_checked(uintptr_t offset);

HAK_INLINE void *hak_fast_malloc(size_t size) {
    char *bins = (char *)hak_thread_tls()->bins;
    uintptr_t offset;
    if (hak_likely(size <= HAK_LINEAR_MAX)) {
        offset = (size + HAK_ALIGN_BYTES - 1) & ~(HAK_ALIGN_BYTES - 1);
    } else {
        if (hak_unlikely(size > HAK_BINNED_MAX)) return hak_malloc_slow(size);
        offset = (uintptr_t)hak_sizeclass_above_linear(size) << HAK_BIN_SHIFT;
    }
    if (HAK_GUARDS >= 1) hak_malloc_checked(offset);
    void *block = hak_bin_pop_at(bins, offset);
    return hak_likely(block != NULL) ? block : hak_malloc_slow(size);
}

HAK_INLINE void hak_fast_free(void *block) {
    if (HAK_GUARDS >= 1) {
        hak_free_checked(block);
        return;
    }
    struct hak_tcache *tc = hak_thread_tls();
    uintptr_t slot = hak_tagmap_slot(block);
    if (hak_unlikely(slot >= tc->slots)) {
        hak_free_slow(block);
        return;
    }
    uintptr_t offset = atomic_load_explicit(&tc->entries[slot].tag, memory_order_relaxed) ^ tc->tag;
    if (hak_unlikely(offset > HAK_BIN_OFFSET_MAX)) {
        hak_free_slow(block);
        return;
    }
    bool is_pushed = hak_bin_push_at((char *)tc->bins, offset, block);
    if (hak_unlikely(!is_pushed)) hak_free_overflow(block, tc, offset);
}

#endif
