/* SPDX-License-Identifier: MIT */
/*
 * table.c: see table.h.
 */
#include "tiers/bigcache/table.h"

#include "src/base/tunables.h"

#include <stdatomic.h>

#define CHAINS ((size_t)1 << HAK_BIG_CHAINS_SHIFT)

static struct {
    struct hak_span *chains[CHAINS];
    size_t count;
    size_t bytes;
} table;

/* Neighbouring blocks use neighbouring chains: few pages of the table are touched. */
static struct hak_span **chain_of(const void *base) {
    return &table.chains[(uintptr_t)base >> HAK_SLAB_SHIFT & (CHAINS - 1)];
}

static struct hak_span *next_of(const struct hak_span *span) {
    return span->source;
}

void hak_big_table_enter(struct hak_span *span) {
    struct hak_span **chain = chain_of(span->base);
    hak_assert(span->bytes > 0);
    hak_assert(span->owner == HAK_OWNER_BIG);
    hak_assert(hak_big_table_find(span->base) == NULL);
    span->source = *chain;
    atomic_signal_fence(memory_order_release);
    *chain = span;
    table.count++;
    table.bytes += span->bytes;
}

bool hak_big_table_leave(struct hak_span *span) {
    struct hak_span **link = chain_of(span->base);
    while (*link != NULL && *link != span)
        link = (struct hak_span **)&(*link)->source;
    if (*link == NULL) return false;
    *link = next_of(span);
    atomic_signal_fence(memory_order_seq_cst); /* before the caller changes the span */
    hak_assert(table.count > 0);
    hak_assert(table.bytes >= span->bytes);
    table.count--;
    table.bytes -= span->bytes;
    hak_assert(hak_big_table_find(span->base) == NULL);
    return true;
}

struct hak_span *hak_big_table_find(const void *base) {
    struct hak_span *span = *chain_of(base);
    while (span != NULL && span->base != base)
        span = next_of(span);
    return span;
}

struct hak_span *hak_big_table_find_around(const void *address) {
    for (size_t i = 0; i < CHAINS; i++) {
        for (struct hak_span *span = table.chains[i]; span != NULL; span = next_of(span)) {
            if ((uintptr_t)address - (uintptr_t)span->base < span->bytes) return span;
        }
    }
    return NULL;
}

size_t hak_big_table_count(void) {
    return table.count;
}

size_t hak_big_table_bytes(void) {
    return table.bytes;
}

static size_t count_chains(size_t *bytes) {
    size_t count = 0;
    *bytes = 0;
    for (size_t i = 0; i < CHAINS; i++) {
        for (const struct hak_span *span = table.chains[i]; span != NULL; span = next_of(span)) {
            count++;
            *bytes += span->bytes;
        }
    }
    return count;
}

bool hak_big_table_check(hak_report_fn report, void *arg) {
    size_t bytes;
    size_t count = count_chains(&bytes);
    if (count != table.count) report(arg, "big: spans in the table", &table, table.count, count);
    if (bytes != table.bytes) report(arg, "big: bytes in the table", &table, table.bytes, bytes);
    return count == table.count && bytes == table.bytes;
}

void hak_big_table_after_fork(void (*visit)(struct hak_span *span)) {
    table.count = count_chains(&table.bytes);
    for (size_t i = 0; i < CHAINS; i++) {
        for (struct hak_span *span = table.chains[i]; span != NULL; span = next_of(span))
            visit(span);
    }
}
