/* SPDX-License-Identifier: MIT */
/*
 * mmap_fails.c: an address space that is made smaller step by step (RLIMIT_AS). At each step a
 * thread, then several at once, allocate until they are refused with ENOMEM, free all, and must get
 * nearly as much again under the same limit; a block that grows until it is refused keeps what was
 * written to it; when the limit is lifted, everything works. The sizes are of every tier.
 */
#include "tests/stress/stress.h"

#include <sys/resource.h>

#define THREADS        4U
#define MOST_IN_THREAD ((size_t)4000) /* some allocators are slow near the limit */

static const size_t headrooms[] = {128 * MIB, 32 * MIB, 8 * MIB, MIB, 0};
static const size_t sizes[] = {40,        700,       9000,    50000,   40000,
                               100 * KIB, 700 * KIB, 2 * MIB, 3000000, 20 * MIB};
static struct rlimit unlimited;
static pthread_barrier_t step_begins, step_ends;

static void set_headroom(size_t headroom) {
    const struct rlimit low = {.rlim_cur = statm_bytes(0) + headroom,
                               .rlim_max = unlimited.rlim_max};
    require(setrlimit(RLIMIT_AS, &low) == 0, "no limit");
}

static void lift_limit(void) {
    require(setrlimit(RLIMIT_AS, &unlimited) == 0, "no limit");
}

/* Takes blocks of one size, chained through their first words, until refused or until there are
 * `most`; returns the bytes. */
static size_t take_all(size_t size, size_t most, void **chain) {
    size_t taken = 0;
    for (size_t count = 0; count < most; count++) {
        errno = 0;
        void **block = mem.malloc(size);
        if (block == NULL) {
            require(errno == ENOMEM, "a refusal without ENOMEM");
            break;
        }
        memset((void *)block, 1, size < 64 ? size : 64);
        *block = *chain;
        *chain = (void *)block;
        taken += size;
    }
    return taken;
}

static void give_all(void **chain) {
    while (*chain != NULL) {
        void **block = *chain;
        *chain = *block;
        mem.free((void *)block);
    }
}

static size_t take_and_give(size_t size, size_t most) {
    void *chain = NULL;
    const size_t taken = take_all(size, most, &chain);
    give_all(&chain);
    return taken;
}

/* Grows a block until it is refused; every 4 KiB of it say where they are. */
static void grow_until_refused(size_t size) {
    unsigned char *block = mem.malloc(size);
    if (block == NULL) return; /* not even the first */
    size_t written = 0;
    for (unsigned char *grown = block; grown != NULL; grown = mem.realloc(block, size)) {
        block = grown;
        for (; written < size; written += 4 * KIB) {
            block[written] = (unsigned char)(written / (4 * KIB));
        }
        size += size / 2;
        errno = 0;
    }
    require(errno == ENOMEM, "a refusal without ENOMEM");
    for (size_t at = 0; at < written; at += 4 * KIB) {
        require(block[at] == (unsigned char)(at / (4 * KIB)), "realloc lost what was written");
    }
    mem.free(block);
}

static void refused_everywhere(void) {
    char marker = 0;
    void *out = &marker;
    errno = 0;
    require(mem.calloc(1, 500 * MIB) == NULL && errno == ENOMEM, "calloc was not refused");
    errno = 0;
    require(mem.aligned_alloc(64, 500 * MIB) == NULL && errno == ENOMEM, "no refusal");
    require(mem.posix_memalign(&out, 64, 500 * MIB) == ENOMEM && out == &marker, "no refusal");
}

static void *thread_body(void *argument) {
    uint64_t random = random_start(3, (uintptr_t)argument);
    for (size_t step = 0; step < sizeof(headrooms) / sizeof(headrooms[0]); step++) {
        pthread_barrier_wait(&step_begins);
        for (int i = 0; i < 6; i++) {
            const size_t which = random_next(&random) % (sizeof(sizes) / sizeof(sizes[0]));
            take_and_give(sizes[which], MOST_IN_THREAD);
        }
        pthread_barrier_wait(&step_ends);
        pthread_barrier_wait(&step_begins); /* the limit is lifted now */
        for (int i = 0; i < 2000; i++) {
            void *block = mem.malloc((size_t)(random_next(&random) % 100000));
            require(block != NULL, "no memory after the limit was lifted");
            mem.free(block);
        }
        pthread_barrier_wait(&step_ends);
    }
    return NULL;
}

static void main_ladder(size_t headroom) {
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        set_headroom(headroom);
        const size_t first = take_and_give(sizes[i], SIZE_MAX);
        const size_t second = take_and_give(sizes[i], SIZE_MAX);
        require(second >= first - first / 8, "less memory after all was freed");
        require(headroom < 32 * MIB || first >= headroom / 4, "refused far below the limit");
        grow_until_refused(sizes[i]);
        refused_everywhere();
        lift_limit();
    }
}

int main(void) {
    alarm(HANG_S);
    require(getrlimit(RLIMIT_AS, &unlimited) == 0, "no limit to read");
    require(statm_bytes(0) <= 64 * MIB, "much address space is reserved at the start");
    pthread_barrier_init(&step_begins, NULL, THREADS + 1);
    pthread_barrier_init(&step_ends, NULL, THREADS + 1);
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        threads[i] = start_thread(thread_body, (void *)i);
    }
    for (size_t step = 0; step < sizeof(headrooms) / sizeof(headrooms[0]); step++) {
        main_ladder(headrooms[step]);
        set_headroom(headrooms[step]);
        pthread_barrier_wait(&step_begins);
        pthread_barrier_wait(&step_ends);
        lift_limit();
        check_at_rest();
        pthread_barrier_wait(&step_begins);
        pthread_barrier_wait(&step_ends);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        join_thread(threads[i]);
    }
    check_at_rest();
    puts("mmap_fails: done");
    return 0;
}
