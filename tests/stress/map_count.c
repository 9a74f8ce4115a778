/* SPDX-License-Identifier: MIT */
/*
 * map_count.c: 2 million live blocks of 48 bytes and 100 000 large ones, 70 KiB and 1.2 MiB in
 * turn, one byte of each touched. The kernel refuses a process more than 65 530 mappings
 * (vm.max_map_count), after which not even a thread can start: so a heap, however large, must be
 * few of them. Then half of the large blocks of each size are freed in random order, which leaves
 * holes everywhere, and last all the rest.
 * Bounds: while all live, 100 mappings more than at the start (neighbours are merged by the kernel
 * as long as they are alike; a few are not); with the holes, half of the kernel's limit; when all
 * is freed, 1000 more than at the start, which leaves room for what is kept for reuse. Every call
 * must succeed, and every byte be what was written.
 */
#include "tests/stress/footprint.h"

#define SMALL_BLOCKS 2000000U
#define SMALL_BYTES  ((size_t)48)
#define LARGE_BLOCKS 100000U
#define LIVE_MOST    100U
#define HOLES_MOST   (65530U / 2)
#define EMPTY_MOST   1000U

static void *small[SMALL_BLOCKS];
static void *large[LARGE_BLOCKS];
static uint64_t random_state;

static void *make(size_t size, unsigned char mark) {
    unsigned char *block = mem.malloc(size);
    require(block != NULL, "no memory");
    *block = mark;
    return block;
}

/* The mark also says the size: 1 and 3 are 70 KiB, 2 and 4 are 1.2 MiB; 1 and 2 go first. */
static void make_all(void) {
    for (unsigned i = 0; i < SMALL_BLOCKS; i++) {
        small[i] = make(SMALL_BYTES, 5);
    }
    for (unsigned i = 0; i < LARGE_BLOCKS; i++) {
        large[i] = make(i % 2 == 0 ? 70 * KIB : MIB + 200 * KIB, (unsigned char)(i % 4 + 1));
    }
}

static void free_large_marked(unsigned char low, unsigned char high) {
    for (unsigned i = 0; i < LARGE_BLOCKS; i++) {
        if (large[i] == NULL) continue;
        const unsigned char mark = *(unsigned char *)large[i];
        require(mark >= 1 && mark <= 4, "a large block was overwritten");
        if (mark < low || mark > high) continue;
        mem.free(large[i]);
        large[i] = NULL;
    }
}

static void free_small(void) {
    for (unsigned i = 0; i < SMALL_BLOCKS; i++) {
        require(*(unsigned char *)small[i] == 5, "a small block was overwritten");
        mem.free(small[i]);
    }
}

static void require_mappings_below(size_t limit, const char *what) {
    const size_t count = mapping_count();
    printf("%s: %zu mappings, limit %zu\n", what, count, limit);
    fflush(stdout);
    require(count <= limit, what);
}

static void *starts(void *argument) {
    mem.free(make(MIB + 200 * KIB, 1));
    return argument;
}

int main(void) {
    refuse_huge_pages();
    random_state = random_start(14, 0);
    mem.free(mem.malloc(100));
    puts("map_count");
    const size_t before = mapping_count();
    make_all();
    require_mappings_below(before + LIVE_MOST, "while all live");
    shuffle(large, LARGE_BLOCKS, &random_state);
    free_large_marked(1, 2);
    require_mappings_below(HOLES_MOST, "with every second large block freed");
    join_thread(start_thread(starts, NULL));
    check_at_rest();
    free_large_marked(3, 4);
    free_small();
    require_mappings_below(before + EMPTY_MOST, "when all is freed");
    check_at_rest();
    return 0;
}
