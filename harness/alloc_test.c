/* SPDX-License-Identifier: MIT */
/*
 * alloc_test: few hot slots and many cold ones, each size class half as frequent as the last.
 *
 * After the description of OLogN's alloc-test (ithare.com). Each thread has SLOTS slots, half of
 * them filled beforehand. A cycle picks a slot, empties it if it is full, else fills it. Slots
 * are chosen by Pareto's rule six times over: four choices of five go to the first fifth of
 * the slots, and so on within it. The size class is drawn geometrically (2^3 up to MAX), the size
 * evenly within. --touch=ends writes the first and last byte, --touch=all every byte.
 *
 * One op is a malloc or a free; CYCLES is per thread. The two ends are checked before free.
 */
#include "harness/bench_team.h"

#include <stdlib.h>
#include <string.h>

enum { THREADS, CYCLES, SLOTS, MAX, SEED, TOUCH, ARG_COUNT };
enum { TOUCH_ENDS, TOUCH_ALL };
enum { MIN_EXPONENT = 3, PARETO_LEVELS = 6 };

static const char *const touch_words[] = {"ends", "all", NULL};

static struct bench_arg args[ARG_COUNT] = {
    [THREADS] = {.name = "threads", .value = 2, .smoke = 2, .min = 1, .max = BENCH_MAX_THREADS},
    [CYCLES] = {.name = "cycles", .value = 4000000, .smoke = 50000, .min = 1, .max = 1ull << 50},
    [SLOTS] = {.name = "slots", .value = 200000, .smoke = 5000, .min = 1, .max = 1u << 28},
    [MAX] = {.name = "max", .value = 1024, .smoke = 1024, .min = 8, .max = 1u << 30},
    [SEED] = {.name = "seed", .value = 42, .smoke = 42, .max = UINT64_MAX},
    [TOUCH] = {.name = "touch", .choices = touch_words, .is_option = true},
};

struct slot {
    void *block; /* NULL: empty */
    uint32_t size;
};

static struct {
    struct slot *slots;    /* SLOTS of each thread; the pointer is const after init */
    unsigned max_exponent; /* const after init */
} test;

static uint32_t choose_slot(uint64_t draw) {
    uint64_t within = bench_splitmix64(draw);
    uint32_t first = 0;
    uint32_t count = (uint32_t)args[SLOTS].value;
    for (unsigned level = 0; level < PARETO_LEVELS && count >= 5; level++) {
        uint32_t fifth = count / 5;
        bool is_hot = (draw & 0xff) < 205; /* 0.8 of 256 */
        draw >>= 8;
        first += is_hot ? 0 : fifth;
        count = is_hot ? fifth : count - fifth;
    }
    return first + bench_high_below(within, count);
}

static uint32_t choose_size(uint64_t draw) {
    uint32_t last = 1u << (test.max_exponent - MIN_EXPONENT); /* the largest class takes the rest */
    uint32_t half = 1u << MIN_EXPONENT << __builtin_ctz((uint32_t)draw | last) >> 1;
    return half + 1 + bench_high_below(draw, half);
}

static void toggle(struct bench_worker *self, uint32_t index) {
    struct slot *slot = (struct slot *)self->own + index;
    if (slot->block) {
        self->checksum += bench_verify(slot->block, index, slot->size);
        free(slot->block);
        slot->block = NULL;
        return;
    }
    slot->size = choose_size(bench_random(&self->rng));
    slot->block = malloc(slot->size);
    bench_check_block(slot->block, slot->size);
    if (args[TOUCH].value == TOUCH_ALL) memset(slot->block, (int)index, slot->size);
    bench_mark(slot->block, index, slot->size);
}

static void set_up(struct bench_worker *self) {
    self->own = test.slots + (size_t)self->index * args[SLOTS].value;
    for (uint32_t i = 0; i < args[SLOTS].value; i += 2)
        toggle(self, i);
}

static uint64_t step(struct bench_worker *self, uint64_t cycles) {
    for (uint64_t k = 0; k < cycles; k++)
        toggle(self, choose_slot(bench_random(&self->rng)));
    return cycles;
}

static void drain(struct bench_worker *self) {
    const struct slot *own = self->own;
    for (uint32_t i = 0; i < args[SLOTS].value; i++) {
        if (own[i].block) toggle(self, i);
    }
}

int main(int argc, char **argv) {
    bench_begin("alloc_test", args, ARG_COUNT, argc, argv);
    test.max_exponent = 63u - (unsigned)__builtin_clzll(args[MAX].value);
    struct bench_team_plan plan = {
        .threads = (unsigned)args[THREADS].value,
        .total = args[CYCLES].value,
        .seed = args[SEED].value,
        .set_up = set_up,
        .step = step,
        .drain = drain,
    };
    test.slots = bench_map(args[SLOTS].value * plan.threads, sizeof *test.slots);
    uint64_t checksum;
    uint64_t ops = bench_team(&plan, &checksum);
    return bench_finish(ops, checksum);
}
