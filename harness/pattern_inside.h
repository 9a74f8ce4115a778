/* SPDX-License-Identifier: MIT */
/*
 * pattern_inside.h: what the pattern*.c files share with each other; programs include pattern.h.
 *
 * Most scenarios have the blocks of a phase in one array, of which the k-th of T threads has the
 * k-th of T parts. What lives on after a phase is moved to `kept`. The crew is the threads beside
 * main: they sleep between two jobs and call nothing.
 */
#ifndef HARNESS_PATTERN_INSIDE_H
#define HARNESS_PATTERN_INSIDE_H

#include "harness/pattern.h"

#include <stdatomic.h>

enum { PATTERN_MAX_CREW = 127, PATTERN_PAGE = 4096, PATTERN_MIB = 1 << 20 };

/* A block that says by itself how large it is, and its mark. */
struct pattern_block {
    void *block;
    uint32_t size, id;
};

struct pattern_scenario {
    void (*fill)(unsigned phase);
    void (*release)(unsigned phase);
    uint64_t (*blocks_most)(void), (*kept_most)(void); /* room that it needs */
    uint64_t size, total, threads, phases; /* defaults; size 0: another one in each phase */
};

/* Main's, const while the crew works; what is atomic is added to by all (relaxed: main reads it
 * when they are done). */
struct pattern_state {
    const struct pattern_scenario *scenario;
    void **blocks; /* a place is the thread's whose job it is in */
    uint64_t count;
    size_t size; /* of each of them */
    struct pattern_block *kept;
    uint64_t kept_most;
    atomic_uint_least64_t kept_count;
    atomic_uint_least64_t uses, checksum;
    uint64_t peak_bytes; /* written by fills that are no array */
    uint64_t untimed_ns; /* of a fill, what its time is not to contain */
};

extern struct pattern_state pattern;

/* Blocks, by any thread. The mark of a block is checked by its free, and added to *sum. */
void *pattern_filled(size_t size, uint32_t id); /* every page of it is written */
void pattern_freed(void *block, size_t size, uint32_t id, uint64_t *sum);
void pattern_keep(void *block, size_t size, uint32_t id);
void pattern_count(uint64_t uses, uint64_t sum); /* of blocks that were freed */

/* The crew: main gives jobs to the members first..last, and waits for all of them to be done. */
void pattern_crew_prepare(unsigned most); /* once */
void pattern_crew_start(unsigned count);  /* as many, unless they are there */
void pattern_crew_give(unsigned first, unsigned last, void (*job)(unsigned index));
void pattern_crew_wait(void); /* main goes on with its activity meanwhile */
void pattern_crew_act(void);  /* all go on with theirs until the crew ends */
void pattern_crew_end(void);
void pattern_act_end(void); /* main's activity */

/* The activity of a thread. */
enum { PATTERN_SLOTS = 1000, PATTERN_SLOT_BYTES_MIN = 16, PATTERN_SLOT_BYTES = 400 };
struct pattern_actor {
    struct bench_rng rng;
    uint64_t due_ns;                           /* of its next call */
    struct pattern_block slots[PATTERN_SLOTS]; /* what is replaced */
};

struct pattern_actor *pattern_actors(unsigned count);
uint64_t pattern_actor_step(struct pattern_actor *actor);
bool pattern_actor_step_due(struct pattern_actor *actor); /* false: nothing is due yet */
void pattern_actor_drain(struct pattern_actor *actor);

/* The steps of scenarios: pattern_burst.c, */
void pattern_fill_each(unsigned phase);
void pattern_fill_main(unsigned phase);
void pattern_fill_crew(unsigned phase);
void pattern_fill_one(unsigned phase);
void pattern_fill_zeroed(unsigned phase);
void pattern_release_each(unsigned phase);
void pattern_release_main(unsigned phase);
void pattern_release_crew(unsigned phase);
void pattern_release_next(unsigned phase);
void pattern_release_zeroed(unsigned phase);

/* and pattern_threads.c. */
void pattern_fill_crowd(unsigned phase);
void pattern_fill_parade(unsigned phase);
void pattern_fill_heirs(unsigned phase);
void pattern_release_heirs(unsigned phase);
void pattern_release_kept(unsigned phase);
uint64_t pattern_crowd_blocks(void);
uint64_t pattern_parade_kept(void);
uint64_t pattern_heirs_kept(void);

#endif
