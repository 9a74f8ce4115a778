/* SPDX-License-Identifier: MIT */
/*
 * stats_race.c SECONDS THREADS SEED: threads of short lives allocate, resize and free blocks of
 * 16 B to 5 MiB, leave some to the others and end, while more threads ask for the statistics in
 * every way there is. What they get is plausible at any time: live and free bytes fit into what is
 * mapped, and counts of events only rise. At rest the allocator's own check must hold, which
 * compares the statistics with a recount. Compiles against the libc names, and with -DUSE_HAK
 * against the hak_* names.
 */
#include "tests/stress/stress.h"

#include "include/hakmem.h"

#include <malloc.h>
#include <stdatomic.h>

#define MOST_THREADS 16U
#define BLOCKS       1500U
#define BIG_BLOCKS   4U
#define SHARED_SLOTS 4096U

static _Atomic(void *) shared[SHARED_SLOTS];
static atomic_bool is_over;
static atomic_ulong lives, polls;
static unsigned long seed;

/* hak_stats and hak_counters, where the allocator has them. */
static int (*ask_stats)(struct hak_stats *out);
static void (*ask_counters)(hak_counter_fn *visit, void *arg);

static size_t small_size(uint64_t dice) {
    return dice % 32 == 0 ? (size_t)(dice >> 16) % (80 * KIB) + 1 : (size_t)(dice >> 16) % 3000 + 1;
}

static void *allocate(size_t size) {
    char *block = mem.malloc(size);
    require(block != NULL, "no memory");
    block[0] = 1;
    return block;
}

/* Blocks over 1 MiB that grow: their headers come from slabs that were released, and go back. */
static void use_big_blocks(uint64_t *random) {
    void *blocks[BIG_BLOCKS];
    for (unsigned i = 0; i < BIG_BLOCKS; i++) {
        blocks[i] = allocate(MIB + 4096 * (i + 1));
    }
    for (unsigned i = 0; i < BIG_BLOCKS; i++) {
        blocks[i] = mem.realloc(blocks[i], (2 + random_next(random) % 3) * MIB);
        require(blocks[i] != NULL, "no memory");
    }
    for (unsigned i = 0; i < BIG_BLOCKS; i++) {
        mem.free(blocks[i]);
    }
}

/* A life: of what it allocates an eighth goes to the others. */
static void *live(void *argument) {
    uint64_t random = random_start(seed, (uintptr_t)argument);
    void *blocks[BLOCKS];
    for (unsigned round = 0; round < 3 && !is_over; round++) {
        for (unsigned i = 0; i < BLOCKS; i++) {
            blocks[i] = allocate(small_size(random_next(&random)));
        }
        use_big_blocks(&random);
        for (unsigned i = 0; i < BLOCKS; i++) {
            const uint64_t dice = random_next(&random) >> 8;
            if (dice % 8 == 0) {
                blocks[i] = atomic_exchange(&shared[dice / 8 % SHARED_SLOTS], blocks[i]);
            }
            mem.free(blocks[i]);
        }
    }
    lives++;
    return NULL;
}

static void *live_one_after_the_other(void *argument) {
    for (uintptr_t i = 0; !is_over; i++) {
        join_thread(start_thread(live, (void *)((uintptr_t)argument + i * MOST_THREADS)));
    }
    return NULL;
}

static void require_plausible(const struct hak_stats *now, const struct hak_stats *before) {
    require(now->small_live_bytes <= now->small_slab_bytes, "more is live than slabs hold");
    require(now->small_slab_bytes <= now->mapped_bytes, "slabs are larger than what is mapped");
    require(now->large_live_bytes <= now->mapped_bytes, "more is live than mapped");
    require(now->free_bytes <= now->mapped_bytes, "more is free than mapped");
    require(now->idle_bytes <= now->free_bytes, "more is idle than free");
    require(now->small_free_count <= now->mapped_bytes / 16, "more free blocks than fit");
    require(now->large_live_count < (uint64_t)1 << 32, "a count has wrapped");
    require(now->metadata_bytes < (uint64_t)1 << 40, "more metadata than memory");
    require(now->heaps >= before->heaps, "a heap is gone");
    require(now->refill_count >= before->refill_count, "refills are undone");
    require(now->refill_blocks >= before->refill_blocks, "refilled blocks are undone");
    require(now->remote_posted_blocks >= before->remote_posted_blocks, "posts are undone");
    require(now->adopted_slabs >= before->adopted_slabs, "adoptions are undone");
}

/* The requests that the tiers have counted, summed up by one of the threads that ask. */
static void add_requests(void *arg, const struct hak_counter *counter) {
    if (strcmp(counter->unit, "requests") == 0) *(uint64_t *)arg += counter->value;
}

static void poll_counters(uint64_t *before) {
    uint64_t now = 0;
    ask_counters(add_requests, &now);
    require(now >= *before, "requests are undone");
    *before = now;
}

static void poll_stats(struct hak_stats *before) {
    struct hak_stats now = {.version = HAK_STATS_VERSION};
    require(ask_stats(&now) == 0, "hak_stats refuses its own version");
    require_plausible(&now, before);
    *before = now;
}

#ifndef USE_HAK
static void poll_libc(FILE *nowhere) {
    const struct mallinfo2 info = mallinfo2();
    require(info.uordblks <= info.arena && info.fordblks <= info.arena, "parts exceed the whole");
    require(info.arena < (size_t)1 << 46 && info.hblkhd < (size_t)1 << 46, "a sum has wrapped");
    require(malloc_info(0, nowhere) == 0, "malloc_info failed");
    malloc_stats();
}
#endif

static void *poll_all(void *unused) {
    struct hak_stats before = {.version = HAK_STATS_VERSION};
    uint64_t requests = 0;
    FILE *nowhere = fopen("/dev/null", "w");
    require(nowhere != NULL, "no /dev/null");
    while (!is_over) {
        if (ask_stats != NULL) poll_stats(&before);
        if (ask_counters != NULL) poll_counters(&requests);
#ifndef USE_HAK
        poll_libc(nowhere);
#endif
        polls++;
    }
    fclose(nowhere);
    return unused;
}

#ifdef USE_HAK
static void begin_polls(void) {
    ask_stats = hak_stats;
    ask_counters = hak_counters;
}

static void end_polls(void) {}
#else
/* malloc_stats writes to descriptor 2, which leads nowhere while it is polled; the sentences of
 * failures take another. */
static void begin_polls(void) {
    void *address = dlsym(RTLD_DEFAULT, "hak_stats");
    memcpy((void *)&ask_stats, &address, sizeof(address));
    address = dlsym(RTLD_DEFAULT, "hak_counters");
    memcpy((void *)&ask_counters, &address, sizeof(address));
    stderr = fdopen(dup(2), "w");
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    require(stderr != NULL && nowhere >= 0 && dup2(nowhere, 2) == 2, "no /dev/null");
}

static void end_polls(void) {
    require(dup2(fileno(stderr), 2) == 2, "no stderr");
}
#endif

int main(int argc, char **argv) {
    const unsigned long seconds = argument_or(argc, argv, 1, 3);
    const unsigned long asked = argument_or(argc, argv, 2, 4);
    const unsigned count = asked == 0 || asked > MOST_THREADS ? MOST_THREADS : (unsigned)asked;
    seed = argument_or(argc, argv, 3, 1);
    printf("stats_race: %lu s, %u threads, seed %lu\n", seconds, count, seed);
    fflush(stdout);
    begin_polls();
    pthread_t threads[MOST_THREADS];
    pthread_t pollers[2];
    for (uintptr_t i = 0; i < count; i++) {
        threads[i] = start_thread(live_one_after_the_other, (void *)i);
    }
    for (unsigned i = 0; i < 2; i++) {
        pollers[i] = start_thread(poll_all, NULL);
    }
    sleep((unsigned)seconds);
    is_over = true;
    for (unsigned i = 0; i < count; i++) {
        join_thread(threads[i]);
    }
    for (unsigned i = 0; i < 2; i++) {
        join_thread(pollers[i]);
    }
    end_polls();
    check_at_rest();
    for (unsigned i = 0; i < SHARED_SLOTS; i++) {
        mem.free(atomic_exchange(&shared[i], NULL));
    }
    check_at_rest();
    printf("stats_race: %lu lives, %lu polls\n", (unsigned long)lives, (unsigned long)polls);
    require(lives > 0 && polls > 0, "nothing happened");
    return 0;
}
