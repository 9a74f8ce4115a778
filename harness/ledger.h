/* SPDX-License-Identifier: MIT */
/*
 * ledger.h: the memory that libledger.so and the launcher share: who counts, and the counts.
 *
 * The launcher makes a memfd of LEDGER_FILE_BYTES, most of which stays a hole, and names it in
 * HAK_LEDGER. The first process that writes its pid into `owner` counts, all others only pass
 * their calls on. Behind the page of counts lie a directory and shadows: the size of the block
 * that begins at an address has a place of its own there, found without a search, so that no
 * lock is needed. A shadow covers a MiB of addresses and is touched where blocks begin.
 * Invariant: live_bytes is the sum of the sizes that stand in the shadows.
 */
#ifndef HARNESS_LEDGER_H
#define HARNESS_LEDGER_H

#include <stdatomic.h>
#include <stdint.h>

#define LEDGER_VARIABLE "HAK_LEDGER"

enum {
    LEDGER_ADDRESS_BITS = 47,
    LEDGER_REACH_SHIFT = 20,  /* addresses under one shadow: a MiB */
    LEDGER_GRANULE_SHIFT = 3, /* some allocators give out blocks 8 bytes apart */
    LEDGER_SLOTS = 1 << (LEDGER_REACH_SHIFT - LEDGER_GRANULE_SHIFT),
    LEDGER_DIRECTORY = 1 << (LEDGER_ADDRESS_BITS - LEDGER_REACH_SHIFT),
    LEDGER_SHADOWS = 1 << 16, /* 64 GiB of addresses with blocks in them */
    LEDGER_PAGE_BYTES = 4096,
    LEDGER_PEAK_UNIT = 64, /* bytes; a half of peak_pair reaches 256 GiB */
};

/* All relaxed: each is a count of its own, and the launcher reads a moment, not an order. */
struct ledger_page {
    atomic_int owner; /* pid, 0: nobody yet; compare-and-swap */
    atomic_uint shadow_count;
    atomic_ullong live_bytes, live_blocks, peak_bytes;
    atomic_ullong usable_bytes; /* of the live blocks, as their allocator says; 0: it does not */
    /* At the most live bytes: these in the upper half and the usable bytes of that moment in the
     * lower, in units, rounded up. One word, so that the two are of one moment. */
    atomic_ullong peak_pair;
    atomic_ullong entered;   /* blocks that were ever live; one that was resized is another */
    atomic_ullong strangers; /* blocks that no shadow could take */
};

struct ledger {
    struct ledger_page page;
    char rest[LEDGER_PAGE_BYTES - sizeof(struct ledger_page)];
    atomic_uint directory[LEDGER_DIRECTORY];             /* 1 + the number of a shadow; 0: none */
    atomic_ullong shadows[LEDGER_SHADOWS][LEDGER_SLOTS]; /* 1 + a block's size; 0: no block */
};

#define LEDGER_FILE_BYTES sizeof(struct ledger)

#endif
