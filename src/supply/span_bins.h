/* SPDX-License-Identifier: MIT */
/*
 * span_bins.h: bins of classes whose blocks are whole spans of the slot "l25".
 *
 * A thread keeps a few in its bins, so that a pair of calls is as short as for a small block; such
 * a span carries the tag of the thread that last had it, and no other thread's free takes the short
 * way. Together the bins hold at most HAK_SPAN_BIN_BYTES: capacity goes to the class that
 * overflows, from the others in turn.
 */
#ifndef HAK_SUPPLY_SPAN_BINS_H
#define HAK_SUPPLY_SPAN_BINS_H

#include "src/contract/tcache.h"

/* The span of a block that the front hands out gets the thread's tag. */
void hak_supply_mark_span(struct hak_tcache *tc, hak_class_t cls, const void *block);

/* The bin is full, or has no room yet: it gets a place for the block, or the tier gets it. */
void hak_supply_keep_span(struct hak_tcache *tc, hak_class_t cls, void *block);

/* Blocks go to the tier until at most `keep` are in the bin. */
void hak_supply_flush_spans(struct hak_tcache *tc, hak_class_t cls, unsigned keep);

#endif
