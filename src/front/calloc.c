/* SPDX-License-Identifier: MIT */
/*
 * calloc.c: zeroed blocks. Fresh mappings are zero already; recycled memory is cleared.
 */
#include "src/base/tunables.h"
#include "src/front/fast.h"
#include "src/front/front.h"
#include "src/front/malloc.h"
#include "src/os/os.h"

#include <errno.h>
#include <string.h>

static void clear(void *block, size_t bytes) {
    if (bytes >= HAK_ZERO_ASK_BYTES) {
        hak_os_zero(block, bytes);
    } else {
        memset(block, 0, bytes);
    }
}

void *hak_front_calloc(size_t count, size_t size) {
    size_t bytes;
    if (hak_unlikely(__builtin_mul_overflow(count, size, &bytes))) {
        errno = ENOMEM;
        return NULL;
    }
    if (hak_likely(bytes <= HAK_MID_MAX)) {
        void *block = hak_fast_malloc(bytes);
        if (hak_likely(block != NULL)) memset(block, 0, bytes);
        return block;
    }
    bool zeroed;
    void *block = hak_malloc_any(bytes, HAK_ALIGN_BYTES, &zeroed);
    if (block == NULL) {
        errno = ENOMEM;
    } else if (!zeroed) {
        clear(block, bytes);
    }
    return block;
}
