/* SPDX-License-Identifier: MIT */
/*
 * lock.h: a small lock for short critical sections.
 *
 * Locks are taken in the order of their ranks (lock_rank.h); no holder calls upward, or anything
 * that allocates. A waiter sleeps (lock.c). With guards each thread notes what it holds, and dies
 * where it breaks the order; clang's analysis of the attributes is a lint (thread_safety.py).
 *
 * Fork: no lock is held across a fork (front/fork.c). Instead each critical section changes its
 * structure by single stores that leave it valid at every instant, in an order that a compiler
 * barrier keeps. That is enough on every processor: what the child inherits of another thread's
 * stores is a prefix of its program order. The kernel write-protects all pages, then invalidates
 * the other processors' translations, and runs the child only after each of them has said that its
 * stores by the former translations are complete. So all stores up to that instant, in whatever
 * order they became visible, are in the child's pages, and none after it: a later one faults, and
 * waits until the fork has ended (x86: the interrupt that asks for the invalidation; arm64: TLBI
 * and DSB, which wait for stores by the former translation).
 */
#ifndef HAK_OS_LOCK_H
#define HAK_OS_LOCK_H

#include "src/base/attrs.h"
#include "src/base/check.h"
#include "src/os/lock_rank.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* glibc's flag that no second thread exists; absent elsewhere. */
extern char __libc_single_threaded HAK_WEAK;

/* The three states of a lock (Drepper, "Futexes are tricky", mutex 2). */
enum hak_lock_state { HAK_LOCK_OPEN = 0, HAK_LOCK_HELD = 1, HAK_LOCK_WAITED = 2 };

struct HAK_CAPABILITY("lock") hak_lock {
    _Atomic uint32_t state; /* acquire on locking pairs with release on unlocking */
    uint8_t rank;           /* enum hak_lock_rank; constant; 0 without guards */
};

/* An open lock; or the same at run time, for one in memory that reads as zeros. */
#define HAK_LOCK_INIT(of_rank)                                                                     \
    { .rank = HAK_GUARDS >= 1 ? (of_rank) : 0 }
HAK_INLINE void hak_lock_init(struct hak_lock *lock, enum hak_lock_rank rank) {
    if (HAK_GUARDS >= 1) lock->rank = (uint8_t)rank;
}

/* Where a comment would say "under the lock"; and where it would say that none is held which comes
 * at or after a rank. */
#define hak_lock_assert_held(lock)  hak_assert(hak_lock_is_mine(lock))
#define hak_lock_assert_below(rank) hak_assert(hak_lock_holds_below(rank))

/* Called in the child of a fork: before its first step (meta/heap.h), with NULL; and before it
 * waits for a lock. Opens the locks of vanished threads. Set once, at start. */
extern void (*hak_lock_mend_after_fork)(struct hak_lock *waited);

void hak_lock_take_slow(struct hak_lock *lock);
void hak_lock_wake(struct hak_lock *lock);

HAK_INLINE bool hak_lock_is_held(const struct hak_lock *lock) {
    return atomic_load_explicit(&lock->state, memory_order_relaxed) != HAK_LOCK_OPEN;
}

/* Without a note of who holds it: a part of the functions below. */
HAK_INLINE bool hak_lock_try_state(struct hak_lock *lock) {
    uint32_t open = HAK_LOCK_OPEN;
    return atomic_compare_exchange_strong_explicit(&lock->state, &open, HAK_LOCK_HELD,
                                                   memory_order_acquire, memory_order_relaxed);
}

HAK_INLINE bool hak_lock_try(struct hak_lock *lock) HAK_TRY_ACQUIRES(*lock) HAK_UNCHECKED {
    bool is_got = hak_lock_try_state(lock);
    if (HAK_GUARDS >= 1 && is_got) hak_lock_note_taken(lock, __FILE__, __LINE__);
    return is_got;
}

HAK_INLINE bool hak_lock_is_alone(void) {
    return &__libc_single_threaded != NULL && __libc_single_threaded != 0;
}

/* Alone, a thread needs no locked instruction: nothing can come between the load and the store, for
 * a second thread begins only in a call that no holder of a lock makes. */
HAK_INLINE void hak_lock_take_at(struct hak_lock *lock, const char *file, int line)
    HAK_ACQUIRES(*lock) HAK_UNCHECKED {
    if (HAK_GUARDS >= 1) hak_lock_check_rank(lock, file, line);
    if (hak_lock_is_alone() && !hak_lock_is_held(lock)) {
        atomic_store_explicit(&lock->state, HAK_LOCK_HELD, memory_order_relaxed);
    } else if (hak_unlikely(!hak_lock_try_state(lock))) {
        hak_lock_take_slow(lock);
    }
    if (HAK_GUARDS >= 1) hak_lock_note_taken(lock, file, line);
}
#define hak_lock_take(lock) hak_lock_take_at((lock), __FILE__, __LINE__)

HAK_INLINE void hak_lock_give_at(struct hak_lock *lock, const char *file, int line)
    HAK_RELEASES(*lock) HAK_UNCHECKED {
    if (HAK_GUARDS >= 1) hak_lock_note_given(lock, file, line);
    if (hak_lock_is_alone()) {
        atomic_store_explicit(&lock->state, HAK_LOCK_OPEN, memory_order_relaxed);
    } else if (hak_unlikely(atomic_exchange_explicit(&lock->state, HAK_LOCK_OPEN,
                                                     memory_order_release) == HAK_LOCK_WAITED)) {
        hak_lock_wake(lock);
    }
}

#define hak_lock_give(lock) hak_lock_give_at((lock), __FILE__, __LINE__)

/* Opens the lock whoever held it: only in the child of a fork, where no other thread exists.
 * Written only where it was held: the page is shared with the parent. */
HAK_INLINE void hak_lock_reset(struct hak_lock *lock) {
    if (HAK_GUARDS >= 1) hak_lock_note_reset(lock);
    if (hak_lock_is_held(lock)) {
        atomic_store_explicit(&lock->state, HAK_LOCK_OPEN, memory_order_relaxed);
    }
}

#endif
