/* SPDX-License-Identifier: MIT */
/*
 * return_big.c exact|over big|small: 1024 blocks, each touched in full, of 1 MiB exactly or of
 * 1 MiB + 64 KiB, of which 1023 are freed in random order; then for 2.5 s a malloc/free pair now
 * and then: of such a block every 10 ms, or of a small one every millisecond.
 * Bounds: at once after the frees (of the larger ones: frees of up to 1 MiB make no system call),
 * what was resident before, the block that lives, 128 MiB for the cache of big mappings
 * (HAKMEM_BIGCACHE_BYTES=128m), and the slack. After 2.5 s (HAKMEM_BIGCACHE_AGE_MS is 1000, and a
 * visit may come late by as much again) the same with the 4 MiB that may be kept in the cache's
 * place. Slack: 4 MiB, which covers a block or two that the last pairs used and that are young, and
 * metadata.
 */
#include "tests/stress/footprint.h"

#define BLOCKS      1024U
#define SLACK_BYTES (4 * MIB)
#define WAIT_S      2.5
#define LEAST_CALLS 200UL /* on a machine that is too busy for as many in this time */

static void *blocks[BLOCKS];

static void allocate_all(size_t size) {
    for (unsigned i = 0; i < BLOCKS; i++) {
        blocks[i] = mem.malloc(size);
        require(blocks[i] != NULL, "no memory");
        memset(blocks[i], (int)i + 1, size);
    }
}

/* All but the last, which a shuffle has made any of them. */
static void free_all_but_one(uint64_t *random) {
    shuffle(blocks, BLOCKS, random);
    for (unsigned i = 0; i + 1 < BLOCKS; i++) {
        mem.free(blocks[i]);
    }
}

static void call_now_and_then(size_t size, uint64_t *random) {
    const double end = now_seconds() + WAIT_S;
    for (unsigned long calls = 0; now_seconds() < end || calls < LEAST_CALLS; calls++) {
        void *block = mem.malloc(size != 0 ? size : (size_t)(random_next(random) % 4096) + 1);
        require(block != NULL, "no memory");
        *(volatile char *)block = 1;
        mem.free(block);
        pause_us(size != 0 ? 10000 : 1000);
    }
}

static void require_kept(const unsigned char *block, size_t size) {
    for (size_t at = 1; at < size; at++) {
        require(block[at] == block[0], "the block that lives was overwritten");
    }
}

int main(int argc, char **argv) {
    const bool is_over = argc > 1 && strcmp(argv[1], "over") == 0;
    const bool calls_big = argc > 2 && strcmp(argv[2], "big") == 0;
    const size_t size = is_over ? MIB + 64 * KIB : MIB;
    uint64_t random = random_start(12, 0);
    mem.free(mem.malloc(100));
    printf("%zu bytes a block, then %s ones\n", size, calls_big ? "big" : "small");
    const size_t before = footprint_bytes();
    allocate_all(size);
    require(footprint_bytes() >= before + BLOCKS * size, "the blocks are not resident");
    free_all_but_one(&random);
    if (is_over) {
        require_footprint_below(before + size + BIGCACHE_BYTES + SLACK_BYTES, "after the frees");
    }
    call_now_and_then(calls_big ? size : 0, &random);
    require_footprint_below(before + size + KEEP_BYTES + SLACK_BYTES, "some time later");
    require_kept(blocks[BLOCKS - 1], size);
    mem.free(blocks[BLOCKS - 1]);
    check_at_rest();
    return 0;
}
