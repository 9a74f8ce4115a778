/* SPDX-License-Identifier: MIT */
/*
 * patterns: what is resident while, and after, a program uses much memory in one of many ways.
 *
 * SCENARIO says who allocates TOTAL bytes of blocks of SIZE and who frees them, in PHASES, with
 * THREADS threads (pattern.h; README.md has the list). After the last free main goes on with its
 * activity, RATE calls a second (0: without a pause), for SECONDS, and calls malloc_trim(0).
 *
 * net_peak_kib is what is resident at the peak of the largest phase, net_freed_kib right after the
 * last free, net_1s_kib and net_2s_kib a second or two later, net_trim_kib in the end; what was
 * resident before the first block, bookkeeping too, is taken off. peak_kib is the most bytes of
 * blocks that were alive, needed_kib whole pages with what is alive in the end. ns_per_use is the
 * time of allocating, writing and freeing one block; act_ns that of one call of main's activity,
 * where it makes no pause. An allocator without a malloc_trim of its own leaves it to glibc.
 */
#include "harness/pattern.h"

#include <malloc.h>

static const struct {
    uint64_t ms;
    const char *name;
} moments[] = {{1000, "net_1s_kib"}, {2000, "net_2s_kib"}};

enum { MOMENTS = sizeof moments / sizeof moments[0] };

static struct { uint64_t net_kib, bytes; /* the largest of any phase */ } peak;

static struct { uint64_t calls, ns; } acted;

static void raise_to(uint64_t *most, uint64_t value) {
    if (value > *most) *most = value;
}

static void act_until(uint64_t ns) {
    uint64_t begin = bench_ns();
    while (bench_ns() < ns)
        acted.calls += pattern_act();
    acted.ns += bench_ns() - begin;
}

static void run_phase(unsigned phase, bool is_last) {
    pattern_fill(phase);
    raise_to(&peak.net_kib, pattern_net_kib());
    raise_to(&peak.bytes, pattern_peak_bytes());
    pattern_release(phase);
    if (!is_last) act_until(bench_ns() + pattern_value(PATTERN_PAUSE) * 1000000u);
}

static void look_on(void) {
    uint64_t begin = bench_ns(), seconds_ns = pattern_value(PATTERN_SECONDS) * 1000000u;
    bench_metric("net_freed_kib", (double)pattern_net_kib());
    for (size_t m = 0; m < MOMENTS && moments[m].ms <= pattern_value(PATTERN_SECONDS); m++) {
        act_until(begin + moments[m].ms * 1000000u);
        bench_metric(moments[m].name, (double)pattern_net_kib());
    }
    act_until(begin + seconds_ns);
    begin = bench_ns();
    malloc_trim(0);
    bench_metric("trim_s", (double)(bench_ns() - begin) / 1e9);
    bench_metric("net_trim_kib", (double)pattern_net_kib());
}

int main(int argc, char **argv) {
    pattern_begin("patterns", argc, argv);
    uint64_t phases = pattern_value(PATTERN_PHASES);
    bench_start();
    for (unsigned phase = 0; phase < phases; phase++)
        run_phase(phase, phase + 1 == phases);
    bench_stop();
    bench_metric("ns_per_use", pattern_ns_per_use());
    bench_metric("net_peak_kib", (double)peak.net_kib);
    bench_metric("peak_kib", (double)peak.bytes / 1024.0);
    look_on();
    bench_metric("needed_kib", (double)pattern_needed_bytes() / 1024.0);
    bool is_busy = pattern_value(PATTERN_RATE) == 0 && acted.calls;
    if (is_busy) bench_metric("act_ns", (double)acted.ns / (double)acted.calls);
    uint64_t checksum = pattern_end();
    return bench_finish(pattern_uses(), checksum);
}
