/* SPDX-License-Identifier: MIT */
/*
 * prove.c: see prove.h. The tag map knows small blocks, the large tiers their own.
 */
#include "src/front/prove.h"

#include "src/contract/slots.h"
#include "src/front/misuse.h"

struct hak_span *hak_prove(const void *block, const char *verb) {
    struct hak_span *span = hak_tagmap_span(block);
    if (span == NULL) span = hak_large_find(block);
    if (hak_unlikely(span == NULL)) {
        hak_misuse_unknown(verb, block);
        return NULL;
    }
    bool begins_block = hak_span_is_slab(span) ? hak_slab_is_block(hak_slab_of_span(span), block)
                                               : span->base == (const char *)block;
    if (hak_likely(begins_block)) return span;
    hak_misuse_inside(verb, block);
    return NULL;
}
