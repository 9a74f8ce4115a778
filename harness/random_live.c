/* SPDX-License-Identifier: MIT */
/*
 * random_live: COUNT blocks of SIZE are allocated, then all freed in random order; again.
 *
 * One op is a malloc and a free. The first round meets fresh memory and is reported apart
 * (first_malloc_cycles, first_free_cycles); malloc_cycles, free_cycles and cycles_per_op are
 * medians over the later rounds, which meet the scrambled heap the frees left behind.
 * The timed malloc includes the write of the first and last byte: an allocator that keeps its
 * list inside the blocks fetches the line itself, and one that does not must not look
 * cheaper for leaving that to the program. The timed free touches nothing: contents are
 * checked before it, and the array of addresses itself is shuffled, both outside the timed
 * parts. wall_s and ns_per_op cover the timed parts of the later rounds.
 */
#include "harness/bench.h"

#include <stdlib.h>

enum { COUNT, SIZE, SEED, ROUNDS, ARG_COUNT };
enum { MAX_ROUNDS = 1000 };

static struct bench_arg args[ARG_COUNT] = {
    [COUNT] = {.name = "count", .value = 1000000, .smoke = 20000, .min = 1, .max = 1u << 30},
    [SIZE] = {.name = "size", .value = 64, .smoke = 64, .min = 2, .max = 1u << 30},
    [SEED] = {.name = "seed", .value = 42, .smoke = 42, .max = UINT64_MAX},
    [ROUNDS] =
        {.name = "rounds", .value = 5, .smoke = 3, .min = 2, .max = MAX_ROUNDS, .is_option = true},
};

static struct {
    double malloc_cycles[MAX_ROUNDS], free_cycles[MAX_ROUNDS], pair_cycles[MAX_ROUNDS];
} round_log;

BENCH_WHOLE static void allocate_all(void **blocks, uint32_t count, size_t size) {
    for (uint32_t i = 0; i < count; i++) {
        void *block = malloc(size);
        bench_check_block(block, size);
        bench_mark(block, i, size);
        blocks[i] = block;
    }
}

BENCH_WHOLE static void free_all(void **blocks, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        free(blocks[i]);
}

static uint64_t verify_all(void **blocks, uint32_t count, size_t size) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += bench_verify(blocks[i], i, size);
    return sum;
}

static void shuffle(void **blocks, uint32_t count, struct bench_rng *rng) {
    for (uint32_t i = count; i > 1; i--) {
        uint32_t other = bench_high_below(bench_random(rng), i);
        void *kept = blocks[i - 1];
        blocks[i - 1] = blocks[other];
        blocks[other] = kept;
    }
}

int main(int argc, char **argv) {
    bench_begin("random_live", args, ARG_COUNT, argc, argv);
    uint32_t count = (uint32_t)args[COUNT].value;
    size_t size = args[SIZE].value;
    void **blocks = bench_map(count, sizeof *blocks);
    struct bench_rng rng = bench_rng_seeded(args[SEED].value, 0);
    uint64_t checksum = 0;

    uint64_t until_ns = bench_ns() + bench_timed_ms() * 1000000u; /* --seconds counts checks too */
    size_t most = bench_is_timed() ? MAX_ROUNDS : args[ROUNDS].value;
    size_t rounds = 0;
    for (size_t r = 0; r < most; r++, rounds++) {
        if (bench_is_timed() && r >= 2 && bench_ns() >= until_ns) break;
        if (r <= 1) bench_start(); /* the warm-up round is not part of wall_s and minflt */
        bench_segment_skip();
        uint64_t t0 = bench_cycles();
        uint64_t t0_ns = bench_ns();
        allocate_all(blocks, count, size);
        uint64_t malloc_ns = bench_ns() - t0_ns;
        uint64_t malloc_cycles = bench_cycles() - t0;
        bench_segment(0);
        checksum = checksum * 31 + verify_all(blocks, count, size);
        shuffle(blocks, count, &rng);
        bench_segment_skip();
        uint64_t t1 = bench_cycles();
        uint64_t t1_ns = bench_ns();
        free_all(blocks, count);
        uint64_t free_ns = bench_ns() - t1_ns;
        uint64_t free_cycles = bench_cycles() - t1;
        bench_segment(0);
        round_log.malloc_cycles[r] = (double)malloc_cycles / count;
        round_log.free_cycles[r] = (double)free_cycles / count;
        round_log.pair_cycles[r] = (double)(malloc_cycles + free_cycles) / count;
        if (r > 0) bench_segment_value((double)(malloc_ns + free_ns) / count);
    }
    bench_stop();
    bench_metric("first_malloc_cycles", round_log.malloc_cycles[0]);
    bench_metric("first_free_cycles", round_log.free_cycles[0]);
    bench_metric("malloc_cycles", bench_median(round_log.malloc_cycles + 1, rounds - 1));
    bench_metric("free_cycles", bench_median(round_log.free_cycles + 1, rounds - 1));
    bench_cycles_per_op(bench_median(round_log.pair_cycles + 1, rounds - 1));
    return bench_finish((rounds - 1) * count, checksum + rng.state);
}
