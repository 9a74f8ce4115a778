/* SPDX-License-Identifier: MIT */
/*
 * workload.c [misuse|mincore]: what a service does with malloc, for sandbox.py, which looks at the
 * system calls behind it: blocks of every tier, calloc on memory that was used all over and hardly
 * at all, blocks that grow and shrink, threads that free each other's blocks, a fork, pauses in
 * which memory grows old, trimming and statistics. With `misuse` it ends in a wrong free, with
 * `mincore` in a call that no filter of sandbox.py allows.
 */
#include "tests/stress/stress.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define THREADS  4U
#define EXCHANGE 64U /* slots that all threads take from and put into */
#define ROUNDS   20000U

static const size_t sizes[] = {24,        600,     5000,    40000,   70 * KIB,
                               500 * KIB, 2 * MIB, 5000000, 20 * MIB};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static _Atomic(void *) exchange[EXCHANGE];

static char *filled(size_t size) {
    char *block = mem.malloc(size);
    require(block != NULL, "no memory");
    memset(block, 1, size);
    return block;
}

static void every_tier(void) {
    char *blocks[SIZES];
    for (unsigned i = 0; i < SIZES; i++) {
        blocks[i] = filled(sizes[i]);
    }
    for (unsigned i = 0; i < SIZES; i++) {
        for (unsigned factor = 2; factor <= 4; factor++) {
            blocks[i] = mem.realloc(blocks[i], factor * sizes[i]);
            require(blocks[i] != NULL && blocks[i][sizes[i] - 1] == 1, "realloc lost its block");
        }
        blocks[i] = mem.realloc(blocks[i], sizes[i] / 2);
        require(blocks[i] != NULL && blocks[i][sizes[i] / 2 - 1] == 1, "realloc lost its block");
    }
    for (unsigned i = 0; i < SIZES; i++) {
        void *aligned = mem.aligned_alloc(64 * KIB, 64 * KIB * (i + 1));
        require(aligned != NULL, "no memory");
        mem.free(aligned);
        mem.free(blocks[i]);
    }
}

/* Takes a zeroed block, writes one byte in `step`, and gives it back. */
static void zeroed(size_t size, size_t step) {
    char *block = mem.calloc(1, size);
    require(block != NULL, "no memory");
    for (size_t at = 0; at < size; at += step) {
        require(block[at] == 0, "calloc gave old bytes");
        block[at] = 1;
    }
    mem.free(block);
}

static void zeroed_blocks(void) {
    for (unsigned i = 0; i < SIZES; i++) {
        mem.free(filled(sizes[i]));
        zeroed(sizes[i], 1);
        zeroed(sizes[i], 512 * KIB);
        zeroed(sizes[i], 512 * KIB);
    }
}

static void *exchanges(void *argument) {
    uint64_t random = random_start(10, (uintptr_t)argument);
    for (unsigned round = 0; round < ROUNDS; round++) {
        const uint64_t dice = random_next(&random) >> 8;
        const size_t which = dice % 256 == 0 ? SIZES - 2 : dice % (SIZES - 2);
        char *block = mem.malloc(sizes[which]);
        require(block != NULL, "no memory");
        *block = 1;
        mem.free(atomic_exchange(&exchange[(dice >> 16) % EXCHANGE], (void *)block));
    }
    return NULL;
}

static void exchanging_threads(void) {
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        threads[i] = start_thread(exchanges, (void *)i);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        join_thread(threads[i]);
    }
    for (unsigned i = 0; i < EXCHANGE; i++) {
        mem.free(atomic_exchange(&exchange[i], NULL));
    }
}

static void forked_child(void) {
    const pid_t child = fork();
    require(child >= 0, "no fork");
    if (child == 0) {
        every_tier();
        zeroed_blocks();
        _exit(0);
    }
    int status;
    require(waitpid(child, &status, 0) == child && status == 0, "the child failed");
}

/* Frees a lot and calls now and then, so that what is old goes back. */
static void pauses(void) {
    for (unsigned i = 0; i < SIZES; i++) {
        mem.free(filled(sizes[i]));
    }
    for (unsigned i = 0; i < 40; i++) {
        const struct timespec pause = {.tv_nsec = 5000000};
        nanosleep(&pause, NULL);
        mem.free(filled(40 * KIB));
    }
}

int main(int argc, char **argv) {
    const char *last = argc > 1 ? argv[1] : "";
    alarm(600); /* strace takes 10 s, on a busy machine more than 100 s */
    every_tier();
    zeroed_blocks();
    exchanging_threads();
    forked_child();
    pauses();
    malloc_stats();
    malloc_trim(0);
    check_at_rest();
    puts("served");
    fflush(stdout);
    static char foreign[64];
    unsigned char resident;
    if (strcmp(last, "misuse") == 0) mem.free(foreign + 16);
    if (strcmp(last, "mincore") == 0) (void)mincore(foreign, 0, &resident);
    return 0;
}
