/* SPDX-License-Identifier: MIT */
/*
 * fork_handler.c CHILDREN: four threads allocate and free blocks of every tier while the main
 * thread forks; a fork handler that is older than the allocator's own (early_handler_lib.c)
 * allocates in each child. Then the child itself works, recounts the allocator and leaves. A child
 * that waits for the lock of a thread it does not have is ended by its alarm.
 */
#include "tests/stress/early_handler_lib.h"
#include "tests/stress/stress.h"

#include <stdatomic.h>
#include <sys/wait.h>

#define THREADS 4U
#define SLOTS   200U

static atomic_bool is_over;

static size_t random_size(uint64_t dice) {
    if (dice % 8 < 4) return dice / 8 % 60000;
    if (dice % 8 < 6) return 70 * KIB + dice / 8 % 900000;
    return 1100000 + dice / 8 % 6000000;
}

static void work(uint64_t *random, unsigned turns) {
    void *blocks[SLOTS] = {NULL};
    for (unsigned turn = 0; turn < turns && !is_over; turn++) {
        const uint64_t dice = random_next(random) >> 8;
        void **slot = &blocks[dice % SLOTS];
        mem.free(*slot);
        *slot = mem.malloc(random_size(dice >> 8));
        require(*slot != NULL, "no memory");
        *(char *)*slot = 1;
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        mem.free(blocks[i]);
    }
}

static void *body(void *argument) {
    uint64_t random = random_start(11, (uintptr_t)argument);
    while (!is_over) {
        work(&random, 20000);
    }
    return NULL;
}

static _Noreturn void run_child(uint64_t *random) {
    alarm(30);
    require(early_handler_runs == 1, "the handler did not run");
    work(random, 300);
    check_at_rest();
    _exit(0);
}

int main(int argc, char **argv) {
    const unsigned children = (unsigned)argument_or(argc, argv, 1, 150);
    alarm(170);
    uint64_t random = random_start(12, 0);
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        threads[i] = start_thread(body, (void *)i);
    }
    usleep(20000);
    for (unsigned i = 0; i < children; i++) {
        const pid_t child = fork();
        require(child >= 0, "no child");
        if (child == 0) run_child(&random);
        int status = 1;
        require(waitpid(child, &status, 0) == child, "no child to wait for");
        if (status != 0)
            fprintf(stderr, "fork_handler: child %u: status %#x\n", i, (unsigned)status);
        require(status == 0, "a child did not end well");
        random_next(&random);
    }
    is_over = true;
    for (unsigned i = 0; i < THREADS; i++) {
        join_thread(threads[i]);
    }
    check_at_rest();
    printf("fork_handler: %u children\n", children);
    return 0;
}
