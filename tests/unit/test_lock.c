/* SPDX-License-Identifier: MIT */
/*
 * test_lock.c: the lock of src/os/lock.h, alone and under four threads, and what it asks of the
 * kernel: sleeping, waking, and whether the process was forked.
 */
#include "tests/api/suite.h"

#include "src/os/lock.h"
#include "src/os/os.h"

#include <pthread.h>
#include <sys/wait.h>
#include <time.h>

#define THREADS 4
#define TURNS   100000U

static struct {
    struct hak_lock lock;
    unsigned first; /* under the lock, as is `second`; equal outside it */
    unsigned second;
    unsigned torn;
} shared = {.lock = HAK_LOCK_INIT(HAK_RANK_TIER)};

static void *count_under_lock(void *argument) {
    (void)argument;
    for (unsigned i = 0; i < TURNS; i++) {
        hak_lock_take(&shared.lock);
        if (shared.first != shared.second) shared.torn++;
        shared.first++;
        shared.second++;
        hak_lock_give(&shared.lock);
    }
    return NULL;
}

static void a_held_lock_cannot_be_taken(void **state) {
    (void)state;
    struct hak_lock lock = HAK_LOCK_INIT(HAK_RANK_ARENA);
    assert_true(hak_lock_try(&lock));
    assert_false(hak_lock_try(&lock));
    hak_lock_give(&lock);
    assert_true(hak_lock_try(&lock));
    hak_lock_give(&lock);
}

static void reset_opens_a_lock_that_another_held(void **state) {
    (void)state;
    struct hak_lock lock = HAK_LOCK_INIT(HAK_RANK_ARENA);
    hak_lock_take(&lock);
    hak_lock_reset(&lock);
    assert_true(hak_lock_try(&lock));
    hak_lock_give(&lock);
}

static void four_threads_exclude_each_other(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count_under_lock, NULL), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(shared.torn, 0);
    assert_int_equal(shared.first, THREADS * TURNS);
    assert_int_equal(shared.second, THREADS * TURNS);
}

static double thread_seconds(void) {
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec * 1e-9;
}

/* Processor time that waiting took. */
static void *wait_and_measure(void *argument) {
    const double before = thread_seconds();
    hak_lock_take(&shared.lock);
    *(double *)argument = thread_seconds() - before;
    hak_lock_give(&shared.lock);
    return NULL;
}

static void waiting_threads_sleep(void **state) {
    (void)state;
    double seconds[THREADS];
    pthread_t waiters[THREADS];
    hak_lock_take(&shared.lock);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&waiters[i], NULL, wait_and_measure, &seconds[i]), 0);
    }
    usleep(500000);
    hak_lock_give(&shared.lock);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(waiters[i], NULL), 0);
        assert_true(seconds[i] < 0.025);
    }
}

static void open_lock(struct hak_lock *waited) {
    hak_lock_reset(waited);
}

static _Atomic bool may_release;

/* Another thread than the one that forks: no lock is held across a fork. */
static void *hold_the_lock(void *unused) {
    hak_lock_take(&shared.lock);
    while (!atomic_load(&may_release))
        usleep(1000);
    hak_lock_give(&shared.lock);
    return unused;
}

static void the_child_of_a_fork_mends_before_it_waits(void **state) {
    (void)state;
    pthread_t holder;
    hak_os_note_process();
    hak_lock_mend_after_fork = open_lock;
    assert_int_equal(pthread_create(&holder, NULL, hold_the_lock, NULL), 0);
    while (!hak_lock_is_held(&shared.lock))
        usleep(1000);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(20);
        hak_lock_take(&shared.lock);
        hak_lock_give(&shared.lock);
        _exit(0);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(hak_lock_is_held(&shared.lock));
    atomic_store(&may_release, true);
    assert_int_equal(pthread_join(holder, NULL), 0);
}

static void *wait_for_lock(void *argument) {
    hak_lock_take(&shared.lock);
    *(bool *)argument = true;
    hak_lock_give(&shared.lock);
    return NULL;
}

static void a_waiting_thread_gets_the_lock_when_it_is_given(void **state) {
    (void)state;
    bool got = false;
    pthread_t waiter;
    hak_lock_take(&shared.lock);
    assert_int_equal(pthread_create(&waiter, NULL, wait_for_lock, &got), 0);
    usleep(20000);
    assert_false(got);
    hak_lock_give(&shared.lock);
    assert_int_equal(pthread_join(waiter, NULL), 0);
    assert_true(got);
}

/* In a child: whether it knows that it is one, and no longer when it has noted itself. */
static void assert_child_knows(void) {
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bool knew = hak_os_is_forked();
        hak_os_note_process();
        _exit(knew && !hak_os_is_forked() ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_false(hak_os_is_forked());
}

static void a_child_of_a_fork_knows_that_it_is_one(void **state) {
    (void)state;
    hak_os_note_process();
    assert_child_knows(); /* by the process number */
    hak_os_watch_forks();
    assert_child_knows(); /* by the page */
}

static _Atomic uint32_t word;

static void *wait_until_1(void *unused) {
    while (atomic_load(&word) == 0)
        hak_os_wait(&word, 0);
    return unused;
}

static void a_sleeper_is_woken_and_does_not_sleep_on_another_value(void **state) {
    (void)state;
    pthread_t sleeper;
    assert_int_equal(pthread_create(&sleeper, NULL, wait_until_1, NULL), 0);
    usleep(20000);
    atomic_store(&word, 1);
    errno = 77;
    hak_os_wake_one(&word);
    hak_os_wait(&word, 0);
    assert_int_equal(errno, 77);
    assert_int_equal(pthread_join(sleeper, NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_held_lock_cannot_be_taken),
        cmocka_unit_test(reset_opens_a_lock_that_another_held),
        cmocka_unit_test(four_threads_exclude_each_other),
        cmocka_unit_test(a_waiting_thread_gets_the_lock_when_it_is_given),
        cmocka_unit_test(waiting_threads_sleep),
        cmocka_unit_test(the_child_of_a_fork_mends_before_it_waits),
        cmocka_unit_test(a_child_of_a_fork_knows_that_it_is_one),
        cmocka_unit_test(a_sleeper_is_woken_and_does_not_sleep_on_another_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
