/* SPDX-License-Identifier: MIT */
/*
 * realloc.c: resizing, and what a block's usable size is.
 */
#include "src/front/fast.h"
#include "src/front/foreign.h"
#include "src/front/front.h"
#include "src/front/malloc.h"
#include "src/front/prove.h"
#include "src/front/route.h"

#include <errno.h>
#include <string.h>

static size_t usable(const void *block, struct hak_span *span) {
    if (hak_span_is_slab(span)) return hak_slab_of_span(span)->stride;
    return hak_large_usable_size(block, span);
}

size_t hak_front_usable_size(const void *block, const char *verb) {
    if (block == NULL) return 0;
    struct hak_span *span = hak_prove(block, verb);
    return span == NULL ? hak_foreign_usable_size(block) : usable(block, span);
}

size_t hak_front_good_size(size_t size) {
    if (size > PTRDIFF_MAX || !hak_init()) return 0;
    return hak_route(size == 0 ? 1 : size, HAK_ALIGN_BYTES).usable_bytes;
}

static void *move(void *block, struct hak_span *span, size_t old_size, size_t size) {
    void *moved = hak_fast_malloc(size);
    if (moved == NULL) return NULL;
    memcpy(moved, block, old_size < size ? old_size : size);
    hak_free_proved(block, span);
    return moved;
}

void *hak_front_realloc(void *block, size_t size, const char *verb) {
    if (block == NULL) return hak_fast_malloc(size);
    struct hak_span *span = hak_prove(block, verb);
    if (span == NULL) return hak_foreign_realloc(block, size);
    if (size == 0) {
        hak_free_proved(block, span);
        return NULL;
    }
    if (size > PTRDIFF_MAX) {
        errno = ENOMEM;
        return NULL;
    }
    size_t old_size = usable(block, span);
    const struct hak_route route = hak_route(size, HAK_ALIGN_BYTES);
    if (hak_span_is_slab(span)) {
        /* Stay unless more than half would lie idle. */
        if (size <= old_size && size > old_size / 2) return block;
        if (size <= old_size && route.cls == hak_slab_of_span(span)->cls) return block;
    } else if (!hak_route_is_slab(&route)) {
        struct hak_tcache *tc = hak_thread_current();
        hak_thread_enter(tc);
        void *resized = hak_large_resize(block, size, span);
        hak_thread_leave(tc);
        if (resized != NULL) return resized;
    }
    return move(block, span, old_size, size);
}
