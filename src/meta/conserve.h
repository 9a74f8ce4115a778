/* SPDX-License-Identifier: MIT */
/*
 * conserve.h: the recount of slabs and heaps: one walk, whose breaches go to a report function.
 *
 * hak_check (front/audit.c) recounts everything at once, at rest. With guards=audit the files of
 * src/meta/ recount after each step that changes a slab or a heap's lists, so that a fault is found
 * where it happens: the process ends with the place and the invariant. Owner of the heap, or holder
 * of the lock of orphans. True when all of it holds.
 */
#ifndef HAK_META_CONSERVE_H
#define HAK_META_CONSERVE_H

#include "src/meta/heap.h"

/* The counts of a slab against its bits, and where it belongs. */
bool hak_conserve_slab(const struct hak_slab *slab, const struct hak_heap *heap,
                       hak_report_fn report, void *arg);

/* The lists of a heap, and its counters against the counts of its slabs. */
bool hak_conserve_heap(const struct hak_heap *heap, hak_report_fn report, void *arg);

#define hak_audit_slab(slab, heap)                                                                 \
    do {                                                                                           \
        if (HAK_GUARDS >= 2) hak_conserve_slab((slab), (heap), hak_report_panic, HAK_HERE);        \
    } while (0)
#define hak_audit_heap(heap)                                                                       \
    do {                                                                                           \
        if (HAK_GUARDS >= 2) hak_conserve_heap((heap), hak_report_panic, HAK_HERE);                \
    } while (0)

#endif
