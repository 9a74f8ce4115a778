/* SPDX-License-Identifier: MIT */
/*
 * fork.c: the child of a fork makes the free slabs anew from the tag map.
 */
#include "src/base/bits.h"
#include "src/meta/tagmap.h"
#include "tiers/superslab/groups.h"
#include "tiers/superslab/superslab.h"

/* A span ends where the tag map's entries for it do. Written only where that is news: the header's
 * page is shared with the parent. */
static void end_span(struct hak_span *span, const char *end) {
    size_t bytes = (size_t)(end - span->base);
    if (span->bytes != bytes) span->bytes = bytes;
}

/* The free slabs of a superslab. What a thread that is gone had just taken, or was purging, is in
 * no span. What it was entering, releasing or resizing is a span as far as the tag map holds it in
 * a row from its base: entries are written and cleared upwards. */
static uint32_t mend_spans(const struct hak_superslab *ss) {
    uint32_t free = 0;
    struct hak_span *before = NULL;
    for (unsigned at = 0; at < HAK_SUPERSLAB_SLABS; at++) {
        char *slab = ss->base + ((size_t)at << HAK_SLAB_SHIFT);
        struct hak_span *span = hak_tagmap_span(slab);
        bool is_stray = span != NULL && span != before && span->base != slab;
        if (is_stray) {
            hak_tagmap_clear(&(struct hak_span){.base = slab, .bytes = HAK_SLAB_BYTES});
            span = NULL;
        }
        if (span == NULL) free |= (uint32_t)1 << at;
        if (before != NULL && span != before) end_span(before, slab);
        before = span;
    }
    if (before != NULL) end_span(before, ss->base + HAK_SUPERSLAB_BYTES);
    return free;
}

void hak_superslab_after_fork(bool in_disorder) {
    hak_lock_reset(&hak_superslabs.lock);
    if (!in_disorder) return;
    hak_lock_take(&hak_superslabs.lock);
    hak_idle_set(&hak_idle.spans, 0);
    hak_superslabs.mapped = 0;
    for (struct hak_group *group = hak_superslabs.first; group != NULL; group = group->next) {
        for (uint64_t left = group->mapped; left != 0; left &= left - 1) {
            unsigned i = hak_bits_lowest(left);
            struct hak_superslab *ss = &group->superslabs[i];
            hak_superslabs.mapped++;
            ss->free = 0;
            hak_group_free(group, i, mend_spans(ss));
        }
    }
    hak_lock_give(&hak_superslabs.lock);
}
