/* SPDX-License-Identifier: MIT */
/*
 * refill.h: contract of the slot "refill": how an empty bin is filled and a full one relieved.
 *
 * Never on the fast path: that is bin.h of the module's folder. A module exports one table,
 * hak_refill_<name>, with a name, a fill, and whatever else it does differently: an entry that is
 * NULL is the default. The mid tier keeps the same contract for the classes above tiny.
 *
 * A module may hold blocks that are in no bin, as in a stack or a magazine: each_block walks them,
 * and flush gives them back. For them bin.h declares HAK_BIN_MEMORY_BYTES a thread, which begin as
 * zeros (tc->bin_memory); the next thread of a cache finds them as the last flushes left them.
 */
#ifndef HAK_CONTRACT_REFILL_H
#define HAK_CONTRACT_REFILL_H

#include "src/contract/counters.h"
#include "src/contract/tcache.h"

struct hak_block; /* a free block: its contents are opaque to all but the bin */

/* 0 or -errno; once, before other threads. Default: 0. */
typedef int hak_refill_init_fn(void);

/* Owner thread, bin empty, 1 <= want <= batch_max and the bin's capacity_max. Adds n blocks,
 * 1 <= n <= want, each of the class's stride and aligned, and returns n; 0 when memory is out. */
typedef unsigned hak_refill_fill_fn(struct hak_tcache *tc, hak_class_t cls, unsigned want);

/* Owner thread, bin full. Takes this one block, in constant time, without a system call. What
 * turns out to be no live block is left in heap.misused. Unlike the others it is called outside of
 * a step (meta/heap.h): what does more than to put the block back enters one. Default:
 * hak_supply_overflow. */
typedef void hak_refill_overflow_fn(struct hak_tcache *tc, hak_class_t cls,
                                    struct hak_block *block);

/* Afterwards at most `keep` blocks are in the bin; with 0, the module holds none of the class
 * either. Called for every class when the thread ends, in hak_purge, and for classes that the
 * thread does not use: also where the bin is empty, if the module has each_block. Default:
 * hak_supply_flush. */
typedef void hak_refill_flush_fn(struct hak_tcache *tc, hak_class_t cls, unsigned keep);

/* Visits each block of the class that the module holds beside the bin: free for the program, in
 * use for its slab. The owner is at rest. Default: there is none. */
typedef void hak_block_fn(void *arg, const void *block);
typedef void hak_refill_each_block_fn(const struct hak_tcache *tc, hak_class_t cls,
                                      hak_block_fn *visit, void *arg);

/* What the process says at its end, before the counters of the module: a word, or NULL to say
 * nothing. Default: NULL. */
typedef const char *hak_refill_verdict_fn(void);

/* Walks every invariant; true when all hold. Default: true. */
typedef bool hak_refill_check_fn(hak_report_fn report, void *arg);

struct hak_refill_ops {
    const char *name;
    uint32_t batch_max; /* most blocks one fill adds; 0: HAK_REFILL_BLOCKS_MAX */
    hak_refill_init_fn *init;
    hak_refill_fill_fn *fill;
    hak_refill_overflow_fn *overflow;
    hak_refill_flush_fn *flush;
    hak_refill_each_block_fn *each_block;
    hak_refill_check_fn *check;
    hak_counters_fn *counters;
    hak_refill_verdict_fn *verdict;
    const struct hak_switch *switches; /* default: none */
};

#endif
