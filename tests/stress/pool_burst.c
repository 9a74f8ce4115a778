/* SPDX-License-Identifier: MIT */
/*
 * pool_burst.c in-order|shuffled: a pool of 20 threads. Each in turn allocates 50 MB in blocks of
 * 64 B to 64 KiB, every doubling as likely as any other, touches and frees them in the order of
 * their making or in random order, and stays alive without a further call. What one thread has
 * freed must serve the next: the resident size stays near one burst, not near twenty.
 * Bound, at the peak of each burst and after it: what was resident before, 1.5 bursts, and 1 MiB
 * for each thread that had its turn: its stack, and what it keeps in its cache while it sleeps.
 */
#include "tests/stress/footprint.h"

#define POOL_THREADS       20U
#define BURST_BYTES        ((size_t)50000000)
#define MOST_BLOCKS        20000U
#define SLACK_THREAD_BYTES (1 * MIB)

static void *blocks[MOST_BLOCKS];
static size_t before_bytes, most_bytes, most_above_bytes; /* above: beyond a turn's limit */
static bool is_shuffled;
static pthread_barrier_t turn_is_over, all_is_over;

static void measure(unsigned turn) {
    const size_t footprint = footprint_bytes();
    const size_t limit =
        before_bytes + BURST_BYTES + BURST_BYTES / 2 + (turn + 1) * SLACK_THREAD_BYTES;
    if (footprint > most_bytes) most_bytes = footprint;
    if (footprint > limit && footprint - limit > most_above_bytes) {
        most_above_bytes = footprint - limit;
    }
}

static void burst(unsigned turn) {
    uint64_t random = random_start(13, turn);
    size_t count = 0;
    for (size_t bytes = 0; bytes < BURST_BYTES; count++) {
        const size_t size = random_log_size(&random, 64, 64 * KIB);
        require(count < MOST_BLOCKS, "more blocks than expected");
        blocks[count] = mem.malloc(size);
        require(blocks[count] != NULL, "no memory");
        memset(blocks[count], (int)turn, size);
        bytes += size;
    }
    measure(turn);
    if (is_shuffled) shuffle(blocks, count, &random);
    for (size_t i = 0; i < count; i++) {
        mem.free(blocks[i]);
    }
    measure(turn);
}

static void *pool_thread(void *argument) {
    burst((unsigned)(uintptr_t)argument);
    pthread_barrier_wait(&turn_is_over);
    pthread_barrier_wait(&all_is_over);
    return NULL;
}

int main(int argc, char **argv) {
    is_shuffled = argc > 1 && strcmp(argv[1], "shuffled") == 0;
    pthread_t threads[POOL_THREADS];
    pthread_barrier_init(&turn_is_over, NULL, 2);
    pthread_barrier_init(&all_is_over, NULL, POOL_THREADS + 1);
    memset((void *)blocks, 1, sizeof(blocks));
    mem.free(mem.malloc(100));
    puts(is_shuffled ? "freed in random order" : "freed in the order of their making");
    before_bytes = footprint_bytes();
    for (uintptr_t i = 0; i < POOL_THREADS; i++) {
        threads[i] = start_thread(pool_thread, (void *)i);
        pthread_barrier_wait(&turn_is_over);
    }
    printf("before %zu MiB, at most %zu MiB, at most %zu MiB above a limit\n", before_bytes / MIB,
           most_bytes / MIB, most_above_bytes / MIB);
    fflush(stdout);
    require(most_bytes >= before_bytes + BURST_BYTES * 9 / 10, "the bursts were not resident");
    require(most_above_bytes == 0, "what one thread freed did not serve the next");
    check_at_rest();
    pthread_barrier_wait(&all_is_over);
    for (unsigned i = 0; i < POOL_THREADS; i++) {
        join_thread(threads[i]);
    }
    check_at_rest();
    return 0;
}
