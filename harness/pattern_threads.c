/* SPDX-License-Identifier: MIT */
/*
 * pattern_threads.c: scenarios of many threads, each of which uses many sizes: a crowd that sleeps,
 * a parade of threads that come one after the other, heirs that go on with the blocks of threads
 * that ended. See pattern_inside.h.
 */
#include "harness/pattern_inside.h"

#include <stdlib.h>

enum { CLASSES = 20, CLASS_STEP = 100 };              /* parade: blocks of 100, 200, ... bytes, */
enum { CLASS_SHIFT = 20, CLASS_SHIFTS = 5 };          /* and by so much more in the next phase */
enum { CROWD_STEP = 16, CROWD_MAX = 1024 };           /* crowd: sizes of its bursts */
enum { HEIR_BYTES_MIN = 16, HEIR_REPLACEMENTS = 20 }; /* heirs: of each slot, a generation */

static unsigned phase_now; /* main's, const while the crew works */

static unsigned thread_count(void) {
    return (unsigned)pattern_value(PATTERN_THREADS);
}

/* ---- crowd: TOTAL bytes a thread of one size, all freed, then the next size ---- */

static void burst(unsigned index) {
    uint64_t total = pattern_value(PATTERN_TOTAL), uses = 0, sum = 0;
    void **blocks = pattern.blocks + index * (total / CROWD_STEP);
    for (uint32_t size = CROWD_STEP; size <= CROWD_MAX; size += CROWD_STEP) {
        uint64_t count = total / size;
        for (uint64_t i = 0; i < count; i++)
            blocks[i] = pattern_filled(size, (uint32_t)i);
        for (uint64_t i = 0; i < count; i++)
            pattern_freed(blocks[i], size, (uint32_t)i, &sum);
        uses += count;
    }
    pattern_count(uses, sum);
}

uint64_t pattern_crowd_blocks(void) {
    return thread_count() * (pattern_value(PATTERN_TOTAL) / CROWD_STEP);
}

void pattern_fill_crowd(unsigned phase) {
    (void)phase;
    pattern_crew_start(thread_count());
    pattern_crew_give(0, thread_count() - 1, burst);
    pattern_crew_wait();
    pattern.peak_bytes = thread_count() * pattern_value(PATTERN_TOTAL);
}

/* ---- parade: what each thread allocates lives on; the next phase has other sizes ---- */

static void leave_blocks(unsigned index) {
    (void)index;
    for (uint32_t c = 1; c <= CLASSES; c++) {
        uint32_t size = c * CLASS_STEP + phase_now % CLASS_SHIFTS * CLASS_SHIFT;
        pattern_keep(pattern_filled(size, c), size, c);
    }
}

uint64_t pattern_parade_kept(void) {
    return pattern_value(PATTERN_THREADS) * CLASSES;
}

void pattern_fill_parade(unsigned phase) {
    uint64_t phases = pattern_value(PATTERN_PHASES);
    phase_now = phase;
    for (uint64_t t = phase; t < pattern_value(PATTERN_THREADS); t += phases) {
        pattern_crew_start(1);
        pattern_crew_give(0, 0, leave_blocks);
        pattern_crew_wait();
        pattern_crew_end();
    }
}

/* ---- heirs: generation after generation replaces blocks in the slots that it was left ---- */

static uint64_t slots_per_thread(void) {
    uint64_t mean = pattern_value(PATTERN_SIZE) / 2;
    return pattern_value(PATTERN_TOTAL) / mean / thread_count();
}

uint64_t pattern_heirs_kept(void) {
    if (pattern_value(PATTERN_SIZE) < 64 || slots_per_thread() == 0)
        bench_usage("heirs need a size from 64 on, and a total of a block for each thread");
    return slots_per_thread() * thread_count();
}

static void allocate(struct pattern_block *slot, uint64_t draw, uint32_t id) {
    uint32_t spread = (uint32_t)pattern_value(PATTERN_SIZE) - HEIR_BYTES_MIN;
    uint32_t size = HEIR_BYTES_MIN + bench_low_below(draw, spread);
    *slot = (struct pattern_block){pattern_filled(size, id), size, id};
}

static void inherit(unsigned index) {
    uint64_t count = slots_per_thread(), sum = 0;
    struct pattern_block *slots = pattern.kept + index * count;
    uint64_t stream = (uint64_t)phase_now * PATTERN_MAX_CREW + index;
    struct bench_rng rng = bench_rng_seeded(pattern_value(PATTERN_SEED), stream);
    for (uint64_t k = 0; k < count * HEIR_REPLACEMENTS; k++) {
        uint64_t draw = bench_random(&rng);
        uint32_t which = bench_high_below(draw, (uint32_t)count);
        struct pattern_block *slot = &slots[which];
        pattern_freed(slot->block, slot->size, slot->id, &sum);
        allocate(slot, draw, slot->id);
    }
    pattern_count(count * HEIR_REPLACEMENTS, sum);
}

void pattern_fill_heirs(unsigned phase) {
    struct bench_rng rng = bench_rng_seeded(pattern_value(PATTERN_SEED), UINT64_MAX);
    for (uint64_t i = 0; phase == 0 && i < pattern.kept_most; i++)
        allocate(&pattern.kept[i], bench_random(&rng), (uint32_t)i);
    atomic_store_explicit(&pattern.kept_count, pattern.kept_most, memory_order_relaxed);
    phase_now = phase;
    pattern_crew_start(thread_count());
    pattern_crew_give(0, thread_count() - 1, inherit);
    pattern_crew_wait();
    pattern_crew_end();
}

void pattern_release_heirs(unsigned phase) {
    if (phase + 1 == pattern_value(PATTERN_PHASES)) pattern_release_kept(phase);
}

/* ---- what lived on ---- */

void pattern_release_kept(unsigned phase) {
    (void)phase;
    uint64_t count = atomic_exchange_explicit(&pattern.kept_count, 0, memory_order_relaxed);
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        const struct pattern_block *kept = &pattern.kept[i];
        pattern_freed(kept->block, kept->size, kept->id, &sum);
    }
    pattern_count(count, sum);
}
