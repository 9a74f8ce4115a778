/* SPDX-License-Identifier: MIT */
/*
 * random_mixed: one thread, SLOTS slots, uniform sizes MIN..MAX.
 *
 * Each cycle picks a slot: a full one is freed, an empty one is filled. So about half of the
 * slots are live, and one op is one malloc or one free. Slot and size come from disjoint
 * bits of a draw. The first and last byte of a block are written after malloc and checked
 * before free; nothing else of it is touched.
 * Few slots (256) never leave a thread cache, many exercise refill and spill: SLOTS belongs
 * into the name of a result row. The drain at the end is timed apart, as drain_s.
 */
#include "harness/bench.h"

#include <stdlib.h>

enum { CYCLES, SLOTS, MIN, MAX, SEED, ARG_COUNT };

static struct bench_arg args[ARG_COUNT] = {
    [CYCLES] = {.name = "cycles", .value = 10000000, .smoke = 400000, .min = 1, .max = 1ull << 50},
    [SLOTS] = {.name = "slots", .value = 4096, .smoke = 1024, .min = 1, .max = 1u << 28},
    [MIN] = {.name = "min", .value = 16, .smoke = 16, .min = 2, .max = 1u << 30},
    [MAX] = {.name = "max", .value = 1040, .smoke = 1040, .min = 2, .max = 1u << 30},
    [SEED] = {.name = "seed", .value = 42, .smoke = 42, .max = UINT64_MAX},
};

struct slot {
    void *block; /* NULL: empty */
    uint32_t size;
};

struct mix {
    struct slot *slots;
    uint32_t slot_count, min, spread;
    struct bench_rng rng;
    uint64_t checksum;
};

BENCH_WHOLE static void run_cycles(struct mix *mix, uint64_t cycles) {
    struct bench_rng rng = mix->rng;
    uint64_t checksum = mix->checksum;
    while (cycles-- > 0) {
        uint64_t draw = bench_random(&rng);
        uint32_t index = bench_high_below(draw, mix->slot_count);
        struct slot *slot = &mix->slots[index];
        if (slot->block) {
            checksum += bench_verify(slot->block, index, slot->size);
            free(slot->block);
            slot->block = NULL;
            continue;
        }
        slot->size = mix->min + bench_low_below(draw, mix->spread);
        slot->block = malloc(slot->size);
        bench_check_block(slot->block, slot->size);
        bench_mark(slot->block, index, slot->size);
    }
    mix->rng = rng;
    mix->checksum = checksum;
}

static uint64_t step(void *context, uint64_t cycles) {
    run_cycles(context, cycles);
    return cycles;
}

static void drain(struct mix *mix) {
    uint64_t begin = bench_ns();
    for (uint32_t i = 0; i < mix->slot_count; i++) {
        if (!mix->slots[i].block) continue;
        mix->checksum += bench_verify(mix->slots[i].block, i, mix->slots[i].size);
        free(mix->slots[i].block);
    }
    bench_metric("drain_s", (double)(bench_ns() - begin) / 1e9);
}

int main(int argc, char **argv) {
    bench_begin("random_mixed", args, ARG_COUNT, argc, argv);
    if (args[MAX].value < args[MIN].value) bench_usage("max is below min");
    struct mix mix = {
        .slots = bench_map(args[SLOTS].value, sizeof(struct slot)),
        .slot_count = (uint32_t)args[SLOTS].value,
        .min = (uint32_t)args[MIN].value,
        .spread = (uint32_t)(args[MAX].value - args[MIN].value + 1),
        .rng = bench_rng_seeded(args[SEED].value, 0),
    };
    bench_start();
    uint64_t ops = bench_run(args[CYCLES].value, step, &mix);
    bench_stop();
    drain(&mix);
    return bench_finish(ops, mix.checksum + mix.rng.state);
}
