/* SPDX-License-Identifier: MIT */
/*
 * test_spans_fork.c: the contract of src/contract/span_source.h in the child of a fork, and among
 * threads.
 */
#include "tests/conform/spans.h"

static struct hak_span *live_spans[SPANS];

static void use_what_the_parent_left(void) {
    require(hak_check());
    struct hak_span *spans[SPANS];
    for (size_t i = 0; i < SPANS; i++) {
        spans[i] = acquire(sizes[i % COUNT_OF(sizes)], HAK_SLAB_BYTES); /* overlaps none */
        memset(spans[i]->base, 0x5a, spans[i]->bytes);
    }
    for (size_t i = 1; i < SPANS; i += 2) {
        const struct hak_span *live = live_spans[i];
        require(pattern_find_damage(live->base, live->bytes, (unsigned)i) == live->bytes);
        release(live_spans[i]);
    }
    for (size_t i = 0; i < SPANS; i++) {
        release(spans[i]);
    }
    hak_purge();
    require(hak_spans_idle() == 0);
    require(hak_check());
}

static void in_child(void (*body)(void)) {
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        body();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void the_child_of_a_fork_uses_free_and_live_spans(void **state) {
    (void)state;
    for (size_t i = 0; i < SPANS; i++) {
        live_spans[i] = acquire(sizes[i % COUNT_OF(sizes)], HAK_SLAB_BYTES);
        pattern_write(live_spans[i]->base, live_spans[i]->bytes, (unsigned)i);
    }
    for (size_t i = 0; i < SPANS; i += 2) {
        release(live_spans[i]);
    }
    in_child(use_what_the_parent_left);
    for (size_t i = 1; i < SPANS; i += 2) {
        assert_pattern(live_spans[i]->base, live_spans[i]->bytes, (unsigned)i);
        release(live_spans[i]);
    }
}

static void mend_what_was_half_done(void) {
    half_clear(live_spans[0], 2, 2); /* it was being entered */
    half_clear(live_spans[1], 0, 2); /* released */
    half_clear(live_spans[2], 2, 1); /* made smaller */
    hak_spans_after_fork(true);
    require(hak_check());
    require(live_spans[3]->bytes == 4 * HAK_SLAB_BYTES);
    hak_spans_release(live_spans[3]);
    struct hak_span *spans[SPANS];
    for (size_t i = 0; i < SPANS; i++)
        spans[i] = hak_spans_acquire(HAK_SLAB_BYTES, HAK_SLAB_BYTES, HAK_OWNER_MID);
    require(hak_check());
    for (size_t i = 0; i < SPANS; i++)
        hak_spans_release(spans[i]);
    require(hak_check());
}

static void the_child_of_a_fork_mends_what_other_threads_had_half_done(void **state) {
    (void)state;
    for (size_t i = 0; i < 4; i++)
        live_spans[i] = acquire(4 * HAK_SLAB_BYTES, HAK_SLAB_BYTES);
    in_child(mend_what_was_half_done);
    for (size_t i = 0; i < 4; i++)
        release(live_spans[i]);
}

static atomic_bool is_over;

static void *purge_until_over(void *unused) {
    while (!atomic_load(&is_over)) {
        hak_spans_purge(HAK_PURGE_SOME, SIZE_MAX);
        hak_spans_purge(HAK_PURGE_ALL, 3 * MIB);
    }
    return unused;
}

static void *acquire_and_release(void *argument) {
    uint64_t random = (uintptr_t)argument * 7919 + 1;
    struct hak_span *spans[8] = {NULL};
    for (unsigned turn = 0; turn < 2000; turn++) {
        const uint64_t dice = random_next(&random) >> 16;
        struct hak_span **span = &spans[dice % COUNT_OF(spans)];
        if (*span == NULL) {
            *span = acquire((dice >> 10) % 8 * HAK_SLAB_BYTES + 1, HAK_SLAB_BYTES);
            require(hak_tagmap_span((*span)->base) == *span);
            memset((*span)->base, (int)(uintptr_t)argument, 64);
        } else {
            require((*span)->base[0] == (char)(uintptr_t)argument);
            release(*span);
            *span = NULL;
        }
    }
    for (size_t i = 0; i < COUNT_OF(spans); i++) {
        if (spans[i] != NULL) release(spans[i]);
    }
    return NULL;
}

static void spans_of_four_threads_never_overlap(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, acquire_and_release, (void *)(i + 1)),
                         0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(shadow_count(), 0);
}

static void spans_of_four_threads_never_overlap_while_a_fifth_purges(void **state) {
    hak_purge_policy.age_ms = 0;
    pthread_t purger;
    atomic_store(&is_over, false);
    assert_int_equal(pthread_create(&purger, NULL, purge_until_over, NULL), 0);
    spans_of_four_threads_never_overlap(state);
    atomic_store(&is_over, true);
    assert_int_equal(pthread_join(purger, NULL), 0);
}

int main(void) {
    this_cache();
    age_ms = hak_purge_policy.age_ms;
    const struct CMUnitTest tests[] = {
        from_nothing(the_child_of_a_fork_uses_free_and_live_spans),
        from_nothing(the_child_of_a_fork_mends_what_other_threads_had_half_done),
        scenario(spans_of_four_threads_never_overlap),
        from_nothing(spans_of_four_threads_never_overlap_while_a_fifth_purges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
