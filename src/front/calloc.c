/* SPDX-License-Identifier: MIT */
/*
 * calloc.c: zeroed blocks, up to their usable size: programs that grow into it expect zeros there.
 * Fresh mappings are zero already; recycled memory is cleared.
 */
#include "src/base/tunables.h"
#include "src/front/fast.h"
#include "src/front/front.h"
#include "src/front/init.h"
#include "src/front/malloc.h"
#include "src/front/route.h"

#include <errno.h>
#include <string.h>

static void clear(void *block) {
    size_t bytes = hak_front_usable_size(block, "calloc");
    if (bytes < HAK_ZERO_LARGE_BYTES) {
        memset(block, 0, bytes);
    } else {
        hak_os_zero(block, bytes);
    }
}

static HAK_COLD void *refuse(void) {
    errno = ENOMEM;
    return NULL;
}

/* Apart, so that the usual way saves no registers. */
static HAK_NOINLINE void *calloc_unusual(size_t bytes) {
    if (bytes == 0) bytes = 1;
    if (bytes > PTRDIFF_MAX || !hak_init()) return refuse();
    const struct hak_route route = hak_route(bytes, HAK_ALIGN_BYTES);
    if (hak_route_is_slab(&route)) {
        void *slab_block = hak_fast_malloc(bytes);
        return hak_likely(slab_block != NULL) ? memset(slab_block, 0, route.usable_bytes) : NULL;
    }
    bool zeroed;
    void *block = hak_malloc_any(bytes, HAK_ALIGN_BYTES, &zeroed);
    if (block == NULL) {
        errno = ENOMEM;
    } else if (!zeroed) {
        clear(block);
    }
    return block;
}

void *hak_front_calloc(size_t count, size_t size) {
    size_t bytes;
    if (hak_unlikely(__builtin_mul_overflow(count, size, &bytes))) return refuse();
    if (hak_unlikely(bytes - 1 >= HAK_TINY_MAX)) return calloc_unusual(bytes); /* 0 as well */
    void *block = hak_fast_malloc(bytes);
    size_t clear_bytes = hak_round_up(bytes, HAK_ALIGN_BYTES);
    hak_opaque(clear_bytes); /* a known bound would make it "rep stos", which is slow to start */
    if (hak_likely(block != NULL)) memset(block, 0, clear_bytes);
    return block;
}
