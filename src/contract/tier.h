/* SPDX-License-Identifier: MIT */
/*
 * tier.h: contract of the slots "mid", "l25" and "big": blocks above tiny.
 *
 * The front guarantees size > 0, size <= size_max and an alignment that is a power of two. Lock
 * order: front < tier < span source < meta; a tier holds no lock while it calls another slot. What
 * allocates, frees, resizes or purges is called within a step (hak_heap_enter): the child of a fork
 * knows by it whether after_fork has anything to make anew. A module exports one table,
 * hak_<slot>_<name>. An entry that is NULL is the default, where one is named; a null module has
 * size_max 0, is never asked for a block, and has no entries at all.
 *
 * A block of the slot "l25" is a whole span. The front may keep one in a thread's bin after it was
 * freed, which is no business of the tier: for it the block is live. The tag of the span's first
 * slab is then the front's; alloc and free leave it 0.
 */
#ifndef HAK_CONTRACT_TIER_H
#define HAK_CONTRACT_TIER_H

#include "src/contract/refill.h"
#include "src/contract/span_source.h"

/* Where the program called from, set by the front for requests above the bins: a hint, for tiers
 * that tell call sites apart. */
extern HAK_TLS const void *hak_call_site;

/* 0 or -errno; once, before other threads. Default: 0. */
typedef int hak_tier_init_fn(void);

/* Any thread. At least `size` bytes, aligned; *zeroed tells whether they read as zeros. NULL when
 * memory is out; the front sets errno. */
typedef void *hak_tier_alloc_fn(size_t size, size_t align, bool *zeroed);

/* `span` is the block's, already proved, with this tier as its owner. False, with nothing done,
 * when the block has been freed before. */
typedef bool hak_tier_free_fn(void *block, struct hak_span *span);

/* Constant while the block lives. Default: the bytes of its span. */
typedef size_t hak_tier_usable_size_fn(const void *block, const struct hak_span *span);

/* Resizes within the tier: returns the block, perhaps at another address, with its contents; NULL
 * with nothing changed when the tier cannot do it better than allocate, copy and free. Default:
 * NULL. */
typedef void *hak_tier_resize_fn(void *block, size_t new_size, struct hak_span *span);

/* The span of a block that the tag map does not know; NULL when it is none of this tier's. Never
 * reads the block's memory. Default: NULL, for tiers whose blocks are all in the tag map. */
typedef struct hak_span *hak_tier_find_fn(const void *block);

/* Frees the block that begins at an address which the tag map does not know; false, with nothing
 * done, when there is no such live block. One look for what find and free need two for. Default:
 * false, for tiers whose blocks are all in the tag map. */
typedef bool hak_tier_free_at_fn(void *block);

/* The span that an address lies in, be its block live or kept for reuse; NULL when it is none of
 * this tier's. For reports only: it may walk all spans. Default: the tag map's. */
typedef struct hak_span *hak_tier_find_around_fn(const void *address);

/* As the span source's. Spans may go to the span source, whose own purge comes after. */
typedef size_t hak_tier_purge_fn(enum hak_purge how, size_t bytes_max);

/* Adds its part to *out. Default: nothing. */
typedef void hak_tier_stats_fn(struct hak_stats *out);

/* As the span source's. */
typedef bool hak_tier_check_fn(hak_report_fn report, void *arg);
typedef void hak_tier_after_fork_fn(bool in_disorder);

struct hak_tier_ops {
    const char *name;
    enum hak_owner owner; /* stamped on its spans */
    size_t size_max;      /* serves (previous tier's max, size_max]; 0: an empty slot */
    hak_tier_init_fn *init;
    hak_tier_alloc_fn *alloc;
    hak_tier_free_fn *free;
    hak_tier_usable_size_fn *usable_size;
    hak_tier_resize_fn *resize;
    hak_tier_find_fn *find;
    hak_tier_free_at_fn *free_at;
    hak_tier_find_around_fn *find_around;
    hak_tier_purge_fn *purge;
    hak_tier_stats_fn *stats;
    hak_tier_check_fn *check;
    hak_tier_after_fork_fn *after_fork;
    hak_counters_fn *counters;
    const struct hak_switch *switches; /* default: none */
};

/* The mid slot fills bins, as a refill module does. */
struct hak_mid_ops {
    const char *name;
    size_t size_max; /* serves (HAK_TINY_MAX, size_max] through bins; 0: an empty slot */
    hak_refill_fill_fn *fill;
    hak_refill_overflow_fn *overflow;
    hak_refill_flush_fn *flush;
    hak_refill_each_block_fn *each_block;
};

#endif
