/* SPDX-License-Identifier: MIT */
/*
 * realloc_grow: one block grows by realloc from START to END bytes, STEP at a time.
 *
 * One op is a realloc and the write of the new last byte. Most of the block is never written,
 * so this times how realloc grows (in place, by moving pages, or by copying all there is),
 * not the filling: a copier does work in the square of END, and meets the page faults of two
 * blocks at its peak. After each segment, outside the timed part, the first byte and the last
 * byte of every step so far are read back. A small neighbour, allocated behind the block,
 * lives all the time; its ends are checked as well. The last free is apart (drain_s).
 */
#include "harness/bench.h"

#include <stdlib.h>

enum { START, END, STEP, ARG_COUNT };
enum { NEIGHBOUR = 64, FIRST_BYTE = 0x5A };

static struct bench_arg args[ARG_COUNT] = {
    [START] = {.name = "start", .value = 1u << 20, .smoke = 64u << 10, .min = 2, .max = 1ull << 40},
    [END] = {.name = "end", .value = 1u << 30, .smoke = 8u << 20, .min = 2, .max = 1ull << 40},
    [STEP] = {.name = "step", .value = 1u << 20, .smoke = 64u << 10, .min = 1, .max = 1ull << 40},
};

struct grown {
    volatile uint8_t *block;
    size_t start, step_bytes;
    uint32_t last;  /* the step at which the block has END bytes */
    uint32_t steps; /* done so far: the block has start + steps * step_bytes bytes */
    void *neighbour;
};

static size_t size_at(const struct grown *grown, uint32_t step) {
    return grown->start + step * grown->step_bytes;
}

static uint8_t mark_at(const struct grown *grown, uint32_t step) {
    return (uint8_t)bench_tag(step, size_at(grown, step));
}

static void start(struct grown *grown) {
    grown->block = malloc(grown->start);
    bench_check_block((void *)grown->block, grown->start);
    grown->block[0] = FIRST_BYTE;
    grown->block[grown->start - 1] = mark_at(grown, 0);
    grown->neighbour = malloc(NEIGHBOUR);
    bench_check_block(grown->neighbour, NEIGHBOUR);
    bench_mark(grown->neighbour, 0, NEIGHBOUR);
}

BENCH_WHOLE static void run_steps(struct grown *grown, uint64_t steps) {
    while (steps-- > 0) {
        size_t size = size_at(grown, ++grown->steps);
        grown->block = realloc((void *)grown->block, size);
        bench_check_block((void *)grown->block, size);
        grown->block[size - 1] = mark_at(grown, grown->steps);
    }
}

static void start_again(struct grown *grown) {
    free((void *)grown->block);
    free(grown->neighbour);
    grown->steps = 0;
    start(grown);
}

/* At END, where only --seconds goes on, the block begins again at START. */
static uint64_t step(void *context, uint64_t steps) {
    struct grown *grown = context;
    for (uint64_t left = steps; left > 0;) {
        if (grown->steps == grown->last) start_again(grown);
        uint64_t room = grown->last - grown->steps;
        uint64_t some = left < room ? left : room;
        run_steps(grown, some);
        left -= some;
    }
    return steps;
}

static uint64_t verify(const struct grown *grown) {
    uint64_t sum = bench_verify(grown->neighbour, 0, NEIGHBOUR);
    size_t size = size_at(grown, grown->steps);
    if (grown->block[0] != FIRST_BYTE) bench_content_wrong((void *)grown->block, 0, size);
    for (uint32_t step = 0; step <= grown->steps; step++) {
        uint8_t found = grown->block[size_at(grown, step) - 1];
        if (found != mark_at(grown, step)) bench_content_wrong((void *)grown->block, step, size);
        sum = sum * 31 + found;
    }
    return sum;
}

int main(int argc, char **argv) {
    bench_begin("realloc_grow", args, ARG_COUNT, argc, argv);
    if (args[END].value < args[START].value) bench_usage("end is below start");
    uint64_t steps = (args[END].value - args[START].value) / args[STEP].value;
    if (steps > 1u << 30) bench_usage("asks for more than 2^30 steps");
    if (bench_is_timed() && steps == 0) bench_usage("--seconds wants END above START by a STEP");
    struct grown grown = {
        .start = args[START].value, .step_bytes = args[STEP].value, .last = (uint32_t)steps};
    start(&grown);
    bench_called("realloc");

    uint64_t checksum = 0;
    uint64_t ops = 0;
    bench_start();
    for (unsigned s = 0; s < BENCH_SEGMENTS; s++) {
        ops += bench_segment_of(steps, s, step, &grown);
        checksum = checksum * 31 + verify(&grown);
        bench_segment_skip();
    }
    bench_stop();
    uint64_t begin = bench_ns();
    free((void *)grown.block);
    bench_metric("drain_s", (double)(bench_ns() - begin) / 1e9);
    free(grown.neighbour);
    return bench_finish(ops, checksum);
}
