/* SPDX-License-Identifier: MIT */
/*
 * threads.c SECONDS THREADS SEED: threads that allocate, resize and free blocks of 1 B to 300 KiB,
 * mostly small, and exchange them through a global array by atomic swaps, so that many are freed by
 * another thread than their maker. Threads end after a short life and are replaced; what they leave
 * in the array outlives them. Every block carries a pattern that is checked before it goes. At rest
 * between lives of all, and at the end, the allocator's own check must hold. Compiles against the
 * libc names, and with -DUSE_HAK against the hak_* names.
 */
#include "tests/stress/stress.h"

#include <stdatomic.h>

#define MOST_THREADS 64U
#define OWN_SLOTS    400U
#define SHARED_SLOTS 1024U
#define LIFE_TURNS   6000U
#define TOP_SIZE     (300 * KIB)
#define DENSE_BYTES  ((size_t)512) /* beyond this, every 61st byte is checked, and the last ones */

/* A block on its way: made by one thread, perhaps freed by another. Itself a block. */
struct parcel {
    unsigned char *block;
    size_t size;
    unsigned char mark;
};

struct worker {
    pthread_t thread;
    uint64_t random;
    unsigned long turns;
    struct parcel *own[OWN_SLOTS];
};

/* Atomic; release on the way in, acquire on the way out: the swap does both. */
static _Atomic(struct parcel *) shared[SHARED_SLOTS];
static struct worker workers[MOST_THREADS];

static unsigned char mark_at(const struct parcel *parcel, size_t at) {
    return (unsigned char)(parcel->mark + at * 13U);
}

static size_t next_marked(size_t at, size_t size) {
    return at < DENSE_BYTES || at + 64 >= size ? at + 1 : at + 61;
}

static void write_marks(const struct parcel *parcel) {
    for (size_t at = 0; at < parcel->size; at = next_marked(at, parcel->size)) {
        parcel->block[at] = mark_at(parcel, at);
    }
}

/* Checks the marks of the first `size` bytes, which were written when the block had parcel->size.
 */
static void check_marks(const struct parcel *parcel, size_t size) {
    for (size_t at = 0; at < size; at = next_marked(at, parcel->size)) {
        require(parcel->block[at] == mark_at(parcel, at), "a block was overwritten");
    }
}

static size_t random_size(uint64_t *random) {
    const uint64_t dice = random_next(random);
    const uint64_t rest = dice >> 16;
    if (dice % 256 == 0) return (size_t)(rest % TOP_SIZE) + 1;
    if (dice % 64 == 1) return (size_t)(rest % (64 * KIB)) + 1;
    if (dice % 8 == 2) return (size_t)(rest % 4096) + 1;
    return (size_t)(rest % 512) + 1;
}

static void check_zeros(const unsigned char *block, size_t size) {
    for (size_t at = 0; at < size; at++) {
        require(block[at] == 0, "calloc gave a byte that is not zero");
    }
}

static void *allocate_somehow(uint64_t dice, size_t size) {
    if (dice % 16 == 0) {
        void *zeros = mem.calloc(1, size);
        require(zeros != NULL, "no memory");
        check_zeros(zeros, size);
        return zeros;
    }
    if (dice % 16 == 1) {
        const size_t alignment = (size_t)16 << (dice / 16 % 9);
        void *block = mem.aligned_alloc(alignment, size);
        require((uintptr_t)block % alignment == 0, "a block is not aligned as asked");
        return block;
    }
    return mem.malloc(size);
}

static struct parcel *make_parcel(uint64_t *random) {
    struct parcel *parcel = mem.malloc(sizeof(*parcel));
    require(parcel != NULL, "no memory");
    const uint64_t dice = random_next(random) >> 8;
    parcel->size = random_size(random);
    parcel->mark = (unsigned char)(dice >> 32);
    parcel->block = allocate_somehow(dice, parcel->size);
    require(parcel->block != NULL, "no memory");
    require((uintptr_t)parcel->block % 16 == 0, "a block is not aligned to 16");
    require(mem.usable_size(parcel->block) >= parcel->size, "a block is too small");
    write_marks(parcel);
    return parcel;
}

static void free_parcel(struct parcel *parcel) {
    if (parcel == NULL) return;
    check_marks(parcel, parcel->size);
    mem.free(parcel->block);
    mem.free(parcel);
}

static void resize_parcel(struct parcel *parcel, uint64_t *random) {
    const size_t size = random_size(random);
    const size_t common = size < parcel->size ? size : parcel->size;
    check_marks(parcel, parcel->size);
    parcel->block = mem.realloc(parcel->block, size);
    require(parcel->block != NULL, "no memory");
    check_marks(parcel, common);
    parcel->size = size;
    write_marks(parcel);
}

static struct parcel *swap_shared(struct parcel *parcel, uint64_t dice) {
    return atomic_exchange_explicit(&shared[dice % SHARED_SLOTS], parcel, memory_order_acq_rel);
}

static void take_turn(struct worker *worker) {
    const uint64_t dice = random_next(&worker->random) >> 8;
    struct parcel **slot = &worker->own[dice / 16 % OWN_SLOTS];
    if (*slot == NULL) {
        *slot = make_parcel(&worker->random);
    } else if (dice % 16 < 5) {
        *slot = swap_shared(*slot, dice >> 20);
    } else if (dice % 16 < 7) {
        resize_parcel(*slot, &worker->random);
    } else {
        free_parcel(*slot);
        *slot = NULL;
    }
}

/* One life: turns, then half of what is left goes to the others and half is freed. */
static void *live(void *argument) {
    struct worker *worker = argument;
    const uint64_t turns = LIFE_TURNS / 2 + random_next(&worker->random) % LIFE_TURNS;
    for (uint64_t turn = 0; turn < turns; turn++) {
        take_turn(worker);
    }
    worker->turns += turns;
    for (unsigned i = 0; i < OWN_SLOTS; i++) {
        struct parcel *parcel = worker->own[i];
        worker->own[i] = NULL;
        if (i % 2 == 0) parcel = swap_shared(parcel, random_next(&worker->random));
        free_parcel(parcel);
    }
    return NULL;
}

static void drain_shared(void) {
    for (unsigned i = 0; i < SHARED_SLOTS; i++) {
        free_parcel(swap_shared(NULL, i));
    }
}

int main(int argc, char **argv) {
    const double seconds = (double)argument_or(argc, argv, 1, 3);
    const unsigned long asked = argument_or(argc, argv, 2, 8);
    const unsigned long seed = argument_or(argc, argv, 3, 1);
    const unsigned count = asked == 0 || asked > MOST_THREADS ? MOST_THREADS : (unsigned)asked;
    printf("threads: %g s, %u threads, seed %lu\n", seconds, count, seed);
    fflush(stdout);
    const double end = now_seconds() + seconds;
    for (unsigned i = 0; i < count; i++) {
        workers[i].random = random_start(seed, i);
        workers[i].thread = start_thread(live, &workers[i]);
    }
    unsigned long lives = count;
    for (unsigned i = 0; now_seconds() < end; i = (i + 1) % count, lives++) {
        join_thread(workers[i].thread);
        workers[i].thread = start_thread(live, &workers[i]);
    }
    unsigned long turns = 0;
    for (unsigned i = 0; i < count; i++) {
        join_thread(workers[i].thread);
        turns += workers[i].turns;
    }
    check_at_rest();
    drain_shared();
    check_at_rest();
    printf("threads: %lu lives, %lu turns\n", lives, turns);
    return 0;
}
