/* SPDX-License-Identifier: MIT */
/*
 * ledger_behind.h: the allocator behind the ledger, whose functions are found at the first call,
 * and a little memory for what asks for some meanwhile.
 */
#ifndef HAK_HARNESS_LEDGER_BEHIND_H
#define HAK_HARNESS_LEDGER_BEHIND_H

#include <stdbool.h>
#include <stddef.h>

enum { EARLY_BYTES = 65536, EARLY_ALIGN = 16 };

struct ledger_behind {
    void *(*malloc)(size_t);
    void (*free)(void *);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*memalign)(size_t, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    int (*posix_memalign)(void **, size_t, size_t);
    size_t (*malloc_usable_size)(void *); /* the last three may be missing */
    void (*free_sized)(void *, size_t);
    void (*free_aligned_sized)(void *, size_t, size_t);
    void *(*valloc)(size_t);
    void *(*pvalloc)(size_t);
    bool is_resolving; /* dlsym asked for memory: it gets some from here */
    size_t early_used;
    _Alignas(EARLY_ALIGN) char early[EARLY_BYTES];
};
extern struct ledger_behind ledger_behind;

/* The next function of this name, in the order of loading; NULL when there is none. */
void *ledger_find(const char *name);

/* From the memory for early calls; NULL when it is out. */
void *ledger_early_alloc(size_t size);
bool ledger_is_early(const void *block);

/* True when the call must be served from there. */
bool ledger_is_early_call(void);

#endif
