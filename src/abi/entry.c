/* SPDX-License-Identifier: MIT */
/*
 * entry.c: see entry.h. The rules are those of the current glibc manual: aligned_alloc refuses an
 * alignment that is no power of two, memalign rounds it up.
 */
#include "src/abi/entry.h"

#include "src/base/bits.h"
#include "src/os/os.h"

#include <errno.h>

void *hak_entry_aligned_alloc(size_t alignment, size_t size) {
    if (!hak_is_pow2(alignment)) {
        errno = EINVAL;
        return NULL;
    }
    return hak_front_aligned(alignment, size, true);
}

void *hak_entry_memalign(size_t alignment, size_t size) {
    if (alignment > SIZE_MAX / 2 + 1) {
        errno = EINVAL;
        return NULL;
    }
    return hak_front_aligned((size_t)1 << hak_log2_up(alignment), size, true);
}

int hak_entry_posix_memalign(void **out, size_t alignment, size_t size) {
    if (!hak_is_pow2(alignment) || alignment % sizeof(void *) != 0) return EINVAL;
    void *block = hak_front_aligned(alignment, size, false);
    if (block == NULL) return ENOMEM;
    *out = block;
    return 0;
}

void *hak_entry_valloc(size_t size) {
    return hak_front_aligned(hak_os_page_bytes(), size, true);
}

void *hak_entry_pvalloc(size_t size) {
    size_t page = hak_os_page_bytes();
    if (size > PTRDIFF_MAX - page) {
        errno = ENOMEM;
        return NULL;
    }
    return hak_front_aligned(page, size == 0 ? page : hak_round_up(size, page), true);
}
