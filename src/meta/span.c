/* SPDX-License-Identifier: MIT */
/*
 * span.c: the table of span headers.
 *
 * The table grows in place (region.h); `used` only rises. Free headers are chained through `base`.
 * Both change by one store.
 */
#include "src/meta/span.h"

#include "src/base/bits.h"
#include "src/base/check.h"
#include "src/os/lock.h"

struct headers {
    struct hak_lock lock;
    struct hak_region headers;
    size_t used; /* headers given out at least once; header 0 is never used */
    struct hak_span *free;
};
HAK_GUARDED_STATIC(struct headers, table) = {.lock = HAK_LOCK_INIT(HAK_RANK_HEADERS)};

enum hak_os_mapped hak_span_table_init(uintptr_t at) HAK_UNCHECKED {
    enum hak_os_mapped mapped = hak_region_begin(&table.headers, at, HAK_REGION_STEP_BYTES);
    table.used = 1;
    return mapped;
}

static struct hak_span *unused_header(void) HAK_REQUIRES(table.lock) {
    if (table.used > UINT32_MAX) return NULL; /* its number would not fit the tag map */
    hak_assert(table.used >= 1);              /* after init */
    size_t offset = table.used * HAK_SPAN_META_BYTES;
    if (!hak_region_grow(&table.headers, offset + HAK_SPAN_META_BYTES)) return NULL;
    table.used++;
    return (struct hak_span *)(void *)(table.headers.base + offset);
}

struct hak_span *hak_span_header_alloc(void) {
    hak_lock_take(&table.lock);
    struct hak_span *span = table.free;
    if (span != NULL) {
        table.free = (struct hak_span *)(void *)span->base;
    } else {
        span = unused_header();
    }
    hak_lock_give(&table.lock);
    hak_assert(span == NULL || hak_span_number(span) >= 1);
    hak_assert(span == NULL || span->owner == HAK_OWNER_NONE);
    return span;
}

void hak_span_header_free(struct hak_span *span) {
    hak_lock_take(&table.lock);
    hak_assert(hak_span_number(span) >= 1 && hak_span_number(span) < table.used);
    hak_assert(table.free != span);
    span->owner = HAK_OWNER_NONE;
    span->base = (char *)table.free;
    atomic_signal_fence(memory_order_release);
    table.free = span;
    hak_lock_give(&table.lock);
}

/* What these read of the table is constant, or only rises. */
uint32_t hak_span_number(const struct hak_span *span) HAK_UNCHECKED {
    hak_assert((const char *)span > table.headers.base);
    hak_assert(((uintptr_t)span & (HAK_SPAN_META_BYTES - 1)) == 0);
    return (uint32_t)((size_t)((const char *)span - table.headers.base) / HAK_SPAN_META_BYTES);
}

struct hak_span *hak_span_of_number(uint32_t number) HAK_UNCHECKED {
    hak_assert(number >= 1);
    return (struct hak_span *)(void *)(table.headers.base + (size_t)number * HAK_SPAN_META_BYTES);
}

size_t hak_span_table_bytes(void) {
    hak_lock_take(&table.lock);
    size_t bytes = table.headers.bytes;
    hak_lock_give(&table.lock);
    return bytes;
}

size_t hak_span_table_count(void) HAK_UNCHECKED {
    return table.used;
}

void hak_span_after_fork(void) {
    hak_lock_reset(&table.lock);
    (void)hak_region_after_fork(&table.headers);
}
