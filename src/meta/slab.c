/* SPDX-License-Identifier: MIT */
/*
 * slab.c: the two bitmaps of a slab. See slab.h for the invariant.
 */
#include "src/meta/slab.h"

#include "src/base/bits.h"
#include "src/base/check.h"
#include "src/base/tunables.h"
#include "src/meta/arena.h"
#include "src/os/os.h"

#include <string.h>

size_t hak_slab_span_bytes(hak_class_t cls) {
    size_t want = (size_t)hak_sizeclass_stride(cls) * HAK_MID_PAGE_BLOCKS;
    if (want <= HAK_SLAB_BYTES) return HAK_SLAB_BYTES;
    return (size_t)1 << hak_log2_up(want);
}

#define PAGE_WORDS (HAK_SPAN_BYTES_MAX / HAK_PAGE_BYTES_DEFAULT / HAK_WORD_BITS)
_Static_assert(PAGE_WORDS * sizeof(uint64_t) <= HAK_LINE_BYTES, "the pages' bits are one line");

static size_t bitmap_bytes(unsigned words) {
    /* Each bitmap begins a line, so that senders and owner write different ones. */
    return 2 * hak_round_up(words * sizeof(uint64_t), HAK_LINE_BYTES) + HAK_LINE_BYTES;
}

static uint64_t *purged_bits(const struct hak_slab *slab) {
    return slab->free_bits + 2 * (size_t)slab->words;
}

/* Blocks `first` to `last` are handed out. */
static HAK_NOINLINE void use_pages(struct hak_slab *slab, unsigned first, unsigned last) {
    size_t page_bytes = hak_os_page_bytes();
    size_t page = (size_t)first * slab->stride / page_bytes;
    size_t end = ((size_t)(last + 1) * slab->stride - 1) / page_bytes;
    for (; page <= end; page++)
        purged_bits(slab)[page >> HAK_WORD_SHIFT] &= ~hak_slab_bit((unsigned)page);
}

static unsigned words_of(size_t capacity) {
    size_t words = (capacity + HAK_WORD_BITS - 1) >> HAK_WORD_SHIFT;
    size_t line = HAK_LINE_BYTES / sizeof(uint64_t);
    return (unsigned)hak_round_up(words, line);
}

bool hak_slab_bind(struct hak_slab *slab, hak_class_t cls) {
    hak_assert(cls >= 1 && cls < HAK_SLAB_CLASSES);
    hak_assert(slab->span.base != NULL);
    uint32_t stride = hak_sizeclass_stride(cls);
    size_t capacity = slab->span.bytes / stride;
    hak_assert(capacity >= 1 && capacity <= HAK_SLAB_BLOCKS_MAX);
    unsigned words = words_of(capacity);
    uint64_t *bits = hak_arena_alloc(bitmap_bytes(words));
    if (bits == NULL) return false;
    slab->reciprocal = (((uint64_t)1 << HAK_RECIPROCAL_SHIFT) + stride - 1) / stride;
    slab->free_bits = bits;
    slab->stride = stride;
    slab->capacity = (uint16_t)capacity;
    slab->words = (uint8_t)words;
    slab->cls = cls;
    slab->nfree = 0;
    slab->carved = 0;
    slab->low_word = 0;
    slab->is_listed = false;
    slab->has_purged = false;
    slab->looked = 0;
    hak_assert(hak_slab_is_block(slab, hak_slab_block(slab, slab->capacity - 1u)));
    hak_assert(!hak_slab_is_block(slab, hak_slab_block(slab, slab->capacity)));
    return true;
}

void hak_slab_unbind(struct hak_slab *slab) {
    hak_assert(slab->free_bits != NULL);
    hak_assert(!slab->is_listed);
    hak_assert(hak_slab_is_empty(slab));
    hak_arena_free(slab->free_bits, bitmap_bytes(slab->words));
    slab->free_bits = NULL;
}

enum hak_free_verdict hak_slab_put(struct hak_slab *slab, const void *block) {
    hak_assert(slab->free_bits != NULL);
    unsigned index = hak_slab_index(slab, block);
    if (hak_unlikely(hak_slab_block(slab, index) != block)) return HAK_FREE_INSIDE;
    if (hak_unlikely(index >= slab->carved)) return HAK_FREE_DOUBLE;
    unsigned word = index >> HAK_WORD_SHIFT;
    uint64_t bit = hak_slab_bit(index);
    if (hak_unlikely((slab->free_bits[word] & bit) != 0)) return HAK_FREE_DOUBLE;
    slab->free_bits[word] |= bit;
    slab->nfree++;
    if (word < slab->low_word) slab->low_word = (uint8_t)word;
    hak_assert(slab->nfree <= slab->carved);
    return HAK_FREE_OK;
}

/* The lowest `want` set bits of a word. */
static uint64_t lowest_bits(uint64_t word, unsigned want) {
    uint64_t rest = word;
    while (want-- > 0)
        rest &= rest - 1;
    return word ^ rest;
}

uint64_t hak_slab_take_word(struct hak_slab *slab, unsigned want, unsigned *first_index) {
    hak_assert(want >= 1 && want <= HAK_WORD_BITS);
    hak_assert(slab->nfree <= slab->carved);
    if (slab->nfree == 0) return 0;
    unsigned word = slab->low_word;
    while (slab->free_bits[word] == 0)
        word++;
    hak_assert(word < slab->words);
    uint64_t bits = slab->free_bits[word];
    unsigned count = hak_bits_count(bits);
    if (count > want) {
        bits = lowest_bits(bits, want);
        count = want;
    }
    hak_assert((bits & ~hak_slab_carved_bits(slab, word)) == 0);
    hak_assert(count <= slab->nfree);
    slab->free_bits[word] ^= bits;
    slab->nfree = (uint16_t)(slab->nfree - count);
    hak_assert((slab->free_bits[word] & bits) == 0);
    slab->low_word = (uint8_t)word;
    *first_index = word << HAK_WORD_SHIFT;
    if (hak_unlikely(slab->has_purged)) {
        unsigned last = HAK_WORD_BITS - 1 - (unsigned)__builtin_clzll(bits);
        use_pages(slab, *first_index + hak_bits_lowest(bits), *first_index + last);
    }
    return bits;
}

unsigned hak_slab_carve(struct hak_slab *slab, unsigned want, unsigned *first_index) {
    hak_assert(slab->free_bits != NULL);
    hak_assert(slab->carved <= slab->capacity);
    unsigned left = (unsigned)slab->capacity - slab->carved;
    unsigned count = want < left ? want : left;
    *first_index = slab->carved;
    slab->carved = (uint16_t)(slab->carved + count);
    if (hak_unlikely(slab->has_purged) && count > 0) {
        use_pages(slab, *first_index, *first_index + count - 1);
    }
    return count;
}

unsigned hak_slab_collect(struct hak_slab *slab, void **doubled) {
    /* seq_cst: the partner is the sender's fetch_or (remote.c); a bit for a word that does not
     * exist is a late sender's mark on the slab that this header was before. */
    hak_assert(slab->free_bits != NULL);
    uint64_t summary = atomic_exchange(&slab->summary, 0);
    unsigned count = 0;
    while (summary != 0) {
        unsigned word = hak_bits_lowest(summary);
        summary &= summary - 1;
        if (word >= slab->words) break;
        uint64_t bits = atomic_exchange(hak_slab_remote_word(slab, word), 0);
        if (bits == 0) continue;
        uint64_t twice = bits & (slab->free_bits[word] | ~hak_slab_carved_bits(slab, word));
        if (hak_unlikely(twice != 0)) {
            *doubled = hak_slab_block(slab, (word << HAK_WORD_SHIFT) + hak_bits_lowest(twice));
            bits &= ~twice;
        }
        slab->free_bits[word] |= bits;
        count += hak_bits_count(bits);
        if (word < slab->low_word) slab->low_word = (uint8_t)word;
    }
    slab->nfree = (uint16_t)(slab->nfree + count);
    hak_assert(slab->nfree <= slab->carved);
    return count;
}

void hak_slab_recount(struct hak_slab *slab) {
    unsigned nfree = 0;
    for (unsigned word = 0; word < slab->words; word++)
        nfree += hak_bits_count(slab->free_bits[word]);
    slab->nfree = (uint16_t)nfree;
    slab->low_word = 0;
    hak_assert(slab->nfree <= slab->carved);
}

void hak_slab_reset(struct hak_slab *slab) {
    hak_assert(hak_slab_is_empty(slab));
    memset(slab->free_bits, 0, slab->words * sizeof(uint64_t));
    slab->nfree = 0;
    slab->carved = 0;
    slab->low_word = 0;
    slab->span.zeroed = false;
    hak_assert(!slab->is_listed);
}

/* Whether block `index` is free at home, or was never carved and may hold old data. */
static bool is_unused(const struct hak_slab *slab, unsigned index) {
    if (index >= slab->carved) return !slab->span.zeroed;
    return (slab->free_bits[index >> HAK_WORD_SHIFT] & hak_slab_bit(index)) != 0;
}

/* Whether no block that lies on the page is in use; behind the last block lies nothing. */
static bool is_page_unused(const struct hak_slab *slab, size_t page, size_t page_bytes) {
    unsigned index = (unsigned)(page * page_bytes / slab->stride);
    size_t end = (page + 1) * page_bytes;
    for (; index < slab->capacity && (size_t)index * slab->stride < end; index++) {
        if (!is_unused(slab, index)) return false;
    }
    return true;
}

static bool is_page_purged(const struct hak_slab *slab, size_t page) {
    return (purged_bits(slab)[page >> HAK_WORD_SHIFT] & hak_slab_bit((unsigned)page)) != 0;
}

bool hak_slab_is_purged_right(const struct hak_slab *slab) {
    size_t page_bytes = hak_os_page_bytes();
    size_t pages = slab->has_purged ? slab->span.bytes / page_bytes : 0;
    for (size_t page = 0; page < pages; page++) {
        if (is_page_purged(slab, page) && !is_page_unused(slab, page, page_bytes)) return false;
    }
    return true;
}

/* In this order for the child of a fork in between, which takes blocks from the slab: without the
 * flag it would leave bits of pages that it uses. */
static void mark_purged(struct hak_slab *slab, size_t page, size_t end) {
    slab->has_purged = true;
    atomic_signal_fence(memory_order_seq_cst);
    for (; page < end; page++)
        purged_bits(slab)[page >> HAK_WORD_SHIFT] |= hak_slab_bit((unsigned)page);
}

size_t hak_slab_purge(struct hak_slab *slab) {
    hak_assert(slab->free_bits != NULL);
    size_t page_bytes = hak_os_page_bytes();
    size_t pages = slab->span.bytes / page_bytes;
    size_t bytes = 0;
    if (pages > PAGE_WORDS * HAK_WORD_BITS) return 0;
    for (size_t page = 0; page < pages;) {
        size_t end = page;
        while (end < pages && !is_page_purged(slab, end) && is_page_unused(slab, end, page_bytes))
            end++;
        if (end == page) {
            page++;
            continue;
        }
        mark_purged(slab, page, end); /* even if refused, as locked pages are */
        bool zeroed;
        bool done =
            hak_os_purge(slab->span.base + page * page_bytes, (end - page) * page_bytes, &zeroed);
        if (done) bytes += (end - page) * page_bytes;
        page = end;
    }
    if (HAK_GUARDS >= 2) hak_assert(hak_slab_is_purged_right(slab));
    return bytes;
}

/* States that a look tells apart: what is free, or would be new, and whether it went already. */
#define LOOKED_PURGED 1u

size_t hak_slab_purge_settled(struct hak_slab *slab) {
    hak_assert(slab->free_bits != NULL);
    hak_assert(slab->nfree <= slab->carved && slab->carved <= slab->capacity);
    bool may_give = slab->nfree > 0 || slab->carved < slab->capacity;
    uint16_t looked = (uint16_t)((slab->nfree * 31u + slab->carved) << 1);
    if (!may_give || slab->looked == (looked | LOOKED_PURGED)) return 0;
    bool is_settled = slab->looked == looked;
    slab->looked = is_settled ? looked | LOOKED_PURGED : looked;
    return is_settled ? hak_slab_purge(slab) : 0;
}
