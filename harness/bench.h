/* SPDX-License-Identifier: MIT */
/*
 * bench.h: what every workload shares: arguments, clock, random numbers, memory for
 * bookkeeping, content checks, and the one report line at the end.
 *
 * A workload calls bench_begin, does its set-up, brackets the timed part with bench_start
 * and bench_stop, does its work by bench_run in between (or by calling bench_segment about
 * BENCH_SEGMENTS times), and ends with `return bench_finish(ops, checksum)`. Work in threads
 * is bench_team.h's, histograms are bench_hist.h's. Nothing here calls malloc or stdio streams, so
 * all allocations of the process are the workload's own, or libc's for threads and start-up. Each
 * failure ends the process at once, with one sentence on stderr: status 1 when the allocator is
 * wrong, 2 when the command line is.
 */
#ifndef HARNESS_BENCH_H
#define HARNESS_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Odd, so that the median is a measured value; a warm-up is told from 20 segments on. */
#define BENCH_SEGMENTS 25

#define BENCH_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define BENCH_COLD        __attribute__((cold, noinline))
/* Keeps a function's name and body whole, so that callgrind --toggle-collect finds it. */
#if defined(__has_attribute) && __has_attribute(noipa)
#define BENCH_WHOLE __attribute__((noipa))
#else
#define BENCH_WHOLE __attribute__((noinline))
#endif

/*
 * One argument. All can be spelled --name VALUE; positional ones can also come in table order
 * and be left out from the right. Times are given in seconds and kept in milliseconds.
 */
struct bench_arg {
    const char *name;
    uint64_t value; /* the default, then what the command line says */
    uint64_t smoke; /* replaces the default under --smoke */
    uint64_t min, max;
    const char *const *choices; /* NULL: a number; else words ended by NULL, value is the index */
    bool is_option;
    bool is_time;
};

/* ---- the run: all of these are called by the main thread ---- */

void bench_begin(const char *name, struct bench_arg *args, size_t arg_count, int argc, char **argv);
void bench_start(void);

/*
 * The work in BENCH_SEGMENTS segments, each told to bench_segment. step does so many units of it
 * and returns the ops they were. Fixed work: `total` units, whatever time they take. Under
 * --seconds: batches of total / 1000 units until the segment's share of the time has gone.
 */
typedef uint64_t (*bench_step_t)(void *context, uint64_t units);
uint64_t bench_run(uint64_t total, bench_step_t step, void *context); /* all segments; the ops */
uint64_t bench_segment_of(uint64_t total, unsigned s, bench_step_t step, void *context); /* one */
uint64_t bench_part(uint64_t total, unsigned s, bench_step_t step, void *context); /* any thread */
bool bench_is_timed(void);     /* --seconds was given: no number of units ends the run */
uint64_t bench_timed_ms(void); /* what it said; 0: fixed work */

void bench_segment(uint64_t ops);           /* ops since bench_start or the last segment */
void bench_segment_skip(void);              /* forget the time since then: it was a check */
void bench_segment_value(double ns_per_op); /* a segment that the workload timed itself */
void bench_stop(void);
void bench_not_fixed_work(void);                   /* checksum and memory do not compare */
void bench_cycles_per_op(double cycles);           /* replaces the segments' median */
void bench_metric(const char *name, double value); /* one more field of the report */
void bench_metric_counts(const char *name, const uint64_t *counts, size_t count); /* kept */
void bench_thread_ops(unsigned index, uint64_t ops); /* threads in ascending order */
void bench_called(const char *function); /* whom the sentences on blocks blame; else "malloc" */
int bench_finish(uint64_t ops, uint64_t checksum);

/* ---- services for any thread ---- */

_Noreturn BENCH_COLD void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn BENCH_COLD void bench_usage(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* Zeroed, resident memory for bookkeeping, from mmap; lives as long as the process. */
void *bench_map(size_t count, size_t item_bytes);

/* The process's field of /proc/self/status ("VmRSS:", "Threads:"), or 0. */
uint64_t bench_status(const char *field);
uint64_t bench_rollup_kib(const char *field); /* of smaps_rollup, "\nPrivate_Dirty:" */
uint64_t bench_rss_kib(void); /* resident memory now, walked page by page: takes a while */

unsigned bench_cpu_count(void);       /* CPUs this process may use */
void bench_pin(unsigned index);       /* calling thread to the index-th of them, cyclic */
void bench_pin_asked(unsigned index); /* the same, if --pin was given */

/* Sorts in place (libc's qsort may call malloc) and returns the middle; 0 when empty. */
double bench_median(double *values, size_t count);

static inline uint64_t bench_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Ticks of the time stamp counter: constant rate, not the core's momentary frequency. */
static inline uint64_t bench_cycles(void) {
#if defined(__x86_64__)
    __builtin_ia32_lfence(); /* else the read floats up into the work before it */
    uint64_t cycles = __builtin_ia32_rdtsc();
    __builtin_ia32_lfence();
    return cycles;
#else
    return bench_ns();
#endif
}

/* ---- random numbers: xorshift64*, state seeded through splitmix64 ---- */

struct bench_rng {
    uint64_t state; /* never 0 */
};

static inline uint64_t bench_splitmix64(uint64_t x) {
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static inline struct bench_rng bench_rng_seeded(uint64_t seed, uint64_t stream) {
    uint64_t state = bench_splitmix64(seed ^ bench_splitmix64(stream));
    return (struct bench_rng){.state = state ? state : 1};
}

static inline uint64_t bench_random(struct bench_rng *rng) {
    uint64_t x = rng->state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    rng->state = x;
    return x * 0x2545F4914F6CDD1Du;
}

/* Two numbers below their limits from one draw: disjoint halves, so they do not correlate. */
static inline uint32_t bench_high_below(uint64_t draw, uint32_t limit) {
    return (uint32_t)(((draw >> 32) * limit) >> 32);
}

static inline uint32_t bench_low_below(uint64_t draw, uint32_t limit) {
    return (uint32_t)(((draw & 0xFFFFFFFFu) * limit) >> 32);
}

/* ---- content: first and last byte say which slot and size a block was given to ---- */

BENCH_COLD void bench_check_block_slow(const void *block, size_t size);
_Noreturn BENCH_COLD void bench_content_wrong(const void *block, uint32_t id, size_t size);

/* NULL is an error; so is a block off 16 bytes, but see bench_check_block_slow for small ones. */
static inline void bench_check_block(const void *block, size_t size) {
    if (BENCH_UNLIKELY(!block || ((uintptr_t)block & 15))) bench_check_block_slow(block, size);
}

static inline uint32_t bench_tag(uint32_t id, size_t size) {
    return (id * 0x9E37u + (uint32_t)size * 0x85EBu + 0xA5C3u) & 0xFFFFu;
}

/* volatile: a store before free is dead to a compiler that knows what free does. Size >= 2. */
static inline void bench_mark(void *block, uint32_t id, size_t size) {
    volatile uint8_t *bytes = block;
    uint32_t tag = bench_tag(id, size);
    bytes[0] = (uint8_t)(tag >> 8);
    bytes[size - 1] = (uint8_t)tag;
}

/* Returns what the block said, for the checksum. */
static inline uint32_t bench_verify(const void *block, uint32_t id, size_t size) {
    const volatile uint8_t *bytes = block;
    uint32_t found = (uint32_t)bytes[0] << 8 | bytes[size - 1];
    if (BENCH_UNLIKELY(found != bench_tag(id, size))) bench_content_wrong(block, id, size);
    return found;
}

/* Share s of BENCH_SEGMENTS almost equal shares of total. */
static inline uint64_t bench_share(uint64_t total, unsigned s) {
    return total * (s + 1) / BENCH_SEGMENTS - total * s / BENCH_SEGMENTS;
}

#endif
