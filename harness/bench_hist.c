/* SPDX-License-Identifier: MIT */
/*
 * bench_hist.c: what is done with a histogram outside the timed part, see bench_hist.h.
 */
#include "harness/bench_hist.h"

#include "harness/bench_inside.h"

_Static_assert((BENCH_HIST_PLACES & (BENCH_HIST_HALF - 1)) == 0, "a power of two lacks places");

struct bench_hist *bench_hist_map(void) {
    return bench_map(1, sizeof(struct bench_hist));
}

void bench_hist_merge(struct bench_hist *into, const struct bench_hist *from) {
    for (uint32_t i = 0; i < BENCH_HIST_PLACES; i++)
        into->counts[i] += from->counts[i];
}

uint64_t bench_hist_count(const struct bench_hist *hist) {
    uint64_t count = 0;
    for (uint32_t i = 0; i < BENCH_HIST_PLACES; i++)
        count += hist->counts[i];
    return count;
}

static uint64_t lowest_of(uint32_t place) {
    if (place < 2 * BENCH_HIST_HALF) return place;
    uint32_t shift = place / BENCH_HIST_HALF - 1;
    return (uint64_t)(place - shift * BENCH_HIST_HALF) << shift;
}

uint64_t bench_hist_quantile(const struct bench_hist *hist, double share) {
    uint64_t count = bench_hist_count(hist);
    double wanted = share * (double)count;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < BENCH_HIST_PLACES; i++) {
        seen += hist->counts[i];
        if (hist->counts[i] && (double)seen >= wanted) return lowest_of(i);
    }
    return 0;
}

void bench_hist_report(const char *op, const char *unit, const struct bench_hist *hist) {
    if (bench_record.hist_count == BENCH_MAX_HISTS) bench_usage("reports too many histograms");
    bench_record.hists[bench_record.hist_count++] = (struct bench_named_hist){op, unit, hist};
}
