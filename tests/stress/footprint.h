/* SPDX-License-Identifier: MIT */
/*
 * footprint.h: what the process takes from the kernel at this moment: resident bytes, counted page
 * by page, and mappings. Beside it the small steps of programs that fill memory, free it out of
 * order and wait for it to shrink. Nothing here allocates.
 */
#ifndef HAK_TESTS_FOOTPRINT_H
#define HAK_TESTS_FOOTPRINT_H

#include "tests/stress/stress.h"

#include <sys/prctl.h>

/* What an idle allocator may hold back (HAKMEM_PURGE_KEEP_BYTES as it is by default), and what its
 * cache of big mappings may (HAKMEM_BIGCACHE_BYTES). */
#define KEEP_BYTES     (4 * MIB)
#define BIGCACHE_BYTES (128 * MIB)

/* Resident bytes. statm adds up counters of each CPU and may be off by megabytes on a large
 * machine; smaps_rollup walks the page tables. */
static inline size_t footprint_bytes(void) {
    char text[2048] = {0};
    const int fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    const ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0) close(fd);
    const char *line = got > 0 ? strstr(text, "\nRss:") : NULL;
    if (line == NULL) return resident_bytes(); /* kernels before 4.14 */
    return (size_t)strtoull(line + 5, NULL, 10) * KIB;
}

static inline void require_footprint_below(size_t limit, const char *what) {
    const size_t footprint = footprint_bytes();
    printf("%s: resident %.1f MiB, limit %.1f MiB\n", what, (double)footprint / (double)MIB,
           (double)limit / (double)MIB);
    fflush(stdout);
    require(footprint <= limit, what);
}

/* The lines of /proc/self/maps. */
static inline size_t mapping_count(void) {
    static char text[64 * 1024];
    size_t lines = 0;
    const int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    require(fd >= 0, "no /proc/self/maps");
    for (ssize_t got = read(fd, text, sizeof(text)); got > 0; got = read(fd, text, sizeof(text))) {
        for (ssize_t i = 0; i < got; i++) {
            lines += text[i] == '\n';
        }
    }
    close(fd);
    return lines;
}

/* One touched byte takes one page then, whatever the machine's setting. */
static inline void refuse_huge_pages(void) {
    require(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0, "huge pages cannot be refused");
}

static inline void shuffle(void **blocks, size_t count, uint64_t *random) {
    for (size_t i = count; i > 1; i--) {
        const size_t other = (size_t)(random_next(random) % i);
        void *block = blocks[i - 1];
        blocks[i - 1] = blocks[other];
        blocks[other] = block;
    }
}

static inline void pause_us(long us) {
    const struct timespec time = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    nanosleep(&time, NULL);
}

/* A size from `low` to below `high`, every doubling as likely as any other. */
static inline size_t random_log_size(uint64_t *random, size_t low, size_t high) {
    const uint64_t dice = random_next(random) >> 8;
    unsigned doublings = 0;
    while (low << (doublings + 1) <= high) {
        doublings++;
    }
    const size_t floor = low << (dice % (doublings == 0 ? 1 : doublings));
    return floor + (size_t)((dice >> 8) % floor);
}

#endif
