/* SPDX-License-Identifier: MIT */
/*
 * bench.c: the run of every workload: its beginning, its timed part, what it reports.
 *
 * Invariant: no call of bench*.c reaches malloc, and no stdio stream is used.
 */
#define _GNU_SOURCE
#include "harness/bench_inside.h"

#include <errno.h>

/* Fixed time: the part of the fixed work that is done between two looks at the clock. */
enum { BENCH_BATCHES = 1000 };

struct bench_record bench_record = {
    .name = "bench", .called = "malloc", .cycles_per_op = -1.0, .min_align = 16};

void bench_begin(const char *name, struct bench_arg *args, size_t arg_count, int argc,
                 char **argv) {
    bench_record.name = name;
    if (arg_count > BENCH_MAX_ARGS) bench_usage("has more arguments than BENCH_MAX_ARGS");
    bench_record.args = args;
    bench_record.arg_count = arg_count;
    bench_parse(argc, argv);
    if (sched_getaffinity(0, sizeof bench_record.cpus, &bench_record.cpus) != 0) {
        bench_usage("cannot read the CPU affinity: error %d", errno);
    }
    bench_pin_asked(0);
}

/* ---- the timed part ---- */

void bench_start(void) {
    bench_record.start_faults = bench_minor_faults();
    bench_collect(true);
    bench_record.start_ns = bench_record.segment_ns = bench_ns();
    bench_record.segment_cycles = bench_cycles();
}

void bench_segment_value(double ns_per_op) {
    if (bench_record.segment_count < BENCH_MAX_SEGMENTS)
        bench_record.segments[bench_record.segment_count++] = ns_per_op;
}

void bench_segment(uint64_t ops) {
    uint64_t cycles = bench_cycles();
    uint64_t now = bench_ns();
    if (ops > 0 && bench_record.segment_count < BENCH_MAX_SEGMENTS) {
        double cycles_per_op = (double)(cycles - bench_record.segment_cycles) / (double)ops;
        bench_record.segments_cycles[bench_record.segment_cycles_count++] = cycles_per_op;
        bench_segment_value((double)(now - bench_record.segment_ns) / (double)ops);
    }
    bench_record.segment_ns = bench_ns();
    bench_record.segment_cycles = bench_cycles();
}

void bench_segment_skip(void) {
    bench_record.start_ns +=
        bench_ns() - bench_record.segment_ns; /* the wall time shrinks by the same */
    bench_record.segment_ns = bench_ns();
    bench_record.segment_cycles = bench_cycles();
}

uint64_t bench_part(uint64_t total, unsigned s, bench_step_t step, void *context) {
    if (!bench_is_timed()) {
        uint64_t units = bench_share(total, s);
        return units ? step(context, units) : 0;
    }
    uint64_t batch = total > BENCH_BATCHES ? total / BENCH_BATCHES : 1;
    uint64_t deadline = bench_ns() + bench_record.seconds.value * 1000000u / BENCH_SEGMENTS;
    uint64_t ops = 0;
    do {
        ops += step(context, batch);
    } while (bench_ns() < deadline);
    return ops;
}

uint64_t bench_segment_of(uint64_t total, unsigned s, bench_step_t step, void *context) {
    uint64_t ops = bench_part(total, s, step, context);
    bench_segment(ops);
    return ops;
}

uint64_t bench_run(uint64_t total, bench_step_t step, void *context) {
    uint64_t ops = 0;
    for (unsigned s = 0; s < BENCH_SEGMENTS; s++)
        ops += bench_segment_of(total, s, step, context);
    return ops;
}

bool bench_is_timed(void) {
    return bench_record.seconds.value > 0;
}

uint64_t bench_timed_ms(void) {
    return bench_record.seconds.value;
}

void bench_stop(void) {
    bench_record.stop_ns = bench_ns();
    bench_collect(false);
    bench_record.stop_faults = bench_minor_faults();
}

void bench_not_fixed_work(void) {
    bench_record.is_varying_work = true;
}

void bench_cycles_per_op(double cycles) {
    bench_record.cycles_per_op = cycles;
}

void bench_metric(const char *name, double value) {
    if (bench_record.metric_count == BENCH_MAX_METRICS)
        bench_usage("reports more than BENCH_MAX_METRICS");
    bench_record.metrics[bench_record.metric_count++] = (struct bench_metric){name, value};
}

void bench_metric_counts(const char *name, const uint64_t *counts, size_t count) {
    if (bench_record.list_count == BENCH_MAX_LISTS)
        bench_usage("reports more than BENCH_MAX_LISTS");
    bench_record.lists[bench_record.list_count++] = (struct bench_list){name, counts, count};
}

void bench_called(const char *function) {
    bench_record.called = function;
}

void bench_thread_ops(unsigned index, uint64_t ops) {
    if (index >= BENCH_MAX_THREAD_OPS) return;
    bench_record.thread_ops[index] = ops;
    bench_record.thread_count = index + 1u;
}
