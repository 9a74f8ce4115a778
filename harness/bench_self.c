/* SPDX-License-Identifier: MIT */
/*
 * bench_self: test of what the workloads share: places of histograms, segments of a run, teams.
 *
 * Run by the suite `bench`; each check is a sentence, and the first that does not hold ends the
 * test with status 1. Random values are from --seed, which the report prints.
 */
#include "harness/bench_hist.h"
#include "harness/bench_team.h"

#include <stdatomic.h>

enum { SEED, UNITS, ARG_COUNT };
enum { THREADS = 3, VALUES = 100000 };

static struct bench_arg args[ARG_COUNT] = {
    [SEED] = {.name = "seed", .value = 1, .smoke = 1, .max = UINT64_MAX},
    [UNITS] = {.name = "units", .value = 1003, .smoke = 1003, .min = 1, .max = 1u << 20},
};

static struct {
    atomic_uint ready, left, drained; /* relaxed: the team's gates order them */
    uint64_t steps, units;            /* main's */
} seen;

static void holds(bool is_true, const char *sentence) {
    if (!is_true) bench_fail("does not hold: %s", sentence);
}

/* What the report's readers compute, see README.md. */
static uint64_t lowest_of(uint32_t place) {
    if (place < 128) return place;
    uint32_t shift = place / 64 - 1;
    return (uint64_t)(place - 64 * shift) << shift;
}

static void check_place(uint64_t value) {
    uint32_t place = bench_hist_place(value);
    holds(place < BENCH_HIST_PLACES, "every value has a place");
    holds(lowest_of(place) <= value, "a place begins at or below its values");
    bool is_last = place == BENCH_HIST_PLACES - 1;
    holds(is_last || value < lowest_of(place + 1), "a place ends where the next begins");
    holds(value < 128 || value - lowest_of(place) <= value / 64, "a place is 1/64 wide at most");
}

static void check_hist(void) {
    struct bench_rng rng = bench_rng_seeded(args[SEED].value, 0);
    struct bench_hist *hist = bench_hist_map(), *sum = bench_hist_map();
    for (uint32_t i = 0; i < VALUES; i++) {
        uint64_t draw = bench_random(&rng);
        check_place(draw >> (draw & 63));
    }
    for (unsigned bit = 0; bit < 64; bit++) {
        check_place(1ull << bit);
        check_place((1ull << bit) - 1);
    }
    check_place(UINT64_MAX);
    for (uint64_t value = 1; value <= 100; value++)
        bench_hist_record(hist, value);
    bench_hist_merge(sum, hist);
    bench_hist_merge(sum, hist);
    holds(bench_hist_count(sum) == 200, "a merge adds the counts");
    holds(bench_hist_quantile(sum, 0.5) == 50, "the median of 1 to 100 is 50");
    holds(bench_hist_quantile(sum, 1.0) == 100, "the last quantile is the largest value");
    bench_hist_report("value", "one", sum);
}

static uint64_t count_units(void *context, uint64_t units) {
    holds(context == &seen, "a step gets its context");
    seen.steps++;
    seen.units += units;
    return 2 * units;
}

static void check_run(void) {
    uint64_t ops = bench_run(args[UNITS].value, count_units, &seen);
    holds(ops == 2 * seen.units, "the ops of a run are what its steps returned");
    if (bench_is_timed()) return;
    holds(seen.units == args[UNITS].value, "fixed work does each unit once");
    holds(args[UNITS].value < BENCH_SEGMENTS || seen.steps == BENCH_SEGMENTS, "a step a segment");
}

static void get_ready(struct bench_worker *self) {
    (void)self;
    atomic_fetch_add_explicit(&seen.ready, 1, memory_order_relaxed);
}

static uint64_t count_own(struct bench_worker *self, uint64_t units) {
    unsigned ready = atomic_load_explicit(&seen.ready, memory_order_relaxed);
    holds(ready == THREADS, "no thread begins before all are ready");
    self->checksum += units;
    return units;
}

static void leave(struct bench_worker *self) {
    holds(self->checksum > 0, "a thread leaves after its work");
    atomic_fetch_add_explicit(&seen.left, 1, memory_order_relaxed);
}

static void drain(struct bench_worker *self) {
    holds(self->checksum == self->ops, "a worker's ops are its steps' sum");
    unsigned left = atomic_load_explicit(&seen.left, memory_order_relaxed);
    holds(left == THREADS, "no thread drains before all have left");
    atomic_fetch_add_explicit(&seen.drained, 1, memory_order_relaxed);
}

static void count_body(unsigned index, void *context) {
    atomic_fetch_add_explicit((atomic_uint *)context, 1u << index, memory_order_relaxed);
}

int main(int argc, char **argv) {
    bench_begin("bench_self", args, ARG_COUNT, argc, argv);
    check_hist();
    bench_start();
    check_run();
    atomic_uint indexes = 0;
    bench_threads(THREADS, count_body, &indexes);
    holds(indexes == (1u << THREADS) - 1, "each thread runs once, with its own index");
    struct bench_team_plan plan = {
        .threads = THREADS,
        .total = args[UNITS].value,
        .seed = args[SEED].value,
        .set_up = get_ready,
        .step = count_own,
        .leave = leave,
        .drain = drain,
    };
    uint64_t checksum;
    uint64_t ops = bench_team(&plan, &checksum);
    holds(bench_is_timed() || ops == THREADS * args[UNITS].value, "a team's work is fixed");
    holds(seen.drained == THREADS, "every thread drains");
    return bench_finish(ops, checksum);
}
