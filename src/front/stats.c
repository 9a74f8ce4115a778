/* SPDX-License-Identifier: MIT */
/*
 * stats.c: what the allocator counts, and giving memory back.
 */
#include "include/hakmem.h"
#include "src/contract/slots.h"
#include "src/front/init.h"
#include "src/front/thread.h"
#include "src/meta/arena.h"

#include <string.h>

static void add_slab(void *arg, struct hak_slab *slab) {
    struct hak_stats *out = arg;
    out->small_slab_bytes += slab->span.bytes;
    out->small_live_bytes += (uint64_t)(slab->carved - slab->nfree) * slab->stride;
}

static void add_heap(struct hak_stats *out, const struct hak_heap *heap) {
    const struct hak_heap_counts *counts = &heap->counts;
    out->heaps++;
    out->refill_count += counts->refills;
    out->refill_blocks += counts->refill_blocks;
    out->overflow_blocks += counts->overflow_blocks;
    out->remote_posted_blocks += counts->posted_blocks;
    out->adopted_slabs += counts->adopted_slabs;
    for (size_t cls = 1; cls < HAK_SLAB_CLASSES; cls++) {
        for (struct hak_slab *s = heap->classes[cls].all; s != NULL; s = s->all_next) {
            add_slab(out, s);
        }
    }
}

HAK_EXPORT int hak_stats(struct hak_stats *out) {
    if (out->version != HAK_STATS_VERSION) return -1;
    memset(out, 0, sizeof *out);
    out->version = HAK_STATS_VERSION;
    if (!hak_init()) return 0;
    for (struct hak_tcache *tc = hak_thread_first(); tc != NULL; tc = tc->next_created) {
        add_heap(out, &tc->heap);
    }
    hak_heap_each_orphan(add_slab, out);
    out->metadata_bytes = hak_arena_bytes() + hak_span_table_bytes() + hak_tagmap_bytes();
    hak_spans_stats(out);
    hak_refill_stats(out);
    hak_large_stats(out);
    return 0;
}

HAK_EXPORT size_t hak_purge(void) {
    struct hak_tcache *tc = hak_thread_cache();
    if (tc == NULL) return 0;
    while (hak_thread_reap()) {
    }
    hak_heap_enter(&tc->heap);
    hak_thread_let_go(tc);
    size_t bytes = hak_large_purge(HAK_PURGE_ALL, SIZE_MAX);
    bytes += hak_spans_purge(HAK_PURGE_ALL, SIZE_MAX);
    hak_heap_leave(&tc->heap);
    return bytes;
}

HAK_EXPORT const char *hak_build_info(void) {
    return hak_bind_info();
}
