/* SPDX-License-Identifier: MIT */
/*
 * cache_lines: do threads that write their own small blocks write the same cache line?
 *
 * After the description in Berger and others, ASPLOS'00 (Hoard: cache-scratch, cache-thrash).
 * Each thread repeats ITERATIONS times: malloc of SIZE bytes, WRITES / THREADS increments of each
 * byte, free. --mode=thrash is only that: an allocator that cuts one line for two threads causes
 * active false sharing. Under --mode=scratch main first allocates one block for each thread,
 * side by side, and the threads free them before they begin: an allocator that lets a thread
 * have again what it freed spreads main's line over them, passive false sharing.
 *
 * One op is an increment: with real processors for all threads, ns_per_op at N threads over that
 * at one is 1/N where no line is shared, and above that where one is. Nothing else of the
 * number means anything, and hardly any of it is malloc. threads_sharing says the same without
 * a clock: how many threads ended in the line of another. Checked are the counts of each block,
 * and afterwards, apart, 512 blocks that live side by side.
 */
#include "harness/bench_team.h"

#include <stdlib.h>

enum { THREADS, ITERATIONS, SIZE, WRITES, MODE, ARG_COUNT };
enum { MODE_SCRATCH, MODE_THRASH };
enum { CHECKED = 512, LINE_BYTES = 64 };

static const char *const mode_words[] = {"scratch", "thrash", NULL};

static struct bench_arg args[ARG_COUNT] = {
    [THREADS] = {.name = "threads", .value = 2, .smoke = 2, .min = 1, .max = BENCH_MAX_THREADS},
    [ITERATIONS] = {.name = "iterations", .value = 1000, .smoke = 250, .min = 1, .max = 1u << 30},
    [SIZE] = {.name = "size", .value = 8, .smoke = 16, .min = 1, .max = 4096},
    [WRITES] = {.name = "writes", .value = 50000, .smoke = 1000, .min = 1, .max = 1u << 30},
    [MODE] = {.name = "mode", .choices = mode_words, .is_option = true},
};

static volatile uint8_t *given[BENCH_MAX_THREADS]; /* main's until the threads start */

/* Its thread's, and alone in its line, of all things: where the thread wrote last. */
static struct { uintptr_t line __attribute__((aligned(128))); } last[BENCH_MAX_THREADS];

static volatile uint8_t *allocate(size_t size) {
    void *block = malloc(size);
    bench_check_block(block, size);
    return block;
}

static uint64_t writes_each(void) {
    uint64_t writes = args[WRITES].value / args[THREADS].value;
    return writes ? writes : 1;
}

/* Through memory each time: the line must be had by this processor. */
static void write_block(volatile uint8_t *block, size_t size, uint64_t writes) {
    for (size_t i = 0; i < size; i++)
        block[i] = (uint8_t)i;
    for (uint64_t k = 0; k < writes; k++) {
        for (size_t i = 0; i < size; i++)
            block[i]++;
    }
    for (size_t i = 0; i < size; i++) {
        if (block[i] != (uint8_t)(i + writes)) bench_content_wrong((void *)block, 0, size);
    }
}

static void set_up(struct bench_worker *self) {
    free((void *)given[self->index]); /* NULL under thrash */
}

static uint64_t step(struct bench_worker *self, uint64_t iterations) {
    size_t size = args[SIZE].value;
    uint64_t writes = writes_each();
    for (uint64_t k = 0; k < iterations; k++) {
        volatile uint8_t *block = allocate(size);
        write_block(block, size, writes);
        self->checksum += block[size - 1];
        last[self->index].line = (uintptr_t)block / LINE_BYTES;
        free((void *)block);
    }
    return iterations * writes * size;
}

/* How many threads ended with a block whose first byte lay in another's line. */
static unsigned threads_sharing(unsigned threads) {
    unsigned sharing = 0;
    for (unsigned t = 0; t < threads; t++) {
        bool is_shared = false;
        for (unsigned other = 0; other < threads; other++)
            is_shared = is_shared || (other != t && last[other].line == last[t].line);
        sharing += is_shared;
    }
    return sharing;
}

static uint64_t check_blocks(void) {
    static void *blocks[CHECKED];
    size_t size = args[SIZE].value < 2 ? 2 : args[SIZE].value;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < CHECKED; i++) {
        blocks[i] = (void *)allocate(size);
        bench_mark(blocks[i], i, size);
    }
    for (uint32_t i = 0; i < CHECKED; i++)
        sum += bench_verify(blocks[i], i, size);
    for (uint32_t i = 0; i < CHECKED; i++)
        free(blocks[i]);
    return sum;
}

int main(int argc, char **argv) {
    bench_begin("cache_lines", args, ARG_COUNT, argc, argv);
    struct bench_team_plan plan = {
        .threads = (unsigned)args[THREADS].value,
        .total = args[ITERATIONS].value,
        .set_up = set_up,
        .step = step,
    };
    for (unsigned t = 0; t < plan.threads && args[MODE].value == MODE_SCRATCH; t++)
        given[t] = allocate(args[SIZE].value);
    bench_metric("cpus", bench_cpu_count());
    uint64_t checksum;
    uint64_t ops = bench_team(&plan, &checksum);
    bench_metric("threads_sharing", (double)threads_sharing(plan.threads));
    return bench_finish(ops, checksum * 31 + check_blocks());
}
