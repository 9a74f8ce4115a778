/* SPDX-License-Identifier: MIT */
/*
 * mid_large_mt: THREADS threads, private slots, blocks of 8, 16 or 32 KiB.
 *
 * Each cycle picks a slot: a full one is freed, an empty one is filled; one op is one malloc
 * or one free. With --min and --max sizes are uniform in between. Meets the mid and large
 * tiers, their locks, the purge policy and, above all, page faults: read minflt beside the time.
 * --touch=ends writes the first and last byte, --touch=all every byte; checked before free are
 * the two ends and, under `all`, one byte a page. The two differ several-fold: never compare
 * them with each other.
 * CYCLES is per thread. Segments are means over the threads, scaled to ns per op of them all.
 */
#include "harness/bench_team.h"

#include <stdlib.h>
#include <string.h>

enum { THREADS, CYCLES, SLOTS, SEED, MIN, MAX, TOUCH, ARG_COUNT };
enum { TOUCH_ENDS, TOUCH_ALL };
enum { CHECK_STEP = 4096 };

static const char *const touch_words[] = {"ends", "all", NULL};

static struct bench_arg args[ARG_COUNT] = {
    [THREADS] = {.name = "threads", .value = 2, .smoke = 2, .min = 1, .max = BENCH_MAX_THREADS},
    [CYCLES] = {.name = "cycles", .value = 2000000, .smoke = 20000, .min = 1, .max = 1ull << 50},
    [SLOTS] = {.name = "slots", .value = 256, .smoke = 128, .min = 1, .max = 1u << 24},
    [SEED] = {.name = "seed", .value = 42, .smoke = 42, .max = UINT64_MAX},
    [MIN] = {.name = "min", .max = 1u << 30, .is_option = true},
    [MAX] = {.name = "max", .max = 1u << 30, .is_option = true},
    [TOUCH] = {.name = "touch", .choices = touch_words, .is_option = true},
};

struct slot {
    void *block; /* NULL: empty */
    uint32_t size;
};

static struct slot *slots; /* SLOTS of each thread; the pointer is const after init */

static uint32_t choose_size(uint64_t draw) {
    if (args[MAX].value) {
        uint32_t spread = (uint32_t)(args[MAX].value - args[MIN].value + 1);
        return (uint32_t)args[MIN].value + bench_low_below(draw, spread);
    }
    return 8192u << bench_low_below(draw, 3);
}

static void *fill(uint32_t index, uint32_t size) {
    void *block = malloc(size);
    bench_check_block(block, size);
    if (args[TOUCH].value == TOUCH_ALL) memset(block, (int)(bench_tag(index, size) >> 8), size);
    bench_mark(block, index, size);
    return block;
}

static uint64_t empty(struct slot *slot, uint32_t index) {
    const volatile uint8_t *bytes = slot->block;
    uint32_t tag = bench_verify(slot->block, index, slot->size);
    bool is_filled = args[TOUCH].value == TOUCH_ALL;
    for (uint32_t at = CHECK_STEP; is_filled && at < slot->size - 1; at += CHECK_STEP) {
        if (bytes[at] != tag >> 8) bench_content_wrong(slot->block, index, slot->size);
    }
    free(slot->block);
    slot->block = NULL;
    return tag;
}

static void set_up(struct bench_worker *self) {
    self->own = slots + (size_t)self->index * args[SLOTS].value;
}

static uint64_t step(struct bench_worker *self, uint64_t cycles) {
    struct slot *own = self->own;
    uint32_t slot_count = (uint32_t)args[SLOTS].value;
    for (uint64_t k = 0; k < cycles; k++) {
        uint64_t draw = bench_random(&self->rng);
        uint32_t index = bench_high_below(draw, slot_count);
        struct slot *slot = &own[index];
        if (slot->block) {
            self->checksum += empty(slot, index);
        } else {
            slot->size = choose_size(draw);
            slot->block = fill(index, slot->size);
        }
    }
    return cycles;
}

static void drain(struct bench_worker *self) {
    struct slot *own = self->own;
    for (uint32_t i = 0; i < args[SLOTS].value; i++) {
        if (own[i].block) self->checksum += empty(&own[i], i);
    }
}

int main(int argc, char **argv) {
    bench_begin("mid_large_mt", args, ARG_COUNT, argc, argv);
    bool is_uniform = args[MIN].value || args[MAX].value;
    if (is_uniform && (args[MIN].value < 2 || args[MAX].value < args[MIN].value)) {
        bench_usage("--min and --max go together, with 2 <= min <= max");
    }
    struct bench_team_plan plan = {
        .threads = (unsigned)args[THREADS].value,
        .total = args[CYCLES].value,
        .seed = args[SEED].value,
        .set_up = set_up,
        .step = step,
        .drain = drain,
    };
    slots = bench_map(args[SLOTS].value * plan.threads, sizeof *slots);
    uint64_t checksum;
    uint64_t ops = bench_team(&plan, &checksum);
    return bench_finish(ops, checksum);
}
