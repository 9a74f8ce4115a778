/* SPDX-License-Identifier: MIT */
/*
 * tunables.h: numbers that may change without changing the layout of memory. Each says its unit,
 * its range and why it has its value.
 */
#ifndef HAK_BASE_TUNABLES_H
#define HAK_BASE_TUNABLES_H

#include <stdint.h>

/* Bins: capacity in bytes of one class, and its bounds in blocks. A burst that fits the bin never
 * sees a slab; a bin that is too large holds memory that no other thread can use. */
#define HAK_BIN_CAP_BYTES ((uint32_t)64 * 1024)

/* Blocks that one refill takes (1..64): one bitmap word is the natural batch. */
#define HAK_REFILL_BLOCKS_DEFAULT 64u
#define HAK_REFILL_BLOCKS_MAX     64u
/* A class's first refill asks for this many, each further one for twice as many: a class that a
 * program hardly uses does not fill a bin and touch pages that nobody asked for. */
#define HAK_REFILL_BLOCKS_FIRST 2u
/* Bytes that one refill takes at most, so that large classes are not hoarded. */
#define HAK_REFILL_BYTES_MAX ((uint32_t)16 * 1024)

/* A sender's cache of remote frees: entries (a power of two), and the number of remote frees after
 * which all of them are posted, so that none waits for ever. */
#define HAK_SENDER_SHIFT   4
#define HAK_SENDER_ENTRIES (1u << HAK_SENDER_SHIFT)
/* Addresses this close share an entry: a word of 64 blocks of 64 bytes. */
#define HAK_SENDER_REACH_SHIFT 12
#define HAK_SENDER_FLUSH_FREES 8192u
/* A refill posts them too, once there are this many: the thread is on a slow path anyway. */
#define HAK_SENDER_FLUSH_REFILL 512u

/* Orphaned slabs looked at before a refill carves new memory instead. */
#define HAK_ADOPT_TRIES 8u

/* Empty superslabs kept mapped for the next span. */
#define HAK_EMPTY_SUPERSLABS_KEPT 2u

/* Spins on a lock before the thread gives its slice away. */
#define HAK_LOCK_SPINS 64u

/* Mid pages: a page should hold about this many blocks, so that few are left over. */
#define HAK_MID_PAGE_BLOCKS 8u

/* Chains of the table of big blocks: the kernel allows 65 530 mappings by default, so chains stay
 * near one. The table is 128 KiB of zero pages until used. */
#define HAK_BIG_CHAINS_SHIFT 14

#endif
