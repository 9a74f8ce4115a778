/* SPDX-License-Identifier: MIT */
/*
 * test_lock.c: the lock of src/os/lock.h, alone and under four threads.
 */
#include "tests/api/suite.h"

#include "src/os/lock.h"

#include <pthread.h>

#define THREADS 4
#define TURNS   100000U

static struct {
    struct hak_lock lock;
    unsigned first; /* under the lock, as is `second`; equal outside it */
    unsigned second;
    unsigned torn;
} shared;

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
    struct hak_lock lock = {0};
    assert_true(hak_lock_try(&lock));
    assert_false(hak_lock_try(&lock));
    hak_lock_give(&lock);
    assert_true(hak_lock_try(&lock));
}

static void reset_opens_a_lock_that_another_held(void **state) {
    (void)state;
    struct hak_lock lock = {0};
    hak_lock_take(&lock);
    hak_lock_reset(&lock);
    assert_true(hak_lock_try(&lock));
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_held_lock_cannot_be_taken),
        cmocka_unit_test(reset_opens_a_lock_that_another_held),
        cmocka_unit_test(four_threads_exclude_each_other),
        cmocka_unit_test(a_waiting_thread_gets_the_lock_when_it_is_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
