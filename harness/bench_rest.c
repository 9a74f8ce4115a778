/* SPDX-License-Identifier: MIT */
/*
 * bench_rest.c: --rest SECONDS: what stays resident when a program has freed all and is idle.
 *
 * Called by bench_finish, when the work is done. The process sleeps, calls nothing of the
 * allocator, and looks at itself after 0.1, 1 and 5 s, as far as SECONDS goes.
 */
#define _GNU_SOURCE
#include "harness/bench_inside.h"

static void sleep_until(uint64_t ns) {
    struct timespec moment = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &moment, NULL) != 0)
        continue;
}

void bench_rest(void) {
    static const struct {
        const char *name;
        uint64_t ms;
    } looks[] = {{"rest_100ms_kib", 100}, {"rest_1s_kib", 1000}, {"rest_5s_kib", 5000}};
    uint64_t begin = bench_ns();
    uint64_t rest_ms = bench_record.rest.value;
    for (size_t i = 0; i < sizeof looks / sizeof looks[0] && looks[i].ms <= rest_ms; i++) {
        sleep_until(begin + looks[i].ms * 1000000u);
        bench_metric(looks[i].name, (double)bench_rss_kib());
    }
    sleep_until(begin + rest_ms * 1000000u);
}
