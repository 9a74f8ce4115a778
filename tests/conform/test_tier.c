/* SPDX-License-Identifier: MIT */
/*
 * test_tier.c [WORD...]: the contract of src/contract/tier.h beyond a block's life (test_large.c):
 * what is kept after free, when and how it goes back, forks and threads. Goes over the sizes of
 * both slots, whichever modules serve them; each WORD must be in the build's description.
 *
 * HAKMEM_PURGE_MS and HAKMEM_BIGCACHE_AGE_MS are the same, some tens of milliseconds, and
 * HAKMEM_BIGCACHE_BYTES is set: a module reads its own at start.
 */
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

static size_t size_at(size_t i) {
    return sizes[i % size_count];
}

static size_t idle_now(void) {
    return hak_large_idle() + hak_spans_idle();
}

static size_t purge_all(void) {
    const size_t bytes = hak_large_purge(HAK_PURGE_ALL, SIZE_MAX);
    return bytes + hak_spans_purge(HAK_PURGE_ALL, SIZE_MAX);
}

/* Blocks of all sizes, written to everywhere. */
static void take_all(void **blocks, size_t count) {
    for (size_t i = 0; i < count; i++) {
        blocks[i] = take_large(size_at(i), HAK_ALIGN_BYTES);
        memset(blocks[i], 0xa5, large_usable(blocks[i]));
    }
}

static void give_all(void **blocks, size_t count) {
    for (size_t i = 0; i < count; i++) {
        give_large(blocks[i]);
    }
}

/* Every scenario begins with nothing idle, and with nothing that is kept however old. */
static int begin(void **state) {
    (void)state;
    hak_purge();
    hak_purge_policy.keep_bytes = 0;
    hak_purge_policy.age_ms = age_ms;
    return idle_now() == 0 ? 0 : -1;
}
#define from_nothing(test) cmocka_unit_test_setup_teardown(test, begin, audit_holds)

static void the_build_has_the_modules_asked_for(void **state) {
    (void)state;
    for (size_t i = 0; words[i] != NULL; i++) {
        assert_non_null(strstr(hak_build_info(), words[i]));
    }
}

static void a_recycled_block_is_aligned_as_asked(void **state) {
    (void)state;
    void *blocks[BLOCKS];
    for (size_t align = HAK_ALIGN_BYTES; align <= 4 * MIB; align *= 4) {
        take_all(blocks, BLOCKS / 2);
        give_all(blocks, BLOCKS / 2);
        for (size_t i = 0; i < size_count; i++) {
            blocks[i] = take_large(size_at(i), align);
            assert_aligned(blocks[i], align);
            assert_true(large_usable(blocks[i]) >= size_at(i));
            assert_true(shadow_add(blocks[i], large_usable(blocks[i])));
        }
        for (size_t i = 0; i < size_count; i++) {
            assert_true(shadow_remove(blocks[i]));
        }
        give_all(blocks, size_count);
    }
}

static void a_small_size_is_served_at_a_large_alignment(void **state) {
    (void)state;
    for (size_t align = HAK_SLAB_BYTES; align <= 4 * MIB; align *= 2) {
        for (size_t size = 1; size <= HAK_SLAB_BYTES; size *= 16) {
            void *block = take_large(size, align);
            assert_aligned(block, align);
            assert_true(large_usable(block) >= size);
            memset(block, 0xa5, size);
            give_large(block);
        }
    }
}

static void memory_called_zeroed_was_never_written_whatever_it_served(void **state) {
    (void)state;
    void *blocks[16] = {NULL};
    uint64_t random = 4711;
    for (unsigned turn = 0; turn < 400; turn++) {
        const uint64_t dice = random_next(&random) >> 16;
        void **block = &blocks[dice % COUNT_OF(blocks)];
        if (dice % 97 == 0) hak_large_purge(HAK_PURGE_SOME, SIZE_MAX);
        if (dice % 193 == 0) purge_all();
        if (*block != NULL) {
            give_large(*block);
            *block = NULL;
            continue;
        }
        const size_t align = HAK_ALIGN_BYTES << (dice >> 8) % 14;
        const size_t size = size_at((size_t)(dice >> 16)) - (size_t)(dice >> 24) % 1000;
        *block = take_large(size, align); /* asserts it */
        memset(*block, 0xa5, large_usable(*block));
    }
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        if (blocks[i] != NULL) give_large(blocks[i]);
    }
}

static void a_second_free_returns_false_and_does_nothing(void **state) {
    (void)state;
    for (size_t i = 0; i < size_count; i++) {
        void *block = take_large(size_at(i), HAK_ALIGN_BYTES);
        struct hak_span *span = large_span(block);
        assert_true(hak_large_free(block, span));
        const struct hak_stats before = stats_now();
        const size_t idle = idle_now();
        assert_false(hak_large_free(block, span));
        const struct hak_stats after = stats_now();
        assert_int_equal(after.large_live_count, before.large_live_count);
        assert_int_equal(after.large_live_bytes, before.large_live_bytes);
        assert_int_equal(after.mapped_bytes, before.mapped_bytes);
        assert_int_equal(idle_now(), idle);
        assert_true(hak_check());
    }
}

/* A block that two threads free at once. */
static struct {
    void *block;
    struct hak_span *span;
    atomic_uint turn;
    atomic_uint taken; /* frees that returned true */
    atomic_uint ended;
} contested;

static void free_contested(void) {
    if (hak_large_free(contested.block, contested.span)) atomic_fetch_add(&contested.taken, 1);
    atomic_fetch_add(&contested.ended, 1);
}

static void *free_each_turn(void *turns) {
    for (unsigned turn = 1; turn <= (uintptr_t)turns; turn++) {
        while (atomic_load(&contested.turn) != turn)
            sched_yield();
        free_contested();
    }
    return NULL;
}

static void of_two_frees_at_once_one_returns_true(void **state) {
    (void)state;
    const uintptr_t turns = 200;
    pthread_t other;
    atomic_store(&contested.turn, 0);
    assert_int_equal(pthread_create(&other, NULL, free_each_turn, (void *)turns), 0);
    for (unsigned turn = 1; turn <= turns; turn++) {
        contested.block = take_large(size_at(turn), HAK_ALIGN_BYTES);
        contested.span = large_span(contested.block);
        atomic_store(&contested.taken, 0);
        atomic_store(&contested.ended, 0);
        atomic_store(&contested.turn, turn);
        free_contested();
        while (atomic_load(&contested.ended) != 2)
            sched_yield();
        assert_int_equal(atomic_load(&contested.taken), 1);
    }
    assert_int_equal(pthread_join(other, NULL), 0);
}

static void a_resized_block_overlaps_no_other_and_keeps_its_contents(void **state) {
    (void)state;
    void *blocks[BLOCKS];
    size_t held[BLOCKS];
    uint64_t random = 815;
    for (size_t i = 0; i < BLOCKS; i++) {
        held[i] = size_at(i);
        blocks[i] = take_large(held[i], HAK_ALIGN_BYTES);
        assert_true(shadow_add(blocks[i], large_usable(blocks[i])));
        large_stamp(blocks[i], held[i], i);
    }
    for (unsigned turn = 0; turn < 400; turn++) {
        const uint64_t dice = random_next(&random) >> 16;
        const size_t i = (size_t)(dice % BLOCKS);
        const size_t size = size_at((size_t)(dice >> 20));
        assert_true(shadow_remove(blocks[i]));
        void *resized = hak_large_resize(blocks[i], size, large_span(blocks[i]));
        const size_t common = resized == NULL || size > held[i] ? held[i] : size;
        if (resized != NULL) {
            blocks[i] = resized;
            held[i] = size;
        }
        assert_true(large_has_stamp(blocks[i], common, i));
        assert_true(large_usable(blocks[i]) >= held[i]);
        assert_true(shadow_add(blocks[i], large_usable(blocks[i])));
        large_stamp(blocks[i], held[i], i);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        assert_true(large_has_stamp(blocks[i], held[i], i));
    }
    give_all(blocks, BLOCKS);
}

static void find_never_reads_the_block(void **state) {
    (void)state;
    for (size_t i = 0; i < size_count; i++) {
        char *block = take_large(size_at(i), HAK_SLAB_BYTES);
        struct hak_span *span = large_span(block);
        const size_t bytes = large_usable(block) & ~(hak_os_page_bytes() - 1);
        assert_int_equal(mprotect(block, bytes, PROT_NONE), 0);
        assert_ptr_equal(large_span(block), span);
        assert_null(hak_large_find(block + bytes / 2));
        assert_ptr_equal(hak_large_find_around(block + bytes / 2), span);
        assert_int_equal(mprotect(block, bytes, PROT_READ | PROT_WRITE), 0);
        give_large(block);
    }
}

static void find_around_knows_kept_blocks_until_they_are_given_back(void **state) {
    (void)state;
    for (size_t i = 0; i < size_count; i++) {
        char *block = take_large(size_at(i), HAK_ALIGN_BYTES);
        const size_t kept_before = hak_large_idle();
        char *inside = block + size_at(i) / 2;
        give_large(block);
        const struct hak_span *span = hak_large_find_around(inside);
        assert_int_equal(span != NULL, hak_large_idle() > kept_before);
        assert_null(hak_large_find(block));
        if (span != NULL) {
            assert_ptr_equal(hak_large_find_around(block), span);
            assert_true(span->base <= block && block < span->base + span->bytes);
        }
        purge_all();
        assert_null(hak_large_find_around(inside));
    }
}

static void purge_of_all_leaves_nothing_idle_and_nothing_mapped_for_it(void **state) {
    (void)state;
    void *blocks[BLOCKS];
    const uint64_t before = stats_now().mapped_bytes;
    take_all(blocks, BLOCKS);
    const uint64_t during = stats_now().mapped_bytes;
    give_all(blocks, BLOCKS);
    purge_all();
    const uint64_t after = stats_now().mapped_bytes;
    assert_int_equal(hak_large_idle(), 0);
    assert_int_equal(hak_spans_idle(), 0);
    assert_true(during > before);
    assert_true(after <= before);
}

static void purge_of_all_leaves_live_blocks_alone(void **state) {
    (void)state;
    void *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = take_large(size_at(i), HAK_ALIGN_BYTES);
        large_stamp(blocks[i], size_at(i), i);
    }
    for (size_t i = 0; i < BLOCKS; i += 2) {
        give_large(blocks[i]);
    }
    purge_all();
    for (size_t i = 1; i < BLOCKS; i += 2) {
        assert_true(large_has_stamp(blocks[i], size_at(i), i));
        give_large(blocks[i]);
    }
}

static void purge_keeps_errno(void **state) {
    (void)state;
    void *blocks[BLOCKS];
    errno = 77;
    take_all(blocks, BLOCKS);
    give_all(blocks, BLOCKS);
    hak_large_purge(HAK_PURGE_SOME, SIZE_MAX);
    purge_all();
    assert_int_equal(errno, 77);
}

static void purge_returns_the_bytes_that_were_idle(void **state) {
    (void)state;
    void *blocks[BLOCKS];
    take_all(blocks, BLOCKS);
    give_all(blocks, BLOCKS);
    const size_t idle = idle_now();
    assert_int_equal(purge_all(), idle);
}

static void purge_of_all_stops_near_the_bytes_asked_for(void **state) {
    (void)state;
    void *blocks[BLOCKS];
    take_all(blocks, BLOCKS);
    give_all(blocks, BLOCKS);
    const size_t idle = idle_now();
    size_t bytes = hak_large_purge(HAK_PURGE_ALL, MIB);
    bytes += hak_spans_purge(HAK_PURGE_ALL, MIB);
    assert_true(bytes <= 2 * (MIB + LARGE_TOP));
    assert_true(idle - idle_now() <= bytes);
}

/* Frees blocks and at once asks for a step; false when that took so long that they may be old. */
static bool nothing_young_goes_back(void) {
    void *blocks[BLOCKS];
    take_all(blocks, BLOCKS);
    const uint64_t from_ms = hak_os_now_ms();
    give_all(blocks, BLOCKS);
    const size_t idle = idle_now();
    const size_t given =
        hak_large_purge(HAK_PURGE_SOME, SIZE_MAX) + hak_spans_purge(HAK_PURGE_SOME, SIZE_MAX);
    const size_t left = idle_now();
    if (hak_os_now_ms() - from_ms >= age_ms) return false;
    assert_int_equal(given, 0);
    assert_int_equal(left, idle);
    return true;
}

static void a_step_gives_nothing_back_that_is_younger_than_the_age(void **state) {
    (void)state;
    unsigned tries = 1;
    while (!nothing_young_goes_back()) {
        hak_purge();
        assert_true(++tries <= TRIES);
    }
}

/* One step of either slot: at most one system call, and none that gives back nothing. */
static size_t checked_step(hak_spans_purge_fn *purge) {
    const unsigned long before = calls_made();
    const size_t bytes = purge(HAK_PURGE_SOME, SIZE_MAX);
    assert_true(calls_made() - before <= 1);
    return bytes;
}

static void what_is_old_goes_back_in_steps_of_one_system_call(void **state) {
    (void)state;
    void *blocks[BLOCKS];
    take_all(blocks, BLOCKS);
    give_all(blocks, BLOCKS);
    for (unsigned tries = 0; idle_now() > 0; tries++) {
        assert_true(tries < TRIES);
        hak_os_sleep_ms(age_ms / 2);
        while (checked_step(hak_large_purge) + checked_step(hak_spans_purge) > 0) {
        }
    }
}

static void a_step_with_nothing_idle_returns_0_and_asks_the_kernel_nothing(void **state) {
    (void)state;
    const unsigned long before = calls_made();
    assert_int_equal(hak_large_purge(HAK_PURGE_SOME, SIZE_MAX), 0);
    assert_int_equal(hak_spans_purge(HAK_PURGE_SOME, SIZE_MAX), 0);
    assert_int_equal(calls_made(), before);
}

static void live_blocks_are_not_idle_and_kept_ones_are(void **state) {
    (void)state;
    void *blocks[BLOCKS];
    take_all(blocks, BLOCKS);
    assert_int_equal(hak_large_idle(), 0);
    give_all(blocks, BLOCKS);
    const struct hak_stats stats = stats_now();
    assert_int_equal(hak_large_idle(), stats.large_kept_bytes);
}

static uint64_t served_by_l25(void) {
    return counter_of("l25", "hits") + counter_of("l25", "misses");
}

static uint64_t served_by_bigcache(void) {
    static const char *const ways[] = {"hits", "splits", "gathers", "misses"};
    uint64_t served = 0;
    for (size_t i = 0; i < COUNT_OF(ways); i++)
        served += counter_of("bigcache", ways[i]);
    return served;
}

static void stats_count_where_every_block_came_from(void **state) {
    (void)state;
    const uint64_t l25_before = served_by_l25();
    const uint64_t big_before = served_by_bigcache();
    uint64_t blocks[2] = {0, 0}; /* of the slots l25 and big */
    for (size_t i = 0; i < 5 * size_count; i++) {
        void *block = take_large(size_at(i * 7), HAK_ALIGN_BYTES);
        blocks[size_at(i * 7) > hak_l25_size_max()]++;
        give_large(block);
    }
    const struct hak_stats after = stats_now();
    const uint64_t served = served_by_bigcache();
    assert_int_equal(served_by_l25() - l25_before, blocks[0]);
    /* The null module counts nothing. */
    assert_true(served - big_before == blocks[1] || served == 0);
    assert_true(after.mapped_bytes >= after.large_live_bytes + hak_large_idle());
}

static void no_more_is_kept_than_the_bounds_allow(void **state) {
    (void)state;
    const char *value = getenv("HAKMEM_BIGCACHE_BYTES");
    assert_non_null(value);
    const size_t big_bytes_max = strtoul(value, NULL, 10);
    void *blocks[3 * BLOCKS];
    take_all(blocks, COUNT_OF(blocks));
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        give_large(blocks[i]);
        assert_true(counter_of("l25", "kept_bytes") <= HAK_L25_KEEP_BYTES);
        assert_true(counter_of("bigcache", "kept_bytes") <= big_bytes_max);
    }
}

/* ---- forks ---- */

static void *live_blocks[BLOCKS];

/* Runs `body` in the child of a fork; a claim of it that does not hold aborts the child. */
static void in_child(void (*body)(void)) {
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        body();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Half of the blocks were freed before the fork, the others live. */
static void use_what_the_parent_left(void) {
    require(hak_check());
    for (size_t i = 1; i < BLOCKS; i += 2) {
        require(shadow_add(live_blocks[i], large_usable(live_blocks[i])));
    }
    void *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = take_large(size_at(i), HAK_ALIGN_BYTES);
        require(shadow_add(blocks[i], large_usable(blocks[i])));
        large_stamp(blocks[i], size_at(i), 99);
    }
    for (size_t i = 1; i < BLOCKS; i += 2) {
        require(large_has_stamp(live_blocks[i], size_at(i), i));
        give_large(live_blocks[i]);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        give_large(blocks[i]);
    }
    require(hak_check());
    purge_all();
    require(idle_now() == 0);
    require(stats_now().large_live_count == 0);
}

static void the_child_of_a_fork_uses_kept_and_live_blocks(void **state) {
    (void)state;
    for (size_t i = 0; i < BLOCKS; i++) {
        live_blocks[i] = take_large(size_at(i), HAK_ALIGN_BYTES);
        large_stamp(live_blocks[i], size_at(i), i);
    }
    for (size_t i = 0; i < BLOCKS; i += 2) {
        give_large(live_blocks[i]);
    }
    in_child(use_what_the_parent_left);
    for (size_t i = 1; i < BLOCKS; i += 2) {
        assert_true(large_has_stamp(live_blocks[i], size_at(i), i));
        give_large(live_blocks[i]);
    }
}

static atomic_bool is_over;

static void take_give_and_resize(void **block, uint64_t dice) {
    if (*block != NULL) give_large(*block);
    *block = take_large(size_at((size_t)(dice >> 8)), HAK_ALIGN_BYTES);
    if (dice % 64 == 0) purge_all();
    if (dice % 8 != 1) return;
    void *resized = hak_large_resize(*block, size_at((size_t)(dice >> 16)), large_span(*block));
    if (resized != NULL) *block = resized;
}

static void *take_and_give_until_over(void *argument) {
    uint64_t random = (uintptr_t)argument * 7919 + 1;
    void *blocks[8] = {NULL};
    while (!atomic_load(&is_over)) {
        const uint64_t dice = random_next(&random) >> 16;
        hak_thread_enter(hak_thread_current()); /* as the front does around calls of a tier */
        take_give_and_resize(&blocks[dice % COUNT_OF(blocks)], dice);
        hak_thread_leave(hak_thread_current());
    }
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        if (blocks[i] != NULL) give_large(blocks[i]);
    }
    return NULL;
}

static void print_breach(void *arg, const char *claim, const void *where, unsigned long long want,
                         unsigned long long got) {
    (void)arg;
    fprintf(stderr, "%s: at %p, want %llu, got %llu\n", claim, where, want, got);
}

static void large_and_spans_are_whole(void) {
    const bool large_holds = hak_large_check(print_breach, NULL);
    require(hak_spans_check(print_breach, NULL) && large_holds);
}

static void use_what_threads_left(void) {
    large_and_spans_are_whole();
    for (size_t i = 0; i < size_count; i++) {
        void *block = take_large(size_at(i), HAK_ALIGN_BYTES);
        large_stamp(block, size_at(i), i);
        require(large_has_stamp(block, size_at(i), i));
        give_large(block);
    }
    purge_all();
    require(idle_now() == 0);
    large_and_spans_are_whole();
}

static void the_child_of_a_fork_amid_threads_uses_what_they_left(void **state) {
    (void)state;
    pthread_t threads[THREADS - 1];
    atomic_store(&is_over, false);
    for (uintptr_t i = 0; i < COUNT_OF(threads); i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, take_and_give_until_over, (void *)(i + 1)), 0);
    }
    for (unsigned i = 0; i < FORKS; i++) {
        in_child(use_what_threads_left);
    }
    atomic_store(&is_over, true);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

/* ---- threads ---- */

/* A block on its way: its first two words say its size and its mark. */
static _Atomic(uint64_t *) exchanged[32];

static void give_exchanged(uint64_t *got) {
    const size_t size = (size_t)got[0];
    require(
        large_has_stamp((char *)got + LARGE_STAMP_STEP / 2, size - LARGE_STAMP_STEP / 2, got[1]));
    require(shadow_remove(got));
    give_large(got);
}

static void *exchange_blocks(void *argument) {
    uint64_t random = (uintptr_t)argument * 7919 + 1;
    for (unsigned turn = 0; turn < 150; turn++) {
        const uint64_t dice = random_next(&random) >> 16;
        const size_t step = (size_t)(dice >> 10) % (dice % 4 == 0 ? 4 * MIB : 512 * KIB);
        const size_t size = hak_bins_size_max() + LARGE_STAMP_STEP + step;
        uint64_t *block = take_large(size, HAK_ALIGN_BYTES);
        require(shadow_add(block, large_usable(block)));
        block[0] = size;
        block[1] = dice;
        large_stamp((char *)block + LARGE_STAMP_STEP / 2, size - LARGE_STAMP_STEP / 2, dice);
        uint64_t *got = atomic_exchange(&exchanged[dice % COUNT_OF(exchanged)], block);
        if (got != NULL) give_exchanged(got);
        if (dice % 128 == 1) hak_large_purge(HAK_PURGE_SOME, SIZE_MAX);
        if (dice % 128 == 2) purge_all();
    }
    return NULL;
}

static void blocks_of_up_to_4_mib_survive_four_threads_that_free_each_others(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, exchange_blocks, (void *)(i + 1)), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    for (size_t i = 0; i < COUNT_OF(exchanged); i++) {
        uint64_t *block = atomic_exchange(&exchanged[i], NULL);
        if (block != NULL) give_exchanged(block);
    }
    assert_int_equal(shadow_count(), 0);
}

/* Takes and gives blocks until what is kept is spread over several shards, or for a second; then
 * gives a stash back. */
static void *spread_then_give(void *stash) {
    const uint64_t from_ms = hak_os_now_ms();
    while (counter_of("l25", "shards") < 2 && hak_os_now_ms() - from_ms < 1000) {
        void *blocks[16];
        for (size_t i = 0; i < 64 * COUNT_OF(blocks); i++) {
            void **block = &blocks[i % COUNT_OF(blocks)];
            if (i >= COUNT_OF(blocks)) give_large(*block);
            *block = take_large(sizes[0], HAK_ALIGN_BYTES);
        }
        give_all(blocks, COUNT_OF(blocks));
    }
    give_all(stash, STASH);
    return NULL;
}

static void many_threads_keep_no_more_than_one(void **state) {
    (void)state;
    if (hak_l25_size_max() == 0) return; /* nothing is spread */
    static void *stashes[MANY + 1][STASH];
    pthread_t threads[MANY];
    for (size_t i = 0; i <= MANY; i++) {
        for (size_t j = 0; j < STASH; j++) {
            stashes[i][j] = take_large(4 * sizes[0], HAK_ALIGN_BYTES);
        }
    }
    give_all(stashes[MANY], STASH); /* all that may be kept, in one shard */
    for (uintptr_t i = 0; i < MANY; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, spread_then_give, stashes[i]), 0);
    }
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_true(counter_of("l25", "kept_bytes") <= HAK_L25_KEEP_BYTES);
}

int main(int argc, char **argv) {
    words = argv + (argc > 0);
    this_cache();
    age_ms = hak_purge_policy.age_ms;
    size_count = large_sizes(sizes);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_build_has_the_modules_asked_for),
        from_nothing(a_recycled_block_is_aligned_as_asked),
        from_nothing(a_small_size_is_served_at_a_large_alignment),
        from_nothing(memory_called_zeroed_was_never_written_whatever_it_served),
        from_nothing(a_second_free_returns_false_and_does_nothing),
        from_nothing(of_two_frees_at_once_one_returns_true),
        from_nothing(a_resized_block_overlaps_no_other_and_keeps_its_contents),
        from_nothing(find_never_reads_the_block),
        from_nothing(find_around_knows_kept_blocks_until_they_are_given_back),
        from_nothing(purge_of_all_leaves_nothing_idle_and_nothing_mapped_for_it),
        from_nothing(purge_of_all_leaves_live_blocks_alone),
        from_nothing(purge_keeps_errno),
        from_nothing(purge_returns_the_bytes_that_were_idle),
        from_nothing(purge_of_all_stops_near_the_bytes_asked_for),
        from_nothing(a_step_gives_nothing_back_that_is_younger_than_the_age),
        from_nothing(what_is_old_goes_back_in_steps_of_one_system_call),
        from_nothing(a_step_with_nothing_idle_returns_0_and_asks_the_kernel_nothing),
        from_nothing(live_blocks_are_not_idle_and_kept_ones_are),
        from_nothing(stats_count_where_every_block_came_from),
        from_nothing(no_more_is_kept_than_the_bounds_allow),
        from_nothing(the_child_of_a_fork_uses_kept_and_live_blocks),
        from_nothing(the_child_of_a_fork_amid_threads_uses_what_they_left),
        from_nothing(blocks_of_up_to_4_mib_survive_four_threads_that_free_each_others),
        from_nothing(many_threads_keep_no_more_than_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
