/* SPDX-License-Identifier: MIT */
/*
 * thread.h: a thread's cache from its first call to its last, and before and after.
 *
 * hak_tls is never NULL: a thread that has not started, or has ended, points at the empty cache,
 * whose bins are empty and whose tag matches nothing, so that no fast path asks "initialised?". The
 * calls of an ended thread still work, uncached.
 */
#ifndef HAK_FRONT_THREAD_H
#define HAK_FRONT_THREAD_H

#include "src/contract/tcache.h"

/* Atomic, since another thread may turn it to &hak_thread_empty (alert.h); relaxed, since both
 * values may be used at any time: what they point at is the thread's own, or constant. */
extern HAK_TLS _Atomic(struct hak_tcache *) hak_tls;

HAK_INLINE struct hak_tcache *hak_thread_tls(void) {
    return atomic_load_explicit(&hak_tls, memory_order_relaxed);
}

/* The thread's own live cache, from its first call to its end; NULL before and after. */
extern HAK_TLS struct hak_tcache *hak_tls_own;

/* All threads share it. While there is free memory to give back, more than the policy keeps, a
 * thread with a cache of its own may be watched: hak_tls points here nevertheless, so that each of
 * its calls takes a slow path, which serves it from its own and looks at the clock (front/purge.h).
 */
extern struct hak_tcache hak_thread_empty;

/* This thread's live cache, started if need be; NULL when the thread has ended or memory is out. */
struct hak_tcache *hak_thread_cache(void);

HAK_INLINE bool hak_thread_is_watched(void) {
    return hak_thread_tls() == &hak_thread_empty && hak_tls_own != NULL;
}

void hak_thread_watch(struct hak_tcache *tc);
void hak_thread_unwatch(void);

/* As hak_thread_cache, but starts nothing: the empty cache where there is none. */
HAK_INLINE struct hak_tcache *hak_thread_current(void) {
    return hak_likely(hak_tls_own != NULL) ? hak_tls_own : hak_thread_tls();
}

/* Refreshes the thread's copy of the map's length: after each step that may have given it a block
 * in memory that the map did not cover before, so that its own blocks always lie below its copy. */
HAK_INLINE void hak_thread_see_map(struct hak_tcache *tc) {
    tc->slots = hak_tagmap_slots();
}

/* A block of the class for a thread without a cache; NULL when memory is out. */
void *hak_thread_uncached_alloc(hak_class_t cls);

/* Posts the thread's remote frees. Where they are many, the owners of the last ones are to take in
 * what is in their inboxes. In a step. */
void hak_thread_post(struct hak_tcache *tc);

/* Empties the thread's bins and posts its remote frees. */
void hak_thread_flush(struct hak_tcache *tc);

/* Hands back all that the thread holds beyond what its program uses: remote frees that others
 * posted, the bins, its own remote frees, spare slabs. */
void hak_thread_let_go(struct hak_tcache *tc);

/* All caches ever created, for audit and stats. */
struct hak_tcache *hak_thread_first(void);

/* A step in the middle of which a fork by another thread may come (meta/heap.h) begins and ends;
 * `tc` may be the empty cache. */
extern _Atomic uint32_t hak_thread_uncached_steps;
HAK_INLINE void hak_thread_enter(struct hak_tcache *tc) {
    if (hak_likely(tc->is_live)) {
        hak_heap_enter(&tc->heap);
    } else {
        hak_heap_mend_if_forked();
        atomic_fetch_add(&hak_thread_uncached_steps, 1);
    }
}
HAK_INLINE void hak_thread_leave(struct hak_tcache *tc) {
    if (hak_likely(tc->is_live)) {
        hak_heap_leave(&tc->heap);
    } else {
        atomic_fetch_sub(&hak_thread_uncached_steps, 1);
    }
}

/* The child of a fork (front/fork.c): opens the locks, and tells whether another thread was in the
 * middle of a step; empties every inbox; mends the heaps that one had claimed. */
bool hak_thread_after_fork(void);
void hak_thread_empty_inboxes(void);
void hak_thread_mend_claimed(void);

/* Whether a cache is of a thread that is not in this process, since it is the child of a fork. */
bool hak_thread_has_vanished(const struct hak_tcache *tc);

/* Frees what one vanished thread's cache holds, as the thread's end would have; false when there is
 * none left. A cache that was being changed stays as it is: what it holds is lost to the child. */
bool hak_thread_reap(void);
extern _Atomic bool hak_thread_may_reap;

#endif
