/* SPDX-License-Identifier: MIT */
/*
 * glibc_thread: private slots, sizes with the long tail of real programs, every byte written.
 *
 * After the description of glibc's bench-malloc-thread. Each thread has 1024 slots; a cycle frees
 * the block of a random slot and puts a new one there, of MIN..MAX bytes by an inverse-square
 * distribution (half of them below 2 x MIN), drawn once into a table of 8000 that all read.
 * One op is a free and a malloc, the memset of all bytes included. CYCLES is per thread; the
 * original runs for a fixed time, which --seconds does. Checked before free are the ends and
 * the middle.
 */
#include "harness/bench_team.h"

#include <stdlib.h>
#include <string.h>

enum { THREADS, CYCLES, MIN, MAX, SEED, ARG_COUNT };
enum { SLOTS = 1024, SIZES = 8000 };

static struct bench_arg args[ARG_COUNT] = {
    [THREADS] = {.name = "threads", .value = 2, .smoke = 2, .min = 1, .max = BENCH_MAX_THREADS},
    [CYCLES] = {.name = "cycles", .value = 3000000, .smoke = 30000, .min = 1, .max = 1ull << 50},
    [MIN] = {.name = "min", .value = 4, .smoke = 4, .min = 2, .max = 1u << 30},
    [MAX] = {.name = "max", .value = 32768, .smoke = 32768, .min = 2, .max = 1u << 30},
    [SEED] = {.name = "seed", .value = 42, .smoke = 42, .max = UINT64_MAX},
};

struct slot {
    void *block; /* NULL: empty */
    uint32_t size;
};

static struct {
    struct slot *slots; /* SLOTS of each thread; the pointer is const after init */
    uint32_t *sizes;    /* const after init */
} tail;

/* The inverse of the distribution function of 1 / size^2 between min and max. */
static void draw_sizes(void) {
    struct bench_rng rng = bench_rng_seeded(args[SEED].value, BENCH_MAX_THREADS);
    double min = (double)args[MIN].value, max = (double)args[MAX].value;
    for (unsigned i = 0; i < SIZES; i++) {
        double part = (double)(bench_random(&rng) >> 11) / (double)(1ull << 53);
        tail.sizes[i] = (uint32_t)(min * max / (max - part * (max - min)));
    }
}

static void set_up(struct bench_worker *self) {
    self->own = tail.slots + (size_t)self->index * SLOTS;
}

static void empty(struct bench_worker *self, struct slot *slot, uint32_t index) {
    if (!slot->block) return;
    const volatile uint8_t *bytes = slot->block;
    uint32_t tag = bench_verify(slot->block, index, slot->size);
    uint32_t middle = slot->size / 2;
    if (slot->size > 2 && bytes[middle] != tag >> 8) {
        bench_content_wrong(slot->block, index, slot->size);
    }
    self->checksum += tag;
    free(slot->block);
}

static uint64_t step(struct bench_worker *self, uint64_t cycles) {
    struct slot *own = self->own;
    for (uint64_t k = 0; k < cycles; k++) {
        uint64_t draw = bench_random(&self->rng);
        uint32_t index = bench_high_below(draw, SLOTS);
        struct slot *slot = &own[index];
        empty(self, slot, index);
        slot->size = tail.sizes[bench_low_below(draw, SIZES)];
        slot->block = malloc(slot->size);
        bench_check_block(slot->block, slot->size);
        memset(slot->block, (int)(bench_tag(index, slot->size) >> 8), slot->size);
        bench_mark(slot->block, index, slot->size);
    }
    return cycles;
}

static void drain(struct bench_worker *self) {
    struct slot *own = self->own;
    for (uint32_t i = 0; i < SLOTS; i++)
        empty(self, &own[i], i);
}

int main(int argc, char **argv) {
    bench_begin("glibc_thread", args, ARG_COUNT, argc, argv);
    if (args[MAX].value < args[MIN].value) bench_usage("max is below min");
    struct bench_team_plan plan = {
        .threads = (unsigned)args[THREADS].value,
        .total = args[CYCLES].value,
        .seed = args[SEED].value,
        .set_up = set_up,
        .step = step,
        .drain = drain,
    };
    tail.slots = bench_map((size_t)SLOTS * plan.threads, sizeof *tail.slots);
    tail.sizes = bench_map(SIZES, sizeof *tail.sizes);
    draw_sizes();
    uint64_t checksum;
    uint64_t ops = bench_team(&plan, &checksum);
    return bench_finish(ops, checksum);
}
