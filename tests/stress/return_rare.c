/* SPDX-License-Identifier: MIT */
/*
 * return_rare.c spans|small|big HZ: a burst is freed, and then malloc and free are called HZ times
 * a second. spans  3000 blocks of 128 KiB, two pages of each touched small  40 MiB of 120 bytes,
 * freed in random order big    32 blocks of 2 MiB The age decides when memory goes back, not the
 * number of calls: HAKMEM_PURGE_MS (250), from when the last calls let go of what lies in bins and
 * shards, or HAKMEM_BIGCACHE_AGE_MS (1000), and one call later. So the bound is a number of calls,
 * those of 2.5 s, which take longer on a busy machine. Resident then: what was before, 4 MiB that
 * may be kept, and 4 MiB of slack as in return_small.c.
 */
#include "tests/stress/footprint.h"

#define SPANS       3000U
#define SPAN_BYTES  (128 * KIB)
#define BIGS        32U
#define BIG_BYTES   (2 * MIB)
#define SMALL_BYTES ((size_t)120)
#define SMALLS      (40 * MIB / SMALL_BYTES)
#define SLACK_BYTES (4 * MIB)
#define WAIT_MS     2500UL

static void *blocks[SMALLS];

static size_t burst(const char *kind, uint64_t *random) {
    const bool is_small = strcmp(kind, "small") == 0;
    const bool is_big = strcmp(kind, "big") == 0;
    const size_t size = is_small ? SMALL_BYTES : is_big ? BIG_BYTES : SPAN_BYTES;
    const size_t count = is_small ? SMALLS : is_big ? BIGS : SPANS;
    for (size_t i = 0; i < count; i++) {
        char *block = mem.malloc(size);
        require(block != NULL, "no memory");
        if (size == SPAN_BYTES) {
            block[0] = block[size - 1] = 1;
        } else {
            memset(block, 1, size);
        }
        blocks[i] = block;
    }
    const size_t top = footprint_bytes();
    shuffle(blocks, count, random);
    for (size_t i = 0; i < count; i++) {
        mem.free(blocks[i]);
    }
    return top;
}

int main(int argc, char **argv) {
    const char *kind = argc > 1 ? argv[1] : "spans";
    const unsigned long hz = argument_or(argc, argv, 2, 2);
    uint64_t random = random_start(13, 0);
    refuse_huge_pages();
    memset((void *)blocks, 1, sizeof(blocks));
    mem.free(mem.malloc(64));
    printf("%s, %lu calls a second\n", kind, hz);
    const size_t limit = footprint_bytes() + KEEP_BYTES + SLACK_BYTES;
    require(burst(kind, &random) > limit + SLACK_BYTES, "the burst is not resident");
    const unsigned long most = WAIT_MS * hz / 1000;
    for (unsigned long calls = 0; calls < most && footprint_bytes() > limit; calls++) {
        pause_us((long)(1000000 / hz));
        mem.free(mem.malloc(64));
    }
    require_footprint_below(limit, "2.5 s of calls after the burst");
    check_at_rest();
    return 0;
}
