/* SPDX-License-Identifier: MIT */
/*
 * latency: how long requests take that arrive whether or not the one before is done.
 *
 * THREADS threads each serve REQUESTS requests, of which number k is due k / RATE seconds after
 * the start, and its time runs from then: a request that waits behind a slow one is late itself.
 * (A loop that sends the next one when the last is done leaves out just these; Tene calls it
 * coordinated omission.) A request builds a tree of 1..NODES blocks of 32 to 2048 bytes, each
 * octave as often as any other, one in 64 of them up to 16 KiB; checks it; and frees it; but one
 * in eight is exchanged for an earlier one in 256 places that all threads share, which is then
 * checked and freed instead, often by another thread. Between requests a thread turns.
 *
 * Histograms in ns: "request"; of one request in four, which is then not timed itself, since
 * looking at the clock costs more than most calls, "malloc" and "free", each call by itself;
 * "null", the same clock read around nothing after each call: a pause that it sees too is not the
 * allocator's. Per histogram NAME: NAME_p50_ns, p90, p99, p999, p9999, NAME_max_ns, and
 * NAME_over_10us, 100us, 1ms: how many were longer; and op_p999_ns of malloc and free together.
 * The time of the run is that of its schedule: wall_s and ns_per_op say nothing of an allocator.
 * Under --seconds the requests are as many as fit. All blocks are checked before they are freed.
 */
#include "harness/bench_hist.h"
#include "harness/bench_team.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { REQUESTS, RATE, NODES, THREADS, SEED, ARG_COUNT };
enum {
    MAX_NODES = 64,
    PLACES = 256,
    LEAST_SIZE = 32,
    OCTAVES = 6,
    LARGE_ONE_IN = 64,
    FINE_ONE_IN = 4
};
enum { HIST_REQUEST, HIST_MALLOC, HIST_FREE, HIST_NULL, HIST_COUNT };

static struct bench_arg args[ARG_COUNT] = {
    [REQUESTS] = {.name = "requests", .value = 8000, .smoke = 500, .min = 1, .max = 1u << 30},
    [RATE] = {.name = "rate", .value = 20000, .smoke = 20000, .min = 1, .max = 10000000},
    [NODES] = {.name = "nodes", .value = 40, .smoke = 40, .min = 1, .max = MAX_NODES},
    [THREADS] = {.name = "threads", .value = 2, .smoke = 2, .min = 1, .max = BENCH_MAX_THREADS},
    [SEED] = {.name = "seed", .value = 42, .smoke = 42, .max = UINT64_MAX},
};

/* Whose it is may change by exchange only; ids are unique in the run, and 0 once it was freed. */
struct node {
    uint32_t id, size;
    struct node *children[2];
};

struct server {
    struct bench_rng rng;
    uint64_t ops, checksum;
    struct bench_hist *hists[HIST_COUNT];
    bool is_fine; /* times the calls of this request, which is then none to be timed itself */
} __attribute__((aligned(128)));

static struct {
    struct server *servers;
    uint64_t requests, period_ns; /* const once the threads run */
    uint64_t start_ns;            /* const behind the gate */
    pthread_barrier_t gate;
    uint64_t ns_per_2_32_cycles;           /* const once the threads run */
    _Atomic(struct node *) places[PLACES]; /* exchange is acq_rel: the tree comes along */
} latency;

static const char *const names[HIST_COUNT] = {"request", "malloc", "free", "null"};

/* ---- the clock ---- */

/* Over 20 ms: an error of the clocks' 50 ns is then some millionths. */
static void calibrate(void) {
    uint64_t begin_ns = bench_ns(), begin = bench_cycles(), now_ns;
    while ((now_ns = bench_ns()) - begin_ns < 20000000u)
        continue;
    double ratio = (double)(now_ns - begin_ns) / (double)(bench_cycles() - begin);
    latency.ns_per_2_32_cycles = (uint64_t)(ratio * 4294967296.0 + 0.5);
}

static uint64_t ns_of(uint64_t cycles) {
    return (uint64_t)(((unsigned __int128)cycles * latency.ns_per_2_32_cycles) >> 32);
}

/* The call that ended now began at `begin`; then nothing is timed likewise. */
static inline void note(struct server *self, unsigned which, uint64_t begin) {
    self->ops++;
    if (!self->is_fine) return;
    uint64_t end = bench_cycles();
    uint64_t empty_end = bench_cycles();
    bench_hist_record(self->hists[which], ns_of(end - begin));
    bench_hist_record(self->hists[HIST_NULL], ns_of(empty_end - end));
}

/* ---- trees ---- */

static uint32_t choose_size(struct bench_rng *rng) {
    uint64_t draw = bench_random(rng);
    uint32_t least = (uint32_t)LEAST_SIZE << bench_high_below(draw, OCTAVES);
    if ((draw >> 32) % LARGE_ONE_IN == 0) least = LEAST_SIZE << (OCTAVES + 2);
    return least + bench_low_below(draw, least);
}

static char *payload(struct node *node) {
    return (char *)(node + 1);
}

/* Node i hangs below node (i - 1) / 2 and has the id of the root plus i. */
static struct node *build(struct server *self, uint32_t root_id) {
    struct node *nodes[MAX_NODES];
    uint32_t count = 1 + bench_high_below(bench_random(&self->rng), (uint32_t)args[NODES].value);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t size = choose_size(&self->rng);
        uint64_t begin = self->is_fine ? bench_cycles() : 0;
        struct node *node = malloc(size);
        note(self, HIST_MALLOC, begin);
        bench_check_block(node, size);
        *node = (struct node){root_id + i, size, {NULL, NULL}};
        bench_mark(payload(node), root_id + i, size - sizeof *node);
        self->checksum += bench_tag(root_id + i, size);
        nodes[i] = node;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (nodes[i]->id != root_id + i)
            bench_content_wrong(nodes[i], root_id + i, sizeof *nodes[i]);
        if (i > 0) nodes[(i - 1) / 2]->children[(i - 1) % 2] = nodes[i];
    }
    return nodes[0];
}

static void release(struct server *self, struct node *node, uint32_t root_id, uint32_t index) {
    if (node->id != root_id + index || root_id == 0 || index >= MAX_NODES) {
        bench_content_wrong(node, root_id + index, sizeof *node);
    }
    bench_verify(payload(node), node->id, node->size - sizeof *node);
    for (uint32_t c = 0; c < 2; c++) {
        if (node->children[c]) release(self, node->children[c], root_id, 2 * index + 1 + c);
    }
    node->id = 0;
    uint64_t begin = self->is_fine ? bench_cycles() : 0;
    free(node);
    note(self, HIST_FREE, begin);
}

/* ---- requests ---- */

static void serve_one(struct server *self, uint32_t root_id) {
    struct node *tree = build(self, root_id);
    uint64_t draw = bench_random(&self->rng);
    if (draw % 8 == 0) {
        tree = atomic_exchange_explicit(&latency.places[bench_high_below(draw, PLACES)], tree,
                                        memory_order_acq_rel);
    }
    if (tree) release(self, tree, tree->id, 0);
}

static void serve(unsigned index, void *unused) {
    (void)unused;
    struct server *self = &latency.servers[index];
    bench_pin_asked(index);
    if (pthread_barrier_wait(&latency.gate) == PTHREAD_BARRIER_SERIAL_THREAD) {
        latency.start_ns = bench_ns() + 1000000u; /* when all are past the second one */
    }
    pthread_barrier_wait(&latency.gate);
    for (uint64_t k = 0; k < latency.requests; k++) {
        uint64_t due_ns = latency.start_ns + k * latency.period_ns;
        while (bench_ns() < due_ns)
            continue;
        uint64_t root = (k * args[THREADS].value + index) * MAX_NODES + 1;
        self->is_fine = k % FINE_ONE_IN == 0;
        serve_one(self, (uint32_t)root);
        if (!self->is_fine) bench_hist_record(self->hists[HIST_REQUEST], bench_ns() - due_ns);
    }
}

/* ---- the report ---- */

static const struct {
    double share;
    const char *names[HIST_COUNT];
} quantiles[] = {
    {0.5, {"request_p50_ns", "malloc_p50_ns", "free_p50_ns", "null_p50_ns"}},
    {0.9, {"request_p90_ns", "malloc_p90_ns", "free_p90_ns", "null_p90_ns"}},
    {0.99, {"request_p99_ns", "malloc_p99_ns", "free_p99_ns", "null_p99_ns"}},
    {0.999, {"request_p999_ns", "malloc_p999_ns", "free_p999_ns", "null_p999_ns"}},
    {0.9999, {"request_p9999_ns", "malloc_p9999_ns", "free_p9999_ns", "null_p9999_ns"}},
    {1.0, {"request_max_ns", "malloc_max_ns", "free_max_ns", "null_max_ns"}},
};

static const struct {
    uint64_t ns;
    const char *names[HIST_COUNT];
} limits[] = {
    {10000, {"request_over_10us", "malloc_over_10us", "free_over_10us", "null_over_10us"}},
    {100000, {"request_over_100us", "malloc_over_100us", "free_over_100us", "null_over_100us"}},
    {1000000, {"request_over_1ms", "malloc_over_1ms", "free_over_1ms", "null_over_1ms"}},
};

static double count_above(const struct bench_hist *hist, uint64_t ns) {
    uint64_t count = 0;
    for (uint32_t i = bench_hist_place(ns) + 1; i < BENCH_HIST_PLACES; i++)
        count += hist->counts[i];
    return (double)count;
}

static void report(struct bench_hist *sums[HIST_COUNT]) {
    for (unsigned h = 0; h < HIST_COUNT; h++) {
        for (unsigned q = 0; q < sizeof quantiles / sizeof quantiles[0]; q++) {
            bench_metric(quantiles[q].names[h],
                         (double)bench_hist_quantile(sums[h], quantiles[q].share));
        }
        for (unsigned l = 0; l < sizeof limits / sizeof limits[0]; l++)
            bench_metric(limits[l].names[h], count_above(sums[h], limits[l].ns));
        bench_hist_report(names[h], "ns", sums[h]);
    }
    struct bench_hist *both = bench_hist_map();
    bench_hist_merge(both, sums[HIST_MALLOC]);
    bench_hist_merge(both, sums[HIST_FREE]);
    bench_metric("op_p999_ns", (double)bench_hist_quantile(both, 0.999));
}

/* Which thread frees what an exchange returned is chance: only what was allocated is summed. */
static uint64_t drain(void) {
    struct server *self = &latency.servers[0];
    uint64_t ops = self->ops;
    struct bench_hist *spare = bench_hist_map();
    for (unsigned h = 0; h < HIST_COUNT; h++)
        self->hists[h] = spare; /* the drain is no part of what is reported */
    for (unsigned p = 0; p < PLACES; p++) {
        struct node *tree = atomic_load_explicit(&latency.places[p], memory_order_acquire);
        if (tree) release(self, tree, tree->id, 0);
    }
    return ops;
}

int main(int argc, char **argv) {
    bench_begin("latency", args, ARG_COUNT, argc, argv);
    unsigned threads = (unsigned)args[THREADS].value;
    latency.period_ns = 1000000000u / args[RATE].value;
    latency.requests = args[REQUESTS].value;
    if (bench_is_timed()) latency.requests = bench_timed_ms() * 1000000u / latency.period_ns + 1;
    if (latency.requests * threads > UINT32_MAX / MAX_NODES - 1) bench_usage("too many requests");
    latency.servers = bench_map(threads, sizeof *latency.servers);
    for (unsigned t = 0; t < threads; t++) {
        latency.servers[t].rng = bench_rng_seeded(args[SEED].value, t);
        for (unsigned h = 0; h < HIST_COUNT; h++)
            latency.servers[t].hists[h] = bench_hist_map();
    }
    calibrate();
    bench_start();
    pthread_barrier_init(&latency.gate, NULL, threads);
    bench_threads(threads, serve, NULL);
    bench_stop();

    struct bench_hist *sums[HIST_COUNT];
    uint64_t ops = 0, checksum = 0;
    for (unsigned h = 0; h < HIST_COUNT; h++) {
        sums[h] = bench_hist_map();
        for (unsigned t = 0; t < threads; t++)
            bench_hist_merge(sums[h], latency.servers[t].hists[h]);
    }
    for (unsigned t = 0; t < threads; t++) {
        struct server *server = &latency.servers[t];
        ops += t ? server->ops : drain();
        checksum = checksum * 31 + server->checksum + server->rng.state;
    }
    report(sums);
    return bench_finish(ops, checksum);
}
