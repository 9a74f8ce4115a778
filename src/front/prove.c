/* SPDX-License-Identifier: MIT */
/*
 * prove.c: see prove.h. The tag map knows small blocks, the large tiers their own.
 */
#include "src/front/prove.h"

#include "src/contract/slots.h"
#include "src/front/foreign.h"
#include "src/front/misuse.h"

struct hak_span *hak_prove_in(struct hak_span *span, const void *block, const char *verb) {
    bool is_slab = hak_span_is_slab(span);
    bool begins_block = is_slab ? hak_slab_is_block(hak_slab_of_span(span), block)
                                : span->base == (const char *)block;
    if (hak_unlikely(begins_block && !is_slab && span->is_free != 0)) {
        hak_misuse_freed(verb, block);
        return NULL;
    }
    if (hak_likely(begins_block)) return span;
    hak_misuse_inside(verb, block);
    return NULL;
}

struct hak_span *hak_prove(const void *block, const char *verb) {
    struct hak_span *span = hak_tagmap_span(block);
    if (span == NULL) span = hak_large_find(block);
    if (hak_likely(span != NULL)) return hak_prove_in(span, block, verb);
    if (!hak_foreign_is_block(block)) hak_misuse_unknown(verb, block);
    return NULL;
}
