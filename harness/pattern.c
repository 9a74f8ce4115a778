/* SPDX-License-Identifier: MIT */
/*
 * pattern.c: the scenarios, their arguments, and the steps of a pattern, see pattern.h.
 *
 * What a pattern needs is told in two ways. At its peak, by the sizes of the live blocks, which
 * could lie densely; after its frees, by the pages that live blocks lie on, each counted once,
 * since no allocator can move what lives.
 */
#include "harness/pattern_inside.h"

#include <stdlib.h>

enum { SIZES = 14, MIXED_STEP = 5 /* prime to SIZES */ };

static const uint32_t phase_sizes[SIZES] = {48,   80,   140,  240,   400,   700,   1200,
                                            2050, 3500, 6000, 10200, 17400, 29700, 50000};

static const char *const act_words[] = {"pairs", "replace", "none", NULL};
static const char *const then_words[] = {"end", "sleep", NULL};
static const char *const order_words[] = {"grow", "mixed", NULL};
static const char *const scenario_words[] = {"own",   "worker", "inbox", "orphan", "handed",
                                             "crowd", "parade", "heirs", "zeroed", NULL};

#define SCENARIOS_OWN UINT64_MAX /* the value of an argument that was not given */

static struct bench_arg args[PATTERN_ARG_COUNT] = {
    [PATTERN_SCENARIO] = {.name = "scenario", .choices = scenario_words},
    [PATTERN_SIZE] = {.name = "size",
                      .value = SCENARIOS_OWN,
                      .smoke = SCENARIOS_OWN,
                      .max = 1u << 30},
    [PATTERN_TOTAL] = {.name = "total",
                       .value = SCENARIOS_OWN,
                       .smoke = 2 * PATTERN_MIB,
                       .min = 1,
                       .max = 1ull << 40},
    [PATTERN_THREADS] =
        {.name = "threads", .value = SCENARIOS_OWN, .smoke = 3, .min = 1, .max = 1u << 20},
    [PATTERN_PHASES] =
        {.name = "phases", .value = SCENARIOS_OWN, .smoke = 2, .min = 1, .max = 1000},
    [PATTERN_RATE] = {.name = "rate", .value = 1000, .smoke = 1000, .max = 1000000},
    [PATTERN_SECONDS] =
        {.name = "seconds", .value = 2000, .smoke = 100, .max = 60000, .is_time = true},
    [PATTERN_SEED] = {.name = "seed", .value = 42, .smoke = 42, .max = UINT64_MAX},
    [PATTERN_ACT] = {.name = "act", .choices = act_words, .is_option = true},
    [PATTERN_THEN] = {.name = "then", .choices = then_words, .is_option = true},
    [PATTERN_KEEP] = {.name = "keep", .max = 1u << 30, .is_option = true},
    [PATTERN_ORDER] = {.name = "order", .choices = order_words, .is_option = true},
    [PATTERN_PAUSE] = {.name = "pause",
                       .value = 200,
                       .smoke = 10,
                       .max = 60000,
                       .is_option = true,
                       .is_time = true},
};

struct pattern_state pattern;
static uint64_t base_kib, work_ns;
static double *pages; /* numbers of those that live blocks lie on; doubles, for bench_median */

uint64_t pattern_value(enum pattern_arg arg) {
    return args[arg].value;
}

/* ---- blocks, by any thread ---- */

void *pattern_filled(size_t size, uint32_t id) {
    volatile char *block = malloc(size);
    bench_check_block((void *)block, size);
    for (size_t at = 0; at < size; at += PATTERN_PAGE)
        block[at] = 1;
    bench_mark((void *)block, id, size);
    return (void *)block;
}

void pattern_freed(void *block, size_t size, uint32_t id, uint64_t *sum) {
    *sum += bench_verify(block, id, size);
    free(block);
}

void pattern_keep(void *block, size_t size, uint32_t id) {
    uint64_t place = atomic_fetch_add_explicit(&pattern.kept_count, 1, memory_order_relaxed);
    if (place >= pattern.kept_most) bench_usage("more blocks live on than foreseen");
    pattern.kept[place] = (struct pattern_block){block, (uint32_t)size, id};
}

void pattern_count(uint64_t uses, uint64_t sum) {
    atomic_fetch_add_explicit(&pattern.uses, uses, memory_order_relaxed);
    atomic_fetch_add_explicit(&pattern.checksum, sum, memory_order_relaxed);
}

/* ---- scenarios ---- */

static size_t size_of(unsigned phase) {
    if (args[PATTERN_SIZE].value) return args[PATTERN_SIZE].value;
    return phase_sizes[args[PATTERN_ORDER].value ? phase * MIXED_STEP % SIZES : phase % SIZES];
}

static uint64_t count_of(unsigned phase) {
    uint64_t count = args[PATTERN_TOTAL].value / size_of(phase);
    return count ? count : 1;
}

static uint64_t array_most(void) {
    uint64_t most = 0;
    for (unsigned phase = 0; phase < args[PATTERN_PHASES].value; phase++) {
        uint64_t count = count_of(phase);
        if (count > most) most = count;
    }
    return most;
}

static uint64_t survivors_most(void) {
    uint64_t most = 0, keep = args[PATTERN_KEEP].value;
    for (unsigned phase = 0; keep && phase < args[PATTERN_PHASES].value; phase++)
        most += count_of(phase) / keep + 1;
    return most;
}

static uint64_t none(void) {
    return 0;
}

static void release_nothing(unsigned phase) {
    (void)phase;
}

/* In the order of scenario_words. */
static const struct pattern_scenario scenarios[] = {
    {pattern_fill_each, pattern_release_each, array_most, survivors_most, 200, 512ull << 20, 1, 1},
    {pattern_fill_crew, pattern_release_crew, array_most, survivors_most, 200, 512ull << 20, 1, 1},
    {pattern_fill_main, pattern_release_crew, array_most, survivors_most, 200, 512ull << 20, 1, 1},
    {pattern_fill_crew, pattern_release_main, array_most, survivors_most, 0, 100u << 20, 1, SIZES},
    {pattern_fill_one, pattern_release_next, array_most, survivors_most, 0, 100u << 20, 4, SIZES},
    {pattern_fill_crowd, release_nothing, pattern_crowd_blocks, none, 0, 64u << 10, 100, 1},
    {pattern_fill_parade, pattern_release_kept, none, pattern_parade_kept, 0, 0, 10000, 5},
    {pattern_fill_heirs, pattern_release_heirs, none, pattern_heirs_kept, 1000, 10u << 20, 4, 20},
    {pattern_fill_zeroed, pattern_release_zeroed, array_most, none, 64u << 20, 3200ull << 20, 1, 1},
};

/* ---- the steps ---- */

static void resolve(enum pattern_arg arg, uint64_t own) {
    if (args[arg].value == SCENARIOS_OWN) args[arg].value = own;
}

static uint64_t pages_of(const struct pattern_block *kept) {
    uintptr_t first = (uintptr_t)kept->block / PATTERN_PAGE;
    return ((uintptr_t)kept->block + kept->size - 1) / PATTERN_PAGE - first + 1;
}

void pattern_begin(const char *program, int argc, char **argv) {
    bench_begin(program, args, PATTERN_ARG_COUNT, argc, argv);
    const struct pattern_scenario *scenario = &scenarios[args[PATTERN_SCENARIO].value];
    resolve(PATTERN_SIZE, scenario->size);
    resolve(PATTERN_TOTAL, scenario->total);
    resolve(PATTERN_THREADS, scenario->threads);
    resolve(PATTERN_PHASES, scenario->phases);
    if (args[PATTERN_SIZE].value == 1) bench_usage("size: blocks of one byte cannot be marked");
    uint64_t threads = args[PATTERN_THREADS].value;
    bool is_crew = scenario->fill != pattern_fill_parade;
    if (is_crew && threads > PATTERN_MAX_CREW)
        bench_usage("threads: at most %d", (int)PATTERN_MAX_CREW);
    if (scenario->fill == pattern_fill_zeroed) bench_called("calloc");
    pattern.scenario = scenario;
    pattern.kept_most = scenario->kept_most();
    pattern.blocks = bench_map(scenario->blocks_most(), sizeof *pattern.blocks);
    pattern.kept = bench_map(pattern.kept_most, sizeof *pattern.kept);
    uint64_t block_pages = (size_of(args[PATTERN_SIZE].value ? 0 : SIZES - 1)) / PATTERN_PAGE + 2;
    pages = bench_map(pattern.kept_most * block_pages, sizeof *pages);
    pattern_crew_prepare(is_crew ? (unsigned)threads : 1);
    base_kib = bench_rss_kib();
}

void pattern_fill(unsigned phase) {
    bool is_array = pattern.scenario->blocks_most == array_most;
    pattern.size = size_of(phase);
    pattern.count = is_array ? count_of(phase) : 0;
    pattern.peak_bytes = 0;
    uint64_t begin = bench_ns();
    pattern.scenario->fill(phase);
    work_ns += bench_ns() - begin - pattern.untimed_ns;
    pattern.untimed_ns = 0;
}

void pattern_release(unsigned phase) {
    uint64_t begin = bench_ns();
    pattern.scenario->release(phase);
    work_ns += bench_ns() - begin;
}

uint64_t pattern_end(void) {
    pattern_crew_end();
    pattern_act_end();
    pattern_release_kept(0);
    return atomic_load_explicit(&pattern.checksum, memory_order_relaxed);
}

/* ---- what is needed, and what is there ---- */

uint64_t pattern_net_kib(void) {
    uint64_t kib = bench_rss_kib();
    return kib > base_kib ? kib - base_kib : 0;
}

uint64_t pattern_peak_bytes(void) {
    if (pattern.peak_bytes) return pattern.peak_bytes;
    uint64_t bytes = pattern.count * pattern.size;
    uint64_t kept_count = atomic_load_explicit(&pattern.kept_count, memory_order_relaxed);
    for (uint64_t i = 0; i < kept_count; i++)
        bytes += pattern.kept[i].size;
    return bytes;
}

uint64_t pattern_needed_bytes(void) {
    uint64_t kept_count = atomic_load_explicit(&pattern.kept_count, memory_order_relaxed);
    size_t used = 0;
    for (uint64_t i = 0; i < kept_count; i++) {
        double first = (double)((uintptr_t)pattern.kept[i].block / PATTERN_PAGE);
        for (uint64_t p = 0; p < pages_of(&pattern.kept[i]); p++)
            pages[used++] = first + (double)p;
    }
    bench_median(pages, used); /* sorts them */
    uint64_t distinct = 0;
    for (size_t i = 0; i < used; i++)
        distinct += i == 0 || pages[i] != pages[i - 1];
    return distinct * PATTERN_PAGE;
}

uint64_t pattern_uses(void) {
    return atomic_load_explicit(&pattern.uses, memory_order_relaxed);
}

double pattern_ns_per_use(void) {
    return pattern_uses() ? (double)work_ns / (double)pattern_uses() : 0.0;
}
