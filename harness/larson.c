/* SPDX-License-Identifier: MIT */
/*
 * larson: a server whose threads die and hand their live blocks to a successor.
 *
 * After Larson and Krishnan, ISMM'98. The main thread fills THREADS x CHUNKS slots with blocks
 * of MIN..MAX-1 bytes, shuffles them and does 4 x n random replacements. Then THREADS workers,
 * each owning a slice of CHUNKS slots, do ROUNDS x CHUNKS replacements, start a successor that
 * inherits the slice, and exit. So blocks are freed by threads that did not allocate them.
 * It ends after SLEEP seconds (--seconds says the same) or, with --rounds-total N and without
 * --seconds, after N generations of every slice: only then is the work fixed, and memory
 * comparable. One op is one free and one malloc. The first and last byte of each block are written
 * after malloc and checked before free.
 *
 * A chain is the row of threads that own one slice one after the other.
 */
#include "harness/bench.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { SLEEP, MIN, MAX, CHUNKS, ROUNDS, SEED, THREADS, ROUNDS_TOTAL, ARG_COUNT };
enum { STACK_BYTES = 256 * 1024, WAIT_MS = 2000 };

static struct bench_arg args[ARG_COUNT] = {
    [SLEEP] = {.name = "sleep", .value = 2000, .smoke = 200, .max = 3600000, .is_time = true},
    [MIN] = {.name = "min", .value = 8, .smoke = 8, .min = 2, .max = 1u << 30},
    [MAX] = {.name = "max", .value = 1000, .smoke = 1000, .min = 3, .max = 1u << 30},
    [CHUNKS] = {.name = "chunks", .value = 5000, .smoke = 500, .min = 1, .max = 1u << 24},
    [ROUNDS] = {.name = "rounds", .value = 100, .smoke = 10, .min = 1, .max = 1u << 30},
    [SEED] = {.name = "seed", .value = 4141, .smoke = 4141, .max = UINT64_MAX},
    [THREADS] = {.name = "threads", .value = 2, .smoke = 2, .min = 1, .max = 128},
    [ROUNDS_TOTAL] = {.name = "rounds-total", .max = 1u << 30, .is_option = true},
};

struct slot {
    void *block;
    uint32_t size;
    uint32_t id; /* where the block was allocated: its mark, which moves with it */
};

/* Owned by the chain's running thread; handed on by pthread_create, read by main at the end. */
struct chain {
    struct bench_rng rng;
    uint32_t first_slot;
    uint32_t generations;
    uint64_t checksum;
    _Atomic uint64_t ops; /* written by the owner, sampled by main, relaxed: a statistic */
} __attribute__((aligned(128)));

static struct {
    struct slot *slots;    /* the pointer is const after init, a slot is its slice's owner's */
    struct chain *chains;  /* const after init */
    pthread_attr_t attr;   /* const after init */
    sem_t all_ended;       /* posted once, by the last thread */
    atomic_uint live;      /* threads alive; acq_rel, so that the last one saw all others' work */
    atomic_bool must_stop; /* set by main, relaxed: a moment later will do */
} larson;

static inline void replace(uint32_t index, uint64_t draw, uint64_t *checksum) {
    struct slot *slot = &larson.slots[index];
    if (slot->block) {
        *checksum += bench_verify(slot->block, slot->id, slot->size);
        free(slot->block);
    }
    uint32_t size = (uint32_t)args[MIN].value +
                    bench_low_below(draw, (uint32_t)(args[MAX].value - args[MIN].value));
    void *block = malloc(size);
    bench_check_block(block, size);
    bench_mark(block, index, size);
    *slot = (struct slot){block, size, index};
}

static void *worker(void *argument);

static void start_thread(struct chain *chain) {
    pthread_t thread;
    atomic_fetch_add_explicit(&larson.live, 1, memory_order_relaxed);
    int error = pthread_create(&thread, &larson.attr, worker, chain);
    if (error) bench_fail("cannot start a thread: error %d", error);
}

/* False: the run has been stopped. */
static bool run_round(struct chain *chain) {
    struct bench_rng rng = chain->rng;
    uint64_t checksum = chain->checksum;
    uint32_t chunks = (uint32_t)args[CHUNKS].value;
    for (uint32_t k = 0; k < chunks; k++) {
        uint64_t draw = bench_random(&rng);
        replace(chain->first_slot + bench_high_below(draw, chunks), draw, &checksum);
    }
    chain->rng = rng;
    chain->checksum = checksum;
    uint64_t ops = atomic_load_explicit(&chain->ops, memory_order_relaxed);
    atomic_store_explicit(&chain->ops, ops + chunks, memory_order_relaxed);
    return !atomic_load_explicit(&larson.must_stop, memory_order_relaxed);
}

static void *worker(void *argument) {
    struct chain *chain = argument;
    bool goes_on = true;
    for (uint64_t r = 0; r < args[ROUNDS].value && goes_on; r++)
        goes_on = run_round(chain);
    chain->generations++;
    if (args[ROUNDS_TOTAL].value && chain->generations == args[ROUNDS_TOTAL].value) goes_on = false;
    if (goes_on) start_thread(chain); /* from here on the chain is the successor's */
    if (atomic_fetch_sub_explicit(&larson.live, 1, memory_order_acq_rel) == 1) {
        sem_post(&larson.all_ended);
    }
    return NULL;
}

static uint64_t warm_up(uint32_t slot_count) {
    struct bench_rng rng = bench_rng_seeded(args[SEED].value, 0);
    uint64_t checksum = 0;
    for (uint32_t i = 0; i < slot_count; i++)
        replace(i, bench_random(&rng), &checksum);
    for (uint32_t i = slot_count; i > 1; i--) {
        uint32_t other = bench_high_below(bench_random(&rng), i);
        struct slot kept = larson.slots[i - 1];
        larson.slots[i - 1] = larson.slots[other];
        larson.slots[other] = kept;
    }
    for (uint64_t k = 0; k < 4 * (uint64_t)slot_count; k++) {
        uint64_t draw = bench_random(&rng);
        replace(bench_high_below(draw, slot_count), draw, &checksum);
    }
    return checksum;
}

static uint64_t ops_so_far(void) {
    uint64_t ops = 0;
    for (uint64_t t = 0; t < args[THREADS].value; t++) {
        ops += atomic_load_explicit(&larson.chains[t].ops, memory_order_relaxed);
    }
    return ops;
}

static void sleep_and_sample(void) {
    uint64_t begin = bench_ns();
    uint64_t last_ns = begin;
    uint64_t last_ops = 0;
    for (unsigned s = 1; s <= BENCH_SEGMENTS; s++) {
        uint64_t target = begin + args[SLEEP].value * 1000000u * s / BENCH_SEGMENTS;
        struct timespec until = {(time_t)(target / 1000000000u), (long)(target % 1000000000u)};
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0)
            continue;
        uint64_t now = bench_ns();
        uint64_t ops = ops_so_far();
        if (ops > last_ops) bench_segment_value((double)(now - last_ns) / (double)(ops - last_ops));
        last_ns = now;
        last_ops = ops;
    }
    atomic_store_explicit(&larson.must_stop, true, memory_order_relaxed);
}

/* Detached threads: the kernel's count says when the last one has really gone. */
static void wait_for_exits(uint64_t threads_before) {
    uint64_t deadline = bench_ns() + WAIT_MS * 1000000ull;
    while (bench_status("Threads:") > threads_before && bench_ns() < deadline)
        sched_yield();
    uint64_t now = bench_status("Threads:");
    bench_metric("threads_left", now > threads_before ? (double)(now - threads_before) : 0.0);
}

static void set_up(uint32_t threads, uint32_t slot_count) {
    larson.slots = bench_map(slot_count, sizeof *larson.slots);
    larson.chains = bench_map(threads, sizeof *larson.chains);
    sem_init(&larson.all_ended, 0, 0);
    pthread_attr_init(&larson.attr);
    pthread_attr_setstacksize(&larson.attr, STACK_BYTES);
    pthread_attr_setdetachstate(&larson.attr, PTHREAD_CREATE_DETACHED);
    for (uint32_t t = 0; t < threads; t++) {
        larson.chains[t].rng = bench_rng_seeded(args[SEED].value, t + 1);
        larson.chains[t].first_slot = t * (uint32_t)args[CHUNKS].value;
    }
}

static uint64_t drain(uint32_t slot_count) {
    uint64_t begin = bench_ns();
    uint64_t checksum = 0;
    for (uint32_t i = 0; i < slot_count; i++) {
        struct slot *slot = &larson.slots[i];
        checksum += bench_verify(slot->block, slot->id, slot->size);
        free(slot->block);
    }
    bench_metric("drain_s", (double)(bench_ns() - begin) / 1e9);
    return checksum;
}

int main(int argc, char **argv) {
    bench_begin("larson", args, ARG_COUNT, argc, argv);
    if (args[MAX].value <= args[MIN].value) bench_usage("max must be above min");
    if (bench_is_timed()) {
        args[SLEEP].value = bench_timed_ms();
        args[ROUNDS_TOTAL].value = 0;
    }
    uint32_t threads = (uint32_t)args[THREADS].value;
    uint32_t slot_count = threads * (uint32_t)args[CHUNKS].value;
    if (!args[ROUNDS_TOTAL].value) bench_not_fixed_work();
    uint64_t threads_before = bench_status("Threads:");
    uint64_t begin = bench_ns();
    set_up(threads, slot_count);
    uint64_t checksum = warm_up(slot_count);
    bench_metric("setup_s", (double)(bench_ns() - begin) / 1e9);

    bench_start();
    atomic_store(&larson.live, 1); /* main counts too, lest an early end be taken for the last */
    for (uint32_t t = 0; t < threads; t++)
        start_thread(&larson.chains[t]);
    if (!args[ROUNDS_TOTAL].value) sleep_and_sample();
    if (atomic_fetch_sub_explicit(&larson.live, 1, memory_order_acq_rel) > 1) {
        while (sem_wait(&larson.all_ended) != 0)
            continue;
    }
    bench_stop();
    wait_for_exits(threads_before);

    uint64_t started = 0;
    for (uint32_t t = 0; t < threads; t++) {
        checksum = checksum * 31 + larson.chains[t].checksum + larson.chains[t].rng.state;
        started += larson.chains[t].generations;
        bench_thread_ops(t, larson.chains[t].ops);
    }
    bench_metric("threads_started", (double)started);
    checksum += drain(slot_count);
    return bench_finish(ops_so_far(), checksum);
}
