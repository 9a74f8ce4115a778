/* SPDX-License-Identifier: MIT */
/*
 * fill.h: whole fills (contract/refill.h): the order in which an empty bin asks its thread's slabs,
 * other threads and the span source.
 */
#ifndef HAK_SUPPLY_FILL_H
#define HAK_SUPPLY_FILL_H

#include "src/contract/refill.h"

/* Makes the class have a listed or a fresh slab: adopts an orphan, else acquires a span; scans the
 * bins before, when that is due. False when memory is out. */
bool hak_supply_slab(struct hak_tcache *tc, hak_class_t cls);

/* Reusing: free bits; what others freed, if `drain`; fresh memory; another slab. Remote frees are
 * taken in only when the class has no free bits left: the lines shared with the senders then cross
 * once a batch, not once a refill. Carving: fresh memory comes first. */
unsigned hak_supply_fill_reusing(struct hak_tcache *tc, hak_class_t cls, unsigned want, bool drain);
unsigned hak_supply_fill_carving(struct hak_tcache *tc, hak_class_t cls, unsigned want);

#endif
