/* SPDX-License-Identifier: MIT */
/*
 * os_linux.c: os.h on Linux with glibc or musl. Every function keeps errno.
 */
#define _GNU_SOURCE
#include "src/os/os.h"

#include "src/base/geometry.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

extern char **environ;

size_t hak_os_page_bytes(void) {
    static size_t page_bytes;
    size_t known = __atomic_load_n(&page_bytes, __ATOMIC_RELAXED);
    if (hak_likely(known != 0)) return known;
    size_t asked = getauxval(AT_PAGESZ);
    if (asked == 0) asked = HAK_PAGE_BYTES_DEFAULT;
    __atomic_store_n(&page_bytes, asked, __ATOMIC_RELAXED);
    return asked;
}

static void *map(void *at, size_t bytes, int prot, int flags) {
    int saved_errno = errno;
    void *base = mmap(at, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    errno = saved_errno;
    return base == MAP_FAILED ? NULL : base;
}

void *hak_os_map(size_t bytes) {
    return map(NULL, bytes, PROT_READ | PROT_WRITE, 0);
}

void *hak_os_map_aligned(size_t bytes, size_t align) {
    if (align <= hak_os_page_bytes()) return hak_os_map(bytes);
    if (bytes + align < bytes) return NULL;
    char *base = hak_os_map(bytes + align);
    if (base == NULL) return NULL;
    size_t head = (size_t)(-(uintptr_t)base & (align - 1));
    if (head != 0) hak_os_unmap(base, head);
    hak_os_unmap(base + head + bytes, align - head);
    return base + head;
}

bool hak_os_map_at(void *at, size_t bytes) {
    /* Kernels before 4.17 take the address as a hint only; then the result may lie elsewhere. */
    void *base = map(at, bytes, PROT_READ | PROT_WRITE, MAP_FIXED_NOREPLACE);
    if (base == at) return true;
    if (base != NULL) hak_os_unmap(base, bytes);
    return false;
}

void *hak_os_reserve(size_t bytes) {
    int saved_errno = errno;
    void *base = map(NULL, bytes, PROT_READ, MAP_NORESERVE);
    if (base != NULL) madvise(base, bytes, MADV_DONTDUMP);
    errno = saved_errno;
    return base;
}

bool hak_os_make_writable(void *base, size_t bytes) {
    int saved_errno = errno;
    bool done = mprotect(base, bytes, PROT_READ | PROT_WRITE) == 0;
    errno = saved_errno;
    return done;
}

void hak_os_unmap(void *base, size_t bytes) {
    int saved_errno = errno;
    /* At the kernel's limit of mappings a hole cannot be punched: keep the range, drop its pages.
     */
    if (munmap(base, bytes) != 0) madvise(base, bytes, MADV_DONTNEED);
    errno = saved_errno;
}

void *hak_os_remap(void *base, size_t bytes, size_t new_bytes) {
    int saved_errno = errno;
    void *moved = mremap(base, bytes, new_bytes, MREMAP_MAYMOVE);
    errno = saved_errno;
    return moved == MAP_FAILED ? NULL : moved;
}

bool hak_os_purge(void *base, size_t bytes) {
    int saved_errno = errno;
    bool done = madvise(base, bytes, MADV_DONTNEED) == 0;
    errno = saved_errno;
    return done;
}

size_t hak_os_address_limit_bytes(void) {
    struct rlimit limit;
    int saved_errno = errno;
    bool known = getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    errno = saved_errno;
    return known ? (size_t)limit.rlim_cur : SIZE_MAX;
}

size_t hak_os_memory_bytes(void) {
    struct sysinfo info;
    int saved_errno = errno;
    bool known = sysinfo(&info) == 0;
    errno = saved_errno;
    return known ? (size_t)info.totalram * info.mem_unit : 0;
}

const char *hak_os_getenv(const char *name) {
    if (environ == NULL || getauxval(AT_SECURE) != 0) return NULL;
    size_t length = strlen(name);
    for (char **entry = environ; *entry != NULL; entry++) {
        if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=') {
            return *entry + length + 1;
        }
    }
    return NULL;
}

void hak_os_write_stderr(const char *text, size_t bytes) {
    int saved_errno = errno;
    while (bytes > 0) {
        ssize_t written = write(STDERR_FILENO, text, bytes);
        if (written <= 0) break;
        text += written;
        bytes -= (size_t)written;
    }
    errno = saved_errno;
}

void hak_os_abort(void) {
    abort();
}

void hak_os_yield(void) {
    sched_yield();
}
