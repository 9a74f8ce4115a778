/* SPDX-License-Identifier: MIT */
/*
 * purge.h: when the front asks the tiers to give memory back.
 *
 * malloc's slow path visits; a visit looks at the clock now and then and makes one step, of at most
 * one system call, or several when the last was long ago. free only notes that there is something
 * to give back: then the thread is watched (front/thread.h) until that is done. For programs that
 * make no calls at all there is a thread of our own, HAKMEM_PURGE_THREAD=1.
 */
#ifndef HAK_FRONT_PURGE_H
#define HAK_FRONT_PURGE_H

#include "src/front/thread.h"

HAK_NOINLINE void hak_purge_visit_slow(struct hak_tcache *tc);

/* A call of malloc that its bin did not serve. */
HAK_INLINE void hak_purge_visit(struct hak_tcache *tc) {
    tc->visits_natural++;
    if (hak_unlikely(--tc->visits_left == 0)) hak_purge_visit_slow(tc);
}

/* The first call of a thread that was alerted by another (front/alert.h). Its inbox is left to the
 * first call of malloc: to drain it may take long. */
HAK_NOINLINE void hak_purge_answer(struct hak_tcache *tc, bool may_drain);
HAK_INLINE void hak_purge_see_alert(struct hak_tcache *tc, bool may_drain) {
    if (hak_unlikely(!tc->is_watching)) hak_purge_answer(tc, may_drain);
}

/* A watched thread's malloc of a class; and its free: cold is a class that has not been asked for
 * since the watch began. Such a block goes to its slab, and takes a few blocks of such a class's
 * bin along. So a burst that is freed leaves bins that hold no slabs back, even if the thread makes
 * no call afterwards. */
HAK_INLINE void hak_purge_visit_of(struct hak_tcache *tc, hak_class_t cls) {
    hak_purge_see_alert(tc, true);
    tc->watch_used[cls >> HAK_WORD_SHIFT] |= hak_slab_bit(cls);
    if (hak_unlikely(--tc->visits_left == 0)) hak_purge_visit_slow(tc);
}
HAK_INLINE bool hak_purge_is_cold(const struct hak_tcache *tc, hak_class_t cls) {
    return (tc->watch_used[cls >> HAK_WORD_SHIFT] & hak_slab_bit(cls)) == 0;
}
void hak_purge_drain_cold(struct hak_tcache *tc);

/* A watched thread that frees and does not call malloc looks at the clock now and then as well,
 * only to see whether its watch is over. */
HAK_NOINLINE void hak_purge_look(struct hak_tcache *tc);
HAK_INLINE void hak_purge_count_free(struct hak_tcache *tc) {
    if (hak_unlikely(++tc->watch_frees >= HAK_WATCH_FREES)) hak_purge_look(tc);
}

/* After spans or big blocks were released. */
void hak_purge_note(struct hak_tcache *tc);

/* Keeps the thread from its next step, and lets it go on. */
void hak_purge_pause(void);
void hak_purge_resume(void);

/* Starts the thread if the environment asks for it; again in the child of a fork. */
void hak_purge_start_thread(void);
/* True when the thread was in the middle of a step. */
bool hak_purge_after_fork(void);

#endif
