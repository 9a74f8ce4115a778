/* SPDX-License-Identifier: MIT */
/*
 * give_back: what frees cost when a heap is emptied, and what stays resident afterwards.
 *
 * TOTAL bytes of blocks of MIN..MAX are allocated and marked, checked, and then all freed, in
 * random order or (--order fifo) as they came. One op is one of these frees; each is timed by
 * itself, so that an allocator that gives memory back in one long call shows it. An empty
 * region, timed between two frees, is the floor: what the clock costs, and how often somebody
 * else had the processor. Both fill a histogram, place k for 2^k cycles up to 2^(k+1);
 * *_over_10000 counts the calls above 10000 cycles. ns_per_op includes the clock, cycles_per_op
 * (median over the segments of the mean free) only what the floor shows.
 *
 * Then time passes: SECONDS with exactly OPS small operations spread evenly (each frees the
 * oldest of 16 live blocks, once there are as many, and allocates another), or --then idle with
 * no call at all, or --then trim, which is `idle` after a malloc_trim(0) at once (trim_s).
 * rss_*ms_kib is what is resident at these times after the frees (after the trim), rss_live_kib
 * before them; bookkeeping is included. An allocator without a malloc_trim of its own leaves
 * the call to glibc, and nothing happens.
 */
#include "harness/bench.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

enum { TOTAL, MIN, MAX, SECONDS, OPS, SEED, ORDER, THEN, ARG_COUNT };
enum { ORDER_RANDOM, ORDER_FIFO };
enum { THEN_OPS, THEN_IDLE, THEN_TRIM };
enum { RING = 16, BUCKETS = 32, LONG_CYCLES = 10000 };

static const char *const order_words[] = {"random", "fifo", NULL};
static const char *const then_words[] = {"ops", "idle", "trim", NULL};

static struct bench_arg args[ARG_COUNT] = {
    [TOTAL] = {.name = "total", .value = 40000000, .smoke = 2000000, .min = 1, .max = 1ull << 40},
    [MIN] = {.name = "min", .value = 16, .smoke = 16, .min = 2, .max = 1u << 30},
    [MAX] = {.name = "max", .value = 1024, .smoke = 1024, .min = 2, .max = 1u << 30},
    [SECONDS] =
        {.name = "seconds", .value = 1500, .smoke = 100, .min = 1, .max = 60000, .is_time = true},
    [OPS] = {.name = "ops", .value = 20000, .smoke = 1000, .max = 1u << 24},
    [SEED] = {.name = "seed", .value = 42, .smoke = 42, .max = UINT64_MAX},
    [ORDER] = {.name = "order", .choices = order_words, .is_option = true},
    [THEN] = {.name = "then", .choices = then_words, .is_option = true},
};

static const struct {
    uint64_t ms;
    const char *name;
} moments[] = {
    {0, "rss_0ms_kib"},       {100, "rss_100ms_kib"},   {500, "rss_500ms_kib"},
    {1000, "rss_1000ms_kib"}, {1500, "rss_1500ms_kib"},
};

struct slot {
    void *block;
    uint32_t size;
};

struct histogram {
    uint64_t buckets[BUCKETS]; /* by the binary logarithm of the cycles */
    uint64_t most, over, sum;
};

static struct {
    struct slot *slots;
    uint32_t slot_count;
    struct slot ring[RING];
    uint32_t ring_at; /* operations done */
    struct bench_rng rng;
    struct histogram freed, floor;
} heap;

static uint32_t choose_size(uint64_t draw) {
    uint32_t spread = (uint32_t)(args[MAX].value - args[MIN].value + 1);
    return (uint32_t)args[MIN].value + bench_low_below(draw, spread);
}

static struct slot filled(uint32_t index) {
    uint32_t size = choose_size(bench_random(&heap.rng));
    void *block = malloc(size);
    bench_check_block(block, size);
    bench_mark(block, index, size);
    return (struct slot){block, size};
}

/* How many blocks TOTAL needs: by drawing their sizes once more, from a copy of the numbers. */
static uint32_t count_blocks(struct bench_rng rng) {
    uint32_t count = 0;
    for (uint64_t bytes = 0; bytes < args[TOTAL].value; count++) {
        if (count == 1u << 31) bench_usage("needs more than 2^31 blocks for total");
        bytes += choose_size(bench_random(&rng));
    }
    return count;
}

static uint64_t verify_all(void) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < heap.slot_count; i++)
        sum += bench_verify(heap.slots[i].block, i, heap.slots[i].size);
    return sum;
}

static void shuffle(void) {
    for (uint32_t i = heap.slot_count; i > 1; i--) {
        uint32_t other = bench_high_below(bench_random(&heap.rng), i);
        struct slot kept = heap.slots[i - 1];
        heap.slots[i - 1] = heap.slots[other];
        heap.slots[other] = kept;
    }
}

static inline void note(struct histogram *histogram, uint64_t cycles) {
    unsigned bucket = 63u - (unsigned)__builtin_clzll(cycles | 1);
    histogram->buckets[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
    histogram->sum += cycles;
    if (cycles > LONG_CYCLES) histogram->over++;
    if (cycles > histogram->most) histogram->most = cycles;
}

static void free_range(uint32_t from, uint32_t to) {
    for (uint32_t i = from; i < to; i++) {
        uint64_t begin = bench_cycles();
        free(heap.slots[i].block);
        uint64_t end = bench_cycles();
        uint64_t empty_end = bench_cycles();
        note(&heap.freed, end - begin);
        note(&heap.floor, empty_end - end);
    }
}

static void free_all(void) {
    static double segments[BENCH_SEGMENTS];
    uint32_t used = 0;
    uint32_t from = 0;
    for (unsigned s = 0; s < BENCH_SEGMENTS; s++) {
        uint32_t count = (uint32_t)bench_share(heap.slot_count, s);
        uint64_t sum_before = heap.freed.sum;
        free_range(from, from + count);
        bench_segment(count);
        if (count) segments[used++] = (double)(heap.freed.sum - sum_before) / count;
        from += count;
    }
    bench_cycles_per_op(bench_median(segments, used));
}

static void sleep_until(uint64_t ns) {
    struct timespec then = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &then, NULL) == EINTR)
        ;
}

static uint64_t replace_oldest(void) {
    uint32_t index = heap.ring_at++ % RING;
    struct slot *slot = &heap.ring[index];
    uint64_t said = slot->block ? bench_verify(slot->block, index, slot->size) : 0;
    free(slot->block);
    *slot = filled(index);
    return said;
}

/* Does what is due until `ms` after `start`: operation k at k / OPS of SECONDS. */
static uint64_t pass_time(uint64_t start_ns, uint64_t ms) {
    uint64_t ops = args[THEN].value == THEN_OPS ? args[OPS].value : 0;
    uint64_t sum = 0;
    while (heap.ring_at < ops) {
        uint64_t due_ns = args[SECONDS].value * 1000000u * heap.ring_at / ops;
        if (due_ns >= ms * 1000000u) break;
        sleep_until(start_ns + due_ns);
        sum += replace_oldest();
    }
    sleep_until(start_ns + ms * 1000000u);
    return sum;
}

static uint64_t after(void) {
    uint64_t sum = 0;
    uint64_t start_ns = bench_ns();
    if (args[THEN].value == THEN_TRIM) {
        malloc_trim(0);
        bench_metric("trim_s", (double)(bench_ns() - start_ns) / 1e9);
        start_ns = bench_ns();
    }
    for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
        if (moments[i].ms > args[SECONDS].value) break;
        sum += pass_time(start_ns, moments[i].ms);
        bench_metric(moments[i].name, (double)bench_rss_kib());
    }
    return sum + pass_time(start_ns, args[SECONDS].value);
}

static uint64_t drain_ring(void) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < RING && heap.ring[i].block; i++) {
        sum += bench_verify(heap.ring[i].block, i, heap.ring[i].size);
        free(heap.ring[i].block);
    }
    return sum;
}

int main(int argc, char **argv) {
    bench_begin("give_back", args, ARG_COUNT, argc, argv);
    if (args[MAX].value < args[MIN].value) bench_usage("max is below min");
    heap.rng = bench_rng_seeded(args[SEED].value, 0);
    heap.slot_count = count_blocks(heap.rng);
    heap.slots = bench_map(heap.slot_count, sizeof *heap.slots);
    uint64_t begin = bench_ns();
    for (uint32_t i = 0; i < heap.slot_count; i++)
        heap.slots[i] = filled(i);
    bench_metric("setup_s", (double)(bench_ns() - begin) / 1e9);
    uint64_t checksum = verify_all();
    if (args[ORDER].value == ORDER_RANDOM) shuffle();
    bench_metric("rss_live_kib", (double)bench_rss_kib());

    bench_start();
    free_all();
    bench_stop();
    checksum = checksum * 31 + after();
    checksum = checksum * 31 + drain_ring();
    bench_metric("free_max_cycles", (double)heap.freed.most);
    bench_metric("free_over_10000", (double)heap.freed.over);
    bench_metric("floor_max_cycles", (double)heap.floor.most);
    bench_metric("floor_over_10000", (double)heap.floor.over);
    bench_metric_counts("free_log2_cycles", heap.freed.buckets, BUCKETS);
    bench_metric_counts("floor_log2_cycles", heap.floor.buckets, BUCKETS);
    return bench_finish(heap.slot_count, checksum + heap.rng.state);
}
