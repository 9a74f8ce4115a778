/* SPDX-License-Identifier: MIT */
/*
 * patterns.c calls|trim|peak SCENARIO ...: memory that no live block needs is given back, whoever
 * owned it and however rarely malloc is called. The rest of the command line is that of
 * harness/patterns, whose scenarios these are.
 *   calls  after each phase main calls on, at its rate, until the memory is back
 *   trim   after each phase malloc_trim(0), and no waiting
 *   peak   what is resident while a phase's blocks live, with the pause between phases
 * Bounds, beyond what was resident before the first block: the pages that live blocks lie on (peak:
 * 5/4 of the bytes that live), 16 MiB, and 64 KiB a thread. The time is measured by what a busy
 * machine does not take away: calls at a rate, else main's own processor time, three times what is
 * promised. Where nobody calls, there is a minute.
 */
#include "harness/pattern.h"
#include "tests/stress/stress.h"

#define SLACK_BYTES        (16 * MIB)
#define SLACK_THREAD_BYTES (64 * KIB)
#define WITHIN_S           3.0
#define WITHIN_IDLE_S      60.0
#define LOOK_S             0.02

static double thread_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* How far main has come with a wait: from 0 to 1, when its time is over. */
static double share_spent(uint64_t calls, double begin, double thread_begin) {
    if (pattern_value(PATTERN_ACT) == PATTERN_ACT_NONE)
        return (now_seconds() - begin) / WITHIN_IDLE_S;
    if (pattern_value(PATTERN_RATE) == 0) return (thread_seconds() - thread_begin) / WITHIN_S;
    return (double)calls / (WITHIN_S * (double)pattern_value(PATTERN_RATE));
}

static uint64_t slack_bytes(void) {
    const bool is_parade = pattern_value(PATTERN_THREADS) > 128; /* one at a time */
    const uint64_t threads = is_parade ? 1 : pattern_value(PATTERN_THREADS);
    return SLACK_BYTES + threads * SLACK_THREAD_BYTES;
}

static void report(unsigned phase, uint64_t net, uint64_t limit) {
    printf("phase %u: %.1f MiB, limit %.1f MiB", phase, (double)net / (double)MIB,
           (double)limit / (double)MIB);
}

static void await_return(unsigned phase) {
    const uint64_t limit = pattern_needed_bytes() + slack_bytes();
    const double begin = now_seconds(), thread_begin = thread_seconds();
    uint64_t calls = 0, net = pattern_net_kib() * KIB;
    double looked = begin;
    bool is_over = false;
    while (net > limit && !is_over) {
        calls += pattern_act();
        is_over = share_spent(calls, begin, thread_begin) >= 1.0;
        if (!is_over && now_seconds() < looked + LOOK_S) continue;
        net = pattern_net_kib() * KIB;
        looked = now_seconds();
    }
    report(phase, net, limit);
    printf(" after %.2f s, %llu calls\n", looked - begin, (unsigned long long)calls);
    require(net <= limit, "memory that no block needs is still resident");
}

static void trim(unsigned phase) {
    malloc_trim(0);
    const uint64_t limit = pattern_needed_bytes() + slack_bytes(), net = pattern_net_kib() * KIB;
    report(phase, net, limit);
    printf(" after malloc_trim\n");
    require(net <= limit, "memory that no block needs is resident after malloc_trim");
}

static void check_peak(unsigned phase) {
    const uint64_t limit = pattern_peak_bytes() * 5 / 4 + slack_bytes();
    const uint64_t net = pattern_net_kib() * KIB;
    report(phase, net, limit);
    printf(" at its peak\n");
    require(net <= limit, "more is resident than the live blocks need");
}

static void pause_calling(void) {
    const double end = now_seconds() + (double)pattern_value(PATTERN_PAUSE) / 1000.0;
    while (now_seconds() < end)
        pattern_act();
}

static void run_phase(const char *mode, unsigned phase) {
    pattern_fill(phase);
    if (strcmp(mode, "peak") == 0) {
        check_peak(phase);
        pattern_release(phase);
        pause_calling();
        return;
    }
    pattern_release(phase);
    if (strcmp(mode, "trim") == 0) {
        trim(phase);
    } else {
        await_return(phase);
    }
}

int main(int argc, char **argv) {
    require(argc > 2, "usage: patterns calls|trim|peak SCENARIO ...");
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts(argv[2]); /* stdio's buffer is there before the first measure */
    pattern_begin("patterns", argc - 1, argv + 1);
    for (unsigned phase = 0; phase < pattern_value(PATTERN_PHASES); phase++) {
        run_phase(argv[1], phase);
    }
    pattern_end();
    check_at_rest();
    return 0;
}
