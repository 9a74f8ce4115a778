/* SPDX-License-Identifier: MIT */
/*
 * pattern_burst.c: scenarios of one array of blocks: main, the crew or one of its members allocate
 * it, and the same threads or others free it. See pattern_inside.h.
 */
#include "harness/pattern_inside.h"

#include <stdlib.h>
#include <string.h>

static unsigned thread_count(void) {
    return (unsigned)pattern_value(PATTERN_THREADS);
}

/* ---- parts of the array ---- */

static void fill_part(uint64_t part, uint64_t parts) {
    for (uint64_t i = pattern.count * part / parts; i < pattern.count * (part + 1) / parts; i++)
        pattern.blocks[i] = pattern_filled(pattern.size, (uint32_t)i);
}

static void release_part(uint64_t part, uint64_t parts) {
    uint64_t keep = pattern_value(PATTERN_KEEP), uses = 0, sum = 0;
    for (uint64_t i = pattern.count * part / parts; i < pattern.count * (part + 1) / parts; i++) {
        if (keep && i % keep == 0) {
            pattern_keep(pattern.blocks[i], pattern.size, (uint32_t)i);
        } else {
            pattern_freed(pattern.blocks[i], pattern.size, (uint32_t)i, &sum);
            uses++;
        }
    }
    pattern_count(uses, sum);
}

static void fill_own(unsigned index) {
    fill_part(index, thread_count());
}

static void release_own(unsigned index) {
    release_part(index, thread_count());
}

static void fill_all(unsigned index) {
    (void)index;
    fill_part(0, 1);
}

static void release_all(unsigned index) {
    (void)index;
    release_part(0, 1);
}

/* Main is one of the threads: the last. */
static void do_each(void (*job)(unsigned index)) {
    unsigned others = thread_count() - 1;
    pattern_crew_start(others);
    if (others) pattern_crew_give(0, others - 1, job);
    job(others);
    pattern_crew_wait();
}

static void do_crew(void (*job)(unsigned index)) {
    pattern_crew_start(thread_count());
    pattern_crew_give(0, thread_count() - 1, job);
    pattern_crew_wait();
}

static void do_one(unsigned index, void (*job)(unsigned index)) {
    pattern_crew_start(thread_count());
    pattern_crew_give(index, index, job);
    pattern_crew_wait();
}

static void end_if_asked(void) {
    if (pattern_value(PATTERN_THEN) == 0) pattern_crew_end();
}

/* ---- who allocates ---- */

void pattern_fill_each(unsigned phase) {
    (void)phase;
    do_each(fill_own);
}

void pattern_fill_main(unsigned phase) {
    fill_all(phase);
}

void pattern_fill_crew(unsigned phase) {
    (void)phase;
    do_crew(fill_own);
}

void pattern_fill_one(unsigned phase) {
    do_one(phase % thread_count(), fill_all);
}

/* ---- who frees ---- */

void pattern_release_each(unsigned phase) {
    do_each(release_own);
    if (phase + 1 == pattern_value(PATTERN_PHASES)) pattern_crew_act();
}

void pattern_release_main(unsigned phase) {
    end_if_asked();
    release_all(phase);
}

void pattern_release_crew(unsigned phase) {
    (void)phase;
    do_crew(release_own);
    end_if_asked();
}

void pattern_release_next(unsigned phase) {
    do_one((phase + 1) % thread_count(), release_all);
}

/* ---- calloc ---- */

static char *zeroed(void) {
    char *block = calloc(1, pattern.size);
    bench_check_block(block, pattern.size);
    return block;
}

/* One page of each MiB is written to, and the last page. */
static void use_sparsely(char *block) {
    for (size_t at = 0; at < pattern.size; at += PATTERN_MIB) {
        if (block[at]) bench_fail("calloc returned memory that is not zero: byte %zu", at);
        block[at] = 1;
    }
    bench_mark(block, 0, pattern.size);
}

static void free_zeroed(void) {
    uint64_t sum = 0;
    pattern_freed(pattern.blocks[0], pattern.size, 0, &sum);
    pattern_count(1, sum);
}

/* A block is used as a whole once, which is not timed; then blocks of the same size are used
 * sparsely, one after the other. The last one lives. */
void pattern_fill_zeroed(unsigned phase) {
    uint64_t begin = bench_ns();
    if (phase == 0) {
        char *block = zeroed();
        memset(block, 1, pattern.size);
        free(block);
    }
    pattern.untimed_ns += bench_ns() - begin;
    for (uint64_t i = 0; i < pattern.count; i++) {
        if (i > 0) free_zeroed();
        pattern.blocks[0] = zeroed();
        use_sparsely(pattern.blocks[0]);
    }
    pattern.peak_bytes = (pattern.size / PATTERN_MIB + 2) * PATTERN_PAGE;
}

void pattern_release_zeroed(unsigned phase) {
    (void)phase;
    free_zeroed();
}
