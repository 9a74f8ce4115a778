/* SPDX-License-Identifier: MIT */
/*
 * glibc_simple: 25, 100, 400, 1600 blocks of one size, half freed in order, half in reverse.
 *
 * After the description of glibc's bench-malloc-simple. A round allocates 1600 blocks of SIZE for
 * each of the four counts and of the three sizes SIZE, 2 x SIZE, 4 x SIZE: so many at a time
 * are filled, then the first half freed first in first out, the second half last in first out.
 * One op is a malloc with its free, the writing of all bytes included.
 *
 * --where says who does it: `main` the main thread of a process that never had another, which
 * allocators may serve without locks; `thread` THREADS others at once, each with all ROUNDS;
 * `after` the main thread again, when another has come and gone. They are three workloads.
 */
#include "harness/bench_team.h"

#include <stdlib.h>
#include <string.h>

enum { ROUNDS, SIZE, WHERE, THREADS, ARG_COUNT };
enum { WHERE_MAIN, WHERE_THREAD, WHERE_AFTER };
enum { MOST = 1600, SIZES = 3 };

static const char *const where_words[] = {"main", "thread", "after", NULL};
static const uint32_t counts[] = {25, 100, 400, MOST};

static struct bench_arg args[ARG_COUNT] = {
    [ROUNDS] = {.name = "rounds", .value = 400, .smoke = 5, .min = 1, .max = 1ull << 40},
    [SIZE] = {.name = "size", .value = 16, .smoke = 16, .min = 2, .max = 1u << 26},
    [WHERE] = {.name = "where", .choices = where_words, .is_option = true},
    [THREADS] = {.name = "threads",
                 .value = 1,
                 .smoke = 1,
                 .min = 1,
                 .max = BENCH_MAX_THREADS,
                 .is_option = true},
};

/* Its thread's alone. */
struct pile {
    void *blocks[MOST];
    uint64_t checksum;
    uint32_t mark; /* of its own, since threads go in step */
};

static void empty(struct pile *pile, uint32_t i, size_t size) {
    pile->checksum += bench_verify(pile->blocks[i], pile->mark + i, size);
    free(pile->blocks[i]);
}

static void run_pile(struct pile *pile, uint32_t count, size_t size) {
    for (uint32_t i = 0; i < count; i++) {
        void *block = malloc(size);
        bench_check_block(block, size);
        memset(block, (int)i, size);
        bench_mark(block, pile->mark + i, size);
        pile->blocks[i] = block;
    }
    for (uint32_t i = 0; i < count / 2; i++)
        empty(pile, i, size);
    for (uint32_t i = count; i > count / 2; i--)
        empty(pile, i - 1, size);
}

BENCH_WHOLE static void run_round(struct pile *pile) {
    for (unsigned s = 0; s < SIZES; s++) {
        for (unsigned c = 0; c < sizeof counts / sizeof counts[0]; c++) {
            for (uint32_t k = 0; k < MOST / counts[c]; k++)
                run_pile(pile, counts[c], args[SIZE].value << s);
        }
    }
}

static uint64_t step(void *context, uint64_t rounds) {
    for (uint64_t k = 0; k < rounds; k++)
        run_round(context);
    return rounds * SIZES * MOST * (sizeof counts / sizeof counts[0]);
}

static uint64_t step_thread(struct bench_worker *self, uint64_t rounds) {
    uint64_t ops = step(self->own, rounds);
    self->checksum = ((struct pile *)self->own)->checksum;
    return ops;
}

static struct pile *piles;

static void set_up(struct bench_worker *self) {
    self->own = &piles[self->index];
    piles[self->index].mark = bench_own_id(self, 0);
}

static void do_nothing(unsigned index, void *context) {
    (void)index;
    (void)context;
}

int main(int argc, char **argv) {
    bench_begin("glibc_simple", args, ARG_COUNT, argc, argv);
    struct bench_team_plan plan = {
        .threads = (unsigned)args[THREADS].value,
        .total = args[ROUNDS].value,
        .set_up = set_up,
        .step = step_thread,
    };
    piles = bench_map(plan.threads, sizeof *piles);
    uint64_t checksum;
    if (args[WHERE].value == WHERE_THREAD) {
        uint64_t ops = bench_team(&plan, &checksum);
        return bench_finish(ops, checksum);
    }
    if (plan.threads > 1) bench_usage("more threads than one go with --where thread");
    if (args[WHERE].value == WHERE_AFTER) bench_threads(1, do_nothing, NULL);
    bench_start();
    uint64_t ops = bench_run(plan.total, step, piles);
    bench_stop();
    return bench_finish(ops, piles->checksum);
}
