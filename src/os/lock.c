/* SPDX-License-Identifier: MIT */
/*
 * lock.c: the contended path of a lock: spin a bounded number of times on a plain read, then yield,
 * so that a preempted holder gets the processor back.
 */
#include "src/os/lock.h"

#include "src/base/tunables.h"
#include "src/os/os.h"

void hak_lock_take_slow(struct hak_lock *lock) {
    unsigned spins = 0;
    do {
        while (atomic_load_explicit(&lock->held, memory_order_relaxed) != 0) {
            if (++spins < HAK_LOCK_SPINS) {
                hak_cpu_pause();
            } else {
                hak_os_yield();
            }
        }
    } while (!hak_lock_try(lock));
}
