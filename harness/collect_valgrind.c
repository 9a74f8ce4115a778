/* SPDX-License-Identifier: MIT */
/*
 * collect_valgrind.c: tells callgrind where the timed part begins and ends, see bench_inside.h.
 *
 * Instrumentation is switched, and not collection, which is a matter of each thread alone.
 * Without valgrind around it the request is five instructions that do nothing. The build takes
 * collect_none.c where valgrind's headers are not installed.
 */
#include "harness/bench_inside.h"

#include <valgrind/callgrind.h>

void bench_collect(bool is_on) {
    if (is_on) {
        CALLGRIND_START_INSTRUMENTATION;
    } else {
        CALLGRIND_STOP_INSTRUMENTATION;
    }
}
