/* SPDX-License-Identifier: MIT */
/*
 * rlimit_as.c: an address space of 512 MiB in all (RLIMIT_AS), under which blocks
 * of one size after another are taken until refused with ENOMEM, and all freed: 64 B, 8 KiB,
 * 100 KiB, 700 KiB, 3 MiB, and the same backwards, so that each tier must get what every other has
 * given up, at once and without a call to purge. Each size is taken twice.
 * Bounds: of 8 KiB and more, blocks of at least 60 % of the limit (a 3 MiB block may cost 1 MiB of
 * alignment; tables, and what a cache holds and cannot give up, are the rest); of 64 bytes, 40 %;
 * the second time at least seven eighths of the first. Every block is stamped with its address at
 * its beginning and its end, and the stamps must be there when it is freed.
 */
#include "tests/stress/stress.h"

#include <sys/resource.h>

#define LIMIT ((size_t)(512 * MIB))

/* The first words of a block; the last word of it is its stamp again. */
struct link {
    struct link *next;
    uint64_t stamp;
};

static const size_t sizes[] = {64,        8 * KIB,   100 * KIB, 700 * KIB, 3 * MIB,
                               700 * KIB, 100 * KIB, 8 * KIB,   64};

static uint64_t stamp_of(const struct link *block) {
    return (uint64_t)(uintptr_t)block * 0x9e3779b97f4a7c15U;
}

static void *last_word(struct link *block, size_t size) {
    return (char *)block + size - sizeof(uint64_t);
}

static size_t take_all(size_t size, struct link **chain) {
    size_t taken = 0;
    for (;; taken += size) {
        errno = 0;
        struct link *block = mem.malloc(size);
        if (block == NULL) break;
        block->next = *chain;
        block->stamp = stamp_of(block);
        memcpy(last_word(block, size), &block->stamp, sizeof(block->stamp));
        *chain = block;
        require(taken <= LIMIT, "the limit does not limit");
    }
    require(errno == ENOMEM, "a refusal without ENOMEM");
    return taken;
}

static void give_all(size_t size, struct link **chain) {
    while (*chain != NULL) {
        struct link *block = *chain;
        const uint64_t stamp = stamp_of(block);
        require(block->stamp == stamp, "the beginning of a block was overwritten");
        require(memcmp(last_word(block, size), &stamp, sizeof(stamp)) == 0,
                "the end of a block was overwritten");
        *chain = block->next;
        mem.free(block);
    }
}

static size_t take_and_give(size_t size) {
    struct link *chain = NULL;
    const size_t taken = take_all(size, &chain);
    give_all(size, &chain);
    return taken;
}

static void try_size(size_t size) {
    const size_t percent = size >= 8 * KIB ? 60 : 40;
    const size_t first = take_and_give(size);
    const size_t second = take_and_give(size);
    printf("blocks of %zu: %zu MiB, then %zu MiB\n", size, first / MIB, second / MIB);
    fflush(stdout);
    require(first >= LIMIT / 100 * percent, "refused far below the limit");
    require(second >= first - first / 8, "less memory after all was freed");
}

int main(void) {
    struct rlimit limit;
    mem.free(mem.malloc(100));
    puts("rlimit_as");
    require(getrlimit(RLIMIT_AS, &limit) == 0, "no limit to read");
    const struct rlimit unlimited = limit;
    limit.rlim_cur = LIMIT;
    require(setrlimit(RLIMIT_AS, &limit) == 0, "no limit");
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        try_size(sizes[i]);
    }
    require(setrlimit(RLIMIT_AS, &unlimited) == 0, "no limit");
    check_at_rest(); /* which takes memory itself */
    void *block = mem.malloc(2 * LIMIT);
    require(block != NULL, "no memory after the limit was lifted");
    mem.free(block);
    return 0;
}
