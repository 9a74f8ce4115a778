/* SPDX-License-Identifier: MIT */
/*
 * bench_team.h: a workload's threads.
 *
 * Two forms. bench_team runs one timed part in which each thread does its own segments: all
 * begin together, and nobody frees what is left before all have done their work. bench_threads
 * starts threads for a moment and joins them, for workloads whose threads come and go inside a
 * step of bench_run. Bookkeeping comes from bench_map; libc allocates for a thread what it does.
 */
#ifndef HARNESS_BENCH_TEAM_H
#define HARNESS_BENCH_TEAM_H

#include "harness/bench.h"

enum { BENCH_MAX_THREADS = 128 };

struct bench_team_plan;

/* Its own thread's while that runs, main's before and after. */
struct bench_worker {
    struct bench_rng rng; /* stream `index` of the plan's seed */
    uint64_t checksum;    /* the workload's: of its own work only, so that no race shows in it */
    uint64_t ops;         /* the sum of what step returned */
    void *own;            /* the workload's */
    unsigned index;

    const struct bench_team_plan *plan; /* from here on: bench_team.c's */
    double segments[BENCH_SEGMENTS];    /* ns per own op; 0: no ops */
    uint64_t drain_ns;
} __attribute__((aligned(128)));

/*
 * A mark for the thread's block `i`, where threads go in step: without one of its own, a block
 * given to two of them at the same turn would not be noticed.
 */
static inline uint32_t bench_own_id(const struct bench_worker *self, uint32_t i) {
    return i + self->index * 509u;
}

/* Functions run in the worker's thread; those that may be NULL are marked so. */
struct bench_team_plan {
    unsigned threads;
    uint64_t total; /* units per thread; under --seconds it only sets the batch, see bench_run */
    uint64_t seed;
    void (*set_up)(struct bench_worker *self); /* or NULL: before any thread begins, untimed */
    uint64_t (*step)(struct bench_worker *self, uint64_t units); /* as bench_step_t */
    void (*leave)(struct bench_worker *self); /* or NULL: own work done: wake who waits for it */
    void (*drain)(struct bench_worker *self); /* or NULL: all work done; the longest is drain_s */
};

/*
 * Main thread, once a process; calls bench_start and bench_stop. Reports the segments (means
 * over the threads, in ns per op of them all), thread_ops and drain_s. Returns the ops, and
 * in *checksum a mix of the threads' checksums and of where their random numbers ended.
 */
uint64_t bench_team(const struct bench_team_plan *plan, uint64_t *checksum);

/* Starts `count` threads, runs body(index, context) in each, joins them. Main thread only. */
void bench_threads(unsigned count, void (*body)(unsigned index, void *context), void *context);

#endif
