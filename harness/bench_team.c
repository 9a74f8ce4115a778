/* SPDX-License-Identifier: MIT */
/*
 * bench_team.c: threads of workloads, see bench_team.h.
 *
 * Stacks are small, so that libc keeps those of threads that ended and does not map each anew:
 * that would be timed with the allocator's work. Any error to start a thread ends the run.
 */
#include "harness/bench_team.h"

#include <pthread.h>
#include <stddef.h>

enum { STACK_BYTES = 256 * 1024 };

struct member {
    pthread_t thread;
    void (*body)(unsigned index, void *context);
    void *context;
    unsigned index;
};

static struct {
    pthread_barrier_t gate;                   /* all of a team and main: ready, begin, end */
    struct member members[BENCH_MAX_THREADS]; /* main's; const while a thread runs */
} team;

static uint64_t step_worker(void *context, uint64_t units) {
    struct bench_worker *self = context;
    return self->plan->step(self, units);
}

static void run_segments(struct bench_worker *self) {
    for (unsigned s = 0; s < BENCH_SEGMENTS; s++) {
        uint64_t begin = bench_ns();
        uint64_t ops = bench_part(self->plan->total, s, step_worker, self);
        if (ops) self->segments[s] = (double)(bench_ns() - begin) / (double)ops;
        self->ops += ops;
    }
}

static void work(unsigned index, void *context) {
    struct bench_worker *self = (struct bench_worker *)context + index;
    const struct bench_team_plan *plan = self->plan;
    bench_pin_asked(index);
    if (plan->set_up) plan->set_up(self);
    pthread_barrier_wait(&team.gate);
    pthread_barrier_wait(&team.gate);
    run_segments(self);
    if (plan->leave) plan->leave(self);
    pthread_barrier_wait(&team.gate);
    uint64_t begin = bench_ns();
    if (plan->drain) plan->drain(self);
    self->drain_ns = bench_ns() - begin;
}

static void *enter(void *argument) {
    const struct member *self = argument;
    self->body(self->index, self->context);
    return NULL;
}

static void start(unsigned count, void (*body)(unsigned, void *), void *context) {
    if (count > BENCH_MAX_THREADS) bench_usage("asks for more than %d threads", BENCH_MAX_THREADS);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    for (unsigned t = 0; t < count; t++) {
        struct member *member = &team.members[t];
        member->body = body;
        member->context = context;
        member->index = t;
        int error = pthread_create(&member->thread, &attr, enter, member);
        if (error) bench_fail("cannot start a thread: error %d", error);
    }
    pthread_attr_destroy(&attr);
}

static void join(unsigned count) {
    for (unsigned t = 0; t < count; t++)
        pthread_join(team.members[t].thread, NULL);
}

void bench_threads(unsigned count, void (*body)(unsigned, void *), void *context) {
    start(count, body, context);
    join(count);
}

/* Of what all threads did together in their s-th segments. */
static void report_segments(const struct bench_worker *workers, unsigned threads) {
    for (unsigned s = 0; s < BENCH_SEGMENTS; s++) {
        double ops_per_ns = 0.0; /* rates add up, times do not */
        for (unsigned t = 0; t < threads; t++) {
            double ns_per_op = workers[t].segments[s];
            if (ns_per_op > 0.0) ops_per_ns += 1.0 / ns_per_op;
        }
        if (ops_per_ns > 0.0) bench_segment_value(1.0 / ops_per_ns);
    }
}

uint64_t bench_team(const struct bench_team_plan *plan, uint64_t *checksum) {
    unsigned threads = plan->threads;
    struct bench_worker *workers = bench_map(threads, sizeof *workers);
    for (unsigned t = 0; t < threads; t++) {
        workers[t].index = t;
        workers[t].plan = plan;
        workers[t].rng = bench_rng_seeded(plan->seed, t);
    }
    pthread_barrier_init(&team.gate, NULL, threads + 1);
    start(threads, work, workers);
    pthread_barrier_wait(&team.gate);
    bench_start();
    pthread_barrier_wait(&team.gate);
    pthread_barrier_wait(&team.gate);
    bench_stop();
    join(threads);

    uint64_t ops = 0, sum = 0, drain_ns = 0;
    for (unsigned t = 0; t < threads; t++) {
        const struct bench_worker *worker = &workers[t];
        ops += worker->ops;
        sum = sum * 31 + worker->checksum + worker->rng.state;
        if (worker->drain_ns > drain_ns) drain_ns = worker->drain_ns;
        bench_thread_ops(t, worker->ops);
    }
    report_segments(workers, threads);
    if (plan->drain) bench_metric("drain_s", (double)drain_ns / 1e9);
    *checksum = sum;
    return ops;
}
