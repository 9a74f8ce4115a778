/* SPDX-License-Identifier: MIT */
/*
 * calls.h: the whole interface that is fuzzed, as a table: libc's names, looked up in the process
 * (run with LD_PRELOAD), or with -DUSE_HAK the hak_* names. A call that is not there is NULL. The
 * table is written before the first thread only; faults.c puts wrappers into it.
 */
#ifndef HAK_TESTS_CALLS_H
#define HAK_TESTS_CALLS_H

#include "include/hakmem.h"

#include <malloc.h>
#include <stdio.h>

/* C++: an operand of std::nothrow_t is passed by address and not read. */
struct operators {
    void *(*plain)(size_t size);
    void *(*nothrow)(size_t size, const void *tag);
    void *(*aligned)(size_t size, size_t alignment);
    void *(*aligned_nothrow)(size_t size, size_t alignment, const void *tag);
    void (*free)(void *block);
    void (*free_sized)(void *block, size_t size);
    void (*free_nothrow)(void *block, const void *tag);
    void (*free_aligned)(void *block, size_t alignment);
    void (*free_sized_aligned)(void *block, size_t size, size_t alignment);
    void (*free_aligned_nothrow)(void *block, size_t alignment, const void *tag);
};

struct calls {
    void *(*malloc)(size_t size);
    void *(*calloc)(size_t count, size_t size);
    void *(*realloc)(void *block, size_t size);
    void *(*reallocarray)(void *block, size_t count, size_t size);
    void (*free)(void *block);
    void (*free_sized)(void *block, size_t size);
    void (*free_aligned_sized)(void *block, size_t alignment, size_t size);
    void *(*aligned_alloc)(size_t alignment, size_t size);
    void *(*memalign)(size_t alignment, size_t size);
    int (*posix_memalign)(void **out, size_t alignment, size_t size);
    void *(*valloc)(size_t size);
    void *(*pvalloc)(size_t size);
    size_t (*usable_size)(void *block);
    int (*trim)(size_t pad);
    struct mallinfo (*mallinfo)(void);
    struct mallinfo2 (*mallinfo2)(void);
    void (*print_stats)(void);
    int (*print_info)(int options, FILE *out);
    int (*mallopt)(int option, int value);
    size_t (*good_size)(size_t size);
    size_t (*purge)(void);
    int (*stats)(struct hak_stats *out);
    bool (*check)(void);
    const char *(*build_info)(void);
    struct operators scalar; /* new and delete */
    struct operators array;  /* new[] and delete[] */
};

extern struct calls calls;

void calls_load(void);

#endif
