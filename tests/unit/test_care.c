/* SPDX-License-Identifier: MIT */
/*
 * test_care.c: how often heaps of threads that are away are claimed, src/front/care.h, and what the
 * child of a fork makes of claims. Rounds are called by hand, at times of our own; barriers are
 * counted, one a claim (meson.build's --wrap).
 */
#include "tests/api/suite.h"

#include "include/hakmem.h"
#include "src/base/tunables.h"
#include "src/contract/purge.h"
#include "src/front/care.h"
#include "src/front/init.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/wait.h>

#define THREADS (3 * HAK_CARE_CLAIMS)
#define ROUNDS  40U
#define SIZE    ((size_t)64)
#define BLOCKS  (4 * HAK_CARE_KEEP_BYTES / SIZE)

bool __real_hak_os_barrier(void);
bool __wrap_hak_os_barrier(void);
static atomic_uint barriers;

bool __wrap_hak_os_barrier(void) {
    barriers++;
    return __real_hak_os_barrier();
}

static void **blocks[THREADS];
static bool frees_all;
static sem_t has_freed, may_end;

static void wait_for(sem_t *semaphore) {
    while (sem_wait(semaphore) != 0) {
    }
}

/* Leaves much free in its slabs: of every page half, or all but for a block a slab. */
static void *leave_free_blocks(void *argument) {
    void **mine = *(void ***)argument;
    for (size_t i = 0; i < BLOCKS; i++) {
        mine[i] = hak_malloc(SIZE);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        if (i % (frees_all ? 256 : 2) == 0) continue;
        hak_free(mine[i]);
        mine[i] = NULL;
    }
    hak_thread_flush(hak_tls_own);
    sem_post(&has_freed);
    wait_for(&may_end);
    for (size_t i = 0; i < BLOCKS; i++) {
        hak_free(mine[i]);
    }
    return NULL;
}

static pthread_t threads[THREADS];

static void start(bool all) {
    frees_all = all;
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, leave_free_blocks, &blocks[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        wait_for(&has_freed);
    }
}

static void end(void) {
    for (size_t i = 0; i < THREADS; i++) {
        sem_post(&may_end);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* One tick of the clock; returns the barriers of a round in it. */
static unsigned tick(uint64_t ms) {
    static uint64_t now_ms;
    if (now_ms == 0) now_ms = hak_os_now_ms();
    now_ms += ms;
    const unsigned before = barriers;
    struct hak_tcache *own = hak_thread_cache();
    hak_thread_enter(own);
    (void)hak_care_visit_others(now_ms);
    hak_thread_leave(own);
    return barriers - before;
}

static unsigned rounds(unsigned count) {
    unsigned most = 0;
    for (unsigned i = 0; i < count; i++) {
        const unsigned claims = tick(HAK_PURGE_AGE_MS);
        most = claims > most ? claims : most;
    }
    return most;
}

static void a_heap_with_nothing_to_give_is_left_alone(void **state) {
    (void)state;
    start(false);
    assert_in_range(rounds(ROUNDS), 1, HAK_CARE_CLAIMS);
    assert_int_equal(rounds(ROUNDS), 0);
    end();
}

static void a_heap_that_is_posted_to_is_looked_at_again(void **state) {
    (void)state;
    start(false);
    rounds(ROUNDS);
    hak_free(blocks[7][0]);
    blocks[7][0] = NULL;
    hak_thread_flush(hak_tls_own);
    assert_in_range(rounds(ROUNDS), 1, HAK_CARE_CLAIMS);
    assert_int_equal(rounds(ROUNDS), 0);
    end();
}

static void all_pages_go_in_rounds_that_end(void **state) {
    (void)state;
    start(true);
    const size_t before = statm_bytes(1);
    rounds(ROUNDS);
    const size_t after = statm_bytes(1);
    assert_true(before - after > THREADS * BLOCKS * SIZE / 2);
    assert_int_equal(rounds(ROUNDS), 0);
    end();
}

static void rounds_keep_their_distance_where_the_age_is_nothing(void **state) {
    (void)state;
    const uint64_t age_ms = hak_purge_policy.age_ms;
    hak_purge_policy.age_ms = 0;
    start(false);
    unsigned claims = 0;
    for (unsigned ms = 0; ms < HAK_CARE_GAP_MS - 1; ms++) {
        claims += tick(1);
    }
    hak_purge_policy.age_ms = age_ms;
    assert_in_range(claims, 0, THREADS); /* one round, as many ticks as it takes */
    end();
}

static void ones_own_heap_costs_no_barrier(void **state) {
    (void)state;
    const unsigned before = barriers;
    struct hak_tcache *own = hak_thread_cache();
    hak_thread_enter(own);
    assert_false(hak_heap_claim(&own->heap));
    hak_thread_leave(own);
    assert_int_equal(barriers, before);
}

static _Atomic(struct hak_tcache *) other;

static void *have_a_cache(void *unused) {
    void *block = hak_malloc(SIZE);
    atomic_store(&other, hak_thread_cache());
    sem_post(&has_freed);
    wait_for(&may_end);
    hak_free(block);
    return unused;
}

static void *use_a_cache(void *unused) {
    hak_free(hak_malloc(SIZE));
    return unused;
}

/* Takes over what the thread left that is not there any more. */
static int child(void) {
    pthread_t heir;
    alarm(60); /* it may hang */
    hak_free(hak_malloc(SIZE));
    hak_purge();
    if (pthread_create(&heir, NULL, use_a_cache, NULL) != 0) return 2;
    pthread_join(heir, NULL);
    hak_purge();
    return hak_check() ? 0 : 1;
}

/* At the instant when an owner that waited for a claim has the lock itself. */
static void a_fork_in_the_middle_of_a_wait_leaves_nothing_locked(void **state) {
    (void)state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, have_a_cache, NULL), 0);
    wait_for(&has_freed);
    struct hak_lock *claim = &atomic_load(&other)->heap.claim;
    atomic_store(&claim->state, HAK_LOCK_HELD);
    const pid_t pid = fork();
    if (pid == 0) _exit(child());
    atomic_store(&claim->state, HAK_LOCK_OPEN);
    sem_post(&may_end);
    pthread_join(thread, NULL);
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static int make_lists(void **state) {
    (void)state;
    if (!hak_init() || sem_init(&has_freed, 0, 0) != 0 || sem_init(&may_end, 0, 0) != 0) return -1;
    for (size_t i = 0; i < THREADS; i++) {
        blocks[i] = calloc(BLOCKS, sizeof(void *));
        if (blocks[i] == NULL) return -1;
    }
    return 0;
}

static int free_lists(void **state) {
    (void)state;
    for (size_t i = 0; i < THREADS; i++) {
        free(blocks[i]);
    }
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_heap_with_nothing_to_give_is_left_alone),
        cmocka_unit_test(a_heap_that_is_posted_to_is_looked_at_again),
        cmocka_unit_test(all_pages_go_in_rounds_that_end),
        cmocka_unit_test(rounds_keep_their_distance_where_the_age_is_nothing),
        cmocka_unit_test(ones_own_heap_costs_no_barrier),
        cmocka_unit_test(a_fork_in_the_middle_of_a_wait_leaves_nothing_locked),
    };
    return cmocka_run_group_tests(tests, make_lists, free_lists);
}
