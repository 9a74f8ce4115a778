/* SPDX-License-Identifier: MIT */
/*
 * ledger_behind.c: see ledger_behind.h.
 */
#define _GNU_SOURCE
#include "harness/ledger_behind.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#define UNLIKELY(x) __builtin_expect(!!(x), 0)

struct ledger_behind ledger_behind;

void *ledger_find(const char *name) {
    return dlsym(RTLD_NEXT, name);
}

/* ISO C has no cast from what dlsym returns to a function. */
#define RESOLVE(name)                                                                              \
    do {                                                                                           \
        void *address = ledger_find(#name);                                                        \
        memcpy(&ledger_behind.name, &address, sizeof address);                                     \
    } while (0)

/* Some other malloc's would not know the blocks. */
#define RESOLVE_OWN(name)                                                                          \
    do {                                                                                           \
        void *address = ledger_find(#name);                                                        \
        if (is_of_allocator(address)) memcpy(&ledger_behind.name, &address, sizeof address);       \
    } while (0)

static bool is_of_allocator(const void *function) {
    Dl_info here, there;
    const void *allocator = ledger_find("malloc");
    return function && allocator && dladdr(function, &here) && dladdr(allocator, &there) &&
           here.dli_fbase == there.dli_fbase;
}

/* The loader itself calls malloc before any constructor, and then there is one thread. */
static void resolve_slow(void) {
    int kept = errno;
    ledger_behind.is_resolving = true;
    RESOLVE(free);
    RESOLVE(calloc);
    RESOLVE(realloc);
    RESOLVE(memalign);
    RESOLVE(aligned_alloc);
    RESOLVE(posix_memalign);
    RESOLVE(valloc);
    RESOLVE(pvalloc);
    RESOLVE_OWN(malloc_usable_size);
    RESOLVE_OWN(free_sized);
    RESOLVE_OWN(free_aligned_sized);
    RESOLVE(malloc); /* last: it says that all are there */
    ledger_behind.is_resolving = false;
    errno = kept;
}

void *ledger_early_alloc(size_t size) {
    size_t at = ledger_behind.early_used;
    if (size > EARLY_BYTES - at - EARLY_ALIGN) return NULL;
    ledger_behind.early_used = (at + size + EARLY_ALIGN - 1) & ~(size_t)(EARLY_ALIGN - 1);
    return ledger_behind.early + at;
}

bool ledger_is_early(const void *block) {
    return (uintptr_t)block - (uintptr_t)ledger_behind.early < EARLY_BYTES;
}

bool ledger_is_early_call(void) {
    if (UNLIKELY(!ledger_behind.malloc)) {
        if (ledger_behind.is_resolving) return true;
        resolve_slow();
    }
    return false;
}
