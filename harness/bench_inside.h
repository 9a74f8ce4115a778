/* SPDX-License-Identifier: MIT */
/*
 * bench_inside.h: what the bench_*.c files share with each other; workloads include bench.h.
 *
 * One record of the run, filled by the main thread (bench.c, bench_args.c) and read once, by
 * bench_report.c; and the text that leaves by write(2), since no stdio stream is used.
 */
#ifndef HARNESS_BENCH_INSIDE_H
#define HARNESS_BENCH_INSIDE_H

#include "harness/bench.h"
#include "harness/bench_hist.h"

#include <sched.h>
#include <stdatomic.h>

enum {
    BENCH_MAX_ARGS = 24,
    BENCH_MAX_METRICS = 48,
    BENCH_MAX_LISTS = 4,
    BENCH_MAX_HISTS = 16,
    BENCH_MAX_THREAD_OPS = 256,
    BENCH_MAX_SEGMENTS = 64
};

struct bench_metric {
    const char *name;
    double value;
};

struct bench_list {
    const char *name;
    const uint64_t *counts;
    size_t count;
};

struct bench_named_hist {
    const char *op, *unit;
    const struct bench_hist *hist;
};

/* The main thread's, but for min_align. */
struct bench_record {
    const char *name;
    const char *called; /* the function whose blocks are checked */
    struct bench_arg *args;
    size_t arg_count;
    struct bench_arg seconds; /* the option all have; 0: fixed work */
    struct bench_arg rest;    /* another, for runs that measure memory; 0: none */
    bool is_json, is_smoke, is_pinned, is_strict_align, is_varying_work;
    cpu_set_t cpus; /* allowed at start, const after bench_begin */

    uint64_t start_ns, stop_ns;
    uint64_t segment_ns, segment_cycles; /* begin of the open segment */
    uint64_t start_faults, stop_faults;
    double segments[BENCH_MAX_SEGMENTS], segments_cycles[BENCH_MAX_SEGMENTS];
    size_t segment_count, segment_cycles_count;
    double cycles_per_op; /* negative: not measured */
    struct bench_metric metrics[BENCH_MAX_METRICS];
    size_t metric_count;
    struct bench_list lists[BENCH_MAX_LISTS];
    size_t list_count;
    struct bench_named_hist hists[BENCH_MAX_HISTS];
    size_t hist_count;
    uint64_t thread_ops[BENCH_MAX_THREAD_OPS];
    size_t thread_count;
    atomic_size_t map_bytes; /* any thread, relaxed: read after the threads end */

    atomic_uint min_align; /* any thread, relaxed: only ever sinks, read after the threads end */
};

extern struct bench_record bench_record;

void bench_parse(int argc, char **argv);
uint64_t bench_minor_faults(void);
uint64_t bench_vma_count(void); /* mappings of this process now */
void bench_rest(void);          /* --rest: idle, and what is resident meanwhile */
void bench_collect(bool is_on); /* callgrind counts from here on, or no more */

/* Appends to the one text; a report that does not fit ends the run. */
void bench_put(const char *format, ...) __attribute__((format(printf, 1, 2)));
void bench_put_json_string(const char *text);
void bench_put_out(void); /* writes the text to stdout */

#endif
