/* SPDX-License-Identifier: MIT */
/*
 * calloc.c: zeroed blocks. Fresh mappings are zero already; recycled memory is cleared.
 */
#include "src/front/fast.h"
#include "src/front/front.h"
#include "src/front/malloc.h"

#include <errno.h>
#include <string.h>

void *hak_front_calloc(size_t count, size_t size) {
    size_t bytes;
    if (hak_unlikely(__builtin_mul_overflow(count, size, &bytes))) {
        errno = ENOMEM;
        return NULL;
    }
    if (hak_likely(bytes <= HAK_BINNED_MAX)) {
        void *block = hak_fast_malloc(bytes);
        if (hak_likely(block != NULL)) memset(block, 0, bytes);
        return block;
    }
    bool zeroed;
    void *block = hak_malloc_any(bytes, HAK_ALIGN_BYTES, &zeroed);
    if (block == NULL) {
        errno = ENOMEM;
    } else if (!zeroed) {
        memset(block, 0, bytes);
    }
    return block;
}
