/* SPDX-License-Identifier: MIT */
/*
 * check.c: the audit of superslabs against the tag map.
 */
#include "src/base/bits.h"
#include "src/meta/tagmap.h"
#include "tiers/superslab/groups.h"
#include "tiers/superslab/superslab.h"

/* A slab that is not free lies in a span of this source, which ends where the tag map says. */
static bool is_in_place(const struct hak_group *group, const char *slab, bool is_last) {
    const struct hak_span *span = hak_tagmap_span(slab);
    if (span == NULL || span->source != group || slab < span->base) return false;
    const char *next = slab + HAK_SLAB_BYTES;
    bool is_end = next == span->base + span->bytes;
    return is_end ? is_last || hak_tagmap_span(next) != span
                  : !is_last && hak_tagmap_span(next) == span;
}

/* Every slab is free and not in the tag map, or in place. */
static bool check_one(const struct hak_group *group, unsigned at, hak_report_fn report, void *arg) {
    const struct hak_superslab *ss = &group->superslabs[at];
    bool holds = true;
    for (unsigned i = 0; i < HAK_SUPERSLAB_SLABS; i++) {
        const char *slab = ss->base + ((size_t)i << HAK_SLAB_SHIFT);
        bool is_free = (ss->free >> i & 1) != 0;
        bool is_last = i + 1 == HAK_SUPERSLAB_SLABS;
        if (is_free ? hak_tagmap_span(slab) == NULL : is_in_place(group, slab, is_last)) continue;
        report(arg, "superslab: a slab is free, or in a span of the tag map", slab, is_free, 1);
        holds = false;
    }
    return holds;
}

bool hak_superslab_check(hak_report_fn report, void *arg) {
    bool holds = true;
    size_t mapped = 0;
    hak_lock_take(&hak_superslabs.lock);
    for (struct hak_group *group = hak_superslabs.first; group != NULL; group = group->next) {
        for (uint64_t left = group->mapped; left != 0; left &= left - 1) {
            mapped++;
            if (!check_one(group, hak_bits_lowest(left), report, arg)) holds = false;
        }
    }
    if (mapped != hak_superslabs.mapped) {
        report(arg, "superslab: number mapped", &hak_superslabs, hak_superslabs.mapped, mapped);
        holds = false;
    }
    hak_lock_give(&hak_superslabs.lock);
    return holds;
}
