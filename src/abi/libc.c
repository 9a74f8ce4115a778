/* SPDX-License-Identifier: MIT */
/*
 * libc.c: malloc and its family under their libc names, and the __libc_ names that old binaries and
 * static programs call. reallocarray, strdup and the like stay with libc: they call these.
 */
#include "include/hakmem.h"
#include "src/abi/entry.h"
#include "src/os/os.h"

#include <limits.h>
#include <malloc.h>
#include <stdlib.h>

void free_sized(void *block, size_t size);
void free_aligned_sized(void *block, size_t alignment, size_t size);
void cfree(void *block);
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);
void __libc_cfree(void *block);
void *__libc_memalign(size_t alignment, size_t size);
void *__libc_valloc(size_t size);
void *__libc_pvalloc(size_t size);
int __posix_memalign(void **out, size_t alignment, size_t size);

HAK_EXPORT void *malloc(size_t size) {
    return hak_fast_malloc(size);
}

HAK_EXPORT void *calloc(size_t count, size_t size) {
    return hak_front_calloc(count, size);
}

HAK_EXPORT void *realloc(void *block, size_t size) {
    return hak_front_realloc(block, size, "realloc");
}

HAK_EXPORT void free(void *block) {
    hak_fast_free(block);
}

HAK_EXPORT void free_sized(void *block, size_t size) {
    (void)size;
    hak_fast_free(block);
}

HAK_EXPORT void free_aligned_sized(void *block, size_t alignment, size_t size) {
    (void)alignment;
    (void)size;
    hak_fast_free(block);
}

HAK_EXPORT void *aligned_alloc(size_t alignment, size_t size) {
    return hak_entry_aligned_alloc(alignment, size);
}

HAK_EXPORT void *memalign(size_t alignment, size_t size) {
    return hak_entry_memalign(alignment, size);
}

HAK_EXPORT int posix_memalign(void **out, size_t alignment, size_t size) {
    return hak_entry_posix_memalign(out, alignment, size);
}

HAK_EXPORT void *valloc(size_t size) {
    return hak_entry_valloc(size);
}

HAK_EXPORT void *pvalloc(size_t size) {
    return hak_entry_pvalloc(size);
}

HAK_EXPORT size_t malloc_usable_size(void *block) {
    return hak_front_usable_size(block, "malloc_usable_size");
}

HAK_EXPORT void *__libc_malloc(size_t size) {
    return hak_fast_malloc(size);
}

HAK_EXPORT void *__libc_calloc(size_t count, size_t size) {
    return hak_front_calloc(count, size);
}

HAK_EXPORT void *__libc_realloc(void *block, size_t size) {
    return hak_front_realloc(block, size, "realloc");
}

HAK_EXPORT void __libc_free(void *block) {
    hak_fast_free(block);
}

HAK_EXPORT void __libc_cfree(void *block) {
    hak_fast_free(block);
}

HAK_EXPORT void cfree(void *block) {
    hak_fast_free(block);
}

HAK_EXPORT void *__libc_memalign(size_t alignment, size_t size) {
    return hak_entry_memalign(alignment, size);
}

HAK_EXPORT void *__libc_valloc(size_t size) {
    return hak_entry_valloc(size);
}

HAK_EXPORT void *__libc_pvalloc(size_t size) {
    return hak_entry_pvalloc(size);
}

HAK_EXPORT int __posix_memalign(void **out, size_t alignment, size_t size) {
    return hak_entry_posix_memalign(out, alignment, size);
}

HAK_EXPORT int malloc_trim(size_t pad) {
    (void)pad; /* glibc's heap top: there is none here */
    return hak_purge() > 0;
}

/* As glibc counts: `arena` is what is in blocks (uordblks) and free (fordblks), without the blocks
 * over 64 KiB (hblkhd); thread caches are in use; `keepcost` is what malloc_trim can give back. */
HAK_EXPORT struct mallinfo2 mallinfo2(void) {
    struct hak_stats stats = {.version = HAK_STATS_VERSION};
    (void)hak_stats(&stats);
    return (struct mallinfo2){
        .arena = stats.small_live_bytes + stats.free_bytes,
        .ordblks = stats.free_count,
        .hblks = stats.large_live_count,
        .hblkhd = stats.large_live_bytes,
        .uordblks = stats.small_live_bytes,
        .fordblks = stats.free_bytes,
        .keepcost = stats.idle_bytes,
    };
}

static int saturated(size_t number) {
    return number > INT_MAX ? INT_MAX : (int)number;
}

HAK_EXPORT struct mallinfo mallinfo(void) {
    struct mallinfo2 wide = mallinfo2();
    return (struct mallinfo){
        .arena = saturated(wide.arena),
        .ordblks = saturated(wide.ordblks),
        .hblks = saturated(wide.hblks),
        .hblkhd = saturated(wide.hblkhd),
        .uordblks = saturated(wide.uordblks),
        .fordblks = saturated(wide.fordblks),
        .keepcost = saturated(wide.keepcost),
    };
}

HAK_EXPORT int mallopt(int option, int value) {
    (void)value;
    switch (option) {
    case M_MXFAST:
    case M_TRIM_THRESHOLD:
    case M_TOP_PAD:
    case M_MMAP_THRESHOLD:
    case M_MMAP_MAX:
    case M_CHECK_ACTION:
    case M_PERTURB:
    case M_ARENA_TEST:
    case M_ARENA_MAX:
        return 1; /* known to programs, and without a meaning here */
    default:
        return 0;
    }
}
