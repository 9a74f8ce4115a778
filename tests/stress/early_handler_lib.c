/* SPDX-License-Identifier: MIT */
/*
 * early_handler_lib.c: a shared library whose constructor registers a fork handler before it calls
 * malloc, and so perhaps before the allocator has registered its own; in the child the handler
 * allocates and frees blocks of every tier, as glibc's malloc allows.
 */
#include "tests/stress/early_handler_lib.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SMALL 300U
#define LARGE 30U

unsigned early_handler_runs;

static void allocate_in_child(void) {
    void *blocks[SMALL + LARGE];
    for (size_t i = 0; i < SMALL + LARGE; i++) {
        const size_t size = i < SMALL ? 100 + 170 * i : 1100000 + 50000 * (i - SMALL);
        blocks[i] = malloc(size);
        if (blocks[i] == NULL) abort();
        memset(blocks[i], 1, 100);
    }
    for (size_t i = 0; i < SMALL + LARGE; i++) {
        free(blocks[i]);
    }
    early_handler_runs++;
}

__attribute__((constructor(101))) static void register_handler(void) {
    pthread_atfork(NULL, NULL, allocate_in_child);
}
