/* SPDX-License-Identifier: MIT */
/*
 * orphans.c main|thread: one thread after another allocates 24 MiB of a size of its own and ends;
 * then the main thread, or one more that ends, frees all of it. What an ended thread's slabs held
 * belongs to everybody with their last block, for any size: no more than one live set is ever
 * resident, beside what is kept. Nothing waits for time to pass.
 */
#include "tests/stress/footprint.h"

#define LIVE_BYTES (24 * MIB)

static const size_t sizes[] = {16, 100, 400, 1000, 2000, 3500, 6000, 14000, 30000, 60000};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void *blocks[LIVE_BYTES / 16];
static size_t size, count;

static void *allocate_all(void *unused) {
    for (size_t i = 0; i < count; i++) {
        blocks[i] = mem.malloc(size);
        require(blocks[i] != NULL, "no memory");
        memset(blocks[i], (int)i, size);
    }
    return unused;
}

static void *free_all(void *unused) {
    for (size_t i = 0; i < count; i++) {
        require(*(unsigned char *)blocks[i] == (unsigned char)i, "a block was overwritten");
        mem.free(blocks[i]);
    }
    return unused;
}

int main(int argc, char **argv) {
    const bool by_thread = argc > 1 && strcmp(argv[1], "thread") == 0;
    refuse_huge_pages();
    memset(blocks, 1, sizeof(blocks)); /* resident before the first measure */
    const size_t before = footprint_bytes();
    for (unsigned round = 0; round < 2 * SIZES; round++) {
        size = sizes[round % SIZES];
        count = LIVE_BYTES / size;
        join_thread(start_thread(allocate_all, NULL));
        require_footprint_below(before + LIVE_BYTES + LIVE_BYTES / 4 + KEEP_BYTES + 4 * MIB,
                                "with one live set");
        if (by_thread) {
            join_thread(start_thread(free_all, NULL));
        } else {
            free_all(NULL);
        }
        check_at_rest();
    }
    return 0;
}
