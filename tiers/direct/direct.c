/* SPDX-License-Identifier: MIT */
/*
 * direct.c: the null module of the slot "spans": one mapping a span, unmapped on release.
 */
#include "src/base/bits.h"
#include "src/contract/span_source.h"
#include "src/meta/tagmap.h"

static struct { _Atomic size_t live_bytes; } direct;

static struct hak_span *direct_acquire(size_t bytes, size_t align, enum hak_owner owner) {
    hak_assert(bytes > 0);
    hak_assert(hak_is_pow2(align));
    hak_assert(owner != HAK_OWNER_NONE);
    bytes = hak_round_up(bytes, HAK_SLAB_BYTES);
    if (align < HAK_SLAB_BYTES) align = HAK_SLAB_BYTES;
    struct hak_span *span = hak_span_header_alloc();
    if (span == NULL) return NULL;
    char *base = hak_tagmap_map_window(bytes, align);
    if (base == NULL) {
        hak_span_header_free(span);
        return NULL;
    }
    span->base = base;
    span->bytes = bytes;
    span->source = NULL;
    span->owner = (uint8_t)owner;
    span->zeroed = true;
    hak_tagmap_enter(span);
    hak_assert(hak_tagmap_span(base + bytes - 1) == span);
    atomic_fetch_add_explicit(&direct.live_bytes, bytes, memory_order_relaxed);
    return span;
}

static void direct_release(struct hak_span *span) {
    char *base = span->base;
    size_t bytes = span->bytes;
    hak_assert(span->owner != HAK_OWNER_NONE);
    hak_assert(hak_tagmap_span(base) == span);
    hak_assert(atomic_load(&direct.live_bytes) >= bytes);
    hak_tagmap_clear(span);
    hak_span_header_free(span);
    hak_tagmap_unmap_window(base, bytes);
    atomic_fetch_sub_explicit(&direct.live_bytes, bytes, memory_order_relaxed);
}

static void direct_stats(struct hak_stats *out) {
    out->mapped_bytes += atomic_load_explicit(&direct.live_bytes, memory_order_relaxed);
}

/* The tag map leads to a span from all its slabs, and from none behind it. */
static bool is_in_place(const struct hak_span *span) {
    for (size_t at = 0; at < span->bytes; at += HAK_SLAB_BYTES) {
        if (hak_tagmap_span(span->base + at) != span) return false;
    }
    return hak_tagmap_span(span->base + span->bytes) != span;
}

/* The next span that is not in place, from a number of the table of headers, which has those
 * outside the window too; NULL at the end. */
static struct hak_span *misplaced_from(uint32_t number) {
    for (; number < hak_span_table_count(); number++) {
        struct hak_span *span = hak_span_of_number(number);
        bool is_ours = span->owner != HAK_OWNER_NONE && span->owner != HAK_OWNER_BIG;
        if (is_ours && !is_in_place(span)) return span;
    }
    return NULL;
}

static bool direct_check(hak_report_fn report, void *arg) {
    struct hak_span *span = misplaced_from(1);
    bool holds = span == NULL;
    for (; span != NULL; span = misplaced_from(hak_span_number(span) + 1))
        report(arg, "direct: a span is in the tag map", span, span->bytes, 0);
    return holds;
}

/* What another thread was entering or releasing is nobody's; its memory stays out of use. */
static void direct_after_fork(bool in_disorder) {
    if (!in_disorder) return;
    struct hak_span *span = misplaced_from(1);
    for (; span != NULL; span = misplaced_from(hak_span_number(span) + 1)) {
        hak_tagmap_clear(span);
        span->owner = HAK_OWNER_NONE;
    }
}

const struct hak_span_ops hak_spans_direct = {
    .name = "direct",
    .acquire = direct_acquire,
    .release = direct_release,
    .stats = direct_stats,
    .check = direct_check,
    .after_fork = direct_after_fork,
};
