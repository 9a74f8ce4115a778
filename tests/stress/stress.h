/* SPDX-License-Identifier: MIT */
/*
 * stress.h: what the stress programs share: the allocator's names, a condition that ends the
 * program with a sentence, a generator, the clock, the resident size, threads, and the allocator's
 * own check where it can be had (linked, or preloaded). Nothing here allocates.
 */
#ifndef HAK_TESTS_STRESS_H
#define HAK_TESTS_STRESS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "tests/api/names.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)

/* After so long a process hangs: a signal ends it. A busy machine is not as slow as that. */
#define HANG_S 900U

#define require(condition, what)                                                                   \
    do {                                                                                           \
        if (!(condition)) die(__FILE__, __LINE__, (what));                                         \
    } while (0)

static inline _Noreturn void die(const char *file, int line, const char *what) {
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    fflush(stderr);
    _exit(1);
}

static inline uint64_t random_next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* A state that is never zero, different for each stream of one seed. */
static inline uint64_t random_start(uint64_t seed, uint64_t stream) {
    uint64_t state = (seed + 1) * 0x9e3779b97f4a7c15U + (stream + 1) * 0xbf58476d1ce4e5b9U;
    if (state == 0) state = 1;
    random_next(&state);
    random_next(&state);
    return state;
}

static inline double now_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* A number of /proc/self/statm, in bytes: 0 = address space, 1 = resident. */
static inline size_t statm_bytes(int field) {
    char text[256] = {0};
    const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    const ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0) close(fd);
    require(got > 0, "no /proc/self/statm");
    char *at = text;
    unsigned long long pages = 0;
    for (int i = 0; i <= field; i++) {
        pages = strtoull(at, &at, 10);
    }
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

static inline size_t resident_bytes(void) {
    return statm_bytes(1);
}

static inline void require_resident_below(size_t limit, const char *what) {
    const size_t resident = resident_bytes();
    printf("%s: resident %zu MiB, limit %zu MiB\n", what, resident / MIB, limit / MIB);
    require(resident <= limit, what);
}

static inline pthread_t start_thread(void *(*body)(void *), void *argument) {
    pthread_t thread;
    require(pthread_create(&thread, NULL, body, argument) == 0, "no thread");
    return thread;
}

static inline void join_thread(pthread_t thread) {
    require(pthread_join(thread, NULL) == 0, "no join");
}

/* Only when no other thread allocates or frees: the allocator counts itself over. */
static inline void check_at_rest(void) {
#ifdef USE_HAK
    require(hak_check(), "hak_check() failed");
#else
    bool (*check)(void) = NULL;
    void *address = dlsym(RTLD_DEFAULT, "hak_check");
    if (address == NULL) return; /* another allocator: nothing to ask */
    memcpy((void *)&check, &address, sizeof(address));
    require(check(), "hak_check() failed");
#endif
}

/* argv[index] as a number, or `otherwise`. */
static inline unsigned long argument_or(int argc, char **argv, int index, unsigned long otherwise) {
    return argc > index ? strtoul(argv[index], NULL, 0) : otherwise;
}

#endif
