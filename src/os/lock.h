/* SPDX-License-Identifier: MIT */
/*
 * lock.h: a small lock for short critical sections.
 *
 * Locks are taken in one order: the cache of ended threads (front/thread.c), tier, span source,
 * meta; no holder calls upward, or anything that allocates. Fork: no handler takes these locks,
 * since a handler that waits for a thread that waits for a stdio lock is the classic deadlock;
 * instead each critical section changes its structure by single stores that leave it valid at every
 * instant, and the child of a fork begins with all locks open (front/init.c). The snapshot that
 * fork takes of another thread's stores is a prefix of its program order: a store after the page
 * was copied waits for the fork to end.
 */
#ifndef HAK_OS_LOCK_H
#define HAK_OS_LOCK_H

#include "src/base/attrs.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* glibc's word that no second thread exists; absent elsewhere. */
extern char __libc_single_threaded HAK_WEAK;

struct hak_lock {
    _Atomic uint32_t held; /* 0 or 1; acquire on taking pairs with release on giving */
};

void hak_lock_take_slow(struct hak_lock *lock);

HAK_INLINE bool hak_lock_try(struct hak_lock *lock) {
    return atomic_exchange_explicit(&lock->held, 1, memory_order_acquire) == 0;
}

/* Alone, a thread needs no locked instruction: nothing can come between the load and the store, for
 * a second thread begins only in a call that no holder of a lock makes. */
HAK_INLINE void hak_lock_take(struct hak_lock *lock) {
    if (&__libc_single_threaded != NULL && __libc_single_threaded != 0 &&
        atomic_load_explicit(&lock->held, memory_order_relaxed) == 0) {
        atomic_store_explicit(&lock->held, 1, memory_order_relaxed);
    } else if (hak_unlikely(!hak_lock_try(lock))) {
        hak_lock_take_slow(lock);
    }
}

HAK_INLINE void hak_lock_give(struct hak_lock *lock) {
    atomic_store_explicit(&lock->held, 0, memory_order_release);
}

/* Opens the lock whoever held it: only in the child of a fork, where no other thread exists. */
HAK_INLINE void hak_lock_reset(struct hak_lock *lock) {
    hak_lock_give(lock);
}

#endif
