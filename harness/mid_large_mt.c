/* SPDX-License-Identifier: MIT */
/*
 * mid_large_mt: THREADS threads, private slots, blocks of 8, 16 or 32 KiB.
 *
 * Each cycle picks a slot: a full one is freed, an empty one is filled; one op is one malloc
 * or one free. With --min and --max sizes are uniform in between. Meets the mid and large
 * tiers, their locks, the purge policy and, above all, page faults: read minflt beside the time.
 * --touch=ends writes the first and last byte, --touch=all every byte; checked before free are
 * the two ends and, under `all`, one byte a page. The two differ several-fold: never compare
 * them with each other.
 * CYCLES is per thread. Segments are means over the threads, scaled to ns per op of them all.
 */
#include "harness/bench.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS, CYCLES, SLOTS, SEED, MIN, MAX, TOUCH, ARG_COUNT };
enum { TOUCH_ENDS, TOUCH_ALL };
enum { CHECK_STEP = 4096, MAX_THREADS = 128 };

static const char *const touch_words[] = {"ends", "all", NULL};

static struct bench_arg args[ARG_COUNT] = {
    [THREADS] = {.name = "threads", .value = 2, .smoke = 2, .min = 1, .max = MAX_THREADS},
    [CYCLES] = {.name = "cycles", .value = 2000000, .smoke = 20000, .min = 1, .max = 1ull << 50},
    [SLOTS] = {.name = "slots", .value = 256, .smoke = 128, .min = 1, .max = 1u << 24},
    [SEED] = {.name = "seed", .value = 42, .smoke = 42, .max = UINT64_MAX},
    [MIN] = {.name = "min", .max = 1u << 30, .is_option = true},
    [MAX] = {.name = "max", .max = 1u << 30, .is_option = true},
    [TOUCH] = {.name = "touch", .choices = touch_words, .is_option = true},
};

struct slot {
    void *block; /* NULL: empty */
    uint32_t size;
};

/* Its own thread's while that runs, main's after the join. */
struct worker {
    pthread_t thread;
    struct slot *slots;
    struct bench_rng rng;
    uint64_t checksum;
    uint64_t drain_ns;
    double segments[BENCH_SEGMENTS]; /* ns per own op; 0: no ops */
    unsigned index;
} __attribute__((aligned(128)));

static struct {
    struct worker *workers;
    pthread_barrier_t gate; /* all threads and main: ready, begin, end */
} mt;

static uint32_t choose_size(uint64_t draw) {
    if (args[MAX].value) {
        uint32_t spread = (uint32_t)(args[MAX].value - args[MIN].value + 1);
        return (uint32_t)args[MIN].value + bench_low_below(draw, spread);
    }
    return 8192u << bench_low_below(draw, 3);
}

static void *fill(uint32_t index, uint32_t size) {
    void *block = malloc(size);
    bench_check_block(block, size);
    if (args[TOUCH].value == TOUCH_ALL) memset(block, (int)(bench_tag(index, size) >> 8), size);
    bench_mark(block, index, size);
    return block;
}

static uint64_t empty(struct slot *slot, uint32_t index) {
    const volatile uint8_t *bytes = slot->block;
    uint32_t tag = bench_verify(slot->block, index, slot->size);
    bool is_filled = args[TOUCH].value == TOUCH_ALL;
    for (uint32_t at = CHECK_STEP; is_filled && at < slot->size - 1; at += CHECK_STEP) {
        if (bytes[at] != tag >> 8) bench_content_wrong(slot->block, index, slot->size);
    }
    free(slot->block);
    slot->block = NULL;
    return tag;
}

static void run_cycles(struct worker *self, uint64_t cycles) {
    uint32_t slot_count = (uint32_t)args[SLOTS].value;
    while (cycles-- > 0) {
        uint64_t draw = bench_random(&self->rng);
        uint32_t index = bench_high_below(draw, slot_count);
        struct slot *slot = &self->slots[index];
        if (slot->block) {
            self->checksum += empty(slot, index);
        } else {
            slot->size = choose_size(draw);
            slot->block = fill(index, slot->size);
        }
    }
}

static void *work(void *argument) {
    struct worker *self = argument;
    bench_pin_asked(self->index);
    pthread_barrier_wait(&mt.gate);
    pthread_barrier_wait(&mt.gate);
    for (unsigned s = 0; s < BENCH_SEGMENTS; s++) {
        uint64_t cycles = bench_share(args[CYCLES].value, s);
        uint64_t begin = bench_ns();
        run_cycles(self, cycles);
        if (cycles) self->segments[s] = (double)(bench_ns() - begin) / (double)cycles;
    }
    pthread_barrier_wait(&mt.gate);
    uint64_t begin = bench_ns();
    for (uint32_t i = 0; i < args[SLOTS].value; i++) {
        if (self->slots[i].block) self->checksum += empty(&self->slots[i], i);
    }
    self->drain_ns = bench_ns() - begin;
    return NULL;
}

static void start_workers(unsigned threads) {
    pthread_barrier_init(&mt.gate, NULL, threads + 1);
    mt.workers = bench_map(threads, sizeof *mt.workers);
    for (unsigned t = 0; t < threads; t++) {
        struct worker *worker = &mt.workers[t];
        worker->index = t;
        worker->slots = bench_map(args[SLOTS].value, sizeof(struct slot));
        worker->rng = bench_rng_seeded(args[SEED].value, t);
        int error = pthread_create(&worker->thread, NULL, work, worker);
        if (error) bench_fail("cannot start a thread: error %d", error);
    }
}

static void report_segments(unsigned threads) {
    for (unsigned s = 0; s < BENCH_SEGMENTS; s++) {
        double sum = 0.0;
        for (unsigned t = 0; t < threads; t++)
            sum += mt.workers[t].segments[s];
        if (sum > 0.0) bench_segment_value(sum / threads / threads);
    }
}

int main(int argc, char **argv) {
    bench_begin("mid_large_mt", args, ARG_COUNT, argc, argv);
    bool is_uniform = args[MIN].value || args[MAX].value;
    if (is_uniform && (args[MIN].value < 2 || args[MAX].value < args[MIN].value)) {
        bench_usage("--min and --max go together, with 2 <= min <= max");
    }
    unsigned threads = (unsigned)args[THREADS].value;
    start_workers(threads);
    pthread_barrier_wait(&mt.gate);
    bench_start();
    pthread_barrier_wait(&mt.gate);
    pthread_barrier_wait(&mt.gate);
    bench_stop();

    uint64_t checksum = 0;
    uint64_t drain_ns = 0;
    for (unsigned t = 0; t < threads; t++) {
        struct worker *worker = &mt.workers[t];
        pthread_join(worker->thread, NULL);
        checksum = checksum * 31 + worker->checksum + worker->rng.state;
        if (worker->drain_ns > drain_ns) drain_ns = worker->drain_ns;
        bench_thread_ops(t, args[CYCLES].value);
    }
    report_segments(threads);
    bench_metric("drain_s", (double)drain_ns / 1e9);
    return bench_finish(args[CYCLES].value * threads, checksum);
}
