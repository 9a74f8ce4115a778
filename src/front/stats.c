/* SPDX-License-Identifier: MIT */
/*
 * stats.c: what the allocator counts, and giving memory back.
 *
 * Any thread may ask while others allocate: each heap and each tier has counters of its own, which
 * are summed without following a list that others change. They are read one after the other, so
 * where others allocate meanwhile a sum may hold what moved between two readings twice or not at
 * all; what that makes impossible is bounded.
 */
#include "include/hakmem.h"
#include "src/contract/slots.h"
#include "src/front/alert.h"
#include "src/front/care.h"
#include "src/front/init.h"
#include "src/front/thread.h"
#include "src/meta/arena.h"

#include <string.h>

static uint64_t count_of(const _Atomic uint64_t *count) {
    return atomic_load_explicit(count, memory_order_relaxed);
}

static uint64_t lesser(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* 0 where a difference of counters that are read one after the other is negative. */
static uint64_t excess(uint64_t a, uint64_t b) {
    return a > b ? a - b : 0;
}

static void add_slabs(struct hak_stats *out, struct hak_slab_sums sums) {
    out->small_slab_bytes += sums.slab_bytes;
    out->small_live_bytes += sums.active_bytes;
    out->small_free_count += sums.free_blocks;
}

static void add_heap(struct hak_stats *out, const struct hak_heap *heap) {
    const struct hak_heap_counts *counts = &heap->counts;
    out->heaps++;
    out->refill_count += count_of(&counts->refills);
    out->refill_blocks += count_of(&counts->taken_blocks) + count_of(&counts->carved_blocks);
    out->overflow_blocks +=
        excess(count_of(&counts->returned_blocks), count_of(&counts->flushed_blocks));
    out->remote_posted_blocks += count_of(&counts->posted_blocks);
    out->adopted_slabs += count_of(&counts->adopted_slabs);
    add_slabs(out, hak_heap_sums(heap));
}

/* What is free in all, after everything else. */
static void sum_free(struct hak_stats *out) {
    out->large_live_bytes = lesser(out->large_live_bytes, out->mapped_bytes);
    out->small_slab_bytes =
        lesser(out->small_slab_bytes, out->mapped_bytes - out->large_live_bytes);
    out->small_live_bytes = lesser(out->small_live_bytes, out->small_slab_bytes);
    out->free_bytes = out->mapped_bytes - out->large_live_bytes - out->small_live_bytes;
    out->small_free_count = lesser(
        out->small_free_count, (out->small_slab_bytes - out->small_live_bytes) / HAK_ALIGN_BYTES);
    out->free_count = out->small_free_count + out->large_kept_count + (out->free_bytes > 0);
    out->idle_bytes = lesser(hak_spans_idle() + hak_large_idle(), out->free_bytes);
}

HAK_EXPORT int hak_stats(struct hak_stats *out) {
    if (out->version != HAK_STATS_VERSION) return -1;
    memset(out, 0, sizeof *out);
    out->version = HAK_STATS_VERSION;
    if (!hak_init()) return 0;
    for (struct hak_tcache *tc = hak_thread_first(); tc != NULL; tc = tc->next_created) {
        add_heap(out, &tc->heap);
    }
    add_slabs(out, hak_heap_sums(hak_heap_orphans()));
    out->metadata_bytes = hak_arena_bytes() + hak_span_table_bytes() + hak_tagmap_bytes();
    hak_spans_stats(out);
    hak_large_stats(out);
    sum_free(out);
    return 0;
}

HAK_EXPORT void hak_counters(hak_counter_fn *visit, void *arg) {
    if (hak_init()) hak_bind_counters(visit, arg);
}

HAK_EXPORT size_t hak_purge(void) {
    struct hak_tcache *tc = hak_thread_cache();
    if (tc == NULL) return 0;
    while (hak_thread_reap()) {
    }
    hak_heap_enter(&tc->heap);
    hak_thread_let_go(tc);
    size_t purged = hak_care_trim(); /* first: what it empties goes with the rest */
    size_t bytes = hak_large_purge(HAK_PURGE_ALL, SIZE_MAX);
    bytes += hak_spans_purge(HAK_PURGE_ALL, SIZE_MAX);
    bytes += hak_heap_purge(&tc->heap);
    hak_alert_rearm();
    hak_heap_leave(&tc->heap);
    return bytes + purged;
}

HAK_EXPORT const char *hak_build_info(void) {
    return hak_bind_info();
}
