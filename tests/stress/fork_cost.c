/* SPDX-License-Identifier: MIT */
/*
 * fork_cost.c one|threads [bare]: what a child of a fork pays for its parent's heap until fork
 * returns in it, in page faults, which no other program changes: with 32 MiB of small blocks and
 * with 512 MiB, by a parent that has one thread, or has had several, which own much of the heap.
 * The large heap may cost a few faults more, and not over twice what libc's own malloc does, for
 * which the program runs itself again with `bare`, without the preloaded allocator.
 */
#include "tests/stress/stress.h"

#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define BLOCK_BYTES  ((size_t)256)
#define FORKS        5
#define MORE_FAULTS  12L
#define HELPERS      3U
#define SMALL_BLOCKS (32 * MIB / BLOCK_BYTES)
#define LARGE_BLOCKS (512 * MIB / BLOCK_BYTES)

static atomic_uint at_rest;

struct cost {
    long faults;
    double us;
};

static void *take_blocks(void *argument) {
    const size_t count = (size_t)(uintptr_t)argument;
    char **chain = NULL;
    for (size_t i = 0; i < count; i++) {
        char **block = mem.malloc(BLOCK_BYTES);
        require(block != NULL, "no memory");
        *block = (char *)chain;
        chain = block;
    }
    return chain;
}

static void *take_and_stay(void *argument) {
    take_blocks(argument);
    at_rest++;
    pause();
    return NULL;
}

static struct cost of_child(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (struct cost){.faults = usage.ru_minflt,
                         .us = (double)used.tv_sec * 1e6 + (double)used.tv_nsec * 1e-3};
}

/* The cheapest of several forks. */
static struct cost measure(void) {
    struct cost least = {.faults = 1L << 40, .us = 1e12};
    for (int i = 0; i < FORKS; i++) {
        int ends[2];
        require(pipe(ends) == 0, "no pipe");
        const pid_t child = fork();
        require(child >= 0, "no child");
        if (child == 0) {
            const struct cost cost = of_child();
            _exit(write(ends[1], &cost, sizeof(cost)) == (ssize_t)sizeof(cost) ? 0 : 1);
        }
        struct cost cost;
        require(read(ends[0], &cost, sizeof(cost)) == (ssize_t)sizeof(cost), "no answer");
        waitpid(child, NULL, 0);
        close(ends[0]);
        close(ends[1]);
        if (cost.faults < least.faults) least.faults = cost.faults;
        if (cost.us < least.us) least.us = cost.us;
    }
    return least;
}

static struct cost with_heap(size_t blocks, bool has_threads) {
    const size_t others = has_threads ? blocks / 2 / HELPERS : 0;
    at_rest = 0;
    for (unsigned i = 0; has_threads && i < HELPERS; i++) {
        start_thread(take_and_stay, (void *)(uintptr_t)others);
    }
    take_blocks((void *)(uintptr_t)(blocks - HELPERS * others));
    while (has_threads && at_rest < HELPERS) {
        usleep(1000);
    }
    return measure();
}

/* The same by libc's malloc. */
static struct cost bare_cost(const char *program, const char *mode) {
    int ends[2];
    struct cost cost;
    require(pipe(ends) == 0, "no pipe");
    const pid_t child = fork();
    require(child >= 0, "no child");
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        unsetenv("LD_PRELOAD");
        execl(program, program, mode, "bare", (char *)NULL);
        _exit(1);
    }
    close(ends[1]);
    require(read(ends[0], &cost, sizeof(cost)) == (ssize_t)sizeof(cost), "no answer");
    waitpid(child, NULL, 0);
    return cost;
}

int main(int argc, char **argv) {
    alarm(100);
    const char *mode = argc > 1 ? argv[1] : "one";
    const bool has_threads = strcmp(mode, "threads") == 0;
    if (argc > 2) {
        const struct cost cost = with_heap(LARGE_BLOCKS, has_threads);
        return write(STDOUT_FILENO, &cost, sizeof(cost)) == (ssize_t)sizeof(cost) ? 0 : 1;
    }
    const struct cost bare = bare_cost("/proc/self/exe", mode);
    const struct cost small = with_heap(SMALL_BLOCKS, has_threads);
    const struct cost large = with_heap(LARGE_BLOCKS, has_threads);
    printf("fork_cost %s: %ld faults, %.0f us at 32 MiB; %ld, %.0f at 512 MiB more; libc's malloc "
           "%ld, %.0f\n",
           mode, small.faults, small.us, large.faults, large.us, bare.faults, bare.us);
    fflush(stdout);
    require(large.faults <= small.faults + MORE_FAULTS, "a child pays for the size of the heap");
    require(large.faults <= 2 * bare.faults, "a child pays more than twice what libc's does");
    _exit(0);
}
