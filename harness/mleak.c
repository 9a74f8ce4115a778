/* SPDX-License-Identifier: MIT */
/*
 * mleak: what each thread that ends leaves behind in the allocator.
 *
 * After the description of mleak from the mimalloc-bench suite. 100 times an ITERATION, THREADS
 * threads start; each callocs 16 words, exchanges the block for the one in a random one of 1000
 * slots, frees what it got, and ends. The live set never grows beyond the slots, so memory
 * must not either: leak_ratio is what is resident after the last iteration over what was after
 * a tenth of them (rss_tenth_kib), and far above 1 means a leak for each thread.
 *
 * One op is a thread with its calloc and its free: the time is that of starting threads, of which
 * the allocator's set-up and tear-down are a part. Under --seconds the tenth is of ITERATIONS.
 * Every word is checked to be zero, written, and checked before free. The checksum is of what
 * was allocated.
 */
#include "harness/bench_team.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { ITERATIONS, THREADS, SEED, ARG_COUNT };
enum { SLOTS = 1000, WORDS = 16, STARTS = 100 };

static struct bench_arg args[ARG_COUNT] = {
    [ITERATIONS] = {.name = "iterations", .value = 50, .smoke = 3, .min = 1, .max = 1u << 30},
    [THREADS] = {.name = "threads", .value = 10, .smoke = 4, .min = 1, .max = BENCH_MAX_THREADS},
    [SEED] = {.name = "seed", .value = 42, .smoke = 42, .max = UINT64_MAX},
};

static struct {
    _Atomic(volatile uint64_t *) slots[SLOTS]; /* exchange is acq_rel: the words come along */
    atomic_uint_least64_t checksum;            /* relaxed: a sum */
    uint64_t starts;                           /* const while threads run */
    uint64_t rss_tenth_kib;
} pool;

static uint64_t word_of(uint64_t id, unsigned i) {
    return bench_splitmix64(id + i) | 1;
}

static void release(volatile uint64_t *block) {
    if (!block) return;
    uint64_t id = block[0];
    bool is_sane = id != 0;
    for (unsigned i = 1; i < WORDS; i++)
        is_sane = is_sane && block[i] == word_of(id, i);
    if (!is_sane) bench_content_wrong((void *)block, 0, WORDS * sizeof *block);
    block[0] = 0; /* who is given this block while another holds it will notice */
    free((void *)block);
}

static void body(unsigned index, void *unused) {
    (void)unused;
    uint64_t id = pool.starts * BENCH_MAX_THREADS + index + 1;
    struct bench_rng rng = bench_rng_seeded(args[SEED].value, id);
    volatile uint64_t *block = calloc(WORDS, sizeof *block);
    bench_check_block((void *)block, WORDS * sizeof *block);
    for (unsigned i = 0; i < WORDS; i++) {
        if (block[i]) bench_fail("calloc returned memory that is not zero: word %u", i);
        block[i] = i ? word_of(id, i) : id;
    }
    unsigned slot = bench_high_below(bench_random(&rng), SLOTS);
    atomic_fetch_add_explicit(&pool.checksum, word_of(id, slot), memory_order_relaxed);
    release(atomic_exchange_explicit(&pool.slots[slot], block, memory_order_acq_rel));
}

static uint64_t step(void *unused, uint64_t starts) {
    (void)unused;
    unsigned threads = (unsigned)args[THREADS].value;
    for (uint64_t k = 0; k < starts; k++) {
        bench_threads(threads, body, NULL);
        if (++pool.starts * 10 == args[ITERATIONS].value * STARTS) {
            pool.rss_tenth_kib = bench_rss_kib();
        }
    }
    return starts * threads;
}

int main(int argc, char **argv) {
    bench_begin("mleak", args, ARG_COUNT, argc, argv);
    bench_called("calloc");
    bench_start();
    uint64_t ops = bench_run(args[ITERATIONS].value * STARTS, step, NULL);
    bench_stop();
    uint64_t rss_kib = bench_rss_kib();
    if (!pool.rss_tenth_kib) pool.rss_tenth_kib = rss_kib; /* too short a time for a tenth */
    bench_metric("rss_tenth_kib", (double)pool.rss_tenth_kib);
    bench_metric("rss_last_kib", (double)rss_kib);
    bench_metric("leak_ratio", (double)rss_kib / (double)pool.rss_tenth_kib);
    for (unsigned i = 0; i < SLOTS; i++)
        release(atomic_load_explicit(&pool.slots[i], memory_order_acquire));
    return bench_finish(ops, atomic_load_explicit(&pool.checksum, memory_order_relaxed));
}
