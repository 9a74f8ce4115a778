/* SPDX-License-Identifier: MIT */
/*
 * free.c: what free does for blocks that are not the thread's own small ones, for a full bin, and
 * in builds with guards. Keeps errno; nothing here makes a system call for a small or mid block.
 */
#include "src/contract/slots.h"
#include "src/front/fast.h"
#include "src/front/misuse.h"
#include "src/front/prove.h"

static void free_remote(struct hak_slab *slab, void *block) {
    struct hak_tcache *tc = hak_thread_cache();
    if (hak_likely(tc != NULL)) {
        hak_remote_free(&tc->heap, slab, block);
        hak_misuse_check(tc);
        return;
    }
    unsigned index = hak_slab_index(slab, block);
    uint64_t bit = hak_slab_bit(index);
    if (hak_remote_post(slab, index >> HAK_WORD_SHIFT, bit) != 0) hak_misuse_double(block);
}

void hak_free_slow(void *block) {
    if (hak_likely(hak_remote_add(&hak_tls->heap, block))) return;
    if (block == NULL) return;
    struct hak_span *span = hak_prove(block, "free");
    if (span == NULL) return;
    if (hak_span_is_slab(span)) {
        free_remote(hak_slab_of_span(span), block);
    } else {
        hak_large_free(block, span);
    }
}

void hak_free_overflow(void *block) {
    struct hak_tcache *tc = hak_tls;
    uint32_t tag = hak_tagmap_tag(block);
    tc->heap.counts.overflow_blocks++;
    hak_bins_overflow(tc, (hak_class_t)((tag & (HAK_TAG_OFFSETS - 1)) >> HAK_BIN_SHIFT), block);
    hak_misuse_check(tc);
}

/* Whether the owner can tell that the block is free: in the bin, in the bitmaps, or never carved.
 */
static bool is_free_already(const struct hak_bin *bin, struct hak_slab *slab, const void *block) {
    unsigned index = hak_slab_index(slab, block);
    unsigned word = index >> HAK_WORD_SHIFT;
    uint64_t bit = hak_slab_bit(index);
    if (index >= slab->carved || (slab->free_bits[word] & bit) != 0) return true;
    if ((atomic_load(hak_slab_remote_word(slab, word)) & bit) != 0) return true;
    unsigned at = 0;
    for (void *b = hak_bin_next(bin, NULL, at); b != NULL; b = hak_bin_next(bin, b, ++at)) {
        if (b == block) return true;
    }
    return false;
}

void hak_free_checked(void *block) {
    struct hak_tcache *tc = hak_tls;
    struct hak_span *span = hak_tagmap_span(block);
    if (span == NULL || !hak_span_is_slab(span) ||
        atomic_load(&hak_slab_of_span(span)->owner) != &tc->heap) {
        hak_free_slow(block);
        return;
    }
    struct hak_slab *slab = hak_slab_of_span(span);
    struct hak_bin *bin = &tc->bins[slab->cls];
    if (!hak_slab_is_block(slab, block)) {
        hak_misuse_inside("free", block);
    } else if (is_free_already(bin, slab, block)) {
        hak_misuse_double(block);
    } else if (!hak_bin_push(bin, block)) {
        hak_free_overflow(block);
    }
}
