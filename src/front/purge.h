/* SPDX-License-Identifier: MIT */
/*
 * purge.h: when the front asks the tiers to give memory back.
 *
 * malloc's slow path visits; a visit looks at the clock now and then and makes at most one step, of
 * at most one system call. free only notes that there is something to give back: then the thread is
 * watched (front/thread.h) until that is done. For programs that make no calls at all there is a
 * thread of our own, HAKMEM_PURGE_THREAD=1.
 */
#ifndef HAK_FRONT_PURGE_H
#define HAK_FRONT_PURGE_H

#include "src/front/thread.h"

HAK_NOINLINE void hak_purge_visit_slow(struct hak_tcache *tc);

HAK_INLINE void hak_purge_visit(struct hak_tcache *tc) {
    if (hak_unlikely(--tc->visits_left == 0)) hak_purge_visit_slow(tc);
}

/* After spans or big blocks were released. */
void hak_purge_note(struct hak_tcache *tc);

/* Starts the thread if the environment asks for it; again in the child of a fork. */
void hak_purge_start_thread(void);
void hak_purge_after_fork(void);

#endif
