/* SPDX-License-Identifier: MIT */
/*
 * bench_hist.h: a histogram of 64-bit values whose places are below 1/64 of the value wide.
 *
 * The layout is HdrHistogram's (log-linear): a value below 128 has a place of its own; above,
 * each power of two is cut into 64 equal places. Recording is a few instructions and allocates
 * nothing. A histogram belongs to one thread; merge them after the threads have ended.
 */
#ifndef HARNESS_BENCH_HIST_H
#define HARNESS_BENCH_HIST_H

#include <stdint.h>

/* The values below 2^SUB_BITS are exact; places for all 64 bits. */
enum {
    BENCH_HIST_SUB_BITS = 7,
    BENCH_HIST_HALF = 1 << (BENCH_HIST_SUB_BITS - 1),
    BENCH_HIST_PLACES = (64 - BENCH_HIST_SUB_BITS + 2) * BENCH_HIST_HALF
};

struct bench_hist {
    uint64_t counts[BENCH_HIST_PLACES];
};

static inline uint32_t bench_hist_place(uint64_t value) {
    if (value < 2 * BENCH_HIST_HALF) return (uint32_t)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - (BENCH_HIST_SUB_BITS - 1);
    return shift * BENCH_HIST_HALF + (uint32_t)(value >> shift);
}

static inline void bench_hist_record(struct bench_hist *hist, uint64_t value) {
    hist->counts[bench_hist_place(value)]++;
}

struct bench_hist *bench_hist_map(void); /* empty, resident; lives as long as the process */
void bench_hist_merge(struct bench_hist *into, const struct bench_hist *from);
uint64_t bench_hist_count(const struct bench_hist *hist);

/* The lowest value of the place that holds this share (0.5 = the median) of all; 0 if empty. */
uint64_t bench_hist_quantile(const struct bench_hist *hist, double share);

/* A field of the report's "hists". Main thread, before bench_finish; strings and hist are kept. */
void bench_hist_report(const char *op, const char *unit, const struct bench_hist *hist);

#endif
