/* SPDX-License-Identifier: MIT */
/*
 * calls.c: see calls.h. Any thread; called before main too, by the library's constructor.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tests/conform/calls.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>

void *__real_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
void *__real_mremap(void *at, size_t bytes, size_t new_bytes, int flags, ...);
int __real_munmap(void *at, size_t bytes);
int __real_madvise(void *at, size_t bytes, int advice);
void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
void *__wrap_mremap(void *at, size_t bytes, size_t new_bytes, int flags, void *to);
int __wrap_munmap(void *at, size_t bytes);
int __wrap_madvise(void *at, size_t bytes, int advice);

static atomic_ulong made;

unsigned long calls_made(void) {
    return atomic_load(&made);
}

void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset) {
    atomic_fetch_add(&made, 1);
    return __real_mmap(at, bytes, prot, flags, fd, offset);
}

/* `to` is variadic in libc; here it is whatever its register holds. */
void *__wrap_mremap(void *at, size_t bytes, size_t new_bytes, int flags, void *to) {
    atomic_fetch_add(&made, 1);
    return __real_mremap(at, bytes, new_bytes, flags, to);
}

int __wrap_munmap(void *at, size_t bytes) {
    atomic_fetch_add(&made, 1);
    return __real_munmap(at, bytes);
}

int __wrap_madvise(void *at, size_t bytes, int advice) {
    atomic_fetch_add(&made, 1);
    return __real_madvise(at, bytes, advice);
}
