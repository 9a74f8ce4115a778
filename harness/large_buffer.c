/* SPDX-License-Identifier: MIT */
/*
 * large_buffer: COUNT live buffers of MIN..MAX bytes, uniform; REPLACEMENTS times one changes.
 *
 * One op frees the buffer of a random slot, allocates one of a new random size and fills it
 * with zeros by memset, every byte: what a program does that reads files or frames whole.
 * Timed are all three, and four accesses for the check: the ends of the old buffer are read
 * before the free, those of the new one are marked after the memset. memset_share is the part
 * of the time that the memset took, page faults of fresh memory included (read minflt): what
 * an allocator saves by keeping memory it pays for in peak memory, so read hwm_kib as well.
 * The first COUNT buffers are set up (setup_s) and the last ones freed (drain_s) apart.
 */
#include "harness/bench.h"

#include <stdlib.h>
#include <string.h>

enum { COUNT, MIN, MAX, REPLACEMENTS, SEED, ARG_COUNT };

static struct bench_arg args[ARG_COUNT] = {
    [COUNT] = {.name = "count", .value = 20, .smoke = 20, .min = 1, .max = 1u << 20},
    [MIN] = {.name = "min", .value = 5u << 20, .smoke = 64u << 10, .min = 2, .max = 1u << 30},
    [MAX] = {.name = "max", .value = 25u << 20, .smoke = 256u << 10, .min = 2, .max = 1u << 30},
    [REPLACEMENTS] =
        {.name = "replacements", .value = 2000, .smoke = 400, .min = 1, .max = 1u << 30},
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
    uint64_t memset_ns;
    uint64_t checksum;
};

static void fill(struct pool *pool, uint32_t index, uint64_t draw) {
    uint32_t size = pool->min + bench_low_below(draw, pool->spread);
    void *block = malloc(size);
    bench_check_block(block, size);
    uint64_t begin = bench_ns();
    memset(block, 0, size);
    pool->memset_ns += bench_ns() - begin;
    bench_mark(block, index, size);
    pool->slots[index] = (struct slot){block, size};
}

static void empty(struct pool *pool, uint32_t index) {
    const struct slot *slot = &pool->slots[index];
    pool->checksum = pool->checksum * 31 + bench_verify(slot->block, index, slot->size);
    free(slot->block);
}

static uint64_t step(void *context, uint64_t replacements) {
    struct pool *pool = context;
    for (uint64_t k = 0; k < replacements; k++) {
        uint64_t draw = bench_random(&pool->rng);
        uint32_t index = bench_high_below(draw, pool->slot_count);
        empty(pool, index);
        fill(pool, index, draw);
    }
    return replacements;
}

int main(int argc, char **argv) {
    bench_begin("large_buffer", args, ARG_COUNT, argc, argv);
    if (args[MAX].value < args[MIN].value) bench_usage("max is below min");
    struct pool pool = {
        .slots = bench_map(args[COUNT].value, sizeof(struct slot)),
        .slot_count = (uint32_t)args[COUNT].value,
        .min = (uint32_t)args[MIN].value,
        .spread = (uint32_t)(args[MAX].value - args[MIN].value + 1),
        .rng = bench_rng_seeded(args[SEED].value, 0),
    };
    uint64_t begin = bench_ns();
    for (uint32_t i = 0; i < pool.slot_count; i++)
        fill(&pool, i, bench_random(&pool.rng));
    bench_metric("setup_s", (double)(bench_ns() - begin) / 1e9);
    pool.memset_ns = 0;

    bench_start();
    begin = bench_ns();
    uint64_t ops = bench_run(args[REPLACEMENTS].value, step, &pool);
    double timed_ns = (double)(bench_ns() - begin);
    bench_stop();
    bench_metric("memset_share", (double)pool.memset_ns / timed_ns);
    begin = bench_ns();
    for (uint32_t i = 0; i < pool.slot_count; i++)
        empty(&pool, i);
    bench_metric("drain_s", (double)(bench_ns() - begin) / 1e9);
    return bench_finish(ops, pool.checksum + pool.rng.state);
}
