/* SPDX-License-Identifier: MIT */
/*
 * care.h: what lies in slabs that nobody comes back to: free pages between live blocks, remote
 * frees whose owner is away, slabs of ended threads.
 *
 * A round comes once in the purge's age, at some thread's visit (front/purge.h). Each thread looks
 * after its own slabs; for those of others, one thread at a time claims the heaps that stayed as
 * they were since the round before (meta/heap.h), and takes in, empties and purges what is due.
 */
#ifndef HAK_FRONT_CARE_H
#define HAK_FRONT_CARE_H

#include "src/front/thread.h"

/* At a visit, in a step of the thread; `has_ticked`: the clock has moved since the last one. True
 * when something went back to the span source. */
bool hak_care_visit(struct hak_tcache *tc, uint64_t now_ms, bool has_ticked);

/* For threads of our own, which have no cache: a round if one is due. */
bool hak_care_visit_others(uint64_t now_ms);

/* Takes in what others posted, where they called the thread for it (front/alert.h). In a step. */
void hak_care_drain_if_called(struct hak_tcache *tc);

/* After a flush of remote frees: their owner may be away, and nobody else look. True when all
 * threads are to be alerted for that. */
bool hak_care_note_post(struct hak_tcache *tc);

/* Whether the thread's own slabs are due to be looked at again, or those of all, in so many rounds,
 * at visits that somebody has to bring about. */
extern _Atomic uint32_t hak_care_rounds;
HAK_INLINE bool hak_care_is_wanted(const struct hak_tcache *tc) {
    return tc->heap.looks_left > 0 ||
           atomic_load_explicit(&hak_care_rounds, memory_order_relaxed) > 0;
}

/* All that can be had from other threads' slabs and from orphans at once, however young; returns
 * the bytes of pages given back. In a step. */
size_t hak_care_trim(void);

#endif
