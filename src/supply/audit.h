/* SPDX-License-Identifier: MIT */
/*
 * audit.h: the recount of a thread's bins around fills and flushes, with guards=audit.
 *
 * Called by the steps of this folder; owner thread. A link that the program has
 * overwritten ends the walk: that is reported where it is found by hak_supply_pop.
 */
#ifndef HAK_SUPPLY_AUDIT_H
#define HAK_SUPPLY_AUDIT_H

#include "src/contract/tcache.h"

/* A bin's blocks are in use in their slabs, and as many as it counts; the room of all bins is what
 * was summed up. Each HAK_AUDIT_PATHS calls also a slab of the heap, chosen at random. */
void hak_supply_conserve(struct hak_tcache *tc, hak_class_t cls, const char *file, int line);

#define hak_audit_bin(tc, cls)                                                                     \
    do {                                                                                           \
        if (HAK_GUARDS >= 2) hak_supply_conserve((tc), (cls), __FILE__, __LINE__);                 \
    } while (0)

#endif
