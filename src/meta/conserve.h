/* SPDX-License-Identifier: MIT */
/*
 * conserve.h: the recount of slabs and heaps around each step that changes them, with guards=audit.
 *
 * Called by heap.c where a step has changed a slab or a heap's lists, so that a fault is found
 * where it happens: the process ends with the place and the invariant. hak_check (front/audit.c)
 * recounts everything at once, at rest. Owner of the heap, or holder of the lock of orphans.
 */
#ifndef HAK_META_CONSERVE_H
#define HAK_META_CONSERVE_H

#include "src/meta/heap.h"

/* The counts of a slab against its bits, and where it belongs. */
void hak_conserve_slab(const struct hak_slab *slab, const struct hak_heap *heap, const char *file,
                       int line);

/* The lists of a heap, and its counters against the counts of its slabs. */
void hak_conserve_heap(const struct hak_heap *heap, const char *file, int line);

#define hak_audit_slab(slab, heap)                                                                 \
    do {                                                                                           \
        if (HAK_GUARDS >= 2) hak_conserve_slab((slab), (heap), __FILE__, __LINE__);                \
    } while (0)
#define hak_audit_heap(heap)                                                                       \
    do {                                                                                           \
        if (HAK_GUARDS >= 2) hak_conserve_heap((heap), __FILE__, __LINE__);                        \
    } while (0)

#endif
