/* SPDX-License-Identifier: MIT */
/*
 * xmalloc_test: half of the threads only allocate, the other half only free.
 *
 * After the description in Lever and Boreham, USENIX'00, as Kuszmaul varied it. A producer
 * allocates a batch of 4096 blocks of SIZE (0: one of 17 sizes, 8..2048), writes up to 128 bytes
 * of each and appends the batch to a queue under a mutex, which holds 100 batches at most; a
 * consumer takes one and frees it. So each free is remote, and memory flows one way only.
 *
 * One op is a malloc or a free; BATCHES is per thread. THREADS counts both kinds, so with more
 * threads than processors the queue's waits are part of the time. How full the queue is depends
 * on who runs: peak memory does not compare. First and last byte are checked before free; the
 * checksum is of what was allocated.
 */
#include "harness/bench_team.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS, BATCHES, SIZE, SEED, ARG_COUNT };
enum { BATCH_BLOCKS = 4096, QUEUE_BATCHES = 100, WRITTEN = 128 };

static struct bench_arg args[ARG_COUNT] = {
    [THREADS] = {.name = "threads", .value = 2, .smoke = 2, .min = 2, .max = BENCH_MAX_THREADS},
    [BATCHES] = {.name = "batches", .value = 500, .smoke = 5, .min = 1, .max = 1ull << 40},
    [SIZE] = {.name = "size", .value = 64, .smoke = 64, .max = 1u << 26},
    [SEED] = {.name = "seed", .value = 42, .smoke = 42, .max = UINT64_MAX},
};

static const uint16_t sizes[] = {8,   12,  16,  24,  32,  48,   64,   96,  128,
                                 192, 256, 384, 512, 768, 1024, 1536, 2048};

/* Its holder's: producer, queue (under the mutex), consumer, the heap of spare ones. */
struct batch {
    struct batch *next;
    uint32_t stamp;
    void *blocks[BATCH_BLOCKS];
    uint32_t sizes[BATCH_BLOCKS];
};

/* All under the mutex. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t is_fuller, is_emptier;
    struct batch *first, **last;
    struct batch *spare;
    unsigned queued, producers, consumers; /* the latter: threads still at work */
} queue = {.mutex = PTHREAD_MUTEX_INITIALIZER,
           .is_fuller = PTHREAD_COND_INITIALIZER,
           .is_emptier = PTHREAD_COND_INITIALIZER,
           .last = &queue.first};

static bool is_producer(const struct bench_worker *self) {
    return self->index % 2 == 0;
}

static void fill(struct bench_worker *self, struct batch *batch) {
    size_t fixed = args[SIZE].value;
    batch->stamp = (uint32_t)bench_random(&self->rng);
    for (uint32_t i = 0; i < BATCH_BLOCKS; i++) {
        uint32_t which = bench_high_below(bench_random(&self->rng), sizeof sizes / sizeof sizes[0]);
        size_t size = fixed ? fixed : sizes[which];
        void *block = malloc(size);
        bench_check_block(block, size);
        memset(block, (int)which, size < WRITTEN ? size : WRITTEN);
        bench_mark(block, batch->stamp + i, size);
        self->checksum += bench_tag(batch->stamp + i, size);
        batch->blocks[i] = block;
        batch->sizes[i] = (uint32_t)size;
    }
}

static void empty(struct batch *batch) {
    for (uint32_t i = 0; i < BATCH_BLOCKS; i++) {
        bench_verify(batch->blocks[i], batch->stamp + i, batch->sizes[i]);
        free(batch->blocks[i]);
    }
}

static struct batch *take_spare(void) {
    pthread_mutex_lock(&queue.mutex);
    struct batch *batch = queue.spare;
    queue.spare = batch->next;
    pthread_mutex_unlock(&queue.mutex);
    return batch;
}

static void give_spare(struct batch *batch) {
    pthread_mutex_lock(&queue.mutex);
    batch->next = queue.spare;
    queue.spare = batch;
    pthread_mutex_unlock(&queue.mutex);
}

/* False: no consumer is left, as happens when time ends the run. */
static bool push(struct batch *batch) {
    pthread_mutex_lock(&queue.mutex);
    while (queue.queued == QUEUE_BATCHES && queue.consumers > 0)
        pthread_cond_wait(&queue.is_emptier, &queue.mutex);
    bool is_wanted = queue.consumers > 0;
    if (is_wanted) {
        batch->next = NULL;
        *queue.last = batch;
        queue.last = &batch->next;
        queue.queued++;
        pthread_cond_signal(&queue.is_fuller);
    }
    pthread_mutex_unlock(&queue.mutex);
    return is_wanted;
}

/* NULL: nothing queued, and no producer left. */
static struct batch *pop(void) {
    pthread_mutex_lock(&queue.mutex);
    while (queue.queued == 0 && queue.producers > 0)
        pthread_cond_wait(&queue.is_fuller, &queue.mutex);
    struct batch *batch = queue.first;
    if (batch) {
        queue.first = batch->next;
        if (!queue.first) queue.last = &queue.first;
        queue.queued--;
        pthread_cond_signal(&queue.is_emptier);
    }
    pthread_mutex_unlock(&queue.mutex);
    return batch;
}

static uint64_t step(struct bench_worker *self, uint64_t count) {
    for (uint64_t k = 0; k < count; k++) {
        struct batch *batch = is_producer(self) ? take_spare() : pop();
        if (!batch) return k * BATCH_BLOCKS;
        bool is_sent = false;
        if (is_producer(self)) {
            fill(self, batch);
            is_sent = push(batch);
        }
        if (is_sent) continue;
        empty(batch);
        give_spare(batch);
    }
    return count * BATCH_BLOCKS;
}

static void leave(struct bench_worker *self) {
    pthread_mutex_lock(&queue.mutex);
    (*(is_producer(self) ? &queue.producers : &queue.consumers))--;
    pthread_cond_broadcast(&queue.is_fuller);
    pthread_cond_broadcast(&queue.is_emptier);
    pthread_mutex_unlock(&queue.mutex);
}

static void drain(struct bench_worker *self) {
    struct batch *batch;
    while (!is_producer(self) && (batch = pop()))
        empty(batch);
}

int main(int argc, char **argv) {
    bench_begin("xmalloc_test", args, ARG_COUNT, argc, argv);
    if (args[SIZE].value == 1) bench_usage("size is 0 (mixed) or at least 2");
    if (args[THREADS].value % 2) bench_usage("threads is even: half of them produce");
    struct bench_team_plan plan = {
        .threads = (unsigned)args[THREADS].value,
        .total = args[BATCHES].value,
        .seed = args[SEED].value,
        .step = step,
        .leave = leave,
        .drain = drain,
    };
    queue.producers = queue.consumers = plan.threads / 2;
    unsigned spare = QUEUE_BATCHES + plan.threads;
    struct batch *batches = bench_map(spare, sizeof *batches);
    for (unsigned i = 0; i < spare; i++)
        give_spare(&batches[i]);
    uint64_t checksum;
    uint64_t ops = bench_team(&plan, &checksum);
    return bench_finish(ops, checksum);
}
