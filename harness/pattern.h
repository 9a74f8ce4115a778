/* SPDX-License-Identifier: MIT */
/*
 * pattern.h: the ways in which programs come to hold memory that no live block needs.
 *
 * A pattern is a scenario (who allocates a burst of blocks, who frees it, what becomes of the
 * threads) with its sizes, and an activity of the main thread. Two programs walk through it step by
 * step: patterns.c measures what is resident, tests/stress/patterns.c says whether that is little
 * enough. Called by the main thread only:
 *
 *   pattern_begin, then for each phase pattern_fill (the peak) and pattern_release,
 *   pattern_act as often as time shall pass, pattern_end
 *
 * Invariant: what is resident for bookkeeping is so before the first block, and pattern_net_kib
 * does not count it. First and last byte of each block are written, and checked before its free.
 */
#ifndef HARNESS_PATTERN_H
#define HARNESS_PATTERN_H

#include "harness/bench.h"

/* In the order of the command line; the harness's README says what they mean. */
enum pattern_arg {
    PATTERN_SCENARIO,
    PATTERN_SIZE,
    PATTERN_TOTAL,
    PATTERN_THREADS,
    PATTERN_PHASES,
    PATTERN_RATE,
    PATTERN_SECONDS,
    PATTERN_SEED,
    PATTERN_ACT, /* options from here on */
    PATTERN_THEN,
    PATTERN_KEEP,
    PATTERN_ORDER,
    PATTERN_PAUSE,
    PATTERN_ARG_COUNT
};

enum pattern_act { PATTERN_ACT_PAIRS, PATTERN_ACT_REPLACE, PATTERN_ACT_NONE };

/* Calls bench_begin; arguments that the command line leaves out become the scenario's own. */
void pattern_begin(const char *program, int argc, char **argv);
uint64_t pattern_value(enum pattern_arg arg);

void pattern_fill(unsigned phase);
void pattern_release(unsigned phase);

/*
 * One step of what main does meanwhile. With a rate: sleeps until the next call is due, and makes
 * it, a pair or a replacement; without one: some thousand of them; with no activity: sleeps 10 ms.
 * Returns their number.
 */
uint64_t pattern_act(void);

/* Ends the threads, and frees what survived. Returns the checksum of what the blocks held. */
uint64_t pattern_end(void);

uint64_t pattern_net_kib(void); /* resident now, beyond what was before the first block */

/* What the program needs: at the peak of this phase the bytes of the live blocks (of calloc's those
 * that were written to); after a release whole pages with a live block on them. */
uint64_t pattern_peak_bytes(void);
uint64_t pattern_needed_bytes(void);

uint64_t pattern_uses(void);     /* blocks allocated, written and freed until now */
double pattern_ns_per_use(void); /* of the time of all fills and releases */

#endif
