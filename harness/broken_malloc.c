/* SPDX-License-Identifier: MIT */
/*
 * broken_malloc: an allocator with a planted fault, for the test that workloads notice.
 *
 * HAK_BROKEN says which: "twice" returns the previous block again, "null" returns NULL, "odd"
 * returns an address 8 bytes off. Every 61st malloc errs, from the 200th on, so that libc's
 * and the loader's own start-up calls are served well. calloc and the others never err.
 * Memory is cut from one large reservation and never used again: free does nothing.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HEADER_BYTES = 16, FIRST_FAULT = 200, FAULT_STEP = 61 };
#define RESERVE_BYTES ((size_t)64 << 30)

#define EXPORT __attribute__((visibility("default")))

static struct {
    _Atomic(char *) base;   /* set once; a thread that loses the race unmaps its own */
    atomic_size_t used;     /* relaxed: only its uniqueness counts */
    atomic_uint calls;      /* relaxed: a counter */
    _Atomic(void *) latest; /* relaxed: any recent block will do */
} heap;

static char *reserve(void) {
    char *base = atomic_load(&heap.base);
    if (base) return base;
    char *mine = mmap(NULL, RESERVE_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mine == MAP_FAILED) abort();
    if (atomic_compare_exchange_strong(&heap.base, &base, mine)) return mine;
    munmap(mine, RESERVE_BYTES);
    return base;
}

static void *cut(size_t align, size_t size) {
    size_t bytes = (size + align + HEADER_BYTES + 15) & ~(size_t)15;
    size_t at = atomic_fetch_add_explicit(&heap.used, bytes, memory_order_relaxed);
    if (size > RESERVE_BYTES / 2 || at + bytes > RESERVE_BYTES) return NULL;
    uintptr_t start = (uintptr_t)(reserve() + at) + HEADER_BYTES;
    char *block = (char *)((start + align - 1) & ~(uintptr_t)(align - 1));
    memcpy(block - sizeof size, &size, sizeof size);
    return block;
}

static void *err(size_t size) {
    const char *fault = getenv("HAK_BROKEN");
    void *latest = atomic_load_explicit(&heap.latest, memory_order_relaxed);
    if (fault && strcmp(fault, "null") == 0) return NULL;
    if (fault && strcmp(fault, "twice") == 0) return latest;
    char *block = cut(16, size + 8);
    return fault && strcmp(fault, "odd") == 0 ? block + 8 : block;
}

EXPORT void *malloc(size_t size) {
    unsigned call = atomic_fetch_add_explicit(&heap.calls, 1, memory_order_relaxed);
    if (call >= FIRST_FAULT && call % FAULT_STEP == 0) return err(size);
    void *block = cut(16, size);
    atomic_store_explicit(&heap.latest, block, memory_order_relaxed);
    return block;
}

EXPORT void free(void *block) {
    (void)block;
}

EXPORT void *calloc(size_t count, size_t size) {
    size_t bytes; /* never used before, so zero */
    return __builtin_mul_overflow(count, size, &bytes) ? NULL : cut(16, bytes);
}

EXPORT void *realloc(void *block, size_t size) {
    void *fresh = cut(16, size);
    if (!block || !fresh) return fresh;
    size_t before;
    memcpy(&before, (char *)block - sizeof before, sizeof before);
    return memcpy(fresh, block, before < size ? before : size);
}

EXPORT void *memalign(size_t align, size_t size);
EXPORT void *memalign(size_t align, size_t size) {
    return cut(align < 16 ? 16 : align, size);
}

EXPORT void *aligned_alloc(size_t align, size_t size) {
    return memalign(align, size);
}

EXPORT int posix_memalign(void **block, size_t align, size_t size) {
    *block = memalign(align, size);
    return *block ? 0 : ENOMEM;
}
