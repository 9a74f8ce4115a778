/* SPDX-License-Identifier: MIT */
/*
 * broken_malloc: an allocator with a planted fault, for the test that workloads notice.
 *
 * HAK_BROKEN says which: "twice" returns the previous block again, "null" returns NULL, "odd"
 * returns an address 8 bytes off, "dirty" (calloc only) one byte that is not zero. Every 61st
 * malloc and every 61st calloc errs, from the 200th on, so that libc's and the loader's own
 * start-up calls are served well; and every 61st realloc, which start-up does not call: its
 * "twice" returns what malloc gave out last. The others never err.
 * Memory is cut from one large reservation and never used again: free does nothing.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HEADER_BYTES = 16, FIRST_FAULT = 200, FAULT_STEP = 61 };
#define RESERVE_BYTES ((size_t)64 << 30)

#define EXPORT __attribute__((visibility("default")))

struct source {
    atomic_uint calls;      /* relaxed: a counter */
    _Atomic(void *) latest; /* relaxed: any recent block will do */
};

static struct {
    _Atomic(char *) base; /* set once; a thread that loses the race unmaps its own */
    atomic_size_t used;   /* relaxed: only its uniqueness counts */
    struct source malloc, calloc, realloc; /* each errs by its own count */
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

static bool is_fault(const char *name) {
    const char *fault = getenv("HAK_BROKEN");
    return fault && strcmp(fault, name) == 0;
}

static bool is_due(struct source *source, unsigned first) {
    unsigned call = atomic_fetch_add_explicit(&source->calls, 1, memory_order_relaxed);
    return call >= first && call % FAULT_STEP == 0;
}

static void *err(struct source *source, size_t size) {
    void *latest = atomic_load_explicit(&source->latest, memory_order_relaxed);
    if (is_fault("null")) return NULL;
    if (is_fault("twice")) return latest;
    char *block = cut(16, size + 8);
    return is_fault("odd") ? block + 8 : block;
}

static void *serve(struct source *source, size_t size) {
    void *block = cut(16, size);
    atomic_store_explicit(&source->latest, block, memory_order_relaxed);
    return block;
}

EXPORT void *malloc(size_t size) {
    if (is_due(&heap.malloc, FIRST_FAULT)) return err(&heap.malloc, size);
    return serve(&heap.malloc, size);
}

EXPORT void free(void *block) {
    (void)block;
}

EXPORT void *calloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
    if (!is_due(&heap.calloc, FIRST_FAULT)) return serve(&heap.calloc, bytes); /* fresh: zero */
    char *block = err(&heap.calloc, bytes);
    if (block) memset(block, 0, bytes);
    if (block && is_fault("dirty")) block[bytes / 2] = 1;
    return block;
}

EXPORT void *realloc(void *block, size_t size) {
    bool errs = is_due(&heap.realloc, FAULT_STEP);
    void *fresh = errs ? err(&heap.malloc, size) : cut(16, size);
    if (!block || !fresh) return fresh;
    size_t before;
    memcpy(&before, (char *)block - sizeof before, sizeof before);
    return memmove(fresh, block, before < size ? before : size); /* "twice" may overlap */
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
