/* SPDX-License-Identifier: MIT */
/*
 * place.h: where a thread of the fuzzer stands: its number, its life, its operation, and the state
 * of its generator. breach() ends the process with one sentence, the place and the command line
 * that replays it. Nothing here allocates.
 */
#ifndef HAK_TESTS_PLACE_H
#define HAK_TESTS_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)

/* Owner only. */
struct place {
    uint64_t random;
    unsigned thread;
    unsigned life;
    unsigned long operation; /* counted over all lives of the thread */
    const char *verb;        /* what it is doing */
};

/* A generator that is different for each stream of one seed. */
uint64_t place_random(uint64_t seed, uint64_t stream);
uint64_t place_next(struct place *place);

/* 0 <= result < end. */
size_t place_below(struct place *place, size_t end);

/* True in `chance` of 65536 cases. */
bool place_happens(struct place *place, unsigned chance);

/* The command line that replays this run; set once, before the first thread. */
void place_set_replay(const char *command);

/* In the child of a fork, what a breach says first; NULL in the process that was started. */
void place_set_process(const char *name);

_Noreturn void breach(const struct place *place, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
