/* SPDX-License-Identifier: MIT */
/*
 * table.h: big mappings by address: what free, realloc and reports find a big block by, since such
 * blocks lie outside the window of the tag map.
 *
 * The number of chains is fixed, so that nothing ever moves: a chain changes by one store, and the
 * child of a fork finds it valid. A span is its own chain node, with `source` as the link. All
 * functions are called under the module's lock.
 */
#ifndef HAK_BIGCACHE_TABLE_H
#define HAK_BIGCACHE_TABLE_H

#include "src/base/check.h"
#include "src/meta/span.h"

void hak_big_table_enter(struct hak_span *span);

/* False when it is not there: of two threads that free a block at once, one finds nothing. */
bool hak_big_table_leave(struct hak_span *span);

/* The span that begins at the address, or the one that it lies in (a walk over all); NULL. */
struct hak_span *hak_big_table_find(const void *base);
struct hak_span *hak_big_table_find_around(const void *address);

size_t hak_big_table_count(void);
size_t hak_big_table_bytes(void);

/* Recounts. */
bool hak_big_table_check(hak_report_fn report, void *arg);

/* The child of a fork: recounts, and visits every span. */
void hak_big_table_after_fork(void (*visit)(struct hak_span *span));

#endif
