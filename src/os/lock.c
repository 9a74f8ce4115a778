/* SPDX-License-Identifier: MIT */
/*
 * lock.c: the contended path of a lock: a bounded spin on a plain read, then the thread sleeps in
 * the kernel until the lock is released. So a holder with a lower priority on the same processor
 * runs, and what a waiter loses is bounded by the length of the critical section.
 *
 * A thread that has slept takes the lock as WAITED, since others may sleep as well: at worst the
 * next release makes one needless system call. A wake-up is not lost: the kernel puts a thread to
 * sleep only while the state still reads WAITED, and each release of a WAITED lock wakes one.
 */
#include "src/os/lock.h"

#include "src/base/tunables.h"
#include "src/os/os.h"

void (*hak_lock_mend_after_fork)(struct hak_lock *waited);

/* False when the lock stayed held during the spin. */
static bool spin(struct hak_lock *lock) {
    for (unsigned spins = 0; spins < HAK_LOCK_SPINS; spins++) {
        if (!hak_lock_is_held(lock) && hak_lock_try_state(lock)) return true;
        hak_cpu_pause();
    }
    return false;
}

void hak_lock_take_slow(struct hak_lock *lock) {
    if (spin(lock)) return;
    if (hak_os_is_forked() && hak_lock_mend_after_fork != NULL) hak_lock_mend_after_fork(lock);
    while (atomic_exchange_explicit(&lock->state, HAK_LOCK_WAITED, memory_order_acquire) !=
           HAK_LOCK_OPEN) {
        hak_os_wait(&lock->state, HAK_LOCK_WAITED);
    }
}

void hak_lock_wake(struct hak_lock *lock) {
    hak_os_wake_one(&lock->state);
}
