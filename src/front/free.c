/* SPDX-License-Identifier: MIT */
/*
 * free.c: what free does for blocks that are not the thread's own small ones, for a full bin, and
 * in builds with guards. Keeps errno; nothing here makes a system call for a small or mid block.
 */
#include "src/contract/slots.h"
#include "src/front/fast.h"
#include "src/front/foreign.h"
#include "src/front/misuse.h"
#include "src/front/prove.h"
#include "src/front/purge.h"
#include "src/supply/link.h"
#include "src/supply/slabs.h"

static HAK_NOINLINE void look_at_notes(struct hak_tcache *tc) {
    tc->heap.has_notes = false;
    if (tc->heap.has_released) hak_purge_note(tc);
    hak_misuse_check(tc);
}

/* What a slow path may leave for the front. */
HAK_INLINE void check_notes(struct hak_tcache *tc) {
    if (hak_unlikely(tc->heap.has_notes)) look_at_notes(tc);
}

static HAK_NOINLINE void post(struct hak_tcache *tc) {
    hak_heap_enter(&tc->heap);
    hak_thread_post(tc);
    hak_heap_leave(&tc->heap);
    check_notes(tc);
}

/* After each remote free. */
HAK_INLINE void post_if_due(struct hak_tcache *tc) {
    if (hak_unlikely(tc->heap.sender_bytes >= HAK_SENDER_FLUSH_BYTES)) post(tc);
}

static void free_remote(struct hak_slab *slab, void *block) {
    struct hak_tcache *tc = hak_thread_cache();
    if (hak_likely(tc != NULL)) {
        hak_heap_enter(&tc->heap);
        hak_remote_free(&tc->heap, slab, block);
        if (tc->heap.emptied != NULL) hak_supply_release_emptied(&tc->heap);
        hak_heap_leave(&tc->heap);
        post_if_due(tc);
        check_notes(tc);
        return;
    }
    unsigned index = hak_slab_index(slab, block);
    uint64_t bit = hak_slab_bit(index);
    hak_thread_enter(hak_thread_tls());
    bool was_free = hak_remote_post(slab, index >> HAK_WORD_SHIFT, bit) != 0;
    hak_heap_drain_orphans(NULL);
    while ((slab = hak_heap_pop_emptied_orphan()) != NULL)
        hak_spans_release(&slab->span);
    hak_thread_leave(hak_thread_tls());
    if (was_free) hak_misuse_double(block);
}

/* Blocks above the slabs, of a span that the tag map knows or does not; false when freed before. */
static bool free_large(void *block, struct hak_span *span) {
    struct hak_tcache *tc = hak_thread_current();
    hak_thread_enter(tc);
    bool done = span == NULL ? hak_large_free_at(block) : hak_large_free(block, span);
    hak_thread_leave(tc);
    return done;
}

static void note_freed(void) {
    if (hak_tls_own != NULL) hak_purge_note(hak_tls_own);
}

/* Blocks that the thread's own bins do not take, of a span that is proved. */
static void free_proved(void *block, struct hak_span *span) {
    if (hak_span_is_slab(span)) {
        free_remote(hak_slab_of_span(span), block);
        return;
    }
    if (!free_large(block, span)) hak_misuse_double(block);
    note_freed();
}

static void free_elsewhere(void *block) {
    struct hak_span *span = hak_tagmap_span(block);
    if (span != NULL) {
        span = hak_prove_in(span, block, "free");
        if (span != NULL) free_proved(block, span);
    } else if (hak_likely(free_large(block, NULL))) {
        note_freed();
    } else if (!hak_foreign_free(block)) {
        hak_misuse_unknown("free", block);
    }
}

/* The offset of the bin of the thread's own that takes the block; above HAK_BIN_OFFSET_MAX when
 * none does. */
HAK_INLINE uint32_t own_bin_offset(const struct hak_tcache *tc, const void *block) {
    return hak_tagmap_slot(block) < tc->slots ? hak_tagmap_tag(block) ^ tc->tag : UINT32_MAX;
}

void hak_free_proved(void *block, struct hak_span *span) {
    if (own_bin_offset(hak_thread_current(), block) <= HAK_BIN_OFFSET_MAX) {
        hak_fast_free(block);
    } else {
        free_proved(block, span);
    }
}

static HAK_NOINLINE void free_cold(struct hak_tcache *tc) {
    hak_heap_enter(&tc->heap);
    hak_purge_drain_cold(tc);
    hak_heap_leave(&tc->heap);
}

/* The fast path of a watched thread (thread.h). */
static void free_watched(struct hak_tcache *tc, void *block) {
    uint32_t offset = own_bin_offset(tc, block);
    hak_purge_see_alert(tc, false);
    hak_purge_count_free(tc);
    if (offset <= HAK_BIN_OFFSET_MAX) {
        bool is_cold = hak_purge_is_cold(tc, (hak_class_t)(offset >> HAK_BIN_SHIFT));
        if (hak_unlikely(is_cold)) free_cold(tc);
        bool is_pushed = !is_cold && hak_bin_push_at((char *)tc->bins, offset, block);
        if (!is_pushed) hak_free_overflow(block, tc, offset);
    } else if (hak_remote_add(&tc->heap, block)) {
        post_if_due(tc);
    } else {
        free_elsewhere(block);
    }
}

void hak_free_slow(void *block) {
    struct hak_tcache *tc = hak_thread_tls();
    if (hak_likely(hak_remote_add(&tc->heap, block))) {
        post_if_due(tc);
        return;
    }
    if (block == NULL) return;
    if (hak_unlikely(hak_thread_is_watched())) {
        free_watched(hak_tls_own, block);
    } else {
        free_elsewhere(block);
    }
}

/* Apart, so that the usual way saves no registers. */
static HAK_NOINLINE void overflow_claimed(void *block, struct hak_tcache *tc, uintptr_t offset) {
    hak_heap_wait(&tc->heap, &tc->heap.putting);
    hak_free_overflow(block, tc, offset);
}

void hak_free_overflow(void *block, struct hak_tcache *tc, uintptr_t offset) {
    if (!hak_heap_try_put(&tc->heap)) {
        overflow_claimed(block, tc, offset);
        return;
    }
    hak_bins_overflow(tc, (hak_class_t)(offset >> HAK_BIN_SHIFT), block);
    hak_heap_end_put(&tc->heap);
    check_notes(tc);
}

/* Whether the block is in the bin, which has it at most once. What a link leads to is proved before
 * it is read. */
static bool is_in_bin(struct hak_tcache *tc, hak_class_t cls, const void *block) {
    const struct hak_bin *bin = &tc->bins[cls];
    unsigned count = hak_bin_count(bin);
    void *before = NULL;
    for (unsigned at = 0; at <= count; at++) {
        void *next = hak_bin_next(bin, before, at);
        if (!hak_supply_is_link(tc, cls, next, count - at)) {
            hak_supply_give_up(tc, cls, before);
            hak_misuse_check(tc);
            return false;
        }
        if (next == block) return true;
        before = next;
    }
    return false;
}

struct search {
    const void *block;
    bool is_found;
};

static void compare(void *arg, const void *block) {
    struct search *search = arg;
    if (block == search->block) search->is_found = true;
}

/* Whether the module holds the block beside the bin. */
static bool is_held(const struct hak_tcache *tc, hak_class_t cls, const void *block) {
    struct search search = {.block = block};
    hak_bins_each_block(tc, cls, compare, &search);
    return search.is_found;
}

/* Whether the owner can tell that the block is free: in the bitmaps, or never carved. */
static bool is_in_slab(struct hak_tcache *tc, struct hak_slab *slab, const void *block) {
    unsigned index = hak_slab_index(slab, block);
    unsigned word = index >> HAK_WORD_SHIFT;
    uint64_t bit = hak_slab_bit(index);
    hak_heap_begin_put(&tc->heap); /* no other thread moves bits meanwhile */
    bool is_free = index >= slab->carved || (slab->free_bits[word] & bit) != 0 ||
                   (atomic_load(hak_slab_remote_word(slab, word)) & bit) != 0;
    hak_heap_end_put(&tc->heap);
    return is_free;
}

void hak_free_checked(void *block) {
    struct hak_tcache *tc = hak_thread_current();
    struct hak_span *span = hak_tagmap_span(block);
    uint32_t offset = span == NULL ? UINT32_MAX : hak_tagmap_tag(block) ^ tc->tag;
    if (offset > HAK_BIN_OFFSET_MAX) {
        hak_free_slow(block);
        return;
    }
    hak_class_t cls = (hak_class_t)(offset >> HAK_BIN_SHIFT);
    bool is_slab = hak_span_is_slab(span);
    struct hak_slab *slab = hak_slab_of_span(span);
    if (is_slab ? !hak_slab_is_block(slab, block) : span->base != (char *)block) {
        hak_misuse_inside("free", block);
    } else if (is_in_bin(tc, cls, block) || is_held(tc, cls, block) ||
               (is_slab && is_in_slab(tc, slab, block))) {
        hak_misuse_double(block);
    } else if (hak_unlikely(hak_thread_is_watched())) {
        free_watched(tc, block);
    } else if (!hak_bin_push(&tc->bins[cls], block)) {
        hak_free_overflow(block, tc, offset);
    }
}
