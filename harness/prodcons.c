/* SPDX-License-Identifier: MIT */
/*
 * prodcons: one thread allocates, another frees: every free is remote.
 *
 * The producer allocates batches of 1000 blocks of SIZE and passes them through a lock-free
 * ring of 8 batches to the consumer. Timed per batch by the time stamp counter, without the
 * waiting for the ring: malloc_cycles, then the write of the first 8 bytes (touch_cycles,
 * apart: an allocator that reads the block in malloc makes this write cheap, one that does
 * not leaves the miss to it), and free_cycles. The consumer checks the 8 bytes before, untimed.
 * Medians over batches, so a preempted batch does not count; cycles_per_op is malloc + free.
 * With two CPUs or more the threads are pinned to different ones; on one CPU they take turns
 * and no cache line travels: `cpus` in the report says which it was.
 */
#include "harness/bench.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { BATCHES, SIZE, ARG_COUNT };
enum { BATCH_BLOCKS = 1000, RING_BATCHES = 8, SPINS = 2000 };

static struct bench_arg args[ARG_COUNT] = {
    [BATCHES] = {.name = "batches", .value = 20000, .smoke = 500, .min = 1, .max = 1u << 24},
    [SIZE] = {.name = "size", .value = 64, .smoke = 64, .min = 8, .max = 1u << 26},
};

static struct {
    void *(*batches)[BATCH_BLOCKS];       /* the ring; a batch is its side's as the counters say */
    double *malloc_cycles, *touch_cycles; /* producer's until the join; the latest BATCHES */
    double *free_cycles;                  /* consumer's until the join; likewise */
    uint64_t checksum;                    /* consumer's until the join */
    /* Batches so far. Release by its one writer, acquire by the other side. */
    _Atomic uint64_t produced __attribute__((aligned(128)));
    _Atomic uint64_t consumed __attribute__((aligned(128)));
} ring;

/* Waits until the other side's counter is past `target`. */
static void wait_past(_Atomic uint64_t *counter, uint64_t target) {
    for (unsigned spins = 0; atomic_load_explicit(counter, memory_order_acquire) <= target;) {
        if (++spins < SPINS) {
#if defined(__x86_64__)
            __builtin_ia32_pause();
#endif
            continue;
        }
        sched_yield(); /* one CPU, or the other side was preempted */
        spins = 0;
    }
}

static uint64_t stamp(uint64_t batch, unsigned i) {
    return bench_splitmix64(batch << 16 | i);
}

static void produce(uint64_t batch) {
    void **blocks = ring.batches[batch % RING_BATCHES];
    size_t size = args[SIZE].value;
    uint64_t begin = bench_cycles();
    for (unsigned i = 0; i < BATCH_BLOCKS; i++)
        blocks[i] = malloc(size);
    uint64_t allocated = bench_cycles();
    for (unsigned i = 0; i < BATCH_BLOCKS; i++) {
        bench_check_block(blocks[i], size);
        *(volatile uint64_t *)blocks[i] = stamp(batch, i);
    }
    uint64_t touched = bench_cycles();
    uint64_t place = batch % args[BATCHES].value;
    ring.malloc_cycles[place] = (double)(allocated - begin) / BATCH_BLOCKS;
    ring.touch_cycles[place] = (double)(touched - allocated) / BATCH_BLOCKS;
}

static void consume(uint64_t batch) {
    void **blocks = ring.batches[batch % RING_BATCHES];
    for (unsigned i = 0; i < BATCH_BLOCKS; i++) {
        uint64_t found = *(volatile uint64_t *)blocks[i];
        if (found != stamp(batch, i)) bench_content_wrong(blocks[i], i, args[SIZE].value);
        ring.checksum += found;
    }
    uint64_t begin = bench_cycles();
    for (unsigned i = 0; i < BATCH_BLOCKS; i++)
        free(blocks[i]);
    ring.free_cycles[batch % args[BATCHES].value] = (double)(bench_cycles() - begin) / BATCH_BLOCKS;
}

static void *consumer(void *unused) {
    (void)unused;
    if (bench_cpu_count() >= 2) bench_pin(1);
    for (uint64_t batch = 0;; batch++) {
        wait_past(&ring.produced, batch);
        if (!ring.batches[batch % RING_BATCHES][0]) return NULL; /* the end mark */
        consume(batch);
        atomic_store_explicit(&ring.consumed, batch + 1, memory_order_release);
    }
}

/* Waits for the place of the next batch, which is the return value. */
static uint64_t wait_for_place(void) {
    uint64_t batch = atomic_load_explicit(&ring.produced, memory_order_relaxed);
    if (batch >= RING_BATCHES) wait_past(&ring.consumed, batch - RING_BATCHES);
    return batch;
}

static uint64_t step(void *unused, uint64_t batches) {
    (void)unused;
    for (uint64_t k = 0; k < batches; k++) {
        uint64_t batch = wait_for_place();
        produce(batch);
        atomic_store_explicit(&ring.produced, batch + 1, memory_order_release);
    }
    return batches * BATCH_BLOCKS;
}

static uint64_t produce_all(void) {
    uint64_t ops = 0;
    for (unsigned s = 0; s < BENCH_SEGMENTS; s++) {
        uint64_t begin = bench_ns();
        uint64_t done = bench_part(args[BATCHES].value, s, step, NULL);
        if (done) bench_segment_value((double)(bench_ns() - begin) / (double)done);
        ops += done;
    }
    uint64_t batch = wait_for_place();
    ring.batches[batch % RING_BATCHES][0] = NULL;
    atomic_store_explicit(&ring.produced, batch + 1, memory_order_release);
    return ops;
}

int main(int argc, char **argv) {
    bench_begin("prodcons", args, ARG_COUNT, argc, argv);
    uint64_t batches = args[BATCHES].value;
    ring.batches = bench_map(RING_BATCHES, sizeof *ring.batches);
    ring.malloc_cycles = bench_map(batches, sizeof(double));
    ring.touch_cycles = bench_map(batches, sizeof(double));
    ring.free_cycles = bench_map(batches, sizeof(double));

    pthread_t thread;
    if (bench_cpu_count() >= 2) bench_pin(0);
    bench_start();
    int error = pthread_create(&thread, NULL, consumer, NULL);
    if (error) bench_fail("cannot start a thread: error %d", error);
    uint64_t ops = produce_all();
    pthread_join(thread, NULL);
    bench_stop();

    if (ops / BATCH_BLOCKS < batches) batches = ops / BATCH_BLOCKS;
    double malloc_cycles = bench_median(ring.malloc_cycles, batches);
    double free_cycles = bench_median(ring.free_cycles, batches);
    bench_metric("malloc_cycles", malloc_cycles);
    bench_metric("free_cycles", free_cycles);
    bench_metric("touch_cycles", bench_median(ring.touch_cycles, batches));
    bench_metric("cpus", bench_cpu_count() >= 2 ? 2 : 1);
    bench_cycles_per_op(malloc_cycles + free_cycles);
    return bench_finish(ops, ring.checksum);
}
