/* SPDX-License-Identifier: MIT */
/*
 * slab.h: a span cut into equal blocks of one class, and where each of its blocks is.
 *
 * Conservation, for every slab at every quiescent point:
 *
 *   live + in bins + free bits + remote bits + in senders' caches + never carved = capacity
 *
 * and each block is in exactly one of these places. `carved - nfree` is the slab's count of active
 * blocks; it changes only in hak_slab_carve, hak_slab_take_word, hak_slab_put and hak_slab_collect,
 * each of which changes the bits in the same breath, so that count and bits cannot part.
 *
 * Blocks are never written: a block's state is a bit in the free bitmap (owner) or in the remote
 * bitmap (any thread), both out of line. The remote protocol is in remote.c.
 */
#ifndef HAK_META_SLAB_H
#define HAK_META_SLAB_H

#include "src/base/attrs.h"
#include "src/base/sizeclass.h"
#include "src/meta/span.h"

#include <stdatomic.h>

struct hak_heap;

struct hak_slab {
    struct hak_span span; /* constant while bound, but for `zeroed` (owner only) */

    /* Constant while bound. */
    uint64_t reciprocal; /* ceil(2^40 / stride) */
    uint64_t *free_bits; /* words: owner only */
    uint32_t stride;
    uint16_t capacity;
    uint8_t words;
    hak_class_t cls;

    /* Owner only. */
    uint16_t nfree;   /* free bits that are set */
    uint16_t carved;  /* blocks that were ever handed out since the slab was last whole */
    uint8_t low_word; /* no free bit lies in a word before it */
    bool is_listed;   /* on its class's list of slabs with free bits */
    bool has_purged;  /* some of its pages were given back and not used since */

    /* Shared line. owner, summary and pending are sequentially consistent (remote.c says why). */
    HAK_ALIGNED(HAK_LINE_BYTES) _Atomic(struct hak_heap *) owner; /* NULL: orphan, or no slab */
    _Atomic uint64_t summary; /* bit w: the remote word w may hold bits */
    _Atomic uint32_t pending; /* 1: someone holds the right to use `link` */
    uint16_t looked;          /* owner only: what hak_slab_purge_settled saw last */
    struct hak_slab *link;    /* next in an inbox; belongs to the holder of `pending` */

    /* Owner only; the orphan list's lock while there is no owner. */
    struct hak_slab *next, *prev;         /* class's list of slabs with free bits */
    struct hak_slab *all_next, *all_prev; /* class's list of all slabs */
};
_Static_assert(sizeof(struct hak_slab) <= HAK_SPAN_META_BYTES, "a slab is a span header");
_Static_assert(offsetof(struct hak_slab, owner) == HAK_SPAN_LATE_OFFSET &&
                   offsetof(struct hak_slab, next) == HAK_SPAN_LATE_OFFSET + HAK_SPAN_LATE_BYTES,
               "what late senders write is where geometry.h says");

#define HAK_RECIPROCAL_SHIFT 40

/* Span bytes that a class is cut from. */
size_t hak_slab_span_bytes(hak_class_t cls);

/* Cuts a span: allocates the bitmaps and sets all fields but the lists; no owner yet. False when
 * metadata is out; the span is untouched then. */
bool hak_slab_bind(struct hak_slab *slab, hak_class_t cls);

/* Frees the bitmaps. The slab is wholly free and its `pending` is held by the caller; it stays
 * held, so that late senders leave the header alone until it is bound again. */
void hak_slab_unbind(struct hak_slab *slab);

HAK_INLINE struct hak_slab *hak_slab_of_span(struct hak_span *span) {
    return (struct hak_slab *)(void *)span;
}

/* Remote bits follow the free bits, post with fetch_or, collect with exchange; then a bit for each
 * page of the slab that was given back. */
HAK_INLINE _Atomic uint64_t *hak_slab_remote_word(const struct hak_slab *slab, unsigned word) {
    return (_Atomic uint64_t *)(void *)slab->free_bits + slab->words + word;
}

/* The only place where an index becomes an address, and back. */
HAK_INLINE void *hak_slab_block(const struct hak_slab *slab, unsigned index) {
    return slab->span.base + (size_t)index * slab->stride;
}

HAK_INLINE unsigned hak_slab_index(const struct hak_slab *slab, const void *block) {
    uint64_t offset = (uint64_t)((const char *)block - slab->span.base);
    return (unsigned)(offset * slab->reciprocal >> HAK_RECIPROCAL_SHIFT);
}

/* The bits of a word whose blocks have been carved. Owner. */
HAK_INLINE uint64_t hak_slab_carved_bits(const struct hak_slab *slab, unsigned word) {
    unsigned first = word << HAK_WORD_SHIFT;
    if (slab->carved >= first + HAK_WORD_BITS) return UINT64_MAX;
    if (slab->carved <= first) return 0;
    return ((uint64_t)1 << (slab->carved - first)) - 1;
}

/* The bit of a block within its word. */
HAK_INLINE uint64_t hak_slab_bit(unsigned index) {
    return (uint64_t)1 << (index & (HAK_WORD_BITS - 1));
}

/* What a free was found to be; or a free block, of which nothing may be known but its class. */
enum hak_free_verdict { HAK_FREE_OK, HAK_FREE_INSIDE, HAK_FREE_DOUBLE, HAK_FREE_OVERWRITTEN };

/* Whether `block` is where a block of this slab begins. Any thread. */
HAK_INLINE bool hak_slab_is_block(const struct hak_slab *slab, const void *block) {
    unsigned index = hak_slab_index(slab, block);
    return index < slab->capacity && hak_slab_block(slab, index) == block;
}

/* Owner: a block comes back. */
enum hak_free_verdict hak_slab_put(struct hak_slab *slab, const void *block);

/* Owner: takes up to `want` (1..64) of the lowest free blocks, all of one word; returns the word's
 * first index and the taken bits; 0 bits when there is none. */
uint64_t hak_slab_take_word(struct hak_slab *slab, unsigned want, unsigned *first_index);

/* Owner: takes up to `want` never-carved blocks in a row; returns their number and first index. */
unsigned hak_slab_carve(struct hak_slab *slab, unsigned want, unsigned *first_index);

/* Owner: takes the remote bits into the free bits; returns the number of blocks, or sets *doubled
 * to a block that was free already. */
unsigned hak_slab_collect(struct hak_slab *slab, void **doubled);

/* Makes the counts what the free bits say. */
void hak_slab_recount(struct hak_slab *slab);

/* Owner: a wholly free slab becomes uncarved again. */
void hak_slab_reset(struct hak_slab *slab);

/* Owner: gives the pages back that hold no part of a block in use, nor one in a bin; returns their
 * bytes. A page is not given back again before a block on it has been handed out. */
size_t hak_slab_purge(struct hak_slab *slab);

/* The same once the slab has stayed as it is from one call to the next, and not again before it has
 * changed: a slab that is being used keeps its pages. */
size_t hak_slab_purge_settled(struct hak_slab *slab);

/* Whether no block in use lies on a page that was given back: for the audit. */
bool hak_slab_is_purged_right(const struct hak_slab *slab);

HAK_INLINE bool hak_slab_is_empty(const struct hak_slab *slab) {
    return slab->nfree == slab->carved;
}

#endif
