/* SPDX-License-Identifier: MIT */
/*
 * thread_churn.c THREADS SEED: many short threads, four at a time, each of which frees what the
 * ones before left behind and leaves blocks of its own behind. However many there were, the
 * resident size follows the blocks that live.
 */
#include "tests/stress/stress.h"

#include <stdatomic.h>

#define AT_ONCE 4U
#define LEFT    40U
#define SHELVES 64U

/* A shelf holds a chain of blocks, linked through their first words; swapped as a whole. */
static _Atomic(void *) shelves[SHELVES];
static unsigned long seed;

static void free_chain(void *chain) {
    while (chain != NULL) {
        void **block = chain;
        chain = *block;
        mem.free((void *)block);
    }
}

static void *make_chain(uint64_t *random) {
    void *chain = NULL;
    for (unsigned i = 0; i < LEFT; i++) {
        const uint64_t dice = random_next(random) >> 8;
        const size_t top = dice % 40 == 0 ? 60000 : 1500;
        const size_t size = (size_t)((dice >> 8) % top) + sizeof(void *);
        void **block = mem.malloc(size);
        require(block != NULL, "no memory");
        memset((void *)block, 1, size);
        *block = chain;
        chain = (void *)block;
    }
    return chain;
}

static void *body(void *argument) {
    uint64_t random = random_start(seed, (uintptr_t)argument);
    mem.free(mem.malloc(100));
    void *chain = make_chain(&random);
    free_chain(atomic_exchange(&shelves[random_next(&random) % SHELVES], chain));
    return NULL;
}

int main(int argc, char **argv) {
    const unsigned long count = argument_or(argc, argv, 1, 10000);
    seed = argument_or(argc, argv, 2, 1);
    printf("thread_churn: %lu threads, seed %lu\n", count, seed);
    size_t early = 0;
    for (unsigned long made = 0; made < count; made += AT_ONCE) {
        pthread_t threads[AT_ONCE];
        for (unsigned i = 0; i < AT_ONCE; i++) {
            threads[i] = start_thread(body, (void *)(uintptr_t)(made + i));
        }
        for (unsigned i = 0; i < AT_ONCE; i++) {
            join_thread(threads[i]);
        }
        if (early == 0 && made >= count / 10) early = resident_bytes();
    }
    require_resident_below(early + early / 4 + 12 * MIB, "after all threads, against a tenth");
    check_at_rest();
    for (unsigned i = 0; i < SHELVES; i++) {
        free_chain(atomic_exchange(&shelves[i], NULL));
    }
    check_at_rest();
    return 0;
}
