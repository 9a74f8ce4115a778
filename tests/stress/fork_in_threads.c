/* SPDX-License-Identifier: MIT */
/*
 * fork_in_threads.c SECONDS: every thread keeps a live set of its own, and forks while the others
 * allocate. The child finds its maker's blocks and those the other threads had set aside before,
 * unharmed, frees them all, starts a thread of its own that allocates, forks once more, and leaves.
 */
#include "tests/stress/stress.h"

#include <stdatomic.h>
#include <sys/wait.h>

#define THREADS    4U
#define SET_BLOCKS 300U

/* Blocks that are made before the first fork and then left alone by everybody but children. */
static unsigned char *set_aside[THREADS][SET_BLOCKS];
static pthread_barrier_t sets_are_made;
static atomic_bool is_over;
static atomic_ulong forks;

static size_t set_size(unsigned at) {
    return at % 50 == 49 ? 90000 : (size_t)at * 11 % 3000 + 1;
}

static void make_set(unsigned char **set, unsigned char mark) {
    for (unsigned i = 0; i < SET_BLOCKS; i++) {
        set[i] = mem.malloc(set_size(i));
        require(set[i] != NULL, "no memory");
        memset(set[i], mark, set_size(i));
    }
}

static void check_and_free_set(unsigned char **set, unsigned char mark) {
    for (unsigned i = 0; i < SET_BLOCKS; i++) {
        for (size_t at = 0; at < set_size(i); at++) {
            require(set[i][at] == mark, "a block was overwritten");
        }
        mem.free(set[i]);
    }
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
        alarm(20);
        allocates_in_child(NULL);
        _exit(0);
    }
    int status = 1;
    require(waitpid(child, &status, 0) == child && status == 0, "a grandchild did not end well");
}

static _Noreturn void run_child(unsigned char **own, unsigned char mark) {
    alarm(20);
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
    alarm(seconds + 40);
    pthread_barrier_init(&sets_are_made, NULL, THREADS);
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        threads[i] = start_thread(body, (void *)i);
    }
    sleep(seconds);
    is_over = true;
    for (unsigned i = 0; i < THREADS; i++) {
        join_thread(threads[i]);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        check_and_free_set(set_aside[i], (unsigned char)(i + 1));
    }
    check_at_rest();
    printf("fork_in_threads: %lu forks\n", (unsigned long)forks);
    require(forks > 0, "nothing happened");
    return 0;
}
