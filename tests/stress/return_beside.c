/* SPDX-License-Identifier: MIT */
/*
 * return_beside.c sleeps|ends|again|crowd small|spans|big: beside a thread whose bins serve all its
 * calls, main, another one frees 96 MiB, in blocks of 200 bytes, 200 000 or 4 000 000. Then it
 *   sleeps
 *   ends
 *   again  frees as much twice more, each time after the memory has gone back, and sleeps
 *   crowd  sleeps, as 100 more threads do that were started between main and it
 * The memory goes back within three seconds, measured by main's own processor time, so that a busy
 * machine has as many calls made in them. Resident then: what was before, 4 MiB that may be kept,
 * and 6 MiB of slack as in return_busy.c.
 */
#include "tests/stress/footprint.h"

#include <semaphore.h>

#define BURST_BYTES  (96 * MIB)
#define LEAST_BYTES  ((size_t)200)
#define SLACK_BYTES  (6 * MIB)
#define WAIT_S       3.0
#define MOST_THREADS 100U

static void *blocks[BURST_BYTES / LEAST_BYTES];
static sem_t is_asked, is_freed, is_over;

static double own_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void *touched(size_t size) {
    char *block = mem.malloc(size);
    require(block != NULL, "no memory");
    *(volatile char *)block = 1;
    return block;
}

static void await(sem_t *event) {
    while (sem_wait(event) != 0)
        continue;
}

static void burst(size_t size) {
    const size_t count = BURST_BYTES / size;
    for (size_t i = 0; i < count; i++) {
        blocks[i] = touched(size);
        memset(blocks[i], 1, size);
    }
    for (size_t i = 0; i < count; i++) {
        mem.free(blocks[i]);
    }
}

static void *free_when_asked(void *argument) {
    const size_t size = *(size_t *)argument;
    for (await(&is_asked); size != 0; await(&is_asked)) {
        burst(size);
        sem_post(&is_freed);
    }
    return NULL;
}

static void *free_and_end(void *argument) {
    burst(*(size_t *)argument);
    return NULL;
}

/* With a cache of its own. */
static void *only_sleep(void *unused) {
    mem.free(touched(100));
    sem_post(&is_freed);
    await(&is_over);
    return unused;
}

static void hit_until_below(size_t limit) {
    const double start = own_seconds();
    while (own_seconds() - start < WAIT_S && footprint_bytes() > limit) {
        for (unsigned i = 0; i < 20000; i++) {
            mem.free(touched(100));
        }
    }
    require_footprint_below(limit, "three busy seconds beside the burst");
}

int main(int argc, char **argv) {
    const char *how = argc > 1 ? argv[1] : "sleeps";
    const char *what = argc > 2 ? argv[2] : "small";
    size_t size = strcmp(what, "small") == 0 ? LEAST_BYTES : 200000;
    if (strcmp(what, "big") == 0) size = 4000000;
    const unsigned sleepers = strcmp(how, "crowd") == 0 ? MOST_THREADS : 0;
    printf("%s, %s blocks\n", how, what);
    memset((void *)blocks, 1, sizeof(blocks));
    mem.free(touched(100));
    sem_init(&is_asked, 0, 0);
    sem_init(&is_freed, 0, 0);
    sem_init(&is_over, 0, 0);
    for (unsigned i = 0; i < sleepers; i++) {
        (void)start_thread(only_sleep, NULL);
        await(&is_freed);
    }
    const size_t limit = footprint_bytes() + KEEP_BYTES + SLACK_BYTES;
    if (strcmp(how, "ends") == 0) {
        join_thread(start_thread(free_and_end, &size));
        hit_until_below(limit);
        check_at_rest();
        return 0;
    }
    (void)start_thread(free_when_asked, &size); /* until the process ends, as the sleepers */
    for (unsigned round = 0; round < (strcmp(how, "again") == 0 ? 3 : 1); round++) {
        sem_post(&is_asked);
        await(&is_freed);
        hit_until_below(limit);
    }
    check_at_rest();
    return 0;
}
