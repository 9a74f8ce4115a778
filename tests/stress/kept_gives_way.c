/* SPDX-License-Identifier: MIT */
/*
 * kept_gives_way.c small|big: 192 MiB in blocks of 12 MiB, touched in full and freed, which the
 * cache of big mappings keeps; at once the same again in small blocks of all sizes up to 64 KiB, or
 * in larger and smaller big ones. What is kept was live before, and gives way to what comes: it
 * adds to the peak no more than a quarter, within which it need not be used, and the slack. So a
 * limit of memory that holds the program holds what is kept as well.
 */
#include "tests/stress/footprint.h"

#define LIVE_BYTES  (192 * MIB)
#define BLOCKS_MOST 200000U
#define SLACK_BYTES (12 * MIB)

static void *blocks[BLOCKS_MOST];

static void make(size_t *count, size_t size) {
    require(*count < BLOCKS_MOST, "too many blocks");
    blocks[*count] = mem.malloc(size);
    require(blocks[*count] != NULL, "no memory");
    memset(blocks[*count], 1, size);
    ++*count;
}

static void empty(size_t count) {
    for (size_t i = 0; i < count; i++) {
        mem.free(blocks[i]);
    }
}

static void phase_of(size_t size) {
    size_t count = 0;
    for (size_t bytes = 0; bytes + size <= LIVE_BYTES; bytes += size) {
        make(&count, size);
    }
    empty(count);
}

static void phase_of_small(uint64_t *random) {
    size_t count = 0;
    for (size_t bytes = 0; bytes < LIVE_BYTES;) {
        const size_t size = random_log_size(random, 256, 64 * KIB);
        make(&count, size);
        bytes += size;
    }
    empty(count);
}

static size_t peak_bytes(void) {
    static char text[8192];
    const int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    const ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0) close(fd);
    const char *line = got > 0 ? strstr(text, "\nVmHWM:") : NULL;
    require(line != NULL, "no peak in /proc/self/status");
    return (size_t)strtoull(line + 7, NULL, 10) * KIB;
}

int main(int argc, char **argv) {
    uint64_t random = random_start(8, 0);
    refuse_huge_pages();
    phase_of(12 * MIB);
    const size_t before = peak_bytes();
    require(before >= LIVE_BYTES, "the blocks were not resident");
    if (argc > 1 && strcmp(argv[1], "small") == 0) {
        phase_of_small(&random);
    } else {
        phase_of(32 * MIB);
        phase_of(3 * MIB);
        phase_of(19 * MIB);
    }
    const size_t peak = peak_bytes();
    printf("peak %zu MiB, then %zu MiB\n", before / MIB, peak / MIB);
    require(peak <= before + before / 4 + SLACK_BYTES, "what is kept was in the way");
    check_at_rest();
    return 0;
}
