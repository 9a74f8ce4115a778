/* SPDX-License-Identifier: MIT */
/*
 * return_busy.c hits|set|turns small|spans: a burst of 96 MiB is freed, of 200 bytes a block or of
 * 200 000; then the thread goes on at full speed:
 *   hits   with malloc/free pairs of 100 bytes, each of which its bins serve
 *   set    with a working set of 1000 blocks up to 416 bytes, replaced at random
 *   turns  with the two in turns of 100 ms
 * The memory goes back within three seconds, measured by the thread's own processor time, so that a
 * busy machine has as many calls made in them. Resident then: what was before, 4 MiB that may be
 * kept, and 6 MiB of slack: as in return_small.c, and the working set.
 */
#include "tests/stress/footprint.h"

#define BURST_BYTES (96 * MIB)
#define SMALL_BYTES ((size_t)200)
#define SPAN_BYTES  ((size_t)200000)
#define SLACK_BYTES (6 * MIB)
#define SET_BLOCKS  1000U
#define WAIT_S      3.0
#define TURN_S      0.1

static void *blocks[BURST_BYTES / SMALL_BYTES];
static void *set[SET_BLOCKS];

static double own_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void *touched(size_t size) {
    char *block = mem.malloc(size);
    require(block != NULL, "no memory");
    *(volatile char *)block = 1;
    return block;
}

static void burst(size_t size) {
    const size_t count = BURST_BYTES / size;
    for (size_t i = 0; i < count; i++) {
        blocks[i] = touched(size);
        memset(blocks[i], 1, size);
    }
    for (size_t i = 0; i < count; i++) {
        mem.free(blocks[i]);
    }
}

static void replace_one(uint64_t *random) {
    void **place = &set[random_next(random) % SET_BLOCKS];
    mem.free(*place);
    *place = touched(16 + (size_t)(random_next(random) % 400));
}

int main(int argc, char **argv) {
    const char *how = argc > 1 ? argv[1] : "hits";
    const bool is_small = argc > 2 && strcmp(argv[2], "small") == 0;
    uint64_t random = random_start(14, 0);
    memset((void *)blocks, 1, sizeof(blocks));
    mem.free(touched(100));
    printf("%s after %s blocks\n", how, is_small ? "small" : "large");
    const size_t limit = footprint_bytes() + KEEP_BYTES + SLACK_BYTES;
    burst(is_small ? SMALL_BYTES : SPAN_BYTES);
    const double start = own_seconds();
    for (double past = 0; past < WAIT_S && footprint_bytes() > limit;
         past = own_seconds() - start) {
        bool is_set = strcmp(how, "set") == 0;
        if (strcmp(how, "turns") == 0) is_set = (unsigned)(past / TURN_S) % 2 == 0;
        for (unsigned i = 0; i < 20000; i++) {
            if (is_set) {
                replace_one(&random);
            } else {
                mem.free(touched(100));
            }
        }
    }
    require_footprint_below(limit, "three busy seconds after the burst");
    for (unsigned i = 0; i < SET_BLOCKS; i++) {
        mem.free(set[i]);
    }
    check_at_rest();
    return 0;
}
