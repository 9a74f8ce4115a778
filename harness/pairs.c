/* SPDX-License-Identifier: MIT */
/*
 * pairs: COUNT times malloc(SIZE) and at once free: the shortest path there is.
 *
 * The loop body holds 32 pairs, so the counter costs under 1 % of even a 10-cycle pair. The
 * block's address passes through an empty asm, so no compiler removes the pair. The timed
 * blocks are NOT touched and NOT checked: a single store would already be 3 % of the
 * instructions. Instead a checked pass runs before and after: 256 blocks live at a time,
 * marked and verified. cycles_per_op is the median over the segments.
 * Under callgrind: --toggle-collect=run_pairs counts the timed loop only; COUNT is rounded
 * up to whole loops and segments, `ops` says to what.
 */
#include "harness/bench.h"

#include <stdlib.h>

enum { COUNT, SIZE, ARG_COUNT };
enum { UNROLL = 32, CHECKED = 256 };

static struct bench_arg args[ARG_COUNT] = {
    [COUNT] = {.name = "count", .value = 20000000, .smoke = 400000, .min = 1, .max = 1ull << 50},
    [SIZE] = {.name = "size", .value = 64, .smoke = 64, .min = 2, .max = 1u << 30},
};

static inline void pair(size_t size) {
    void *block = malloc(size);
    __asm__ volatile("" : "+r"(block) : : "memory");
    free(block);
}

static inline void pairs_4(size_t size) {
    pair(size);
    pair(size);
    pair(size);
    pair(size);
}

BENCH_WHOLE static void run_pairs(uint64_t loops, size_t size) {
    while (loops-- > 0) {
        pairs_4(size);
        pairs_4(size);
        pairs_4(size);
        pairs_4(size);
        pairs_4(size);
        pairs_4(size);
        pairs_4(size);
        pairs_4(size);
    }
}

static uint64_t check_blocks(size_t size) {
    void *blocks[CHECKED];
    uint64_t sum = 0;
    for (uint32_t i = 0; i < CHECKED; i++) {
        blocks[i] = malloc(size);
        bench_check_block(blocks[i], size);
        bench_mark(blocks[i], i, size);
    }
    for (uint32_t i = 0; i < CHECKED; i++)
        sum += bench_verify(blocks[i], i, size);
    for (uint32_t i = 0; i < CHECKED; i++)
        free(blocks[i]);
    return sum;
}

int main(int argc, char **argv) {
    bench_begin("pairs", args, ARG_COUNT, argc, argv);
    size_t size = args[SIZE].value;
    uint64_t per_segment = UNROLL * (uint64_t)BENCH_SEGMENTS;
    uint64_t loops = (args[COUNT].value + per_segment - 1) / per_segment;
    uint64_t checksum = check_blocks(size);
    run_pairs(loops, size);

    bench_start();
    for (unsigned s = 0; s < BENCH_SEGMENTS; s++) {
        run_pairs(loops, size);
        bench_segment(loops * UNROLL);
    }
    bench_stop();
    checksum = checksum * 31 + check_blocks(size);
    return bench_finish(loops * per_segment, checksum);
}
