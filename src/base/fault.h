/* SPDX-License-Identifier: MIT */
/*
 * fault.h: faults that a test plants in the allocator, to see which assertion or audit names each.
 *
 * Included by check.h. Only the library of tests/faults has them (HAK_FAULTS); elsewhere hak_fault
 * is 0, and nothing is left of it.
 */
#ifndef HAK_BASE_FAULT_H
#define HAK_BASE_FAULT_H

enum hak_fault {
    HAK_FAULT_NONE,
    HAK_FAULT_HEAP_UNCOUNTED,  /* a slab that enters a heap is not in its bytes */
    HAK_FAULT_HEAP_LISTED,     /* one that leaves stays on the list of free bits */
    HAK_FAULT_REMOTE_PUSH,     /* a slab is pushed by who has no right to its link */
    HAK_FAULT_REMOTE_BITS,     /* a sender's entry lacks the block that opened it */
    HAK_FAULT_SUPPLY_ROOM,     /* the sum of the bins' room is left as it was */
    HAK_FAULT_SUPPLY_EXTRA,    /* a bin gets a block more than was carved */
    HAK_FAULT_SPANS_TAKEN,     /* slabs of a span stay free */
    HAK_FAULT_SPANS_MAP,       /* a released span stays in the tag map */
    HAK_FAULT_BIGCACHE_BUCKET, /* a block that is handed out stays in its bucket */
    HAK_FAULT_BIGCACHE_BYTES,  /* a kept mapping counts for a page less */
};

extern enum hak_fault hak_fault_planted;

#define hak_fault(fault) (HAK_FAULTS && hak_fault_planted == (fault))

#endif
