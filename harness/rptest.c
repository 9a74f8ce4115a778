/* SPDX-License-Identifier: MIT */
/*
 * rptest: scattered frees, a wide range of sizes, three alignments, packages to other threads.
 *
 * After the description of rpmalloc-benchmark. Each thread has SLOTS slots. A loop does 30 to 99
 * frees, walking the slots with a prime stride; frees all that other threads sent; fills 30 to
 * 99 slots, walking with another stride; and every CROSS loops allocates a package of as
 * many blocks and sends it to the next thread. Sizes of MIN..MAX come from a table drawn once
 * by --sizes: even, linear (falling to 0 at MAX) or exp (each power of two as often as any other).
 * Alignments take turns: malloc, posix_memalign of 8 and of 16. A byte of each page and the
 * ends are written, and read before free.
 *
 * One op is an allocation with its free, as in the original's score; LOOPS is per thread. Whose
 * 64 packages are all on their way frees the blocks itself. The original's second iteration after
 * a barrier is left out. The checksum is of what was allocated: who frees it is chance.
 */
#include "harness/bench_team.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { THREADS, LOOPS, SLOTS, CROSS, MIN, MAX, SEED, SIZES, ARG_COUNT };
enum { SIZES_EVEN, SIZES_LINEAR, SIZES_EXP };
enum { TABLE = 8192, LEAST = 30, SPREAD = 70, MOST = LEAST + SPREAD, PACKAGES = 64, PAGE = 4096 };
enum { FREE_STRIDE = 7919, FILL_STRIDE = 104729 }; /* primes: no stride divides SLOTS but its own */

static const char *const sizes_words[] = {"even", "linear", "exp", NULL};

static struct bench_arg args[ARG_COUNT] = {
    [THREADS] = {.name = "threads", .value = 2, .smoke = 2, .min = 1, .max = BENCH_MAX_THREADS},
    [LOOPS] = {.name = "loops", .value = 3000, .smoke = 50, .min = 1, .max = 1ull << 40},
    [SLOTS] = {.name = "slots", .value = 1000, .smoke = 1000, .min = 1, .max = 1u << 24},
    [CROSS] = {.name = "cross", .value = 2, .smoke = 2, .min = 1, .max = 1u << 30},
    [MIN] = {.name = "min", .value = 8, .smoke = 8, .min = 2, .max = 1u << 26},
    [MAX] = {.name = "max", .value = 16000, .smoke = 16000, .min = 2, .max = 1u << 26},
    [SEED] = {.name = "seed", .value = 42, .smoke = 42, .max = UINT64_MAX},
    [SIZES] = {.name = "sizes", .choices = sizes_words, .is_option = true},
};

struct item {
    void *block; /* NULL: empty */
    uint32_t size;
    uint32_t id; /* its mark's: no two blocks of about the same time have the same */
};

/* Its sender's until it is sent, then the receiver's until is_sent falls. */
struct package {
    struct package *next;
    atomic_bool is_sent; /* release by the receiver, acquire by the sender */
    uint32_t count;
    struct item items[MOST];
};

/* Its thread's, but for the inbox. */
struct walker {
    struct item *slots;
    uint32_t free_at, fill_at;
    uint64_t loops, allocations;
    struct package *packages;
    uint32_t next_package;
    /* A stack; push is release, taking all of it acquire. */
    _Atomic(struct package *) inbox __attribute__((aligned(128)));
} __attribute__((aligned(128)));

static struct {
    struct walker *walkers;
    uint32_t sizes[TABLE]; /* const after init */
} test;

static uint32_t draw_size(struct bench_rng *rng) {
    uint32_t min = (uint32_t)args[MIN].value, spread = (uint32_t)args[MAX].value - min + 1;
    uint64_t draw = bench_random(rng);
    uint32_t one = bench_high_below(draw, spread), other = bench_low_below(draw, spread);
    if (args[SIZES].value == SIZES_EVEN) return min + one;
    if (args[SIZES].value == SIZES_LINEAR) return min + (one < other ? one : other);
    unsigned low = 31u - (unsigned)__builtin_clz(min);
    unsigned high = 31u - (unsigned)__builtin_clz(min + spread - 1);
    uint32_t power = 1u << (low + bench_high_below(draw, high - low + 1));
    uint32_t size = power + bench_low_below(draw, power);
    return size < min ? min : size >= min + spread ? min + spread - 1 : size;
}

static void set_up(struct bench_worker *self) {
    self->own = &test.walkers[self->index];
}

static void *allocate_aligned(size_t alignment, size_t size) {
    void *block = NULL;
    if (posix_memalign(&block, alignment, size) != 0) block = NULL;
    if (BENCH_UNLIKELY(!block)) bench_fail("posix_memalign of %zu bytes returned NULL", size);
    if (BENCH_UNLIKELY((uintptr_t)block % alignment)) {
        bench_fail("posix_memalign of %zu bytes returned %p, which is not aligned to %zu", size,
                   block, alignment);
    }
    return block;
}

static struct item allocate(struct bench_worker *self) {
    struct walker *walker = self->own;
    uint32_t size = test.sizes[bench_high_below(bench_random(&self->rng), TABLE)];
    unsigned turn = (unsigned)(walker->allocations++ % 3);
    uint32_t id = (uint32_t)walker->allocations * (BENCH_MAX_THREADS + 1) + self->index;
    void *block = turn ? allocate_aligned(turn * 8, size) : malloc(size);
    if (!turn) bench_check_block(block, size);
    volatile uint8_t *bytes = block;
    for (uint32_t at = PAGE; at + 1 < size; at += PAGE)
        bytes[at] = (uint8_t)id;
    bench_mark(block, id, size);
    self->checksum += bench_tag(id, size);
    return (struct item){block, size, id};
}

static void empty(struct item *item) {
    if (!item->block) return;
    const volatile uint8_t *bytes = item->block;
    bench_verify(item->block, item->id, item->size);
    for (uint32_t at = PAGE; at + 1 < item->size; at += PAGE) {
        if (bytes[at] != (uint8_t)item->id) bench_content_wrong(item->block, item->id, item->size);
    }
    free(item->block);
    item->block = NULL;
}

static void receive(struct walker *walker) {
    struct package *package = atomic_exchange_explicit(&walker->inbox, NULL, memory_order_acquire);
    while (package) {
        struct package *next = package->next;
        for (uint32_t i = 0; i < package->count; i++)
            empty(&package->items[i]);
        atomic_store_explicit(&package->is_sent, false, memory_order_release);
        package = next;
    }
}

static void send(struct bench_worker *self, struct package *package) {
    struct walker *to = &test.walkers[(self->index + 1) % self->plan->threads];
    atomic_store_explicit(&package->is_sent, true, memory_order_relaxed);
    package->next = atomic_load_explicit(&to->inbox, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&to->inbox, &package->next, package,
                                                  memory_order_release, memory_order_relaxed))
        continue;
}

static void pack(struct bench_worker *self, uint32_t count) {
    struct walker *walker = self->own;
    struct package *package = &walker->packages[walker->next_package];
    bool is_away = atomic_load_explicit(&package->is_sent, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        struct item item = allocate(self);
        if (is_away) {
            empty(&item);
        } else {
            package->items[i] = item;
        }
    }
    if (is_away) return;
    package->count = count;
    walker->next_package = (walker->next_package + 1) % PACKAGES;
    send(self, package);
}

static uint32_t draw_count(struct bench_worker *self) {
    return LEAST + bench_high_below(bench_random(&self->rng), SPREAD);
}

static void run_loop(struct bench_worker *self) {
    struct walker *walker = self->own;
    uint32_t slot_count = (uint32_t)args[SLOTS].value;
    for (uint32_t left = draw_count(self); left > 0; left--) {
        empty(&walker->slots[walker->free_at]);
        walker->free_at = (walker->free_at + FREE_STRIDE) % slot_count;
    }
    receive(walker);
    for (uint32_t left = draw_count(self); left > 0; left--) {
        struct item *slot = &walker->slots[walker->fill_at];
        empty(slot);
        *slot = allocate(self);
        walker->fill_at = (walker->fill_at + FILL_STRIDE) % slot_count;
    }
    if (++walker->loops % args[CROSS].value == 0) pack(self, draw_count(self));
}

static uint64_t step(struct bench_worker *self, uint64_t loops) {
    const struct walker *walker = self->own;
    uint64_t before = walker->allocations;
    while (loops-- > 0)
        run_loop(self);
    return walker->allocations - before;
}

static void drain(struct bench_worker *self) {
    struct walker *walker = self->own;
    receive(walker);
    for (uint32_t i = 0; i < args[SLOTS].value; i++)
        empty(&walker->slots[i]);
}

int main(int argc, char **argv) {
    bench_begin("rptest", args, ARG_COUNT, argc, argv);
    if (args[MAX].value < args[MIN].value) bench_usage("max is below min");
    struct bench_team_plan plan = {
        .threads = (unsigned)args[THREADS].value,
        .total = args[LOOPS].value,
        .seed = args[SEED].value,
        .set_up = set_up,
        .step = step,
        .drain = drain,
    };
    struct bench_rng rng = bench_rng_seeded(args[SEED].value, BENCH_MAX_THREADS);
    for (unsigned i = 0; i < TABLE; i++)
        test.sizes[i] = draw_size(&rng);
    test.walkers = bench_map(plan.threads, sizeof *test.walkers);
    for (unsigned t = 0; t < plan.threads; t++) {
        test.walkers[t].slots = bench_map(args[SLOTS].value, sizeof(struct item));
        test.walkers[t].packages = bench_map(PACKAGES, sizeof(struct package));
    }
    uint64_t checksum;
    uint64_t ops = bench_team(&plan, &checksum);
    return bench_finish(ops, checksum);
}
