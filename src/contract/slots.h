/* SPDX-License-Identifier: MIT */
/*
 * slots.h: the slots as plain functions, for the core and for modules that need another slot.
 *
 * bind.c defines each as one call through the chosen module's table; with LTO that is a direct,
 * inlined call. No caller knows which module is behind a function. Contracts: span_source.h,
 * refill.h, tier.h.
 */
#ifndef HAK_CONTRACT_SLOTS_H
#define HAK_CONTRACT_SLOTS_H

#include "src/contract/purge.h"
#include "src/contract/tier.h"

hak_spans_init_fn hak_spans_init;
hak_spans_acquire_fn hak_spans_acquire;
hak_spans_release_fn hak_spans_release;
hak_spans_resize_fn hak_spans_resize;
hak_spans_purge_fn hak_spans_purge;
hak_spans_stats_fn hak_spans_stats;
hak_spans_check_fn hak_spans_check;
hak_spans_after_fork_fn hak_spans_after_fork;

/* For every class of slabs: tiny by the refill module, above by the mid tier. */
hak_refill_fill_fn hak_bins_fill;
hak_refill_overflow_fn hak_bins_overflow;
hak_refill_flush_fn hak_bins_flush;
hak_refill_each_block_fn hak_bins_each_block;

/* Whether the module of the class may hold blocks beside the bin: it has each_block. Else the flush
 * of an empty bin does nothing, and is left out. */
bool hak_bins_may_hold(hak_class_t cls);

hak_refill_init_fn hak_refill_init;
hak_refill_verdict_fn hak_refill_verdict;
hak_refill_check_fn hak_refill_check;

/* Largest size of blocks cut from slabs; and largest that is a whole span, if any are; constant. */
size_t hak_bins_size_max(void);
size_t hak_l25_size_max(void);

/* Above the slabs: the l25 slot up to its size_max, the big slot above; `owner` says which
 * (front/route.h). */
hak_tier_init_fn hak_large_init;
void *hak_large_alloc(enum hak_owner owner, size_t size, size_t align, bool *zeroed);
hak_tier_free_fn hak_large_free;
hak_tier_usable_size_fn hak_large_usable_size;
hak_tier_resize_fn hak_large_resize;
hak_tier_find_fn hak_large_find;
hak_tier_free_at_fn hak_large_free_at;
hak_tier_find_around_fn hak_large_find_around;
hak_tier_purge_fn hak_large_purge;
hak_tier_stats_fn hak_large_stats;
hak_tier_check_fn hak_large_check;
hak_tier_after_fork_fn hak_large_after_fork;

/* Checks once that the chosen modules have what has no default, and fit together: ranges rise,
 * batches fit the bins; 0 or -EINVAL. */
int hak_bind_check(void);

/* Every counter of every module; those of the refill module alone; every switch of every module. */
hak_counters_fn hak_bind_counters;
hak_counters_fn hak_refill_counters;
void hak_bind_switches(void (*visit)(void *arg, const struct hak_switch *named), void *arg);

/* One line: version, revision, modules. */
const char *hak_bind_info(void);

#endif
