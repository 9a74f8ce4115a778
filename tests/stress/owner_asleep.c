/* SPDX-License-Identifier: MIT */
/*
 * owner_asleep.c dormant|exited: thread A allocates 40 MiB, thread B frees all of it, and A never
 * calls the allocator again, because it sleeps or has ended. Then B allocates as much again, three
 * times over. What an ended owner had is adopted: the resident size stays near one live set. What a
 * sleeping owner had is taken in after a while (patterns.c): at once, near two live sets, and no
 * more however often B comes round.
 */
#include "tests/stress/stress.h"

#define BLOCKS      200000U
#define BLOCK_BYTES ((size_t)208)
#define LIVE_BYTES  (BLOCKS * BLOCK_BYTES)

static void *blocks[BLOCKS];
static pthread_barrier_t is_allocated, is_finished;
static bool is_dormant;

static void allocate_all(void) {
    for (unsigned i = 0; i < BLOCKS; i++) {
        blocks[i] = mem.malloc(BLOCK_BYTES);
        require(blocks[i] != NULL, "no memory");
        memset(blocks[i], (int)i, BLOCK_BYTES);
    }
}

static void free_all(void) {
    for (unsigned i = 0; i < BLOCKS; i++) {
        require(*(unsigned char *)blocks[i] == (unsigned char)i, "a block was overwritten");
        mem.free(blocks[i]);
    }
}

static void *owner(void *unused) {
    allocate_all();
    pthread_barrier_wait(&is_allocated);
    if (is_dormant) pthread_barrier_wait(&is_finished);
    return unused;
}

static void *other(void *argument) {
    const size_t before = *(size_t *)argument;
    const size_t live_sets = is_dormant ? 2 : 1;
    free_all();
    for (int round = 0; round < 3; round++) {
        allocate_all();
        require_resident_below(before + live_sets * LIVE_BYTES + LIVE_BYTES / 3 + 8 * MIB,
                               "while one live set is held by the other thread");
        free_all();
    }
    return NULL;
}

int main(int argc, char **argv) {
    is_dormant = argc > 1 && strcmp(argv[1], "dormant") == 0;
    memset(blocks, 1, sizeof(blocks)); /* resident before the first measure */
    size_t before = resident_bytes();
    pthread_barrier_init(&is_allocated, NULL, 2);
    pthread_barrier_init(&is_finished, NULL, 2);
    const pthread_t a = start_thread(owner, NULL);
    pthread_barrier_wait(&is_allocated);
    if (!is_dormant) join_thread(a);
    join_thread(start_thread(other, &before));
    check_at_rest();
    if (is_dormant) {
        pthread_barrier_wait(&is_finished);
        join_thread(a);
    }
    check_at_rest();
    return 0;
}
