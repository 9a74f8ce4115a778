/* SPDX-License-Identifier: MIT */
/*
 * supply.h: the steps that refill modules and the mid tier share: getting a slab with something to
 * give, moving blocks from a slab into a bin, and handing blocks and slabs back.
 *
 * A module is then the order in which it takes these steps and the size of its batches.
 */
#ifndef HAK_CONTRACT_SUPPLY_H
#define HAK_CONTRACT_SUPPLY_H

#include "src/contract/refill.h"

/* Makes the class have a listed or a fresh slab: adopts an orphan, else acquires a span; scans the
 * bins before, when that is due. False when memory is out. */
bool hak_supply_slab(struct hak_tcache *tc, hak_class_t cls);

/* Bins that the thread has not used since the last scan are emptied and get capacity 0, and the
 * spare slabs of such classes go; the budget comes down to what the others have. Used is what was
 * refilled, overflowed, or has another count than then. */
void hak_supply_scan(struct hak_tcache *tc);

/* Caches that threads use: written by the front, and by nobody waited for. */
extern _Atomic uint32_t hak_supply_threads;

/* Moves up to `want` of the lowest free blocks of listed slabs into the bin, lowest on top; returns
 * their number. */
unsigned hak_supply_from_bits(struct hak_tcache *tc, hak_class_t cls, unsigned want);

/* Carves up to `want` blocks of the fresh slab into the bin, lowest on top: no further than the
 * end of the page where the memory was never touched. */
unsigned hak_supply_from_fresh(struct hak_tcache *tc, hak_class_t cls, unsigned want);

/* The two orders of those steps, as a whole fill (refill.h). Reusing: free bits; what others freed,
 * if `drain`; fresh memory; another slab. Remote frees are taken in only when the class has no free
 * bits left: the lines shared with the senders then cross once a batch, not once a refill. Carving:
 * fresh memory comes first. */
unsigned hak_supply_fill_reusing(struct hak_tcache *tc, hak_class_t cls, unsigned want, bool drain);
unsigned hak_supply_fill_carving(struct hak_tcache *tc, hak_class_t cls, unsigned want);

/* Takes in the remote frees of this heap and releases what became empty. */
void hak_supply_drain(struct hak_tcache *tc);

/* Posts the heap's own remote frees, and releases the orphans that this empties. */
void hak_supply_post(struct hak_heap *heap);

/* Takes in what was posted to orphans, and releases those that this empties. */
void hak_supply_drain_orphans(struct hak_heap *heap);

/* Slabs that became wholly free go back to the span source. */
void hak_supply_release_emptied(struct hak_heap *heap);

/* A bin may be a list through its blocks, whose memory the program may have written to after their
 * free, or past the end of the block before. The fast paths follow links as they are. Elsewhere a
 * link is proved first: it leads to memory that has the tag of the bin, or is NULL where no block
 * is left. What lies below a wrong one is lost: hak_supply_give_up empties the bin and notes it,
 * with the block that held the link, or NULL. */
HAK_INLINE bool hak_supply_is_link(const struct hak_tcache *tc, hak_class_t cls, const void *link,
                                   unsigned left) {
    if (left == 0) return link == NULL;
    return ((uintptr_t)link & (HAK_ALIGN_BYTES - 1)) == 0 &&
           hak_tagmap_slot(link) < hak_tagmap_slots() &&
           hak_tagmap_tag(link) == (tc->tag | (uint32_t)cls << HAK_BIN_SHIFT);
}
HAK_COLD void hak_supply_give_up(struct hak_tcache *tc, hak_class_t cls, const void *holder);

/* For a bin that was found empty: if it should hold blocks, a link ended too early or went astray,
 * and it is given up. */
HAK_INLINE void hak_supply_check_empty(struct hak_tcache *tc, hak_class_t cls) {
    if (hak_unlikely(hak_bin_count(&tc->bins[cls]) != 0)) hak_supply_give_up(tc, cls, NULL);
}

/* One block goes back to its slab. */
void hak_supply_put(struct hak_tcache *tc, void *block);

/* A whole overflow (refill.h): the block goes back to its slab. Where blocks keep coming back and
 * none is asked for, the bin gets smaller, a block and a place at a time, so that in the end it
 * does not hold slabs back that are otherwise free; fills make it larger again. */
void hak_supply_overflow(struct hak_tcache *tc, hak_class_t cls, void *block);
/* The first step of every fill, the bin being empty: room for `want` blocks; and twice the room
 * that there was, if it is less than at first, or the bin has overflowed since the last fill. What
 * is more than is wanted stays within the budget of all bins; an overflow raises that to its
 * bounds. */
void hak_supply_widen(struct hak_tcache *tc, hak_class_t cls, unsigned want);

/* Blocks go back until at most `keep` are in the bin. */
void hak_supply_flush(struct hak_tcache *tc, hak_class_t cls, unsigned keep);

/* Classes whose blocks are whole spans of the slot "l25". A thread keeps a few in its bins, so that
 * a pair of calls is as short as for a small block; such a span carries the tag of the thread that
 * last had it, and no other thread's free takes the short way. Together the bins hold at most
 * HAK_SPAN_BIN_BYTES: capacity goes to the class that overflows, from the others in turn. */
void hak_supply_mark_span(struct hak_tcache *tc, hak_class_t cls, const void *block);
void hak_supply_keep_span(struct hak_tcache *tc, hak_class_t cls, void *block);
void hak_supply_flush_spans(struct hak_tcache *tc, hak_class_t cls, unsigned keep);

/* Every bin empty, with capacity 0; fills widen it to its first capacity, which is a number of
 * bytes, of at least 1 and at most HAK_BIN_BLOCKS_MAX blocks. For each thread that takes a cache.
 */
void hak_supply_init_bins(struct hak_tcache *tc);

#endif
