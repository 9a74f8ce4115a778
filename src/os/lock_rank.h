/* SPDX-License-Identifier: MIT */
/*
 * lock_rank.h: the order in which a thread may take locks, checked in debug builds.
 *
 * A thread takes locks of rising rank only, and never one that it holds: then no two threads wait
 * for each other. Each thread notes what it holds; lock.h calls these functions where HAK_GUARDS is
 * 1 or more, and a release build has none of them. A lock that is only tried is noted but may have
 * any rank, since nobody waits for it.
 */
#ifndef HAK_OS_LOCK_RANK_H
#define HAK_OS_LOCK_RANK_H

#include <stdbool.h>
#include <stdint.h>

struct hak_lock;

/* From the first that a thread may take to the last. */
enum hak_lock_rank {
    HAK_RANK_NONE,     /* taking it is an error: every lock has a rank */
    HAK_RANK_INIT,     /* front/init.c: the start of the process */
    HAK_RANK_UNCACHED, /* front/thread.c: the cache of ended threads */
    HAK_RANK_STEPPING, /* front/purge.c: the purge thread's step */
    HAK_RANK_CLAIM,    /* meta/heap.h: a heap */
    HAK_RANK_THREADS,  /* front/thread.c: the list of caches */
    HAK_RANK_ALERTS,   /* front/alert.c */
    HAK_RANK_TIER,     /* a shard of l25, the table of big blocks */
    HAK_RANK_SPANS,    /* the span source */
    HAK_RANK_ORPHANS,  /* meta/orphans.c */
    HAK_RANK_WINDOW,   /* meta/tagmap.c */
    HAK_RANK_HEADERS,  /* meta/span.c */
    HAK_RANK_ARENA,    /* meta/arena.c */
    HAK_RANKS
};

/* Before this thread waits for the lock: it may take it. Ends the process where it may not. */
void hak_lock_check_rank(const struct hak_lock *lock, const char *file, int line);

/* This thread has got the lock; and no longer has it, or has seen it reset. */
void hak_lock_note_taken(const struct hak_lock *lock, const char *file, int line);
void hak_lock_note_given(const struct hak_lock *lock, const char *file, int line);
void hak_lock_note_reset(const struct hak_lock *lock);

/* Whether this thread holds the lock; and whether it holds none of that rank or above. */
bool hak_lock_is_mine(const struct hak_lock *lock);
bool hak_lock_holds_below(enum hak_lock_rank rank);

#endif
