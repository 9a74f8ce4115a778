/* SPDX-License-Identifier: MIT */
/*
 * threadtest: each thread allocates its share of OBJECTS blocks of SIZE, frees all, and again.
 *
 * After the description in Berger and others, ASPLOS'00 (Hoard). No block leaves its thread, so an
 * ideal allocator's time falls with the processors; an allocator that keeps the blocks in a
 * thread cache sees the bursts of OBJECTS / THREADS spill out of it. WORK is a number of empty
 * loops after each malloc and each free, as a program would have something else to do.
 *
 * One op is a malloc with its free. ITERATIONS is per thread, so threads share out the objects,
 * not the iterations. First and last byte are written after malloc and checked before free.
 */
#include "harness/bench_team.h"

#include <stdlib.h>

enum { THREADS, ITERATIONS, OBJECTS, WORK, SIZE, ARG_COUNT };

static struct bench_arg args[ARG_COUNT] = {
    [THREADS] = {.name = "threads", .value = 2, .smoke = 2, .min = 1, .max = BENCH_MAX_THREADS},
    [ITERATIONS] = {.name = "iterations", .value = 300, .smoke = 5, .min = 1, .max = 1ull << 40},
    [OBJECTS] = {.name = "objects", .value = 30000, .smoke = 3000, .min = 1, .max = 1u << 30},
    [WORK] = {.name = "work", .max = 1u << 30},
    [SIZE] = {.name = "size", .value = 8, .smoke = 64, .min = 2, .max = 1u << 30},
};

static void **blocks; /* a share of each thread */

static uint32_t share(void) {
    uint64_t objects = args[OBJECTS].value / args[THREADS].value;
    return objects ? (uint32_t)objects : 1;
}

static void set_up(struct bench_worker *self) {
    self->own = blocks + (size_t)self->index * share();
}

static inline void do_work(void) {
    for (uint64_t k = args[WORK].value; k > 0; k--)
        __asm__ volatile("");
}

static uint64_t step(struct bench_worker *self, uint64_t iterations) {
    void **own = self->own;
    size_t size = args[SIZE].value;
    uint32_t count = share();
    for (uint64_t k = 0; k < iterations; k++) {
        for (uint32_t i = 0; i < count; i++) {
            own[i] = malloc(size);
            bench_check_block(own[i], size);
            bench_mark(own[i], bench_own_id(self, i), size);
            do_work();
        }
        for (uint32_t i = 0; i < count; i++) {
            self->checksum += bench_verify(own[i], bench_own_id(self, i), size);
            free(own[i]);
            do_work();
        }
    }
    return iterations * count;
}

int main(int argc, char **argv) {
    bench_begin("threadtest", args, ARG_COUNT, argc, argv);
    struct bench_team_plan plan = {
        .threads = (unsigned)args[THREADS].value,
        .total = args[ITERATIONS].value,
        .set_up = set_up,
        .step = step,
    };
    blocks = bench_map((size_t)share() * plan.threads, sizeof *blocks);
    uint64_t checksum;
    uint64_t ops = bench_team(&plan, &checksum);
    return bench_finish(ops, checksum);
}
