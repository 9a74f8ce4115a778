/* SPDX-License-Identifier: MIT */
/*
 * calloc.c: zeroed blocks. Fresh mappings are zero already; recycled memory is cleared.
 */
#include "src/base/tunables.h"
#include "src/front/fast.h"
#include "src/front/front.h"
#include "src/front/malloc.h"
#include "src/front/prove.h"
#include "src/os/os.h"

#include <errno.h>
#include <string.h>

/* Once a block was found dense its pages stay in memory, however little the next user touches:
 * there is nothing to ask the kernel any more. */
static void clear(void *block, size_t bytes) {
    struct hak_span *span = NULL;
    if (bytes >= HAK_ZERO_ASK_BYTES) span = hak_prove(block, "calloc");
    if (span == NULL || span->is_dense) {
        memset(block, 0, bytes);
    } else {
        span->is_dense = hak_os_zero(block, bytes);
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
