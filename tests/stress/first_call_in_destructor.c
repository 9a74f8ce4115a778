/* SPDX-License-Identifier: MIT */
/*
 * first_call_in_destructor.c: threads whose only call to the allocator is the free of another
 * thread's block, made by the destructor of a key (`pthread_key_create(&key, free)`). Such a thread
 * too must give back what it was given, or each of them leaves a block and a heap behind.
 */
#include "tests/stress/stress.h"

#define THREADS     4000
#define BLOCK_BYTES ((size_t)16384)

static pthread_key_t key;

static void give_back(void *block) {
    mem.free(block);
}

static void *hold(void *block) {
    require(pthread_setspecific(key, block) == 0, "no room for the key");
    return NULL;
}

int main(void) {
    require(pthread_key_create(&key, give_back) == 0, "no key");
    size_t before = 0;
    for (int i = 0; i < THREADS; i++) {
        if (i == THREADS / 10) before = resident_bytes();
        void *block = mem.malloc(BLOCK_BYTES);
        require(block != NULL, "no memory");
        memset(block, i, BLOCK_BYTES);
        join_thread(start_thread(hold, block));
    }
    require_resident_below(before + 2 * MIB, "after threads that only freed in a destructor");
    check_at_rest();
    return 0;
}
