/* SPDX-License-Identifier: MIT */
/*
 * alert_race.c SECONDS THREADS SEED: threads free more than is kept, so that each alerts the others
 * (src/front/alert.c), while others start, live on their bins, free each other's blocks, fork and
 * end. With HAKMEM_PURGE_MS=1 and HAKMEM_PURGE_KEEP_BYTES=0 there are alerts and ends of watches
 * all the time. Stacks are so large that libc unmaps them when their threads have ended, and an
 * alert that comes too late ends the process. No block loses its content, and at rest the
 * allocator's own check holds, in the children too. Compiles against the libc names, and with
 * -DUSE_HAK against the hak_* names, without forks.
 */
#include "tests/stress/stress.h"

#include <stdatomic.h>
#include <sys/wait.h>

#define MOST_THREADS 16U
#define BLOCKS       2000U
#define STACK_BYTES  (64 * MIB)
#define HITS         20000U
#define SHARED_SLOTS 8192U
#define SHARED_BYTES 600U
#define SHARED_MARK  7U

static atomic_bool is_over;
static atomic_ulong lives, hits;
static _Atomic(unsigned char *) shared[SHARED_SLOTS];

static unsigned char *marked(size_t size, unsigned char mark) {
    unsigned char *block = mem.malloc(size);
    require(block != NULL, "no memory");
    block[0] = mark;
    block[size - 1] = mark;
    return block;
}

static void free_marked(unsigned char *block, size_t size, unsigned char mark) {
    require(block[0] == mark && block[size - 1] == mark, "a block was overwritten");
    mem.free(block);
}

/* Each of its calls is served by a bin. */
static void hit(unsigned char mark) {
    for (unsigned i = 0; i < HITS && !is_over; i++) {
        free_marked(marked(100, mark), 100, mark);
    }
    hits++;
}

/* Over a megabyte of blocks goes to others, and as much of theirs is freed. */
static void hand_over(uint64_t *random) {
    for (unsigned i = 0; i < BLOCKS; i++) {
        unsigned char *block = marked(SHARED_BYTES, SHARED_MARK);
        block = atomic_exchange(&shared[random_next(random) % SHARED_SLOTS], block);
        if (block != NULL) free_marked(block, SHARED_BYTES, SHARED_MARK);
    }
}

/* A life: a burst of one size from 64 bytes to 256 KiB, 8 MiB at most; and a while in its bins. */
static void *live(void *argument) {
    uint64_t random = random_start((uintptr_t)argument, 0);
    unsigned char *blocks[BLOCKS];
    const unsigned char mark = (unsigned char)(uintptr_t)argument;
    const size_t size = (size_t)64 << random_next(&random) % 13;
    const size_t count = 8 * MIB / size < BLOCKS ? 8 * MIB / size : BLOCKS;
    for (size_t i = 0; i < count; i++) {
        blocks[i] = marked(size, mark);
    }
    if (random_next(&random) % 2 == 0) hit(mark);
    hand_over(&random);
    for (size_t i = 0; i < count; i++) {
        free_marked(blocks[i], size, mark);
    }
    if (random_next(&random) % 2 == 0) hit(mark);
    lives++;
    return NULL;
}

static pthread_t start_large(void *(*body)(void *), void *argument) {
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    require(pthread_create(&thread, &attr, body, argument) == 0, "no thread");
    pthread_attr_destroy(&attr);
    return thread;
}

static void *live_one_after_the_other(void *argument) {
    for (uintptr_t i = 0; !is_over; i++) {
        join_thread(start_large(live, (void *)((uintptr_t)argument + i * MOST_THREADS)));
    }
    return NULL;
}

static void *only_hit(void *unused) {
    while (!is_over)
        hit(1);
    return unused;
}

#ifdef USE_HAK
static void fork_once(void) {}
#else
/* The child's thread is the only one, but for one that it starts. */
static void fork_once(void) {
    const pid_t child = fork();
    require(child >= 0, "no fork");
    if (child == 0) {
        (void)live((void *)3);
        join_thread(start_large(live, (void *)4));
        (void)live((void *)5);
        check_at_rest();
        _exit(0);
    }
    int status;
    while (waitpid(child, &status, 0) != child)
        continue;
    require(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a child failed");
}
#endif

int main(int argc, char **argv) {
    const double seconds = (double)argument_or(argc, argv, 1, 3);
    const unsigned long asked = argument_or(argc, argv, 2, 4);
    const unsigned count = asked == 0 || asked > MOST_THREADS ? MOST_THREADS : (unsigned)asked;
    const unsigned long seed = argument_or(argc, argv, 3, 1);
    printf("alert_race: %.0f s, %u threads, seed %lu\n", seconds, count, seed);
    fflush(stdout);
    pthread_t threads[MOST_THREADS];
    for (uintptr_t i = 0; i < count; i++) {
        void *(*body)(void *) = i % 4 == 3 ? only_hit : live_one_after_the_other;
        threads[i] = start_thread(body, (void *)(seed * MOST_THREADS * MOST_THREADS + i));
    }
    uint64_t random = random_start(seed, MOST_THREADS);
    const double end = now_seconds() + seconds;
    while (now_seconds() < end) {
        hit(2);
        hand_over(&random);
        fork_once();
    }
    is_over = true;
    for (unsigned i = 0; i < count; i++) {
        join_thread(threads[i]);
    }
    check_at_rest();
    for (unsigned i = 0; i < SHARED_SLOTS; i++) {
        mem.free(shared[i]);
    }
    check_at_rest();
    printf("alert_race: %lu lives, %lu times in bins\n", (unsigned long)lives, (unsigned long)hits);
    require(lives > 0 && hits > 0, "nothing happened");
    return 0;
}
