/* SPDX-License-Identifier: MIT */
/*
 * test_tier_fork.c: the contract of src/contract/tier.h in the child of a fork, and among threads.
 */
#include "tests/conform/tier.h"

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
        from_nothing(the_child_of_a_fork_uses_kept_and_live_blocks),
        from_nothing(the_child_of_a_fork_amid_threads_uses_what_they_left),
        from_nothing(blocks_of_up_to_4_mib_survive_four_threads_that_free_each_others),
        from_nothing(many_threads_keep_no_more_than_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
