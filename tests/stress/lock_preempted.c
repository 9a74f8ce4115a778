/* SPDX-License-Identifier: MIT */
/*
 * lock_preempted.c SECONDS: one processor, a normal thread that allocates and frees large blocks
 * all the time, and a SCHED_FIFO thread that wakes every 2 ms for one pair: it preempts the other
 * one in the middle of critical sections. What waiting costs the FIFO thread is measured as
 * processor time, which other programs do not change: a waiter that spins or yields takes the
 * processor from the very thread that it waits for, and burns it by the second. Exits with 77
 * (skipped) where the system does not let it have SCHED_FIFO.
 */
#include "tests/stress/stress.h"

#include <sched.h>
#include <stdatomic.h>

#define SIZE       ((size_t)1250000) /* of the tier that all threads share under one lock */
#define PAIR_US    60.0              /* processor time of a pair, on average */
#define WAKE_US    2000
#define NORMAL_SET 4U

static atomic_bool is_over;

static void stay_on_this_processor(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)sched_getcpu(), &set);
    require(sched_setaffinity(0, sizeof(set), &set) == 0, "no affinity");
}

static void *allocates(void *unused) {
    while (!is_over) {
        void *blocks[NORMAL_SET];
        for (unsigned i = 0; i < NORMAL_SET; i++) {
            blocks[i] = mem.malloc(SIZE + i * 8 * KIB);
        }
        for (unsigned i = 0; i < NORMAL_SET; i++) {
            mem.free(blocks[i]);
        }
    }
    return unused;
}

static double thread_us(void) {
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (double)used.tv_sec * 1e6 + (double)used.tv_nsec * 1e-3;
}

int main(int argc, char **argv) {
    const unsigned seconds = (unsigned)argument_or(argc, argv, 1, 2);
    alarm(seconds + 60);
    stay_on_this_processor();
    const pthread_t other = start_thread(allocates, NULL); /* inherits the processor */
    const struct sched_param fifo = {.sched_priority = 10};
    if (pthread_setschedparam(pthread_self(), SCHED_FIFO, &fifo) != 0) {
        puts("lock_preempted: no SCHED_FIFO here: skipped");
        return 77;
    }
    unsigned pairs = 0;
    double worst_ms = 0, sum_ms = 0, used_us = 0;
    for (const double end = now_seconds() + seconds; now_seconds() < end; pairs++) {
        usleep((useconds_t)(WAKE_US - 300 + rand() % 600));
        const double begin = now_seconds(), used_before = thread_us();
        mem.free(mem.malloc(SIZE));
        const double ms = (now_seconds() - begin) * 1e3;
        used_us += thread_us() - used_before;
        sum_ms += ms;
        if (ms > worst_ms) worst_ms = ms;
    }
    is_over = true;
    const struct sched_param normal = {.sched_priority = 0};
    require(pthread_setschedparam(pthread_self(), SCHED_OTHER, &normal) == 0, "no SCHED_OTHER");
    join_thread(other);
    printf("lock_preempted: %u pairs, mean %.1f us, worst %.2f ms, processor time %.1f us each\n",
           pairs, sum_ms * 1e3 / pairs, worst_ms, used_us / pairs);
    require(pairs > 0, "nothing happened");
    require(used_us / pairs <= PAIR_US, "waiting for the lock takes processor time");
    check_at_rest();
    return 0;
}
