/* SPDX-License-Identifier: MIT */
/*
 * mstress: blocks that migrate, threads that die, loads that differ, contents always checked.
 *
 * After the description of mimalloc's stress test. ROUNDS times: THREADS threads start, thread t
 * allocates 100 x SCALE x (t mod 8 + 1) blocks and half as many on top that it retains to its
 * end. A block has 1 to 16 words (a power of two; retained ones 1 to 64), 1 % of them are
 * 100 times larger, 0.1 % 1000 times, 0.01 % 10000 times. After each allocation two times of
 * three a random block is freed, and one time of four one changes places with a random cell of a
 * table of 1000 that all share. At its end a thread frees what it has; then half of the table.
 *
 * One op is a malloc with its free; a round's thread starts are part of the time. Every word is
 * written after malloc and read before free, so this is no measure of malloc alone: its author
 * calls it a test. The checksum is of what was allocated: who frees it is chance.
 */
#include "harness/bench_team.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { THREADS, SCALE, ROUNDS, SEED, ARG_COUNT };
enum { CELLS = 1000 };

static struct bench_arg args[ARG_COUNT] = {
    [THREADS] = {.name = "threads", .value = 2, .smoke = 2, .min = 1, .max = BENCH_MAX_THREADS},
    [SCALE] = {.name = "scale", .value = 50, .smoke = 2, .min = 1, .max = 100000},
    [ROUNDS] = {.name = "rounds", .value = 25, .smoke = 5, .min = 1, .max = 1ull << 30},
    [SEED] = {.name = "seed", .value = 42, .smoke = 42, .max = UINT64_MAX},
};

/* A block says what is in it: word 0 its count of words, the others follow from that. */
typedef volatile uint64_t *block_t;

/* Its thread's in a round; main's between them. */
struct stock {
    block_t *local, *retained;
    uint32_t local_count, retained_count;
    uint64_t allocs; /* in a round; const after init */
    uint64_t checksum;
} __attribute__((aligned(128)));

static struct {
    struct stock *stocks;
    uint64_t round; /* const while threads run */
    /* Exchange is acq_rel: who gets a block sees its words. */
    _Atomic(block_t) cells[CELLS];
} mill;

static uint64_t word_of(uint64_t count, uint64_t i) {
    return (count + i) * 0x9E3779B97F4A7C15u; /* odd, so that no two counts share a word 0 */
}

static bool chance(struct bench_rng *rng, uint32_t percent) {
    return bench_high_below(bench_random(rng), 100) < percent;
}

static block_t allocate(uint64_t words, struct stock *stock, struct bench_rng *rng) {
    uint32_t luck = bench_high_below(bench_random(rng), 10000);
    words *= luck == 0 ? 10000 : luck <= 10 ? 1000 : luck <= 110 ? 100 : 1;
    block_t block = malloc(words * sizeof *block);
    bench_check_block((void *)block, words * sizeof *block);
    for (uint64_t i = 0; i < words; i++)
        block[i] = word_of(words, i);
    stock->checksum += word_of(words, 0);
    return block;
}

static void release(block_t block) {
    if (!block) return;
    uint64_t words = block[0] * 0xF1DE83E19937733Du; /* the inverse of the factor above */
    bool is_sane = words > 0 && words <= 64 * 10000;
    for (uint64_t i = 1; is_sane && i < words; i++)
        is_sane = block[i] == word_of(words, i);
    if (!is_sane) bench_content_wrong((void *)block, 0, (size_t)(is_sane ? words * 8 : 8));
    block[0] = 0; /* who is given this block while another holds it will notice */
    free((void *)block);
}

static void trade(struct stock *stock, struct bench_rng *rng) {
    uint64_t draw = bench_random(rng);
    block_t *place = &stock->local[bench_high_below(draw, stock->local_count)];
    _Atomic(block_t) *cell = &mill.cells[bench_low_below(draw, CELLS)];
    *place = atomic_exchange_explicit(cell, *place, memory_order_acq_rel);
}

static void allocate_one(struct stock *stock, uint64_t *local_left, uint64_t *retained_left,
                         struct bench_rng *rng) {
    uint64_t draw = bench_random(rng);
    bool is_local = *local_left > 0 && (*retained_left == 0 || draw >> 63);
    if (is_local) {
        uint64_t words = 1ull << bench_low_below(draw, 5);
        stock->local[stock->local_count++] = allocate(words, stock, rng);
        --*local_left;
    } else {
        uint64_t words = 1 + bench_low_below(draw, 64);
        stock->retained[stock->retained_count++] = allocate(words, stock, rng);
        --*retained_left;
    }
}

static void free_one(struct stock *stock, struct bench_rng *rng) {
    uint32_t index = bench_high_below(bench_random(rng), stock->local_count);
    release(stock->local[index]);
    stock->local[index] = stock->local[--stock->local_count];
}

static void body(unsigned index, void *unused) {
    (void)unused;
    bench_pin_asked(index);
    struct stock *stock = &mill.stocks[index];
    uint64_t stream = mill.round * BENCH_MAX_THREADS + index;
    struct bench_rng rng = bench_rng_seeded(args[SEED].value, stream);
    uint64_t local_left = stock->allocs, retained_left = stock->allocs / 2;
    while (local_left > 0 || retained_left > 0) {
        allocate_one(stock, &local_left, &retained_left, &rng);
        if (stock->local_count && chance(&rng, 66)) free_one(stock, &rng);
        if (stock->local_count && chance(&rng, 25)) trade(stock, &rng);
    }
    while (stock->retained_count > 0)
        release(stock->retained[--stock->retained_count]);
    while (stock->local_count > 0)
        release(stock->local[--stock->local_count]);
    stock->checksum += rng.state;
}

static void free_cells(unsigned first, unsigned step) {
    for (unsigned i = first; i < CELLS; i += step)
        release(atomic_exchange_explicit(&mill.cells[i], NULL, memory_order_acq_rel));
}

static uint64_t step(void *ops_a_round, uint64_t rounds) {
    unsigned threads = (unsigned)args[THREADS].value;
    for (uint64_t r = 0; r < rounds; r++) {
        bench_threads(threads, body, NULL);
        free_cells(mill.round++ % 2, 2);
    }
    return rounds * *(const uint64_t *)ops_a_round;
}

int main(int argc, char **argv) {
    bench_begin("mstress", args, ARG_COUNT, argc, argv);
    uint64_t ops_a_round = 0;
    mill.stocks = bench_map(args[THREADS].value, sizeof *mill.stocks);
    for (uint64_t t = 0; t < args[THREADS].value; t++) {
        struct stock *stock = &mill.stocks[t];
        stock->allocs = 100 * args[SCALE].value * (t % 8 + 1);
        stock->local = bench_map(stock->allocs, sizeof *stock->local);
        stock->retained = bench_map(stock->allocs / 2, sizeof *stock->retained);
        ops_a_round += stock->allocs + stock->allocs / 2;
    }
    bench_start();
    uint64_t ops = bench_run(args[ROUNDS].value, step, &ops_a_round);
    bench_stop();
    uint64_t begin = bench_ns();
    free_cells(0, 1);
    bench_metric("drain_s", (double)(bench_ns() - begin) / 1e9);
    uint64_t checksum = 0;
    for (uint64_t t = 0; t < args[THREADS].value; t++)
        checksum = checksum * 31 + mill.stocks[t].checksum;
    return bench_finish(ops, checksum);
}
