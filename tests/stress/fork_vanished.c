/* SPDX-License-Identifier: MIT */
/*
 * fork_vanished.c: threads hold much memory when another one forks, most of it free, a part in live
 * blocks of every size and a part in their bins and in frees that they owe each other. In the
 * child, where they do not exist, the memory must serve: as many blocks as they had freed take
 * little new address space. The child frees the threads' live blocks, recounts the allocator before
 * and after, and does all of it in a child of its own again.
 */
#include "tests/stress/stress.h"

#include <stdatomic.h>
#include <sys/wait.h>

#define THREADS     3U
#define SIZES       (sizeof(sizes) / sizeof(sizes[0]))
#define BYTES       (16 * MIB) /* of each size, by each thread */
#define KEEP_ONE_IN 64U        /* of them stay live, so that no slab is wholly free */
#define NEW_MOST    (64 * MIB)

static const size_t sizes[] = {48, 500, 3000};
static char **kept[THREADS][SIZES]; /* live blocks, chained */
static atomic_uint at_rest;

static void take_and_free(size_t size, char ***chain) {
    char **freed = NULL;
    for (size_t i = 0; i < BYTES / size; i++) {
        char **block = mem.malloc(size);
        require(block != NULL, "no memory");
        char ***list = i % KEEP_ONE_IN == 0 ? chain : &freed;
        *block = (char *)*list;
        *list = block;
    }
    while (freed != NULL) {
        char **next = (char **)*freed;
        mem.free(freed);
        freed = next;
    }
}

static void *body(void *argument) {
    const size_t id = (size_t)(uintptr_t)argument;
    for (size_t i = 0; i < SIZES; i++) {
        take_and_free(sizes[i], &kept[id][i]);
    }
    at_rest++;
    while (true) {
        pause();
    }
    return NULL;
}

static void free_chain(char **chain) {
    while (chain != NULL) {
        char **next = (char **)*chain;
        mem.free(chain);
        chain = next;
    }
}

/* As much as the threads had freed. */
static void use_what_is_free(void) {
    const size_t before = statm_bytes(0);
    char **chains[SIZES] = {NULL};
    for (size_t i = 0; i < SIZES; i++) {
        for (size_t n = 0; n < THREADS * (BYTES / sizes[i]); n++) {
            if (n % KEEP_ONE_IN == 0) continue;
            char **block = mem.malloc(sizes[i]);
            require(block != NULL, "no memory");
            *block = (char *)chains[i];
            chains[i] = block;
        }
    }
    const size_t after = statm_bytes(0);
    const size_t more = after > before ? after - before : 0;
    printf("fork_vanished: %zu MiB of address space more\n", more / MIB);
    fflush(stdout);
    require(more <= NEW_MOST, "what vanished threads had freed does not serve");
    for (size_t i = 0; i < SIZES; i++) {
        free_chain(chains[i]);
    }
}

static void in_child(void (*run)(void)) {
    const pid_t child = fork();
    require(child >= 0, "no child");
    if (child == 0) {
        alarm(60);
        run();
        _exit(0);
    }
    int status = 1;
    require(waitpid(child, &status, 0) == child && status == 0, "a child did not end well");
}

static void run_grandchild(void) {
    check_at_rest();
    for (size_t id = 0; id < THREADS; id++) {
        for (size_t i = 0; i < SIZES; i++) {
            free_chain(kept[id][i]);
        }
    }
    check_at_rest();
    use_what_is_free();
    check_at_rest();
}

static void run_child(void) {
    use_what_is_free();
    check_at_rest();
    in_child(run_grandchild);
    run_grandchild();
}

int main(void) {
    alarm(100);
    for (uintptr_t i = 0; i < THREADS; i++) {
        start_thread(body, (void *)i);
    }
    while (at_rest < THREADS) {
        usleep(1000);
    }
    in_child(run_child);
    _exit(0);
}
