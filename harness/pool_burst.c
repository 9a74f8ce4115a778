/* SPDX-License-Identifier: MIT */
/*
 * pool_burst: threads of a pool that need much memory for a moment, and then sleep.
 *
 * THREADS threads live all the time. In a round each of them allocates blocks of 16 B to 64 KiB
 * (each octave as often as any other) until they sum up to MIN..MAX bytes, touches every page,
 * and frees them all in random order: --when turn, one after the other while all others sleep;
 * --when together, all at once. Then WAIT seconds pass without any call.
 *
 * rss_full_kib is the most that was resident while a burst was whole, rss_freed_kib the most
 * right after its frees; burst_kib the most bytes that were alive; the *_over_burst are ratios to
 * that. By turns one burst would do for all threads: what lies far above 1 is kept by threads that
 * sleep. rss_*ms_kib is what is resident at these times after the last free, rss_after_kib at the
 * end. What was resident before the first call, bookkeeping too, is subtracted. One op is a block
 * allocated, or freed. Under --seconds rounds are repeated until the time has gone. First and
 * last byte of each block are checked.
 */
#include "harness/bench_team.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

enum { THREADS, MIN, MAX, ROUNDS, WAIT, SEED, WHEN, ARG_COUNT };
enum { WHEN_TURN, WHEN_TOGETHER };
enum { MIN_SHIFT = 4, OCTAVES = 12, PAGE = 4096, MEAN_LEAST = 2048, SPARE = 1024 };

static const char *const when_words[] = {"turn", "together", NULL};

static struct bench_arg args[ARG_COUNT] = {
    [THREADS] = {.name = "threads", .value = 20, .smoke = 5, .min = 1, .max = 100},
    [MIN] = {.name = "min", .value = 10000000, .smoke = 500000, .min = 1, .max = 1ull << 32},
    [MAX] = {.name = "max", .value = 50000000, .smoke = 2000000, .min = 1, .max = 1ull << 32},
    [ROUNDS] = {.name = "rounds", .value = 1, .smoke = 1, .min = 1, .max = 1u << 20},
    [WAIT] = {.name = "wait", .value = 5000, .smoke = 100, .max = 60000, .is_time = true},
    [SEED] = {.name = "seed", .value = 42, .smoke = 42, .max = UINT64_MAX},
    [WHEN] = {.name = "when", .choices = when_words, .is_option = true},
};

static const struct {
    uint64_t ms;
    const char *name;
} moments[] = {{100, "rss_100ms_kib"}, {1000, "rss_1000ms_kib"}, {5000, "rss_5000ms_kib"}};

struct slot {
    void *block;
    uint32_t size;
};

/* Its thread's; read by the conductor once that has said it is done. */
struct member {
    struct bench_rng rng;
    struct slot *slots;
    uint32_t count;
    uint64_t bytes, checksum;
    pthread_cond_t is_given; /* by the pool's mutex; its own, so that who has no job sleeps on */
} __attribute__((aligned(128)));

enum job { JOB_SLEEP, JOB_FILL, JOB_FREE, JOB_END };

static struct {
    struct member *members;
    uint32_t capacity;      /* const after init */
    pthread_mutex_t mutex;  /* over all below, up to the conductor's */
    pthread_cond_t is_done; /* to the conductor */
    enum job job;
    uint64_t order;       /* counts what was given out */
    unsigned first, last; /* members that the job is for */
    unsigned left;        /* of them, who have not done it */

    uint64_t base_kib, full_kib, freed_kib, burst_bytes; /* the conductor's */
    uint64_t ops;
} pool = {.mutex = PTHREAD_MUTEX_INITIALIZER, .is_done = PTHREAD_COND_INITIALIZER};

static void fill(struct member *self) {
    uint64_t draw = bench_random(&self->rng);
    uint64_t wanted = args[MIN].value + draw % (args[MAX].value - args[MIN].value + 1);
    self->count = 0;
    for (self->bytes = 0; self->bytes < wanted; self->count++) {
        if (self->count == pool.capacity) bench_usage("the burst has more blocks than foreseen");
        draw = bench_random(&self->rng);
        uint32_t least = 1u << (MIN_SHIFT + bench_high_below(draw, OCTAVES));
        uint32_t size = least + bench_low_below(draw, least);
        volatile char *block = malloc(size);
        bench_check_block((void *)block, size);
        for (uint32_t at = 0; at < size; at += PAGE)
            block[at] = 1;
        bench_mark((void *)block, self->count, size);
        self->slots[self->count] = (struct slot){(void *)block, size};
        self->bytes += size;
    }
}

static void release(struct member *self) {
    for (uint32_t left = self->count; left > 0; left--) {
        uint32_t which = bench_high_below(bench_random(&self->rng), left);
        struct slot slot = self->slots[which];
        /* Its place says no longer who it was: the last one was moved there. The tag does. */
        self->checksum += slot.size;
        free(slot.block);
        self->slots[which] = self->slots[left - 1];
    }
}

static void verify(struct member *self) {
    for (uint32_t i = 0; i < self->count; i++)
        self->checksum += bench_verify(self->slots[i].block, i, self->slots[i].size);
}

static void serve(unsigned index) {
    struct member *self = &pool.members[index];
    uint64_t seen = 0;
    pthread_mutex_lock(&pool.mutex);
    while (true) {
        while (pool.order == seen || index < pool.first || index > pool.last)
            pthread_cond_wait(&self->is_given, &pool.mutex);
        enum job job = pool.job;
        seen = pool.order;
        pthread_mutex_unlock(&pool.mutex);
        if (job == JOB_END) return;
        if (job == JOB_FILL) fill(self);
        if (job == JOB_FREE) release(self);
        pthread_mutex_lock(&pool.mutex);
        if (--pool.left == 0) pthread_cond_signal(&pool.is_done);
    }
}

static void give(enum job job, unsigned first, unsigned last) {
    pthread_mutex_lock(&pool.mutex);
    pool.job = job;
    pool.first = first;
    pool.last = last;
    pool.left = last - first + 1;
    pool.order++;
    for (unsigned m = first; m <= last; m++)
        pthread_cond_signal(&pool.members[m].is_given);
    while (job != JOB_END && pool.left > 0)
        pthread_cond_wait(&pool.is_done, &pool.mutex);
    pthread_mutex_unlock(&pool.mutex);
}

static uint64_t resident(void) {
    uint64_t kib = bench_rss_kib();
    return kib > pool.base_kib ? kib - pool.base_kib : 0;
}

static void raise_to(uint64_t *most, uint64_t value) {
    if (value > *most) *most = value;
}

/* The members first..last have their burst at the same time. The reading of memory is not timed. */
static void burst(unsigned first, unsigned last) {
    uint64_t begin = bench_ns();
    give(JOB_FILL, first, last);
    uint64_t fill_ns = bench_ns() - begin;
    bench_segment(0);
    uint64_t bytes = 0, ops = 0;
    for (unsigned m = first; m <= last; m++) {
        verify(&pool.members[m]);
        bytes += pool.members[m].bytes;
        ops += 2 * (uint64_t)pool.members[m].count;
    }
    raise_to(&pool.burst_bytes, bytes);
    raise_to(&pool.full_kib, resident());
    bench_segment_skip();
    begin = bench_ns();
    give(JOB_FREE, first, last);
    uint64_t free_ns = bench_ns() - begin;
    bench_segment(0);
    raise_to(&pool.freed_kib, resident());
    bench_segment_skip();
    bench_segment_value((double)(fill_ns + free_ns) / (double)ops);
    pool.ops += ops;
}

static void run_round(unsigned threads) {
    if (args[WHEN].value == WHEN_TOGETHER) {
        burst(0, threads - 1);
        return;
    }
    for (unsigned t = 0; t < threads; t++)
        burst(t, t);
}

static void wait_and_see(void) {
    uint64_t begin = bench_ns();
    for (size_t i = 0; i <= sizeof moments / sizeof moments[0]; i++) {
        bool is_last = i == sizeof moments / sizeof moments[0] || moments[i].ms > args[WAIT].value;
        uint64_t ns = begin + (is_last ? args[WAIT].value : moments[i].ms) * 1000000u;
        struct timespec then = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &then, NULL) == EINTR)
            continue;
        bench_metric(is_last ? "rss_after_kib" : moments[i].name, (double)resident());
        if (is_last) return;
    }
}

/* The one thread beside the pool; main only waits for all of them to end. */
static void conduct(unsigned threads) {
    pool.base_kib = bench_rss_kib();
    uint64_t deadline = bench_ns() + bench_timed_ms() * 1000000u;
    bench_start();
    for (uint64_t r = 0; bench_is_timed() ? bench_ns() < deadline : r < args[ROUNDS].value; r++)
        run_round(threads);
    bench_stop();
    wait_and_see();
    give(JOB_END, 0, threads - 1);
}

static void body(unsigned index, void *unused) {
    (void)unused;
    unsigned threads = (unsigned)args[THREADS].value;
    if (index == threads) {
        conduct(threads);
    } else {
        serve(index);
    }
}

int main(int argc, char **argv) {
    bench_begin("pool_burst", args, ARG_COUNT, argc, argv);
    if (args[MAX].value < args[MIN].value) bench_usage("max is below min");
    unsigned threads = (unsigned)args[THREADS].value;
    pool.capacity = (uint32_t)(args[MAX].value / MEAN_LEAST) + SPARE;
    pool.members = bench_map(threads, sizeof *pool.members);
    for (unsigned t = 0; t < threads; t++) {
        pthread_cond_init(&pool.members[t].is_given, NULL);
        pool.members[t].rng = bench_rng_seeded(args[SEED].value, t);
        pool.members[t].slots = bench_map(pool.capacity, sizeof(struct slot));
    }
    bench_threads(threads + 1, body, NULL);
    double burst_kib = (double)pool.burst_bytes / 1024.0;
    bench_metric("burst_kib", burst_kib);
    bench_metric("rss_full_kib", (double)pool.full_kib);
    bench_metric("rss_freed_kib", (double)pool.freed_kib);
    bench_metric("full_over_burst", (double)pool.full_kib / burst_kib);
    bench_metric("freed_over_burst", (double)pool.freed_kib / burst_kib);
    uint64_t checksum = 0;
    for (unsigned t = 0; t < threads; t++)
        checksum = checksum * 31 + pool.members[t].checksum + pool.members[t].rng.state;
    return bench_finish(pool.ops, checksum);
}
