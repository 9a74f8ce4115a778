/* SPDX-License-Identifier: MIT */
/*
 * fork_in_threads.c SECONDS: every thread keeps a live set of its own, of blocks of 1 B to 4 MiB,
 * and forks while the others allocate; two more threads allocate and free large blocks and nothing
 * else, so that a fork may come in the middle of any tier's work. The child finds its maker's
 * blocks and those the other threads had set aside before, unharmed, frees them all, starts a
 * thread of its own that allocates, forks once more, and leaves.
 */
#include "tests/stress/stress.h"

#include <stdatomic.h>
#include <sys/wait.h>

#define THREADS    4U
#define CHURNERS   2U
#define SET_BLOCKS 300U
#define DENSE_MOST ((size_t)4096) /* beyond these bytes of a block, few are written and checked */

/* Blocks that are made before the first fork and then left alone by everybody but children. */
static unsigned char *set_aside[THREADS][SET_BLOCKS];
static pthread_barrier_t sets_are_made;
static atomic_bool is_over;
static atomic_ulong forks;

static const size_t large_sizes[] = {70 * KIB, 90000,       300 * KIB, 700 * KIB,
                                     MIB,      3 * MIB / 2, 4 * MIB};
enum { LARGE_SIZES = sizeof(large_sizes) / sizeof(large_sizes[0]) };

static size_t set_size(unsigned at) {
    return at % 40 == 39 ? large_sizes[at / 40 % LARGE_SIZES] : (size_t)at * 11 % 3000 + 1;
}

static size_t next_marked(size_t at) {
    return at < DENSE_MOST ? at + 1 : at + 65521;
}

static void make_set(unsigned char **set, unsigned char mark) {
    for (unsigned i = 0; i < SET_BLOCKS; i++) {
        set[i] = mem.malloc(set_size(i));
        require(set[i] != NULL, "no memory");
        for (size_t at = 0; at < set_size(i); at = next_marked(at)) {
            set[i][at] = mark;
        }
    }
}

static void check_and_free_set(unsigned char **set, unsigned char mark) {
    for (unsigned i = 0; i < SET_BLOCKS; i++) {
        for (size_t at = 0; at < set_size(i); at = next_marked(at)) {
            require(set[i][at] == mark, "a block was overwritten");
        }
        mem.free(set[i]);
    }
}

static void churn_large(unsigned char **blocks, uint64_t dice) {
    const size_t size = large_sizes[dice / 8 % LARGE_SIZES];
    unsigned char **block = &blocks[dice % 4];
    if (dice / 4 % 2 == 0) {
        *block = mem.realloc(*block, size);
    } else {
        mem.free(*block);
        *block = mem.malloc(size);
    }
    require(*block != NULL, "no memory");
    (*block)[size - 1] = 1;
}

/* Large blocks only, in bursts, between which the forks have the processor. */
static void *churns_large(void *argument) {
    uint64_t random = random_start(9, (uintptr_t)argument);
    unsigned char *blocks[4] = {NULL};
    while (!is_over) {
        for (unsigned i = 0; i < 20; i++) {
            churn_large(blocks, random_next(&random) >> 8);
        }
        usleep(300);
    }
    for (unsigned i = 0; i < 4; i++) {
        mem.free(blocks[i]);
    }
    return NULL;
}

static void *allocates_in_child(void *unused) {
    static unsigned char *set[SET_BLOCKS];
    make_set(set, 77);
    check_and_free_set(set, 77);
    return unused;
}

static void end_grandchild(void) {
    const pid_t child = fork();
    require(child >= 0, "no grandchild");
    if (child == 0) {
        alarm(HANG_S);
        allocates_in_child(NULL);
        _exit(0);
    }
    int status = 1;
    require(waitpid(child, &status, 0) == child && status == 0, "a grandchild did not end well");
}

static _Noreturn void run_child(unsigned char **own, unsigned char mark) {
    alarm(HANG_S);
    check_and_free_set(own, mark);
    for (unsigned i = 0; i < THREADS; i++) {
        check_and_free_set(set_aside[i], (unsigned char)(i + 1));
    }
    allocates_in_child(NULL);
    join_thread(start_thread(allocates_in_child, NULL));
    end_grandchild();
    _exit(0);
}

static void *body(void *argument) {
    const unsigned id = (unsigned)(uintptr_t)argument;
    make_set(set_aside[id], (unsigned char)(id + 1));
    pthread_barrier_wait(&sets_are_made);
    while (!is_over) {
        unsigned char *own[SET_BLOCKS];
        make_set(own, (unsigned char)(id + 100));
        const pid_t child = fork();
        require(child >= 0, "no child");
        if (child == 0) run_child(own, (unsigned char)(id + 100));
        check_and_free_set(own, (unsigned char)(id + 100));
        int status = 1;
        require(waitpid(child, &status, 0) == child && status == 0, "a child did not end well");
        forks++;
    }
    return NULL;
}

int main(int argc, char **argv) {
    const unsigned seconds = (unsigned)argument_or(argc, argv, 1, 3);
    alarm(HANG_S);
    pthread_barrier_init(&sets_are_made, NULL, THREADS);
    pthread_t threads[THREADS + CHURNERS];
    for (uintptr_t i = 0; i < THREADS + CHURNERS; i++) {
        threads[i] = start_thread(i < THREADS ? body : churns_large, (void *)i);
    }
    sleep(seconds);
    while (forks == 0) {
        usleep(10000);
    }
    is_over = true;
    for (unsigned i = 0; i < THREADS + CHURNERS; i++) {
        join_thread(threads[i]);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        check_and_free_set(set_aside[i], (unsigned char)(i + 1));
    }
    check_at_rest();
    printf("fork_in_threads: %lu forks\n", (unsigned long)forks);
    return 0;
}
