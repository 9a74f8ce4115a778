/* SPDX-License-Identifier: MIT */
/*
 * sh8bench: batches of mostly small blocks, half freed at home, half by whoever takes them.
 *
 * After the description of MicroQuill's second SmartHeap benchmark. A thread fills a batch of 200
 * blocks of 2..MAX bytes, small ones far more often (the cube of a uniform number), and frees
 * every second block itself, last in first out. The rest it exchanges for the batch that
 * lies in one of four shared slots, atomically, and frees what it got: every second time in
 * reverse. So blocks travel in bulk, and with one thread come back to it a little later.
 *
 * One op is a malloc with its free; BATCHES is per thread. First and last byte are written after
 * malloc and checked before free, in whichever thread. The checksum is of what each thread
 * allocates: who frees it is chance.
 */
#include "harness/bench_team.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { THREADS, BATCHES, MAX, SEED, ARG_COUNT };
enum { BATCH_BLOCKS = 200, SHARED = 4 };

static struct bench_arg args[ARG_COUNT] = {
    [THREADS] = {.name = "threads", .value = 2, .smoke = 2, .min = 1, .max = BENCH_MAX_THREADS},
    [BATCHES] = {.name = "batches", .value = 20000, .smoke = 200, .min = 1, .max = 1ull << 40},
    [MAX] = {.name = "max", .value = 1000, .smoke = 1000, .min = 2, .max = 1u << 26},
    [SEED] = {.name = "seed", .value = 42, .smoke = 42, .max = UINT64_MAX},
};

struct item {
    void *block; /* NULL: freed already */
    uint32_t size;
};

/* Its holder's: the thread that took it out of a slot, or nobody while it lies in one. */
struct batch {
    struct item items[BATCH_BLOCKS];
    uint32_t stamp; /* the mark's identity, by the thread that filled it */
    bool is_reverse;
} __attribute__((aligned(128)));

static struct {
    /* Exchange is acq_rel: who takes a batch sees what was written into it and its blocks. */
    _Atomic(struct batch *) slot __attribute__((aligned(128)));
} shared[SHARED];

static struct batch *batches; /* one per thread and slot */

static void set_up(struct bench_worker *self) {
    self->own = &batches[SHARED + self->index];
}

static void empty(struct batch *batch, uint32_t i) {
    struct item *item = &batch->items[i];
    if (!item->block) return;
    bench_verify(item->block, batch->stamp + i, item->size);
    free(item->block);
    item->block = NULL;
}

static void empty_all(struct batch *batch) {
    for (uint32_t i = 0; i < BATCH_BLOCKS; i++)
        empty(batch, batch->is_reverse ? BATCH_BLOCKS - 1 - i : i);
}

static uint32_t choose_size(uint64_t draw) {
    uint64_t part = draw >> 48; /* of 2^16; its cube fits 48 bits */
    return 2 + (uint32_t)((part * part * part >> 16) * (args[MAX].value - 1) >> 32);
}

static void fill(struct bench_worker *self, struct batch *batch) {
    batch->stamp = (uint32_t)bench_random(&self->rng);
    batch->is_reverse = !batch->is_reverse;
    for (uint32_t i = 0; i < BATCH_BLOCKS; i++) {
        uint32_t size = choose_size(bench_random(&self->rng));
        void *block = malloc(size);
        bench_check_block(block, size);
        bench_mark(block, batch->stamp + i, size);
        self->checksum += bench_tag(batch->stamp + i, size);
        batch->items[i] = (struct item){block, size};
    }
}

static uint64_t step(struct bench_worker *self, uint64_t count) {
    for (uint64_t k = 0; k < count; k++) {
        struct batch *batch = self->own;
        fill(self, batch);
        for (uint32_t i = BATCH_BLOCKS; i > 0; i -= 2)
            empty(batch, i - 1);
        unsigned which = bench_high_below(bench_random(&self->rng), SHARED);
        batch = atomic_exchange_explicit(&shared[which].slot, batch, memory_order_acq_rel);
        empty_all(batch);
        self->own = batch;
    }
    return count * BATCH_BLOCKS;
}

static void drain(struct bench_worker *self) {
    for (unsigned s = self->index; s < SHARED; s += self->plan->threads)
        empty_all(atomic_load_explicit(&shared[s].slot, memory_order_acquire));
}

int main(int argc, char **argv) {
    bench_begin("sh8bench", args, ARG_COUNT, argc, argv);
    struct bench_team_plan plan = {
        .threads = (unsigned)args[THREADS].value,
        .total = args[BATCHES].value,
        .seed = args[SEED].value,
        .set_up = set_up,
        .step = step,
        .drain = drain,
    };
    batches = bench_map(SHARED + plan.threads, sizeof *batches);
    for (unsigned s = 0; s < SHARED; s++)
        atomic_init(&shared[s].slot, &batches[s]);
    uint64_t checksum;
    uint64_t ops = bench_team(&plan, &checksum);
    return bench_finish(ops, checksum);
}
