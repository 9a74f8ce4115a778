/* SPDX-License-Identifier: MIT */
/*
 * sh6bench: private rings of blocks, freed partly in order, partly in reverse.
 *
 * After the description of MicroQuill's SmartHeap benchmark. A sweep goes through base sizes that
 * grow by half up to MAX, and through all halves of each base; the smaller a size the more often
 * it is allocated (10, 50 or 250 times), so small blocks dominate. Blocks go into the thread's
 * ring of RING places. When that is full, one window of a fifth of it survives; what lies
 * below the window is freed last in first out, what lies above first in first out, and the
 * window moves on by its width: each block lives short or, once, five times as long.
 *
 * One op is a malloc with its free. SWEEPS is per thread; sizes end at 2 for the mark's sake. First
 * and last byte are written after malloc and checked before free. Random is only where each
 * thread's window begins, lest they all do the same at once.
 */
#include "harness/bench_team.h"

#include <stdlib.h>

enum { THREADS, SWEEPS, MAX, RING, SEED, ARG_COUNT };
enum { WINDOWS = 5 };

static struct bench_arg args[ARG_COUNT] = {
    [THREADS] = {.name = "threads", .value = 2, .smoke = 2, .min = 1, .max = BENCH_MAX_THREADS},
    [SWEEPS] = {.name = "sweeps", .value = 200, .smoke = 2, .min = 1, .max = 1ull << 40},
    [MAX] = {.name = "max", .value = 1000, .smoke = 1000, .min = 2, .max = 1u << 26},
    [RING] = {.name = "ring", .value = 5000, .smoke = 5000, .min = WINDOWS, .max = 1u << 24},
    [SEED] = {.name = "seed", .value = 42, .smoke = 42, .max = UINT64_MAX},
};

struct place {
    void *block; /* NULL: empty */
    uint32_t size;
};

/* Its thread's alone. */
struct ring {
    struct place *places;
    uint32_t used;         /* the next place to look at */
    uint32_t window_begin; /* who lies in the window survives the next clearing */
};

static struct ring *rings; /* one a thread */

static void set_up(struct bench_worker *self) {
    struct ring *ring = &rings[self->index];
    uint32_t width = (uint32_t)args[RING].value / WINDOWS;
    ring->window_begin = bench_high_below(bench_random(&self->rng), WINDOWS) * width;
    self->own = ring;
}

static void empty(struct bench_worker *self, struct place *place, uint32_t index) {
    if (!place->block) return;
    self->checksum += bench_verify(place->block, bench_own_id(self, index), place->size);
    free(place->block);
    place->block = NULL;
}

static void clear(struct bench_worker *self, struct ring *ring) {
    uint32_t count = (uint32_t)args[RING].value;
    uint32_t width = count / WINDOWS;
    uint32_t begin = ring->window_begin;
    for (uint32_t i = begin; i-- > 0;)
        empty(self, &ring->places[i], i);
    for (uint32_t i = begin + width; i < count; i++)
        empty(self, &ring->places[i], i);
    ring->window_begin = begin + 2 * width <= count ? begin + width : 0;
    ring->used = 0;
}

static uint32_t next_empty(struct bench_worker *self, struct ring *ring) {
    uint32_t count = (uint32_t)args[RING].value;
    for (;;) {
        while (ring->used < count && ring->places[ring->used].block)
            ring->used++;
        if (ring->used < count) return ring->used++;
        clear(self, ring);
    }
}

static uint64_t allocate(struct bench_worker *self, uint32_t size) {
    struct ring *ring = self->own;
    uint32_t repeats = size >= 1000 ? 10 : size >= 100 ? 50 : 250;
    for (uint32_t k = 0; k < repeats; k++) {
        uint32_t index = next_empty(self, ring);
        void *block = malloc(size);
        bench_check_block(block, size);
        bench_mark(block, bench_own_id(self, index), size);
        ring->places[index] = (struct place){block, size};
    }
    return repeats;
}

static uint64_t step(struct bench_worker *self, uint64_t sweeps) {
    uint64_t ops = 0;
    while (sweeps-- > 0) {
        for (uint32_t base = 2; base <= args[MAX].value; base = base * 3 / 2 + 1) {
            for (uint32_t size = base; size >= 2; size /= 2)
                ops += allocate(self, size);
        }
    }
    return ops;
}

static void drain(struct bench_worker *self) {
    struct ring *ring = self->own;
    for (uint32_t i = 0; i < args[RING].value; i++)
        empty(self, &ring->places[i], i);
}

int main(int argc, char **argv) {
    bench_begin("sh6bench", args, ARG_COUNT, argc, argv);
    struct bench_team_plan plan = {
        .threads = (unsigned)args[THREADS].value,
        .total = args[SWEEPS].value,
        .seed = args[SEED].value,
        .set_up = set_up,
        .step = step,
        .drain = drain,
    };
    rings = bench_map(plan.threads, sizeof *rings);
    for (unsigned t = 0; t < plan.threads; t++)
        rings[t].places = bench_map(args[RING].value, sizeof(struct place));
    uint64_t checksum;
    uint64_t ops = bench_team(&plan, &checksum);
    return bench_finish(ops, checksum);
}
