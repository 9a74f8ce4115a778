/* SPDX-License-Identifier: MIT */
/*
 * calloc_pairs: COUNT times calloc(1, SIZE), a look whether it is zero, and free.
 *
 * --dirty says what is written before free: nothing, the last byte, or all of it by memset
 * (the default), so that the next calloc meets memory that is not zero. The three are three
 * workloads: `all` shows what clearing recycled memory costs beside the program's own use of
 * it, `byte` and `none` whether an allocator clears what the kernel has just cleared.
 * One op is all of this, and all of it is timed. Looked at in the timed part are the first and
 * last byte and, under `all`, one byte per 4096; else up to 16 spread ones, since a read of a
 * page that was never touched is a page fault.
 * Before and after, apart: blocks live side by side (256, fewer above 16 KiB), every byte of
 * each read, soiled, and the ends verified; twice, so that recycled memory is among them.
 */
#include "harness/bench.h"

#include <stdlib.h>
#include <string.h>

enum { COUNT, SIZE, DIRTY, ARG_COUNT };
enum { DIRTY_ALL, DIRTY_BYTE, DIRTY_NONE };
enum { LOOK_STEP = 4096, SPREAD = 16, CHECKED = 256, CHECKED_BYTES = 4 << 20, DIRT = 0xA5 };

static const char *const dirty_words[] = {"all", "byte", "none", NULL};

static struct bench_arg args[ARG_COUNT] = {
    [COUNT] = {.name = "count", .value = 5000000, .smoke = 100000, .min = 1, .max = 1ull << 50},
    [SIZE] = {.name = "size", .value = 64, .smoke = 64, .min = 2, .max = 1u << 30},
    [DIRTY] = {.name = "dirty", .choices = dirty_words, .is_option = true},
};

_Noreturn BENCH_COLD static void not_zero(const uint8_t *block, size_t size) {
    size_t at = 0;
    while (at + 1 < size && !block[at])
        at++;
    bench_fail("calloc of %zu bytes returned memory that is not zero: 0x%02x at byte %zu", size,
               block[at], at);
}

/* What of `size` bytes is written: the last ones, which no list of free blocks lies in. */
static size_t dirty_bytes(size_t size) {
    if (args[DIRTY].value == DIRTY_NONE) return 0;
    return args[DIRTY].value == DIRTY_BYTE ? 1 : size;
}

static size_t look_step(size_t size) {
    size_t spread = size / (SPREAD + 1) + 1;
    return args[DIRTY].value == DIRTY_ALL || spread < LOOK_STEP ? LOOK_STEP : spread;
}

BENCH_WHOLE static void run_pairs(uint64_t count, size_t size, size_t dirty, size_t step) {
    while (count-- > 0) {
        uint8_t *block = calloc(1, size);
        bench_check_block(block, size);
        uint32_t seen = block[0] | block[size - 1];
        for (size_t at = step; at < size; at += step)
            seen |= block[at];
        if (BENCH_UNLIKELY(seen)) not_zero(block, size);
        if (dirty) memset(block + size - dirty, DIRT, dirty);
        free(block);
    }
}

struct pairs {
    size_t size, dirty, look_step;
};

static uint64_t step(void *context, uint64_t count) {
    const struct pairs *pairs = context;
    run_pairs(count, pairs->size, pairs->dirty, pairs->look_step);
    return count;
}

static uint64_t check_round(size_t size) {
    uint8_t *blocks[CHECKED];
    uint64_t sum = 0;
    size_t fitting = CHECKED_BYTES / size;
    uint32_t count = fitting > CHECKED ? CHECKED : fitting < 1 ? 1 : (uint32_t)fitting;
    for (uint32_t i = 0; i < count; i++) {
        blocks[i] = calloc(1, size);
        bench_check_block(blocks[i], size);
        bool is_zero = blocks[i][0] == 0 && memcmp(blocks[i], blocks[i] + 1, size - 1) == 0;
        if (!is_zero) not_zero(blocks[i], size);
        memset(blocks[i], DIRT, size);
        bench_mark(blocks[i], i, size);
    }
    for (uint32_t i = 0; i < count; i++)
        sum += bench_verify(blocks[i], i, size);
    for (uint32_t i = 0; i < count; i++)
        free(blocks[i]);
    return sum;
}

int main(int argc, char **argv) {
    bench_begin("calloc_pairs", args, ARG_COUNT, argc, argv);
    bench_called("calloc");
    size_t size = args[SIZE].value;
    struct pairs pairs = {size, dirty_bytes(size), look_step(size)};
    uint64_t checksum = check_round(size);
    checksum = checksum * 31 + check_round(size);

    bench_start();
    uint64_t ops = bench_run(args[COUNT].value, step, &pairs);
    bench_stop();
    checksum = checksum * 31 + check_round(size);
    checksum = checksum * 31 + check_round(size);
    return bench_finish(ops, checksum);
}
