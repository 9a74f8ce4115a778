/* SPDX-License-Identifier: MIT */
/*
 * names.h: the malloc family under one set of names, for tests that are compiled twice: against
 * the libc names (run with LD_PRELOAD) and, with -DUSE_HAK, against the hak_* names. The table is
 * volatile so that the compiler can neither fold a malloc/free pair nor reason about sizes.
 */
#ifndef HAK_TESTS_NAMES_H
#define HAK_TESTS_NAMES_H

#include <stddef.h>

#ifdef USE_HAK
#include "include/hakmem.h"
#define HAK_NAME(name)    hak_##name
#define HAK_USABLE_SIZE() hak_usable_size
#else
#include <malloc.h>
#include <stdlib.h>
#define HAK_NAME(name)    name
#define HAK_USABLE_SIZE() names_usable_size
static inline size_t names_usable_size(const void *block) {
    union {
        const void *in;
        void *out;
    } cast = {.in = block};
    return malloc_usable_size(cast.out);
}
#endif

struct names {
    void *(*malloc)(size_t size);
    void *(*calloc)(size_t count, size_t size);
    void *(*realloc)(void *block, size_t size);
    void (*free)(void *block);
    void *(*aligned_alloc)(size_t alignment, size_t size);
    void *(*memalign)(size_t alignment, size_t size);
    int (*posix_memalign)(void **out, size_t alignment, size_t size);
    void *(*valloc)(size_t size);
    void *(*pvalloc)(size_t size);
    size_t (*usable_size)(const void *block);
};

static volatile struct names mem __attribute__((unused)) = {
    .malloc = HAK_NAME(malloc),
    .calloc = HAK_NAME(calloc),
    .realloc = HAK_NAME(realloc),
    .free = HAK_NAME(free),
    .aligned_alloc = HAK_NAME(aligned_alloc),
    .memalign = HAK_NAME(memalign),
    .posix_memalign = HAK_NAME(posix_memalign),
    .valloc = HAK_NAME(valloc),
    .pvalloc = HAK_NAME(pvalloc),
    .usable_size = HAK_USABLE_SIZE(),
};

#endif
