/* SPDX-License-Identifier: MIT */
/*
 * commit_limit.c: a library to preload before an allocator: refuses what a kernel with strict
 * commit accounting would refuse, for one process only. Private memory counts from the moment when
 * it may be written, MAP_NORESERVE or not, until it is unmapped; address space that cannot be
 * written is free. More than HAK_COMMIT_LIMIT bytes is ENOMEM. What libc maps for itself is not
 * seen.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST_RANGES 65536U

struct range {
    uintptr_t begin, end;
};

/* Under the lock. The ranges are sorted, and do not overlap. */
static struct range ranges[MOST_RANGES];
static size_t count;
static size_t committed;
static atomic_flag lock = ATOMIC_FLAG_INIT;

/* By their names for the linker, since headers may rename mmap to mmap64. */
void *here_mmap(void *at, size_t bytes, int prot, int flags, int file,
                off64_t offset) __asm__("mmap");
void *here_mmap64(void *at, size_t bytes, int prot, int flags, int file,
                  off64_t offset) __asm__("mmap64");

static void enter(void) {
    while (atomic_flag_test_and_set(&lock)) {
    }
}

static void leave(void) {
    atomic_flag_clear(&lock);
}

static size_t limit(void) {
    const char *text = getenv("HAK_COMMIT_LIMIT");
    return text == NULL ? SIZE_MAX : strtoull(text, NULL, 10);
}

static uintptr_t page_end(uintptr_t address) {
    return (address + 4095) & ~(uintptr_t)4095;
}

/* The first range that ends behind `address`. */
static size_t first_behind(uintptr_t address) {
    size_t low = 0, high = count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (ranges[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void replace(size_t at, size_t removed, const struct range *added, size_t added_count) {
    if (count - removed + added_count > MOST_RANGES) {
        fputs("commit_limit: too many ranges\n", stderr);
        abort();
    }
    memmove(&ranges[at + added_count], &ranges[at + removed],
            (count - at - removed) * sizeof(ranges[0]));
    memcpy(&ranges[at], added, added_count * sizeof(ranges[0]));
    count += added_count - removed;
}

/* Bytes of [begin, end) that are committed. */
static size_t committed_in(uintptr_t begin, uintptr_t end) {
    size_t bytes = 0;
    for (size_t i = first_behind(begin); i < count && ranges[i].begin < end; i++) {
        const uintptr_t from = ranges[i].begin > begin ? ranges[i].begin : begin;
        bytes += (ranges[i].end < end ? ranges[i].end : end) - from;
    }
    return bytes;
}

static void remove_range(uintptr_t begin, uintptr_t end) {
    const size_t at = first_behind(begin);
    size_t last = at;
    struct range rest[2];
    size_t rests = 0;
    committed -= committed_in(begin, end);
    while (last < count && ranges[last].begin < end) {
        if (ranges[last].begin < begin) rest[rests++] = (struct range){ranges[last].begin, begin};
        if (ranges[last].end > end) rest[rests++] = (struct range){end, ranges[last].end};
        last++;
    }
    replace(at, last - at, rest, rests);
}

/* False, and nothing done, when that would be too much. */
static bool add_range(uintptr_t begin, uintptr_t end) {
    const size_t more = end - begin - committed_in(begin, end);
    const size_t most = limit();
    if (more > most || committed > most - more) return false;
    remove_range(begin, end);
    const struct range added = {begin, end};
    replace(first_behind(begin), 0, &added, 1);
    committed += end - begin;
    return true;
}

static bool is_counted(int prot, int flags) {
    return (prot & PROT_WRITE) != 0 && (flags & MAP_PRIVATE) != 0;
}

void *here_mmap64(void *at, size_t bytes, int prot, int flags, int file, off64_t offset) {
    enter();
    const size_t most = limit();
    void *base = MAP_FAILED;
    if (!is_counted(prot, flags) || (bytes <= most && committed <= most - bytes)) {
        base = (void *)syscall(SYS_mmap, at, bytes, prot, flags, file, offset);
    } else {
        errno = ENOMEM;
    }
    if (base != MAP_FAILED) {
        const uintptr_t begin = (uintptr_t)base, end = page_end(begin + bytes);
        remove_range(begin, end);
        if (is_counted(prot, flags)) (void)add_range(begin, end);
    }
    leave();
    return base;
}

void *here_mmap(void *at, size_t bytes, int prot, int flags, int file, off64_t offset) {
    return here_mmap64(at, bytes, prot, flags, file, offset);
}

int munmap(void *at, size_t bytes) {
    enter();
    const int status = (int)syscall(SYS_munmap, at, bytes);
    if (status == 0) remove_range((uintptr_t)at, page_end((uintptr_t)at + bytes));
    leave();
    return status;
}

int mprotect(void *at, size_t bytes, int prot) {
    const uintptr_t begin = (uintptr_t)at, end = page_end(begin + bytes);
    enter();
    const size_t before = committed_in(begin, end);
    int status = -1;
    if ((prot & PROT_WRITE) != 0 && !add_range(begin, end)) {
        errno = ENOMEM;
    } else {
        status = (int)syscall(SYS_mprotect, at, bytes, prot);
        if (status != 0 && before == 0) remove_range(begin, end);
    }
    leave();
    return status;
}

void *mremap(void *at, size_t bytes, size_t new_bytes, int flags, ...) {
    va_list more;
    va_start(more, flags);
    void *to = (flags & MREMAP_FIXED) != 0 ? va_arg(more, void *) : NULL;
    va_end(more);
    const uintptr_t begin = (uintptr_t)at, end = page_end(begin + bytes);
    enter();
    const bool is_committed = committed_in(begin, end) > 0;
    const size_t growth = is_committed && new_bytes > bytes ? new_bytes - bytes : 0;
    const size_t most = limit();
    void *base = MAP_FAILED;
    if (growth <= most && committed <= most - growth) {
        base = (void *)syscall(SYS_mremap, at, bytes, new_bytes, flags, to);
    } else {
        errno = ENOMEM;
    }
    if (base != MAP_FAILED) {
        remove_range(begin, end);
        remove_range((uintptr_t)base, page_end((uintptr_t)base + new_bytes));
        if (is_committed) (void)add_range((uintptr_t)base, page_end((uintptr_t)base + new_bytes));
    }
    leave();
    return base;
}
