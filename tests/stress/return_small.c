/* SPDX-License-Identifier: MIT */
/*
 * return_small.c same|calls|idle|trim|mixed: a burst of 40 MiB of small blocks, all of it touched,
 * freed in random order; then
 *   same   a malloc/free pair of 120 bytes every 75 us for 1.5 s: each hits the thread's cache
 *   calls  the same with random sizes up to 4 KiB
 *   idle   1.5 s without any call (run with HAKMEM_PURGE_THREAD=1)
 *   trim   malloc_trim(0), and no waiting
 *   mixed  as calls, after a burst of sizes from 16 to 1024 bytes rather than of 120.
 * Bound: what was resident before, 4 MiB that may be kept, and 4 MiB for what cannot be given back:
 * the blocks in the thread's cache and the pages that they lie on (at most 64 KiB a class, for the
 * few dozen classes used here), headers of slabs, pages of the program's own that are new. For
 * `mixed`, also 12 MiB for the whole process. 1.5 s is six times HAKMEM_PURGE_MS, of which two are
 * promised; a busy machine gets as many calls as it needs for them, and `idle` a minute.
 */
#include "tests/stress/footprint.h"

#define BURST_BYTES (40 * MIB)
#define BLOCK_BYTES ((size_t)120)
#define MOST_BLOCKS (BURST_BYTES / 100)
#define SLACK_BYTES (4 * MIB)
#define TOTAL_BYTES (12 * MIB)
#define WAIT_S      1.5
#define IDLE_S      60.0
#define LEAST_CALLS 2000UL
#define PAIR_US     75

static void *blocks[MOST_BLOCKS];
static uint64_t random_state;

static size_t size_between(size_t low, size_t high) {
    return low + (size_t)(random_next(&random_state) % (high - low + 1));
}

static size_t allocate_burst(bool is_mixed) {
    size_t count = 0;
    for (size_t bytes = 0; bytes < BURST_BYTES && count < MOST_BLOCKS; count++) {
        const size_t size = is_mixed ? size_between(16, 1024) : BLOCK_BYTES;
        blocks[count] = mem.malloc(size);
        require(blocks[count] != NULL, "no memory");
        memset(blocks[count], 1, size);
        bytes += size;
    }
    return count;
}

static void free_burst(size_t count) {
    shuffle(blocks, count, &random_state);
    for (size_t i = 0; i < count; i++) {
        mem.free(blocks[i]);
    }
}

static void call_on(bool is_one_size) {
    const double end = now_seconds() + WAIT_S;
    for (unsigned long calls = 0; now_seconds() < end || calls < LEAST_CALLS; calls++) {
        void *block = mem.malloc(is_one_size ? BLOCK_BYTES : size_between(1, 4096));
        require(block != NULL, "no memory");
        *(volatile char *)block = 1;
        mem.free(block);
        pause_us(PAIR_US);
    }
}

static void trim(void) {
    int (*malloc_trim_here)(size_t) = NULL;
    void *address = dlsym(RTLD_DEFAULT, "malloc_trim");
    require(address != NULL, "no malloc_trim");
    memcpy((void *)&malloc_trim_here, &address, sizeof(address));
    malloc_trim_here(0);
}

/* The thread that gives memory back may have to wait for a processor. */
static void do_nothing(size_t limit) {
    const double end = now_seconds() + IDLE_S;
    do {
        pause_us((long)(WAIT_S * 1e6));
    } while (footprint_bytes() > limit && now_seconds() < end);
}

static void await_return(const char *scenario, size_t limit) {
    if (strcmp(scenario, "trim") == 0) {
        trim();
    } else if (strcmp(scenario, "idle") == 0) {
        do_nothing(limit);
    } else {
        call_on(strcmp(scenario, "same") == 0);
    }
}

int main(int argc, char **argv) {
    const char *scenario = argc > 1 ? argv[1] : "same";
    const bool is_mixed = strcmp(scenario, "mixed") == 0;
    random_state = random_start(11, 0);
    memset((void *)blocks, 1, sizeof(blocks));
    mem.free(mem.malloc(BLOCK_BYTES));
    puts(scenario); /* stdio's buffer is there before the first measure */
    const size_t before = footprint_bytes();
    const size_t count = allocate_burst(is_mixed);
    require(footprint_bytes() >= before + BURST_BYTES * 9 / 10, "the burst is not resident");
    free_burst(count);
    const size_t limit = before + KEEP_BYTES + SLACK_BYTES;
    await_return(scenario, limit);
    require_footprint_below(limit, "some time after the burst");
    if (is_mixed) require_footprint_below(TOTAL_BYTES, "the whole process after the burst");
    check_at_rest();
    return 0;
}
