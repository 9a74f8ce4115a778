/* SPDX-License-Identifier: MIT */
/*
 * aging: a heap whose block sizes change while a tenth of each time's blocks stays.
 *
 * After the worst case of Robson, in the form that Powers et al. describe for Mesh (PLDI'19):
 * fill, free 90 % at random, change the size class, repeat. A phase allocates blocks around one
 * size until LIVE bytes are alive, and then frees all but KEEP percent of what is alive, chosen at
 * random; the survivors of all phases pile up and are thinned out with the others. So at the end of
 * each filling exactly as much is alive, and what is resident beyond it is fragmentation.
 *
 * rss_over_live is resident over live bytes after the last filling, rss_over_live_max the most
 * after any from the second on; thin_over_live_max the same after the frees, when KEEP percent
 * are alive. rss_aged_kib is what is resident after the last filling. What was resident before the
 * first call is subtracted. One op is a block allocated or freed. Every block is checked before it
 * is freed. Under --seconds phases go on until the time has gone.
 */
#include "harness/bench.h"

#include <stdlib.h>

enum { LIVE, PHASES, KEEP, SEED, ARG_COUNT };
enum { SIZE_LEAST = 32 };

static struct bench_arg args[ARG_COUNT] = {
    [LIVE] = {.name = "live", .value = 30 << 20, .smoke = 2 << 20, .min = 1 << 16, .max = 1u << 31},
    [PHASES] = {.name = "phases", .value = 25, .smoke = 6, .min = 2, .max = 1u << 20},
    [KEEP] = {.name = "keep", .value = 10, .smoke = 10, .max = 99},
    [SEED] = {.name = "seed", .value = 42, .smoke = 42, .max = UINT64_MAX},
};

/* The middle of a phase's sizes: neighbours differ, so that holes of one do not fit the next. */
static const uint32_t middles[] = {64,   320, 96, 1536, 48,  640,  128,
                                   6144, 224, 80, 3072, 448, 24576};

struct slot {
    void *block;
    uint32_t size, id;
};

static struct {
    struct slot *slots;
    uint32_t capacity, count, next_id;
    uint64_t bytes;
    struct bench_rng rng;
    uint64_t checksum;
    uint64_t base_kib;
    double over_live, over_live_max, thin_over_live_max;
} heap;

static double resident_kib(void) {
    uint64_t kib = bench_rss_kib();
    return kib > heap.base_kib ? (double)(kib - heap.base_kib) : 0.0;
}

static uint64_t fill(uint32_t middle) {
    uint64_t ops = 0;
    for (; heap.bytes < args[LIVE].value; ops++) {
        if (heap.count == heap.capacity) bench_usage("has more blocks than foreseen");
        uint32_t size = middle * 3 / 4 + bench_low_below(bench_random(&heap.rng), middle / 2);
        void *block = malloc(size);
        bench_check_block(block, size);
        bench_mark(block, heap.next_id, size);
        heap.slots[heap.count++] = (struct slot){block, size, heap.next_id++};
        heap.bytes += size;
    }
    return ops;
}

static uint64_t thin_out(void) {
    uint64_t ops = 0;
    uint64_t kept_bytes = args[LIVE].value * args[KEEP].value / 100;
    for (; heap.bytes > kept_bytes && heap.count > 0; ops++) {
        uint32_t which = bench_high_below(bench_random(&heap.rng), heap.count);
        struct slot slot = heap.slots[which];
        heap.checksum += bench_verify(slot.block, slot.id, slot.size);
        free(slot.block);
        heap.slots[which] = heap.slots[--heap.count];
        heap.bytes -= slot.size;
    }
    return ops;
}

/* Reads memory, untimed: when all is alive, and when few blocks are. */
static uint64_t run_phase(uint32_t phase) {
    uint64_t begin = bench_ns();
    uint64_t ops = fill(middles[phase % (sizeof middles / sizeof middles[0])]);
    uint64_t ns = bench_ns() - begin;
    bench_segment(0);
    double live_kib = (double)heap.bytes / 1024.0;
    heap.over_live = resident_kib() / live_kib;
    if (phase > 0 && heap.over_live > heap.over_live_max) heap.over_live_max = heap.over_live;
    bench_segment_skip();
    begin = bench_ns();
    if (phase + 1 < args[PHASES].value || bench_is_timed()) ops += thin_out();
    ns += bench_ns() - begin;
    bench_segment(0);
    double thin = heap.bytes ? resident_kib() * 1024.0 / (double)heap.bytes : 0.0;
    if (thin > heap.thin_over_live_max) heap.thin_over_live_max = thin;
    bench_segment_skip();
    bench_segment_value((double)ns / (double)ops);
    return ops;
}

int main(int argc, char **argv) {
    bench_begin("aging", args, ARG_COUNT, argc, argv);
    heap.capacity = (uint32_t)(args[LIVE].value / SIZE_LEAST) + 1;
    heap.slots = bench_map(heap.capacity, sizeof *heap.slots);
    heap.rng = bench_rng_seeded(args[SEED].value, 0);
    heap.base_kib = bench_rss_kib();
    uint64_t ops = 0;
    uint64_t deadline = bench_ns() + bench_timed_ms() * 1000000u;
    bench_start();
    uint32_t phase = 0;
    for (; bench_is_timed() ? bench_ns() < deadline : phase < args[PHASES].value; phase++)
        ops += run_phase(phase);
    bench_stop();
    bench_metric("rss_aged_kib", heap.over_live * (double)args[LIVE].value / 1024.0);
    bench_metric("rss_over_live", heap.over_live);
    bench_metric("rss_over_live_max", heap.over_live_max);
    bench_metric("thin_over_live_max", heap.thin_over_live_max);
    bench_metric("phases_done", (double)phase);
    uint64_t begin = bench_ns();
    for (; heap.count > 0; heap.count--) {
        struct slot slot = heap.slots[heap.count - 1];
        heap.checksum += bench_verify(slot.block, slot.id, slot.size);
        free(slot.block);
    }
    bench_metric("drain_s", (double)(bench_ns() - begin) / 1e9);
    return bench_finish(ops, heap.checksum * 31 + heap.rng.state);
}
