/* SPDX-License-Identifier: MIT */
/*
 * pairs: COUNT times malloc(SIZE) and at once free: the shortest path there is.
 *
 * The loop body holds 32 pairs, so the counter costs under 1 % of even a 10-cycle pair. The
 * block's address passes through an empty asm, so no compiler removes the pair. The timed
 * blocks are NOT touched and NOT checked: a single store would already be 3 % of the
 * instructions. Instead a checked pass runs before and after: 256 blocks live at a time
 * (fewer above 256 KiB), marked and verified. cycles_per_op is the median over the segments.
 * Under callgrind: --toggle-collect=run_pairs counts the timed loop only; COUNT is rounded
 * up to whole loops and segments, `ops` says to what.
 *
 * --touch 1 times another loop, run_touched: the first byte of each block is written between
 * malloc and free, so a large block costs at least one page fault wherever its memory was
 * given back. The two loops are two workloads: never compare one with the other.
 */
#include "harness/bench.h"

#include <stdlib.h>

enum { COUNT, SIZE, TOUCH, ARG_COUNT };
enum { UNROLL = 32, CHECKED = 256, CHECKED_BYTES = 64 << 20 };

static struct bench_arg args[ARG_COUNT] = {
    [COUNT] = {.name = "count", .value = 20000000, .smoke = 400000, .min = 1, .max = 1ull << 50},
    [SIZE] = {.name = "size", .value = 64, .smoke = 64, .min = 2, .max = 1u << 30},
    [TOUCH] = {.name = "touch", .max = 1, .is_option = true},
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

static inline void touched_pair(size_t size) {
    volatile uint8_t *block = malloc(size);
    if (BENCH_UNLIKELY(!block)) bench_check_block_slow(NULL, size);
    block[0] = 1;
    free((void *)block);
}

static inline void touched_pairs_4(size_t size) {
    touched_pair(size);
    touched_pair(size);
    touched_pair(size);
    touched_pair(size);
}

BENCH_WHOLE static void run_touched(uint64_t loops, size_t size) {
    while (loops-- > 0) {
        touched_pairs_4(size);
        touched_pairs_4(size);
        touched_pairs_4(size);
        touched_pairs_4(size);
        touched_pairs_4(size);
        touched_pairs_4(size);
        touched_pairs_4(size);
        touched_pairs_4(size);
    }
}

static uint64_t step(void *context, uint64_t loops) {
    size_t size = *(const size_t *)context;
    if (args[TOUCH].value) {
        run_touched(loops, size);
    } else {
        run_pairs(loops, size);
    }
    return loops * UNROLL;
}

/* Large blocks are fewer: 256 of 1 GiB would be a test of the address space. */
static uint32_t checked_count(size_t size) {
    size_t count = CHECKED_BYTES / size;
    return count > CHECKED ? CHECKED : count < 2 ? 2 : (uint32_t)count;
}

static uint64_t check_blocks(size_t size) {
    void *blocks[CHECKED];
    uint32_t count = checked_count(size);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        blocks[i] = malloc(size);
        bench_check_block(blocks[i], size);
        bench_mark(blocks[i], i, size);
    }
    for (uint32_t i = 0; i < count; i++)
        sum += bench_verify(blocks[i], i, size);
    for (uint32_t i = 0; i < count; i++)
        free(blocks[i]);
    return sum;
}

int main(int argc, char **argv) {
    bench_begin("pairs", args, ARG_COUNT, argc, argv);
    size_t size = args[SIZE].value;
    uint64_t per_segment = UNROLL * (uint64_t)BENCH_SEGMENTS;
    uint64_t loops = (args[COUNT].value + per_segment - 1) / per_segment;
    uint64_t checksum = check_blocks(size);
    step(&size, loops); /* warm-up: as much as a segment */

    bench_start();
    uint64_t ops = bench_run(loops * BENCH_SEGMENTS, step, &size);
    bench_stop();
    checksum = checksum * 31 + check_blocks(size);
    return bench_finish(ops, checksum);
}
