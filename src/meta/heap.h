/* SPDX-License-Identifier: MIT */
/*
 * heap.h: a thread's slabs: per class those with free bits, the one being carved, and all of them;
 * the inbox of slabs with remote frees; and the thread's cache of frees it owes to others.
 *
 * Owned by one thread, except the inbox. A slab is in `all` of its class from bind or adopt to
 * orphan or release; it is `listed` while it has free bits. Heaps are never freed: an ended
 * thread's heap waits for a new thread, without slabs, so that a late sender always finds an inbox.
 */
#ifndef HAK_META_HEAP_H
#define HAK_META_HEAP_H

#include "src/base/check.h"
#include "src/base/tunables.h"
#include "src/meta/slab.h"
#include "src/os/lock.h"

struct hak_class_slabs {
    struct hak_slab *listed; /* with free bits */
    struct hak_slab *fresh;  /* with blocks never carved; NULL when there is none */
    struct hak_slab *all;
    uint16_t batch; /* blocks the next refill asks for at most; doubles from refill to refill */
    uint16_t seen;  /* the bin's state as the last scan saw it (supply/room.c) */
    uint16_t capacity_first, capacity_max; /* of the bin; constant */
    uint16_t room;       /* the bin's capacity at its last fill, before overflows took places */
    uint16_t overflowed; /* since then, as far as they are counted (supply.c) */
    uint16_t burst; /* blocks that came back before an earlier fill, more than there was room */
};

/* Remote frees not posted yet: blocks of one bitmap word, with copies of what it takes to find a
 * block's bit, so that a hit does not look at the slab, whose lines its owner writes. */
struct hak_sender_entry {
    char *base;          /* of the word's first block */
    uint64_t reciprocal; /* of the stride, as in the slab */
    uint64_t bits;
    struct hak_slab *slab;
    uint32_t bytes; /* of the word's blocks; 0: the entry is empty */
    uint32_t stride;
    unsigned word;
};

/* What stats sums over all heaps, since it must not follow other threads' lists: the owner writes
 * (hak_count_up), any thread reads, relaxed. The audit compares them with the slabs:
 *
 *   slab_bytes = the slabs' bytes
 *   carved_bytes = carved * stride of each slab
 *   active_bytes = (carved - nfree) * stride of each slab
 *   returned + drained + arrived - taken = nfree of each slab, in blocks
 */
struct hak_heap_counts {
    _Atomic uint64_t returned_blocks; /* from bins to their slabs */
    _Atomic uint64_t active_bytes;
    _Atomic uint64_t flushed_blocks; /* of those returned: by flushes, not by bins that were full */
    _Atomic uint64_t refills;
    _Atomic uint64_t taken_blocks, carved_blocks; /* that filled bins: free ones, new ones */
    _Atomic uint64_t drained_blocks, posted_blocks;
    _Atomic uint64_t arrived_blocks; /* free, in adopted slabs; less those of slabs that left */
    _Atomic uint64_t adopted_slabs;
    _Atomic uint64_t slab_bytes;
    _Atomic uint64_t carved_bytes;
};

/* Sums over slabs. */
struct hak_slab_sums {
    uint64_t slab_bytes, carved_bytes, active_bytes, free_blocks;
};

struct hak_heap {
    uint32_t tag; /* of its id: constant */

    /* Steps that its thread is in the middle of, and whether it is putting a block outside of one
     * (below): written by the owner; read by who claims the heap, and by the child of a fork, which
     * leaves a heap alone that was being changed. */
    _Atomic uint32_t busy, putting;
    struct hak_lock claim; /* held by another thread that has the heap for itself */

    struct hak_heap_counts counts;

    /* Owner only. */
    struct hak_slab *emptied;   /* wholly free, unbound from this heap; the tiers release them */
    size_t spare_bytes;         /* of slabs kept though wholly uncarved */
    bool has_notes;             /* one of the two below: what the front asks after each overflow */
    bool has_released;          /* spans went back to the span source; the front asks */
    bool has_grown;             /* with `has_released`: what care.c is to look after has */
    uint8_t looks_left;         /* that front/care.c owes to slabs that many blocks came back to */
    uint64_t excess_noted;      /* what was free in slabs when that was noted last */
    struct hak_heap *posted_to; /* whose block was posted last */
    void *misused;              /* what a slow path found wrong; the front asks */
    enum hak_free_verdict verdict;
    hak_class_t overwritten_cls; /* then `misused` may be the heap: it is not known which block */
    uint32_t sender_bytes;       /* of remote frees since the last flush */
    struct hak_sender_entry senders[HAK_SENDER_ENTRIES];
    struct hak_class_slabs classes[HAK_SLAB_CLASSES];

    /* Any thread pushes, the owner takes all: seq_cst (remote.c). */
    HAK_ALIGNED(HAK_LINE_BYTES) _Atomic(struct hak_slab *) inbox;
};

void hak_heap_init(struct hak_heap *heap, uint32_t id);

/* Of its slabs of a class, in the tag map. */
uint32_t hak_heap_tag(const struct hak_heap *heap, hak_class_t cls);

/* A span becomes a slab of this heap, ready to be carved; false when metadata is out. */
bool hak_heap_bind(struct hak_heap *heap, struct hak_span *span, hak_class_t cls);

/* Spans went back to the span source, or as much should be looked for. */
HAK_INLINE void hak_heap_note_released(struct hak_heap *heap) {
    heap->has_released = true;
    heap->has_notes = true;
}

/* Remembers a mistake of the caller until the front reports it. */
HAK_INLINE void hak_heap_note_misuse(struct hak_heap *heap, const void *block,
                                     enum hak_free_verdict verdict) {
    hak_assert(block != NULL);
    hak_assert(verdict != HAK_FREE_OK);
    heap->misused = (void *)(uintptr_t)block;
    heap->has_notes = true;
    heap->verdict = verdict;
}

/* The same of a free block that the program wrote to, NULL where it is not known which. */
HAK_INLINE void hak_heap_note_overwritten(struct hak_heap *heap, hak_class_t cls,
                                          const void *block) {
    hak_assert(cls >= 1);
    hak_heap_note_misuse(heap, block != NULL ? block : heap, HAK_FREE_OVERWRITTEN);
    heap->overwritten_cls = cls;
}

/* The first slab with free bits, or with blocks never carved; NULL when there is none. */
HAK_INLINE struct hak_slab *hak_heap_listed(const struct hak_heap *heap, hak_class_t cls) {
    return heap->classes[cls].listed;
}
HAK_INLINE struct hak_slab *hak_heap_fresh(const struct hak_heap *heap, hak_class_t cls) {
    return heap->classes[cls].fresh;
}

/* As hak_slab_take_word and hak_slab_carve, and keeps the lists right. */
uint64_t hak_heap_take_word(struct hak_heap *heap, struct hak_slab *slab, unsigned want,
                            unsigned *first_index);
unsigned hak_heap_carve(struct hak_heap *heap, struct hak_slab *slab, unsigned want,
                        unsigned *first_index);

/* A block of one of this heap's slabs comes back; constant time. What is no live block's address is
 * left in `misused`. True when there are emptied slabs. */
bool hak_heap_put(struct hak_heap *heap, struct hak_slab *slab, const void *block);

/* Takes in all remote frees posted to this heap; returns the number of blocks. */
size_t hak_heap_drain(struct hak_heap *heap);

/* Adopts an orphan of the class that has free or uncarved blocks; false when there is none. The
 * only place where an orphan gets another owner. May leave emptied slabs. */
bool hak_heap_adopt(struct hak_heap *heap, hak_class_t cls);

/* Takes in what was posted to orphans. Those that became empty are then emptied slabs of this heap,
 * of whatever class; without one, they wait for a call with one. In every flush and visit. */
void hak_heap_drain_orphans(struct hak_heap *heap);

/* Gives back the pages of the heap's slabs that no block in use lies on; returns their bytes. The
 * owner, in a step; and the same of the orphans, under their lock. */
size_t hak_heap_purge(struct hak_heap *heap);
size_t hak_heap_purge_orphans(void);

/* The same of those of its slabs that have settled (slab.h), until it has given back so many bytes
 * in one call. Less than `bytes_max` says that it has seen all of them. */
size_t hak_heap_purge_some(struct hak_heap *heap, size_t bytes_max);
size_t hak_heap_purge_some_orphans(size_t bytes_max);

/* Slabs kept though nothing of them is in use are emptied too: of one class, or of all. */
void hak_heap_empty_spare(struct hak_heap *heap, hak_class_t cls);
void hak_heap_empty_spares(struct hak_heap *heap);

/* The thread ends: every slab becomes an orphan, or is emptied when wholly free. Bins and sender
 * cache have been flushed. */
void hak_heap_orphan_all(struct hak_heap *heap);

/* Pops a slab that the tier that owns its span must release; NULL when there is none. */
struct hak_slab *hak_heap_pop_emptied(struct hak_heap *heap);

/* The same of slabs that a thread without a heap emptied. */
struct hak_slab *hak_heap_pop_emptied_orphan(void);

/* Adds a slab to sums. Its owner, or at quiescence. */
void hak_heap_sum_slab(struct hak_slab_sums *sums, const struct hak_slab *slab);

/* What a heap's slabs sum up to, from counters. Any thread: exact when the heap's owner is at rest.
 */
struct hak_slab_sums hak_heap_sums(const struct hak_heap *heap);

/* Bytes of blocks that were carved and are free in their slabs; and a number that is the same as
 * long as the heap's thread neither takes blocks from slabs nor gives any back. Any thread, a
 * glance. */
uint64_t hak_heap_excess(const struct hak_heap *heap);
uint64_t hak_heap_activity(const struct hak_heap *heap);

/* The heap of slabs whose threads have ended; its lists and counts change under its lock. */
const struct hak_heap *hak_heap_orphans(void);
void hak_heap_lock_orphans(void);
void hak_heap_unlock_orphans(void);

/* A heap whose thread is away can be claimed by another, which then is its owner until it gives the
 * claim back: it may drain, purge and empty slabs, whatever is not in the thread's bins or its
 * sender's cache. What the thread does outside of its bins stands between enter and leave, or
 * begin_put and end_put, and waits there while the heap is claimed.
 *
 *   thread                               claimer
 *   T1  busy or putting := 1             C1  takes `claim`
 *   T2  is `claim` held?                 C2  hak_os_barrier
 *   T3    yes: := 0, wait, again         C3  busy or putting? yes: gives the claim back
 *   T4  uses the heap                    C4  uses the heap
 *   T5  := 0 (release)                   C5  gives the claim back (release)
 *
 * T1 and T2 are ordered by the compiler alone, so the pair costs no locked instruction; C2 is what
 * makes that enough. Let T2 find no claim: it was read before the barrier's instant in this thread,
 * or C1 would have been seen; then T1 is complete at that instant and C3 sees it, unless T5 has
 * been, and then C3's acquire makes all of T4 visible. Or it was read after: then the claim was
 * given back, and T2's acquire sees C4. So the two are never both in the heap. A claimer that backs
 * off has changed nothing. Nested steps do not look: the outermost has. Modelled in
 * tests/model/claim.pml. Where there is no barrier no heap is claimed.
 *
 * Fork: the child of a fork in whose parent a heap was claimed makes the heap's lists anew
 * (hak_heap_mend_claimed). */
bool hak_heap_claim(struct hak_heap *heap) HAK_TRY_ACQUIRES(heap->claim);
void hak_heap_unclaim(struct hak_heap *heap) HAK_RELEASES(heap->claim);

/* T3 of a step. */
HAK_NOINLINE void hak_heap_wait(struct hak_heap *heap, _Atomic uint32_t *mark);

HAK_INLINE bool hak_heap_is_claimed(const struct hak_heap *heap) {
    return atomic_load_explicit(&heap->claim.state, memory_order_acquire) != HAK_LOCK_OPEN;
}

/* In the child of a fork, once: mends what it inherited. Before a step begins, and before a lock is
 * taken that steps are made under: with either, it would be too late. */
HAK_INLINE void hak_heap_mend_if_forked(void) {
    if (hak_unlikely(hak_os_page_is_cleared())) hak_lock_mend_after_fork(NULL);
}

/* A step of the heap's thread begins and ends: whatever changes lists, bins or several blocks'
 * bits, or calls a tier, stands between the two. */
HAK_INLINE void hak_heap_enter(struct hak_heap *heap) {
    hak_heap_mend_if_forked();
    uint32_t busy = atomic_load_explicit(&heap->busy, memory_order_relaxed);
    atomic_store_explicit(&heap->busy, busy + 1, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    if (hak_unlikely(hak_heap_is_claimed(heap)) && busy == 0) hak_heap_wait(heap, &heap->busy);
}
HAK_INLINE void hak_heap_leave(struct hak_heap *heap) {
    uint32_t busy = atomic_load_explicit(&heap->busy, memory_order_relaxed);
    hak_assert(busy > 0);
    atomic_store_explicit(&heap->busy, busy - 1, memory_order_release);
}

HAK_INLINE bool hak_heap_is_busy(const struct hak_heap *heap) {
    return atomic_load_explicit(&heap->busy, memory_order_relaxed) != 0;
}

/* A block goes back to its slab, which is the bulk of long runs of frees. Not a step, since a fork
 * may come in the middle of it: hak_heap_recount mends what it changes. After a try that failed the
 * caller waits, or begins. */
HAK_INLINE bool hak_heap_try_put(struct hak_heap *heap) {
    atomic_store_explicit(&heap->putting, 1, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    return hak_likely(!hak_heap_is_claimed(heap));
}
HAK_INLINE void hak_heap_begin_put(struct hak_heap *heap) {
    if (!hak_heap_try_put(heap)) hak_heap_wait(heap, &heap->putting);
}
HAK_INLINE void hak_heap_end_put(struct hak_heap *heap) {
    atomic_store_explicit(&heap->putting, 0, memory_order_release);
}

/* The heap of a thread that vanished in a fork, between two steps: recounts its slabs' bits, of
 * which one may have been changing. */
void hak_heap_recount(struct hak_heap *heap);

/* The child of a fork, where no other thread exists: opens the lock. Where another thread was in
 * the middle of a step, a sender that is gone may have held the right to a slab's link: then every
 * inbox is emptied first, and hak_heap_mend hands each slab with remote frees to its owner's anew;
 * it also recounts the orphans. */
void hak_heap_after_fork(void);
HAK_INLINE void hak_heap_empty_inbox(struct hak_heap *heap) {
    atomic_store(&heap->inbox, NULL);
}
void hak_heap_mend(void);

/* The same child, after that: the lists of a heap that another thread had claimed. */
void hak_heap_mend_claimed(struct hak_heap *heap);

#endif
