/* SPDX-License-Identifier: MIT */
/*
 * sizes_all.c SECONDS THREADS SEED [LIVE_MIB [RESIDENT_MIB]]: threads that allocate by malloc,
 * calloc and aligned_alloc, resize and free blocks of 1 B to 8 MiB, every doubling as likely as any
 * other, and rarely one of 64 MiB; and exchange them by atomic swaps, so that many are freed by
 * another thread than their maker. A thread ends after a short life with its blocks live; its
 * successor takes them over. Blocks up to 64 KiB are filled and checked in full, larger ones in a
 * word of each page and at the end; those of calloc are searched for what is not zero likewise,
 * with a few more words a page. At the end, and when all threads have ended in between, the
 * allocator's own check must hold.
 * Bounds: live blocks have LIVE_MIB (300) at most: who would go beyond it frees instead. Resident
 * are then never more than RESIDENT_MIB: by default twice the live bytes, 128 MiB for the cache of
 * big mappings and 64 MiB for caches and this program; 0 means that it is not looked at (sanitizers
 * keep shadows). Compiles against the libc names, and with -DUSE_HAK against the hak_* names.
 */
#include "tests/stress/footprint.h"

#include <stdatomic.h>

#define MOST_THREADS 64U
#define OWN_SLOTS    128U
#define SHARED_SLOTS 256U
#define LIFE_TURNS   1000U
#define SIZE_TOP     (8 * MIB)
#define SIZE_RARE    (64 * MIB)
#define RARELY       20000U
#define DENSE_MOST   (64 * KIB) /* up to here every byte counts */
#define PAGE         ((size_t)4096)
#define WORD         sizeof(uint64_t)

/* A block on its way: made by one thread, perhaps freed by another. Itself a block. */
struct parcel {
    unsigned char *block;
    size_t size;
    uint64_t mark;
};

struct worker {
    pthread_t thread;
    uint64_t random;
    unsigned long turns;
    struct parcel *own[OWN_SLOTS]; /* of the thread that lives; between lives, of none */
};

/* Atomic; release on the way in, acquire on the way out: the swap does both. */
static _Atomic(struct parcel *) shared[SHARED_SLOTS];
static atomic_size_t live_bytes;
static struct worker workers[MOST_THREADS];
static size_t live_most, resident_most;

static uint64_t word_at(uint64_t mark, size_t at) {
    return (mark ^ at) * 0x9e3779b97f4a7c15U;
}

/* Up to DENSE_MOST word after word; above, one word of each page, at a place that the mark says. */
static size_t next_word(const struct parcel *parcel, size_t at) {
    if (parcel->size <= DENSE_MOST) return at + WORD;
    const size_t page = at - at % PAGE + PAGE;
    return page + parcel->mark % 3 * 8 * (page / PAGE % 64);
}

static void write_marks(const struct parcel *parcel) {
    size_t at = 0;
    for (; at + WORD <= parcel->size; at = next_word(parcel, at)) {
        const uint64_t word = word_at(parcel->mark, at);
        memcpy(parcel->block + at, &word, WORD);
    }
    for (at = parcel->size - parcel->size % WORD; at < parcel->size; at++) {
        parcel->block[at] = (unsigned char)parcel->mark;
    }
}

/* Of the first `size` bytes, no more than were written. */
static void check_marks(const struct parcel *parcel, size_t size) {
    size_t at = 0;
    for (; at + WORD <= size; at = next_word(parcel, at)) {
        const uint64_t word = word_at(parcel->mark, at);
        require(memcmp(parcel->block + at, &word, WORD) == 0, "a block was overwritten");
    }
    if (size < parcel->size) return;
    for (at = size - size % WORD; at < size; at++) {
        require(parcel->block[at] == (unsigned char)parcel->mark, "a block's end was overwritten");
    }
}

static void check_zeros(const unsigned char *block, size_t size) {
    const size_t step = size <= DENSE_MOST ? 1 : 264; /* words 0, 33, 66 ... of the pages */
    for (size_t at = 0; at < size; at += step) {
        require(block[at] == 0, "calloc gave a byte that is not zero");
    }
    for (size_t at = 0; at < size; at += PAGE) {
        require(block[at] == 0, "calloc gave a page that does not begin with zero");
    }
    require(block[size - 1] == 0, "calloc gave a last byte that is not zero");
}

static size_t random_size(uint64_t *random) {
    if (random_next(random) % RARELY == 0) return SIZE_RARE;
    return random_log_size(random, 1, SIZE_TOP) % SIZE_TOP + 1;
}

/* Takes `size` bytes of what may be live; false when there is no room. */
static bool reserve_bytes(size_t size) {
    if (atomic_fetch_add(&live_bytes, size) + size <= live_most) return true;
    atomic_fetch_sub(&live_bytes, size);
    return false;
}

static void *allocate_somehow(uint64_t dice, size_t size) {
    if (dice % 8 == 0) {
        void *zeros = mem.calloc(1, size);
        require(zeros != NULL, "no memory");
        check_zeros(zeros, size);
        return zeros;
    }
    if (dice % 8 == 1) {
        const size_t alignment = (size_t)16 << (dice / 8 % 18); /* to 2 MiB */
        void *block = mem.aligned_alloc(alignment, size);
        require((uintptr_t)block % alignment == 0, "a block is not aligned as asked");
        return block;
    }
    return mem.malloc(size);
}

static struct parcel *make_parcel(uint64_t *random) {
    const size_t size = random_size(random);
    if (!reserve_bytes(size)) return NULL;
    struct parcel *parcel = mem.malloc(sizeof(*parcel));
    require(parcel != NULL, "no memory");
    const uint64_t dice = random_next(random) >> 8;
    parcel->size = size;
    parcel->mark = dice >> 24;
    parcel->block = allocate_somehow(dice, size);
    require(parcel->block != NULL, "no memory");
    require((uintptr_t)parcel->block % 16 == 0, "a block is not aligned to 16");
    require(mem.usable_size(parcel->block) >= size, "a block is too small");
    write_marks(parcel);
    return parcel;
}

static void free_parcel(struct parcel *parcel) {
    if (parcel == NULL) return;
    check_marks(parcel, parcel->size);
    atomic_fetch_sub(&live_bytes, parcel->size);
    mem.free(parcel->block);
    mem.free(parcel);
}

/* To any size, or to one nearby, where growing in place is likely. */
static void resize_parcel(struct parcel *parcel, uint64_t *random) {
    size_t size = random_size(random);
    if (random_next(random) % 2 == 0) size = parcel->size + parcel->size * (size % 64) / 64 + 1;
    if (!reserve_bytes(size)) return;
    const size_t common = size < parcel->size ? size : parcel->size;
    check_marks(parcel, parcel->size);
    parcel->block = mem.realloc(parcel->block, size);
    require(parcel->block != NULL, "no memory");
    require((uintptr_t)parcel->block % 16 == 0, "a block is not aligned to 16");
    check_marks(parcel, common);
    atomic_fetch_sub(&live_bytes, parcel->size);
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

static void *live(void *argument) {
    struct worker *worker = argument;
    const uint64_t turns = LIFE_TURNS / 2 + random_next(&worker->random) % LIFE_TURNS;
    for (uint64_t turn = 0; turn < turns; turn++) {
        take_turn(worker);
    }
    worker->turns += turns;
    return NULL;
}

static void free_all(unsigned count) {
    for (unsigned i = 0; i < SHARED_SLOTS; i++) {
        free_parcel(swap_shared(NULL, i));
    }
    for (unsigned i = 0; i < count * OWN_SLOTS; i++) {
        free_parcel(workers[i / OWN_SLOTS].own[i % OWN_SLOTS]);
        workers[i / OWN_SLOTS].own[i % OWN_SLOTS] = NULL;
    }
}

static size_t watch_resident(size_t most) {
    if (resident_most == 0) return 0;
    const size_t resident = resident_bytes();
    if (resident > resident_most) {
        printf("resident %zu MiB, live %zu MiB\n", resident / MIB, (size_t)live_bytes / MIB);
        fflush(stdout);
    }
    require(resident <= resident_most, "the resident size outgrew the live bytes");
    return resident > most ? resident : most;
}

/* Waits for each thread's life to end; where `is_next`, its successor starts at once. */
static void end_lives(unsigned count, bool is_next) {
    for (unsigned i = 0; i < count; i++) {
        join_thread(workers[i].thread);
        if (is_next) workers[i].thread = start_thread(live, &workers[i]);
    }
}

int main(int argc, char **argv) {
    const double seconds = (double)argument_or(argc, argv, 1, 3);
    const unsigned long asked = argument_or(argc, argv, 2, 8);
    const unsigned long seed = argument_or(argc, argv, 3, 1);
    const unsigned count = asked == 0 || asked > MOST_THREADS ? MOST_THREADS : (unsigned)asked;
    live_most = argument_or(argc, argv, 4, 300) * MIB;
    resident_most = argument_or(argc, argv, 5, (2 * live_most + BIGCACHE_BYTES) / MIB + 64) * MIB;
    printf("sizes_all: %g s, %u threads, seed %lu\n", seconds, count, seed);
    fflush(stdout);
    for (unsigned i = 0; i < count; i++) {
        workers[i].random = random_start(seed, i);
    }
    const double end = now_seconds() + seconds;
    size_t most = 0;
    unsigned long rounds = 0;
    do {
        for (unsigned i = 0; i < count; i++) {
            workers[i].thread = start_thread(live, &workers[i]);
        }
        for (unsigned lives = 0; lives < 4 && now_seconds() < end; lives++) {
            end_lives(count, true);
            most = watch_resident(most);
        }
        end_lives(count, false);
        check_at_rest();
        rounds++;
    } while (now_seconds() < end);
    unsigned long turns = 0;
    for (unsigned i = 0; i < count; i++) {
        turns += workers[i].turns;
    }
    free_all(count);
    check_at_rest();
    require(live_bytes == 0, "this program lost count");
    printf("sizes_all: %lu rounds, %lu turns, resident at most %zu MiB\n", rounds, turns,
           most / MIB);
    return 0;
}
