/* SPDX-License-Identifier: MIT */
/*
 * suite.h: what every API suite needs beside its names: cmocka with the headers it wants first, a
 * pattern to write into blocks and to find again, a small generator, and the resident size. Nothing
 * here allocates.
 */
#ifndef HAK_TESTS_SUITE_H
#define HAK_TESTS_SUITE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static inline unsigned char pattern_at(size_t at, unsigned seed) {
    return (unsigned char)(seed + at + (at >> 8) * 7U);
}

static inline void pattern_write(void *block, size_t size, unsigned seed) {
    unsigned char *bytes = block;
    for (size_t i = 0; i < size; i++) {
        bytes[i] = pattern_at(i, seed);
    }
}

/* The first byte that differs, or `size` when none does. */
static inline size_t pattern_find_damage(const void *block, size_t size, unsigned seed) {
    const unsigned char *bytes = block;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != pattern_at(i, seed)) return i;
    }
    return size;
}

static inline void assert_pattern(const void *block, size_t size, unsigned seed) {
    assert_int_equal(pattern_find_damage(block, size, seed), size);
}

static inline void assert_zeros(const void *block, size_t size) {
    const unsigned char *bytes = block;
    size_t at = 0;
    while (at < size && bytes[at] == 0) {
        at++;
    }
    assert_int_equal(at, size);
}

static inline void assert_aligned(const void *block, size_t alignment) {
    assert_non_null(block);
    assert_int_equal((uintptr_t)block & (alignment - 1), 0);
}

/* A refusal: NULL, and errno set from another value to the one asked for. */
#define assert_refused(expected, call)                                                             \
    do {                                                                                           \
        errno = 0;                                                                                 \
        const void *refused = (call);                                                              \
        const int refused_errno = errno;                                                           \
        assert_null(refused);                                                                      \
        assert_int_equal(refused_errno, (expected));                                               \
    } while (0)

static inline uint64_t random_next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* A number of /proc/self/statm, in bytes: 0 = address space, 1 = resident. */
static inline size_t statm_bytes(int field) {
    char text[256] = {0};
    const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    const ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0) close(fd);
    assert_true(got > 0);
    char *at = text;
    unsigned long long pages = 0;
    for (int i = 0; i <= field; i++) {
        pages = strtoull(at, &at, 10);
    }
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

#endif
