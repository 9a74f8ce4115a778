/* SPDX-License-Identifier: MIT */
/*
 * claims.c SECONDS OWNERS SEED: owners allocate and free bursts of small blocks, free each other's,
 * and fall asleep in between for a moment, while two more threads call malloc_trim without end:
 * they claim the owners' heaps whenever those look away, in the middle of bursts as well. Now and
 * then one of either forks while others hold claims; two threads of the child use and trim what it
 * inherited, and its allocator's check must hold. Each block is stamped over all its words while it
 * lives. At rest the check must hold, which finds a block or a page that two threads moved.
 * Compiles against the libc names, and with -DUSE_HAK against the hak_* names.
 */
#include "tests/stress/stress.h"

#include "include/hakmem.h"

#include <malloc.h>
#include <stdatomic.h>
#include <sys/wait.h>

#define MOST_OWNERS  16U
#define TRIMMERS     2U
#define BLOCKS       3000U
#define SHARED_SLOTS 4096U

struct block {
    size_t words;
    uintptr_t stamps[];
};

static _Atomic(struct block *) shared[SHARED_SLOTS];
static atomic_bool is_over;
static atomic_ulong trims, forks, naps;
static unsigned long seed;

static void trim(void) {
#ifdef USE_HAK
    hak_purge();
#else
    malloc_trim(0);
#endif
    trims++;
}

static struct block *allocate(uint64_t dice) {
    const size_t words = dice % 8 == 0 ? (dice >> 8) % 400 + 2 : (dice >> 8) % 24 + 2;
    struct block *block = mem.malloc(words * sizeof(uintptr_t));
    require(block != NULL, "no memory");
    block->words = words;
    for (size_t i = 0; i + 1 < words; i++) {
        block->stamps[i] = (uintptr_t)block ^ i;
    }
    return block;
}

static void release(struct block *block) {
    if (block == NULL) return;
    for (size_t i = 0; i + 1 < block->words; i++) {
        require(block->stamps[i] == ((uintptr_t)block ^ i), "a block was overwritten");
    }
    mem.free(block);
}

static void use_and_trim(uint64_t *random) {
    for (unsigned i = 0; i < 500; i++) {
        release(allocate(random_next(random)));
        release(atomic_exchange(&shared[random_next(random) % SHARED_SLOTS], NULL));
        if (i % 100 == 0) trim();
    }
    trim();
}

static void *use_in_thread(void *argument) {
    uint64_t random = (uintptr_t)argument;
    use_and_trim(&random);
    return NULL;
}

/* The child has the blocks that this thread knows of, and those that lie in the shared slots. */
static void fork_and_use(uint64_t *random) {
    const pid_t child = fork();
    require(child >= 0, "no fork");
    if (child == 0) {
        pthread_t thread;
        alarm(60);
        void *argument = (void *)(uintptr_t)(random_next(random) | 1);
        require(pthread_create(&thread, NULL, use_in_thread, argument) == 0, "no thread");
        use_and_trim(random);
        pthread_join(thread, NULL);
        check_at_rest();
        _exit(0);
    }
    int status;
    require(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0,
            "the child of a fork failed");
    forks++;
}

static void *own(void *argument) {
    uint64_t random = random_start(seed, (uintptr_t)argument);
    struct block *blocks[BLOCKS];
    while (!is_over) {
        const unsigned count = (unsigned)(random_next(&random) % BLOCKS);
        for (unsigned i = 0; i < count; i++) {
            blocks[i] = allocate(random_next(&random) >> 8);
        }
        for (unsigned i = 0; i < count; i++) {
            const uint64_t dice = random_next(&random) >> 8;
            if (dice % 4 == 0) {
                blocks[i] = atomic_exchange(&shared[dice / 4 % SHARED_SLOTS], blocks[i]);
            }
            release(blocks[i]);
        }
        const uint64_t dice = random_next(&random) >> 8;
        if (dice % 64 == 0) fork_and_use(&random);
        if (dice % 8 != 1) continue;
        naps++;
        usleep((useconds_t)(dice / 64 % 2000));
    }
    return NULL;
}

static void *trim_without_end(void *argument) {
    uint64_t random = random_start(seed, 1000 + (uintptr_t)argument);
    while (!is_over) {
        trim();
        if (random_next(&random) % 256 == 0) fork_and_use(&random);
    }
    return NULL;
}

int main(int argc, char **argv) {
    const double seconds = (double)argument_or(argc, argv, 1, 3);
    const unsigned owners = (unsigned)argument_or(argc, argv, 2, 4);
    seed = argument_or(argc, argv, 3, 1);
    require(owners <= MOST_OWNERS, "so many owners are not provided for");
    alarm(HANG_S);
    pthread_t threads[MOST_OWNERS + TRIMMERS];
    for (uintptr_t i = 0; i < owners; i++) {
        threads[i] = start_thread(own, (void *)i);
    }
    for (uintptr_t i = 0; i < TRIMMERS; i++) {
        threads[owners + i] = start_thread(trim_without_end, (void *)i);
    }
    usleep((useconds_t)(seconds * 1e6));
    is_over = true;
    for (unsigned i = 0; i < owners + TRIMMERS; i++) {
        join_thread(threads[i]);
    }
    for (unsigned i = 0; i < SHARED_SLOTS; i++) {
        release(shared[i]);
    }
    check_at_rest();
    printf("%lu trims, %lu forks, %lu naps\n", trims, forks, naps);
    return 0;
}
