/* SPDX-License-Identifier: MIT */
/*
 * aligned.c: blocks aligned beyond 16 bytes. Slabs begin at multiples of 64 KiB, so a class whose
 * stride is a multiple of the alignment serves it without any loss.
 */
#include "src/front/fast.h"
#include "src/front/front.h"
#include "src/front/malloc.h"

#include <errno.h>

void *hak_front_aligned(size_t align, size_t size, bool set_errno) {
    if (size == 0) size = 1;
    bool zeroed;
    void *block = align > PTRDIFF_MAX ? NULL : hak_malloc_any(size, align, &zeroed);
    if (hak_unlikely(block == NULL) && set_errno) errno = ENOMEM;
    return block;
}
