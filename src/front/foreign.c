/* SPDX-License-Identifier: MIT */
/*
 * foreign.c: see foreign.h.
 */
#include "src/front/foreign.h"

#include "src/contract/slots.h"
#include "src/front/fast.h"
#include "src/os/dl.h"
#include "src/os/glibc.h"

#include <errno.h>
#include <string.h>

typedef void free_fn(void *block);
typedef size_t usable_size_fn(const void *block);

/* Atomic, relaxed: whoever finds an address finds the same. */
static struct {
    _Atomic(void *) free;
    _Atomic(void *) usable_size;
    _Atomic bool is_expected;
} glibc;

/* The address of glibc's function; NULL with another libc. */
static void *find(_Atomic(void *) *known, const char *name) {
    void *address = atomic_load_explicit(known, memory_order_relaxed);
    if (address != NULL) return address;
    address = hak_dl_glibc(name);
    atomic_store_explicit(known, address, memory_order_relaxed);
    return address;
}

static free_fn *find_free(void) {
    void *address = find(&glibc.free, "free");
    free_fn *function;
    memcpy((void *)&function, &address, sizeof function);
    return function;
}

static usable_size_fn *find_usable_size(void) {
    void *address = find(&glibc.usable_size, "malloc_usable_size");
    usable_size_fn *function;
    memcpy((void *)&function, &address, sizeof function);
    return function;
}

bool hak_foreign_is_block(const void *block) {
    bool is_alike = hak_glibc_is_in_heap(block) ||
                    (hak_glibc_is_mapped(block) && hak_large_find_around(block) == NULL);
    return is_alike && find_free() != NULL && find_usable_size() != NULL;
}

/* Keeps errno, which glibc's free does from 2.33 on. */
static void give_back(void *block) {
    int saved_errno = errno;
    find_free()(block);
    errno = saved_errno;
}

bool hak_foreign_free(void *block) {
    if (!hak_foreign_is_block(block)) return false;
    give_back(block);
    return true;
}

size_t hak_foreign_usable_size(const void *block) {
    return hak_foreign_is_block(block) ? find_usable_size()(block) : 0;
}

void *hak_foreign_realloc(void *block, size_t size) {
    size_t held = hak_foreign_usable_size(block);
    if (held == 0) {
        errno = EINVAL;
        return NULL;
    }
    void *moved = NULL;
    if (size != 0) {
        moved = hak_fast_malloc(size);
        if (moved == NULL) return NULL;
        memcpy(moved, block, held < size ? held : size);
    }
    give_back(block);
    return moved;
}

void hak_foreign_expect(void) {
    atomic_store_explicit(&glibc.is_expected, true, memory_order_relaxed);
    (void)find_free();
    (void)find_usable_size();
}

bool hak_foreign_is_expected(void) {
    return atomic_load_explicit(&glibc.is_expected, memory_order_relaxed);
}
