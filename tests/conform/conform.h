/* SPDX-License-Identifier: MIT */
/*
 * conform.h: what the suites of contracts share: the slots as plain functions, the shadow map,
 * blocks taken through a bin, threads, and the audit after each scenario. No module has a name
 * here. In threads `require` takes the place of cmocka's assertions, which must not leave a thread.
 */
#ifndef HAK_TESTS_CONFORM_H
#define HAK_TESTS_CONFORM_H

#include "tests/api/suite.h"

#include "include/hakmem.h"
#include "src/contract/slots.h"
#include "src/front/thread.h"
#include "src/supply/room.h"
#include "tests/conform/shadow.h"

#include <pthread.h>

static inline void require_at(bool holds, const char *claim, const char *file, int line) {
    if (holds) return;
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, claim);
    abort();
}
#define require(claim) require_at((claim), #claim, __FILE__, __LINE__)

/* Whether bins serve the class in this build. */
static inline bool is_binned_class(size_t cls) {
    return cls >= 1 && cls < HAK_CLASSES &&
           hak_sizeclass_stride((hak_class_t)cls) <= hak_bins_size_max();
}

#define for_each_class(cls) for (hak_class_t cls = 1; is_binned_class(cls); cls++)

static inline struct hak_tcache *this_cache(void) {
    struct hak_tcache *tc = hak_thread_cache();
    require(tc != NULL);
    return tc;
}

static inline unsigned smaller(unsigned a, unsigned b) {
    return a < b ? a : b;
}

/* A block through the bin, as the front takes it. */
static inline void *take_block(struct hak_tcache *tc, hak_class_t cls) {
    struct hak_bin *bin = &tc->bins[cls];
    void *block = hak_bin_pop(bin);
    if (block != NULL) return block;
    const unsigned most = tc->heap.classes[cls].capacity_max;
    require(hak_bins_fill(tc, cls, smaller(HAK_REFILL_BLOCKS_MAX, most)) >= 1);
    return hak_bin_pop(bin);
}

/* A block back through the bin, as the front gives it. */
static inline void give_block(struct hak_tcache *tc, hak_class_t cls, void *block) {
    if (!hak_bin_push(&tc->bins[cls], block)) hak_bins_overflow(tc, cls, block);
    require(tc->heap.misused == NULL);
}

/* Fills make a bin that is small larger, up to its first capacity at least, since the others have
 * none; the last one forgets the overflows of before. */
static inline void widen_bin(struct hak_tcache *tc, hak_class_t cls) {
    const unsigned most = tc->heap.classes[cls].capacity_first;
    hak_supply_scan(tc);
    hak_supply_scan(tc);
    for (unsigned fills = 0; fills == 0 || tc->bins[cls].capacity < most; fills++) {
        require(fills < HAK_WORD_BITS);
        hak_bins_flush(tc, cls, 0);
        require(hak_bins_fill(tc, cls, most) > 0);
    }
    hak_bins_flush(tc, cls, 0);
}

static inline void count_block(void *arg, const void *block) {
    require(block != NULL);
    ++*(unsigned *)arg;
}

/* Blocks of the class that the module holds beside the bin. */
static inline unsigned held_beside(const struct hak_tcache *tc, hak_class_t cls) {
    unsigned count = 0;
    hak_bins_each_block(tc, cls, count_block, &count);
    return count;
}

static inline struct hak_stats stats_now(void) {
    struct hak_stats stats = {.version = HAK_STATS_VERSION};
    require(hak_stats(&stats) == 0);
    return stats;
}

struct counter_wanted {
    const char *module, *name;
    uint64_t sum;
};

static inline void add_wanted(void *arg, const struct hak_counter *counter) {
    struct counter_wanted *wanted = arg;
    require(counter->unit[0] != '\0' && counter->help[0] != '\0');
    if (strcmp(counter->module, wanted->module) != 0) return;
    if (strcmp(counter->name, wanted->name) == 0) wanted->sum += counter->value;
}

/* The value of a module's counter; 0 where the module is not in the build. */
static inline uint64_t counter_of(const char *module, const char *name) {
    struct counter_wanted wanted = {.module = module, .name = name};
    hak_counters(add_wanted, &wanted);
    return wanted.sum;
}

/* Runs `body` in a thread of its own, from its first call to its end. */
static inline void run_thread(void *(*body)(void *), void *argument) {
    pthread_t thread;
    require(pthread_create(&thread, NULL, body, argument) == 0);
    require(pthread_join(thread, NULL) == 0);
}

/* Teardown of every scenario: nothing is lost and nothing is in two places. */
static inline int audit_holds(void **state) {
    (void)state;
    shadow_clear();
    return hak_check() ? 0 : -1;
}
#define scenario(test) cmocka_unit_test_teardown(test, audit_holds)

#endif
