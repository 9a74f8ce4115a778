/* SPDX-License-Identifier: MIT */
/*
 * remote.c: frees by threads that do not own the slab.
 *
 * A sender gathers frees of one bitmap word in a cache entry and posts them with one fetch_or;
 * blocks are never written, and after the fetch_or the sender does not look at the block again.
 *
 *   sender                               owner (hak_heap_drain)
 *   S1  remote[w] |= bits                D1  take the whole inbox
 *   S2  summary   |= 1 << w              D2  pending := 0
 *   S3  pending: 0 -> 1 ?                D3  summary := 0, was s
 *   S4    then push on owner's inbox     D4  for w in s: remote[w] := 0, was the freed blocks
 *
 * All of these are sequentially consistent.
 *
 * No free is lost. Let S3 find pending = 1: whoever set it has not been drained yet, so D2 of that
 * drain comes after S3, D3 after D2 sees S2, D4 sees S1. Let S3 find 0: the sender pushes, and the
 * next drain sees everything. S2 and S3 may be skipped when a load finds the bit or the flag set
 * already, by the same argument with the load in the place of S3.
 *
 * `link` belongs to the one who moved pending from 0 to 1, then to the inbox, then to the drain
 * until D2. The inbox is pushed by CAS and taken whole, so no node is taken from the middle and an
 * address that comes back does no harm.
 *
 * A slab may be released and its header reused while a late sender stands between S1 and S3,
 * because another sender's post brought its blocks home. Release moves pending from 0 to 1 and
 * keeps it: then S3 does nothing. If the header is a slab again, S2 leaves a bit for a word that
 * holds nothing or does not exist (collect skips both) and S3/S4 push the new slab to its own
 * owner, who finds nothing. If pending was 1 already the slab is in an inbox and is not released.
 *
 * Owners change. An orphan's owner is the heap of orphans, which belongs to the holder of its lock.
 * A thread that gives slabs to another heap first changes `owner` of each and then hands on the
 * inbox that they may be in; the holder of the orphans' lock, which gives one of many, hands it on
 * at the next drain, where what belongs to others is notified anew. The pusher of S4 looks at the
 * owner again: if it is no longer the one it pushed to, it takes that inbox whole and notifies each
 * slab in it anew; either it or the former owner finds the slab, since push, take, and both
 * accesses to `owner` are ordered. The new owner collects once, whatever `pending` says; what is
 * posted later reaches it by the inbox.
 *
 * Posts to orphans have no thread that waits for them: every flush of a sender drains their inbox,
 * and so does every visit (front/purge.c) of any thread, or leaves it to the one who holds their
 * lock (hak_heap_drain_orphans). Not every post: a word at a time, the lists of orphans would cost
 * more than the free.
 */
#include "src/meta/remote.h"

#include "src/base/bits.h"
#include "src/base/check.h"

static void push(struct hak_heap *heap, struct hak_slab *slab) {
    struct hak_slab *head = atomic_load(&heap->inbox);
    hak_assert(atomic_load(&slab->pending) == 1);
    hak_assert(head != slab); /* it is in no inbox while we hold its link */
    do {
        slab->link = head;
    } while (!atomic_compare_exchange_weak(&heap->inbox, &head, slab));
}

/* Puts `list` in front of `rest`; both chained by links that the caller holds. */
static struct hak_slab *join(struct hak_slab *list, struct hak_slab *rest) {
    if (list == NULL) return rest;
    struct hak_slab *tail = list;
    while (tail->link != NULL)
        tail = tail->link;
    tail->link = rest;
    return list;
}

void hak_remote_notify(struct hak_slab *list) {
    while (list != NULL) {
        struct hak_slab *slab = list;
        list = slab->link;
        struct hak_heap *heap = atomic_load(&slab->owner);
        hak_assert(heap != NULL); /* it is not released while we hold its link */
        push(heap, slab);
        if (atomic_load(&slab->owner) != heap) {
            list = join(atomic_exchange(&heap->inbox, NULL), list);
        }
    }
}

uint64_t hak_remote_post(struct hak_slab *slab, unsigned word, uint64_t bits) {
    uint64_t mark = (uint64_t)1 << word;
    hak_assert(bits != 0);
    hak_assert(slab->free_bits != NULL); /* a slab with blocks in use is not released */
    hak_assert(word < slab->words);
    uint64_t before = atomic_fetch_or(hak_slab_remote_word(slab, word), bits);
    if ((atomic_load(&slab->summary) & mark) == 0) atomic_fetch_or(&slab->summary, mark);
    if (hak_fault(HAK_FAULT_REMOTE_PUSH)) hak_remote_notify(slab);
    if (atomic_load(&slab->pending) == 0 && atomic_exchange(&slab->pending, 1) == 0) {
        slab->link = NULL;
        hak_remote_notify(slab);
    }
    return before & bits;
}

static void post_entry(struct hak_heap *heap, struct hak_sender_entry *entry) {
    uint64_t bits = entry->bits;
    hak_assert(entry->bytes > 0);
    hak_assert(bits != 0);
    entry->bytes = 0;
    heap->posted_to = atomic_load_explicit(&entry->slab->owner, memory_order_relaxed);
    hak_count_up(&heap->counts.posted_blocks, hak_bits_count(bits));
    uint64_t twice = hak_remote_post(entry->slab, entry->word, bits);
    if (hak_unlikely(twice != 0)) {
        const char *block = entry->base + (size_t)hak_bits_lowest(twice) * entry->stride;
        hak_heap_note_misuse(heap, block, HAK_FREE_DOUBLE);
    }
}

void hak_remote_flush(struct hak_heap *heap) {
    hak_heap_enter(heap);
    heap->sender_bytes = 0;
    for (unsigned i = 0; i < HAK_SENDER_ENTRIES; i++) {
        if (heap->senders[i].bytes != 0) post_entry(heap, &heap->senders[i]);
    }
    hak_heap_drain_orphans(heap);
    hak_heap_leave(heap);
}

void hak_remote_free(struct hak_heap *heap, struct hak_slab *slab, const void *block) {
    struct hak_sender_entry *entry = hak_remote_entry(heap, block);
    unsigned index = hak_slab_index(slab, block);
    unsigned word = index >> HAK_WORD_SHIFT;
    uint64_t bit = hak_slab_bit(index);
    hak_assert(hak_slab_is_block(slab, block));
    hak_assert(atomic_load(&slab->owner) != heap);
    if (entry->bytes != 0) {
        if (entry->slab == slab && entry->word == word && (entry->bits & bit) != 0) {
            hak_heap_note_misuse(heap, block, HAK_FREE_DOUBLE);
        }
        post_entry(heap, entry);
    }
    unsigned first = word << HAK_WORD_SHIFT;
    unsigned left =
        slab->capacity - first; /* the last word may be short: what follows is not ours */
    entry->base = hak_slab_block(slab, first);
    entry->reciprocal = slab->reciprocal;
    entry->bits = hak_fault(HAK_FAULT_REMOTE_BITS) ? 0 : bit;
    entry->slab = slab;
    entry->bytes = slab->stride * (left < HAK_WORD_BITS ? left : HAK_WORD_BITS);
    entry->stride = slab->stride;
    entry->word = word;
    heap->sender_bytes += slab->stride;
    hak_assert((uintptr_t)block - (uintptr_t)entry->base < entry->bytes);
    hak_assert(!hak_remote_add(heap, block)); /* a second free of it takes the long way */
}
