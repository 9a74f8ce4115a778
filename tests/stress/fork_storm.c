/* SPDX-License-Identifier: MIT */
/*
 * fork_storm.c SECONDS: threads that allocate, threads that getline a long line (which resizes
 * while a FILE is locked), a thread that flushes all FILEs, and threads that fork in a loop. Each
 * child allocates and frees, and leaves. An allocator whose fork handlers take its locks in the
 * wrong order against stdio's hangs here; the watchdog then ends the program.
 */
#include "tests/stress/stress.h"

#include <stdatomic.h>
#include <sys/wait.h>

#define LINE_BYTES ((size_t)50000)

static atomic_bool is_over;
static atomic_ulong forks, lines;

static void churn(uint64_t *random, unsigned turns) {
    void *blocks[64] = {NULL};
    for (unsigned turn = 0; turn < turns; turn++) {
        const uint64_t dice = random_next(random) >> 8;
        void **slot = &blocks[dice % 64];
        mem.free(*slot);
        *slot = mem.malloc((size_t)((dice >> 8) % (dice % 100 == 0 ? 200000 : 2000)) + 1);
        require(*slot != NULL, "no memory");
        *(char *)*slot = 1;
    }
    for (unsigned i = 0; i < 64; i++) {
        mem.free(blocks[i]);
    }
}

static void *allocates(void *argument) {
    uint64_t random = random_start(7, (uintptr_t)argument);
    while (!is_over) {
        churn(&random, 500);
    }
    return NULL;
}

static void *reads_lines(void *unused) {
    (void)unused;
    FILE *file = tmpfile();
    require(file != NULL, "no temporary file");
    for (size_t i = 0; i < LINE_BYTES; i++) {
        fputc('a', file);
    }
    while (!is_over) {
        char *line = NULL;
        size_t line_bytes = 0;
        rewind(file);
        require(getline(&line, &line_bytes, file) == (ssize_t)LINE_BYTES, "a line is short");
        mem.free(line);
        lines++;
    }
    fclose(file);
    return NULL;
}

static void *flushes_all(void *unused) {
    (void)unused;
    while (!is_over) {
        fflush(NULL);
        usleep(50); /* the lock of the list of FILEs is not fair: let forks have it too */
    }
    return NULL;
}

static void *forks_in_a_loop(void *argument) {
    uint64_t random = random_start(8, (uintptr_t)argument);
    while (!is_over) {
        const pid_t child = fork();
        require(child >= 0, "no child");
        if (child == 0) {
            alarm(HANG_S);
            churn(&random, 200);
            _exit(0);
        }
        int status = 1;
        require(waitpid(child, &status, 0) == child, "no child to wait for");
        require(status == 0, "a child did not end well");
        random_next(&random);
        forks++;
    }
    return NULL;
}

int main(int argc, char **argv) {
    const unsigned seconds = (unsigned)argument_or(argc, argv, 1, 3);
    alarm(HANG_S);
    static void *(*const bodies[])(void *) = {
        allocates,   allocates,   reads_lines,     reads_lines,
        reads_lines, flushes_all, forks_in_a_loop, forks_in_a_loop,
    };
    enum { THREADS = sizeof(bodies) / sizeof(bodies[0]) };
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        threads[i] = start_thread(bodies[i], (void *)i);
    }
    sleep(seconds);
    while (forks == 0 || lines == 0) {
        usleep(10000);
    }
    is_over = true;
    for (int i = 0; i < THREADS; i++) {
        join_thread(threads[i]);
    }
    check_at_rest();
    printf("fork_storm: %lu forks, %lu lines\n", (unsigned long)forks, (unsigned long)lines);
    return 0;
}
