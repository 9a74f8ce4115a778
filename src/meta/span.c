/* SPDX-License-Identifier: MIT */
/*
 * span.c: the table of span headers.
 *
 * The table is reserved address space that becomes writable in steps; `used` only rises. Free
 * headers are chained through `base`. Both change by one store.
 */
#include "src/meta/span.h"

#include "src/base/bits.h"
#include "src/os/lock.h"
#include "src/os/os.h"

static struct {
    struct hak_lock lock;
    char *base;
    size_t used;     /* headers given out at least once; header 0 is never used */
    size_t writable; /* headers whose memory is writable */
    size_t count;
    struct hak_span *free;
} table;

bool hak_span_table_init(size_t count) {
    table.base = hak_os_reserve(count * HAK_SPAN_META_BYTES);
    table.count = count;
    table.used = 1;
    return table.base != NULL;
}

static struct hak_span *unused_header(void) {
    if (table.used == table.writable || table.writable == 0) {
        size_t step = HAK_META_CHUNK_BYTES / HAK_SPAN_META_BYTES;
        if (step > table.count - table.writable) step = table.count - table.writable;
        if (step == 0) return NULL;
        char *from = table.base + table.writable * HAK_SPAN_META_BYTES;
        if (!hak_os_make_writable(from, step * HAK_SPAN_META_BYTES)) return NULL;
        table.writable += step;
    }
    return (struct hak_span *)(void *)(table.base + table.used++ * HAK_SPAN_META_BYTES);
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
    return span;
}

void hak_span_header_free(struct hak_span *span) {
    hak_lock_take(&table.lock);
    span->owner = HAK_OWNER_NONE;
    span->base = (char *)table.free;
    atomic_signal_fence(memory_order_release);
    table.free = span;
    hak_lock_give(&table.lock);
}

uint32_t hak_span_number(const struct hak_span *span) {
    return (uint32_t)((size_t)((const char *)span - table.base) / HAK_SPAN_META_BYTES);
}

struct hak_span *hak_span_of_number(uint32_t number) {
    return (struct hak_span *)(void *)(table.base + (size_t)number * HAK_SPAN_META_BYTES);
}

size_t hak_span_table_bytes(void) {
    return table.writable * HAK_SPAN_META_BYTES;
}

size_t hak_span_table_count(void) {
    return table.used;
}

void hak_span_after_fork(void) {
    hak_lock_reset(&table.lock);
}
