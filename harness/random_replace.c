/* SPDX-License-Identifier: MIT */
/*
 * random_replace: SLOTS live blocks at all times, one thread, uniform sizes MIN..MAX.
 *
 * Each cycle frees the block of a random slot and puts a new one there: one op is a free and
 * a malloc. With many slots the freed block is cold, which is where allocators differ.
 * The first and last byte are written after malloc, inside the timed part. They are NOT read
 * before free, since that would warm the very line whose coldness is the subject: every live
 * block is checked outside the timed part, at three points of the run and at the end.
 * The fill is timed apart as setup_s, the drain as drain_s.
 */
#include "harness/bench.h"

#include <stdlib.h>

enum { CYCLES, SLOTS, MIN, MAX, SEED, ARG_COUNT };

static struct bench_arg args[ARG_COUNT] = {
    [CYCLES] = {.name = "cycles", .value = 10000000, .smoke = 200000, .min = 1, .max = 1ull << 50},
    [SLOTS] = {.name = "slots", .value = 100000, .smoke = 5000, .min = 1, .max = 1u << 28},
    [MIN] = {.name = "min", .value = 16, .smoke = 16, .min = 2, .max = 1u << 30},
    [MAX] = {.name = "max", .value = 256, .smoke = 256, .min = 2, .max = 1u << 30},
    [SEED] = {.name = "seed", .value = 42, .smoke = 42, .max = UINT64_MAX},
};

struct slot {
    void *block;
    uint32_t size;
};

struct pool {
    struct slot *slots;
    uint32_t slot_count, min, spread;
    struct bench_rng rng;
};

static inline void fill(struct pool *pool, uint32_t index, uint64_t draw) {
    uint32_t size = pool->min + bench_low_below(draw, pool->spread);
    void *block = malloc(size);
    bench_check_block(block, size);
    bench_mark(block, index, size);
    pool->slots[index] = (struct slot){block, size};
}

BENCH_WHOLE static void run_cycles(struct pool *pool, uint64_t cycles) {
    while (cycles-- > 0) {
        uint64_t draw = bench_random(&pool->rng);
        uint32_t index = bench_high_below(draw, pool->slot_count);
        free(pool->slots[index].block);
        fill(pool, index, draw);
    }
}

static uint64_t step(void *context, uint64_t cycles) {
    run_cycles(context, cycles);
    return cycles;
}

static uint64_t verify_all(const struct pool *pool) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < pool->slot_count; i++) {
        sum += bench_verify(pool->slots[i].block, i, pool->slots[i].size);
    }
    return sum;
}

static bool is_check_point(unsigned segment) {
    return segment == BENCH_SEGMENTS / 4 || segment == BENCH_SEGMENTS / 2 ||
           segment == BENCH_SEGMENTS * 3 / 4;
}

int main(int argc, char **argv) {
    bench_begin("random_replace", args, ARG_COUNT, argc, argv);
    if (args[MAX].value < args[MIN].value) bench_usage("max is below min");
    struct pool pool = {
        .slots = bench_map(args[SLOTS].value, sizeof(struct slot)),
        .slot_count = (uint32_t)args[SLOTS].value,
        .min = (uint32_t)args[MIN].value,
        .spread = (uint32_t)(args[MAX].value - args[MIN].value + 1),
        .rng = bench_rng_seeded(args[SEED].value, 0),
    };
    uint64_t begin = bench_ns();
    for (uint32_t i = 0; i < pool.slot_count; i++)
        fill(&pool, i, bench_random(&pool.rng));
    bench_metric("setup_s", (double)(bench_ns() - begin) / 1e9);

    uint64_t checksum = 0;
    uint64_t ops = 0;
    bench_start();
    for (unsigned s = 0; s < BENCH_SEGMENTS; s++) {
        ops += bench_segment_of(args[CYCLES].value, s, step, &pool);
        if (!is_check_point(s)) continue;
        checksum = checksum * 31 + verify_all(&pool);
        bench_segment_skip();
    }
    bench_stop();
    checksum = checksum * 31 + verify_all(&pool);
    begin = bench_ns();
    for (uint32_t i = 0; i < pool.slot_count; i++)
        free(pool.slots[i].block);
    bench_metric("drain_s", (double)(bench_ns() - begin) / 1e9);
    return bench_finish(ops, checksum + pool.rng.state);
}
