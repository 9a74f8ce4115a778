/* SPDX-License-Identifier: MIT */
/*
 * gather.h: blocks where no kept mapping fits, and mappings of their own.
 */
#ifndef HAK_BIGCACHE_GATHER_H
#define HAK_BIGCACHE_GATHER_H

#include "tiers/bigcache/kept.h"

/* A mapping that is in no table yet; NULL when memory is out. */
struct hak_big_span *hak_big_map(size_t bytes, size_t align);

/* No kept mapping fits: a part of a larger one, else pages of smaller ones; gives the lock. */
struct hak_big_span *hak_big_alloc_unfit(size_t bytes) HAK_RELEASES(hak_bigcache.lock);

#endif
