/* SPDX-License-Identifier: MIT */
/*
 * pattern_act.c: what a thread does beside the burst of a pattern, see pattern.h.
 *
 * Pairs of malloc(100) and free live on a thread's cache alone; replacements, of one block of a
 * small set by one of another size, go beyond it now and then. With a rate a thread sleeps between
 * two calls; one that comes too late does not make up for it.
 */
#include "harness/pattern_inside.h"

#include <stdlib.h>

enum { BATCH = 5000, PAIR_BYTES = 100, IDLE_NS = 10000000 };

static void sleep_until(uint64_t ns) {
    struct timespec then = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &then, NULL) != 0)
        continue;
}

static void pair(void) {
    void *block = malloc(PAIR_BYTES);
    bench_check_block(block, PAIR_BYTES);
    bench_mark(block, 0, PAIR_BYTES);
    free(block);
}

static void free_slot(struct pattern_block *slot) {
    if (!slot->block) return;
    bench_verify(slot->block, slot->id, slot->size);
    free(slot->block);
    slot->block = NULL;
}

static void replace(struct pattern_actor *actor) {
    uint64_t draw = bench_random(&actor->rng);
    uint32_t index = bench_high_below(draw, PATTERN_SLOTS);
    uint32_t size = PATTERN_SLOT_BYTES_MIN + bench_low_below(draw, PATTERN_SLOT_BYTES);
    struct pattern_block *slot = &actor->slots[index];
    free_slot(slot);
    void *block = malloc(size);
    bench_check_block(block, size);
    bench_mark(block, index, size);
    *slot = (struct pattern_block){block, size, index};
}

static void call(struct pattern_actor *actor) {
    if (pattern_value(PATTERN_ACT) == PATTERN_ACT_PAIRS) {
        pair();
    } else {
        replace(actor);
    }
}

struct pattern_actor *pattern_actors(unsigned count) {
    struct pattern_actor *actors = bench_map(count, sizeof *actors);
    for (unsigned a = 0; a < count; a++)
        actors[a].rng = bench_rng_seeded(pattern_value(PATTERN_SEED), a);
    return actors;
}

uint64_t pattern_actor_step(struct pattern_actor *actor) {
    uint64_t rate = pattern_value(PATTERN_RATE);
    if (pattern_value(PATTERN_ACT) == PATTERN_ACT_NONE) {
        sleep_until(bench_ns() + IDLE_NS);
        return 0;
    }
    if (rate) sleep_until(actor->due_ns);
    for (unsigned k = 0; k < (rate ? 1 : BATCH); k++)
        call(actor);
    if (rate) actor->due_ns = bench_ns() + 1000000000u / rate;
    return rate ? 1 : BATCH;
}

bool pattern_actor_step_due(struct pattern_actor *actor) {
    bool is_due = bench_ns() >= actor->due_ns;
    if (pattern_value(PATTERN_ACT) == PATTERN_ACT_NONE || !is_due) return false;
    pattern_actor_step(actor);
    return true;
}

void pattern_actor_drain(struct pattern_actor *actor) {
    for (unsigned s = 0; s < PATTERN_SLOTS; s++)
        free_slot(&actor->slots[s]);
}
