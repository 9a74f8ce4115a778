/* SPDX-License-Identifier: MIT */
/*
 * hak.c: the hak_* names of include/hakmem.h; also all there is in builds under a sanitizer, which
 * owns the libc names.
 */
#include "include/hakmem.h"
#include "src/abi/entry.h"

HAK_EXPORT void *hak_malloc(size_t size) {
    return hak_fast_malloc(size);
}

HAK_EXPORT void *hak_calloc(size_t count, size_t size) {
    return hak_front_calloc(count, size);
}

HAK_EXPORT void *hak_realloc(void *block, size_t size) {
    return hak_front_realloc(block, size, "realloc");
}

HAK_EXPORT void hak_free(void *block) {
    hak_fast_free(block);
}

HAK_EXPORT void hak_free_sized(void *block, size_t size) {
    (void)size;
    hak_fast_free(block);
}

HAK_EXPORT void hak_free_aligned_sized(void *block, size_t alignment, size_t size) {
    (void)alignment;
    (void)size;
    hak_fast_free(block);
}

HAK_EXPORT void *hak_aligned_alloc(size_t alignment, size_t size) {
    return hak_entry_aligned_alloc(alignment, size);
}

HAK_EXPORT void *hak_memalign(size_t alignment, size_t size) {
    return hak_entry_memalign(alignment, size);
}

HAK_EXPORT int hak_posix_memalign(void **out, size_t alignment, size_t size) {
    return hak_entry_posix_memalign(out, alignment, size);
}

HAK_EXPORT void *hak_valloc(size_t size) {
    return hak_entry_valloc(size);
}

HAK_EXPORT void *hak_pvalloc(size_t size) {
    return hak_entry_pvalloc(size);
}

HAK_EXPORT size_t hak_usable_size(const void *block) {
    return hak_front_usable_size(block, "malloc_usable_size");
}

HAK_EXPORT size_t hak_good_size(size_t size) {
    return hak_front_good_size(size);
}
