/* SPDX-License-Identifier: MIT */
/*
 * tier.h: blocks of a tier as its tests ask for them.
 */
#ifndef HAK_TESTS_CONFORM_TIER_H
#define HAK_TESTS_CONFORM_TIER_H

#include "src/contract/purge.h"
#include "src/front/thread.h"
#include "src/os/os.h"
#include "tests/conform/calls.h"
#include "tests/conform/large.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define BLOCKS  20
#define THREADS 4
#define TRIES   50
#define FORKS   12
#define STASH   40
#define MANY    12

static char *const *words;
static uint64_t age_ms;
static size_t sizes[LARGE_SIZES];
static size_t size_count;

static inline size_t size_at(size_t i) {
    return sizes[i % size_count];
}

static inline size_t idle_now(void) {
    return hak_large_idle() + hak_spans_idle();
}

static inline size_t purge_all(void) {
    const size_t bytes = hak_large_purge(HAK_PURGE_ALL, SIZE_MAX);
    return bytes + hak_spans_purge(HAK_PURGE_ALL, SIZE_MAX);
}

/* Blocks of all sizes, written to everywhere. */
static inline void take_all(void **blocks, size_t count) {
    for (size_t i = 0; i < count; i++) {
        blocks[i] = take_large(size_at(i), HAK_ALIGN_BYTES);
        memset(blocks[i], 0xa5, large_usable(blocks[i]));
    }
}

static inline void give_all(void **blocks, size_t count) {
    for (size_t i = 0; i < count; i++) {
        give_large(blocks[i]);
    }
}

/* Every scenario begins with nothing idle, and with nothing that is kept however old. */
static inline int begin(void **state) {
    (void)state;
    hak_purge();
    hak_purge_policy.keep_bytes = 0;
    hak_purge_policy.age_ms = age_ms;
    return idle_now() == 0 ? 0 : -1;
}
#define from_nothing(test) cmocka_unit_test_setup_teardown(test, begin, audit_holds)

static inline void take_give_and_resize(void **block, uint64_t dice) {
    if (*block != NULL) give_large(*block);
    *block = take_large(size_at((size_t)(dice >> 8)), HAK_ALIGN_BYTES);
    if (dice % 64 == 0) purge_all();
    if (dice % 8 != 1) return;
    void *resized = hak_large_resize(*block, size_at((size_t)(dice >> 16)), large_span(*block));
    if (resized != NULL) *block = resized;
}

#endif
