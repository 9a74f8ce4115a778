/* SPDX-License-Identifier: MIT */
/*
 * cases.h: what the files of the misuse program share: the mistakes by name, and what each of them
 * is made with.
 */
#ifndef HAK_TESTS_MISUSE_CASES_H
#define HAK_TESTS_MISUSE_CASES_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define SMALL_BYTES ((size_t)96)
#define MID_BYTES   ((size_t)20000)
#define LARGE_BYTES ((size_t)3000000) /* a mapping of its own */
#define WHOLE_BYTES ((size_t)200000)  /* a whole span */
#define FLUSH_COUNT 4096

/* Tables of them end without a name. */
struct misuse_case {
    const char *name;
    void (*run)(void);
};
extern const struct misuse_case foreign_cases[], block_cases[];

/* Through volatile pointers, so that no compiler reasons about a call that is wrong on purpose. */
extern void *(*volatile allocate)(size_t size);
extern void *(*volatile resize)(void *block, size_t size);
extern void (*volatile release)(void *block);
extern size_t (*volatile usable_size)(void *block);

extern char static_data[256];
extern const char *verb;

void say(const char *text);

void announce(const void *pointer);

/* Hands the pointer to the function of the case's verb, and says what came of it. */
void misuse(void *pointer);

void *allocated(size_t size);

void run_in_thread(void *(*body)(void *), void *argument);

/* The run of adjoining mappings that holds this block: its first address, and the one past it. */
void find_area(const void *block, uintptr_t *begin, uintptr_t *end);

/* Memory that has before the pointer what libc would have there, but not all of it. */
void *made_up(uintptr_t *words, uintptr_t lead, uintptr_t size);

/* A few free blocks of a size lie in the thread's bin, the first one on top; what follows names the
 * second one, writes to its memory, and goes on. */
#define FREED 3
extern char *freed[FREED];

void prepare_freed(size_t size);

void write_to_freed(size_t size, const void *first_word);

#endif
