/* SPDX-License-Identifier: MIT */
/*
 * room.h: how many blocks a thread's bins may hold: refills widen them, overflows and scans take
 * room away, within a budget of all bins of the thread.
 *
 * Capacity times stride, summed up over the bins of slabs, is tc->bin_bytes at every instant.
 */
#ifndef HAK_SUPPLY_ROOM_H
#define HAK_SUPPLY_ROOM_H

#include "src/contract/refill.h"

/* Threads that have a cache of their own, which share the budgets; written by the front. */
extern _Atomic uint32_t hak_supply_threads;

/* Every bin empty, with capacity 0; fills widen it to its first capacity, which is a number of
 * bytes, of at least 1 and at most HAK_BIN_BLOCKS_MAX blocks. For each thread that takes a cache.
 */
void hak_supply_init_bins(struct hak_tcache *tc);

/* The first step of every fill, the bin being empty: room for `want` blocks; and twice the room
 * that there was, if it is less than at first, or the bin has overflowed since the last fill; and
 * for a burst, if as many have come back twice. What is more than is wanted stays within the budget
 * of all bins; an overflow raises that to its bounds. */
void hak_supply_widen(struct hak_tcache *tc, hak_class_t cls, unsigned want);

/* A whole overflow (refill.h): the block goes back to its slab. Where blocks keep coming back and
 * none is asked for, the bin gets smaller, a block and a place at a time, so that in the end it
 * does not hold slabs back that are otherwise free; fills make it larger again. */
void hak_supply_overflow(struct hak_tcache *tc, hak_class_t cls, struct hak_block *block);

/* Bins that the thread has not used since the last scan are emptied and get capacity 0, and the
 * spare slabs of such classes go; the budget comes down to what the others have. Used is what was
 * refilled, overflowed, or has another count than then. Those used but not refilled lose half of
 * what is in them, and of their room, down to their first capacity. */
void hak_supply_scan(struct hak_tcache *tc);

/* A slab of the class is about to be acquired: scans, if what was acquired since the last scan is
 * one part of what the thread has, and the gap. */
void hak_supply_scan_if_due(struct hak_tcache *tc, hak_class_t cls);

/* The bin gets the capacity, and before its first one its memory; what that adds up to is the
 * caller's. */
void hak_supply_set_room(struct hak_tcache *tc, hak_class_t cls, unsigned capacity);

#endif
