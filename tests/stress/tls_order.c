/* SPDX-License-Identifier: MIT */
/*
 * tls_order.c: allocation at the ends of threads and of the program: destructors of pthread keys
 * that free, allocate and set their key again, as often as the system lets them, for keys that are
 * older and younger than the thread's first block; and atexit handlers.
 */
#include "tests/stress/stress.h"

#include <limits.h>

#define THREADS     2000U
#define BLOCK_BYTES ((size_t)30000)

/* What a key of a thread points to: a block that each run of the destructor replaces. */
struct carried {
    pthread_key_t key;
    unsigned runs;
    unsigned char *block;
};

static pthread_key_t old_key, young_key;
static unsigned char *for_exit;
static unsigned destructor_runs; /* owner: the one thread that lives beside main, which waits */

static unsigned char *filled(size_t size, unsigned char mark) {
    unsigned char *block = mem.malloc(size);
    require(block != NULL, "no memory");
    memset(block, mark, size);
    return block;
}

static void check_and_free(unsigned char *block, size_t size, unsigned char mark) {
    require(block[0] == mark && block[size - 1] == mark, "a block was overwritten");
    mem.free(block);
}

static void destroy(void *value) {
    struct carried *carried = value;
    destructor_runs++;
    check_and_free(carried->block, BLOCK_BYTES, (unsigned char)carried->runs);
    carried->runs++;
    for (size_t size = 1; size < 100000; size *= 7) {
        check_and_free(filled(size, 9), size, 9);
    }
    if (carried->runs == PTHREAD_DESTRUCTOR_ITERATIONS) {
        mem.free(carried);
        return;
    }
    carried->block = filled(BLOCK_BYTES, (unsigned char)carried->runs);
    require(pthread_setspecific(carried->key, carried) == 0, "no key");
}

static void carry(pthread_key_t key) {
    struct carried *carried = mem.calloc(1, sizeof(*carried));
    require(carried != NULL, "no memory");
    carried->key = key;
    carried->block = filled(BLOCK_BYTES, 0);
    require(pthread_setspecific(key, carried) == 0, "no key");
}

static void *body(void *argument) {
    if (argument != NULL) check_and_free(filled(100, 3), 100, 3);
    carry(old_key);
    carry(young_key);
    return NULL;
}

/* Frees of this thread happen in its destructors alone: it never allocated. */
static void *only_carries(void *argument) {
    require(pthread_setspecific(old_key, argument) == 0, "no key");
    return NULL;
}

static void at_exit(void) {
    check_and_free(for_exit, BLOCK_BYTES, 5);
    for (size_t size = 1; size < 1000000; size *= 5) {
        check_and_free(filled(size, 6), size, 6);
    }
    check_at_rest();
}

int main(void) {
    require(pthread_key_create(&old_key, destroy) == 0, "no key");
    require(atexit(at_exit) == 0, "no atexit");
    for_exit = filled(BLOCK_BYTES, 5);
    require(pthread_key_create(&young_key, destroy) == 0, "no key");
    size_t early = 0;
    for (uintptr_t i = 0; i < THREADS; i++) {
        join_thread(start_thread(body, (void *)(i % 2)));
        if (i == THREADS / 10) early = resident_bytes();
    }
    require(destructor_runs == THREADS * 2 * PTHREAD_DESTRUCTOR_ITERATIONS,
            "destructors did not run as often as they asked to");
    for (unsigned i = 0; i < 100; i++) {
        struct carried *carried = mem.calloc(1, sizeof(*carried));
        require(carried != NULL, "no memory");
        carried->key = old_key;
        carried->block = filled(BLOCK_BYTES, 0);
        join_thread(start_thread(only_carries, carried));
    }
    require_resident_below(early + 16 * MIB, "after threads with busy destructors");
    check_at_rest();
    return 0;
}
