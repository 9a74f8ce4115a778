/* SPDX-License-Identifier: MIT */
/*
 * large.h: blocks above the bins for the suites of tier.h: taken and given as the front does it,
 * and the sizes that the two slots serve in this build. Every claim that memory is zeroed is
 * checked where it is made.
 */
#ifndef HAK_TESTS_LARGE_H
#define HAK_TESTS_LARGE_H

#include "src/front/route.h"
#include "tests/conform/conform.h"

#define LARGE_TOP        (4 * MIB)
#define LARGE_SIZES      10
#define LARGE_STAMP_STEP ((size_t)4096)

/* Whether bytes that are close enough to meet every page are 0. */
static inline bool large_is_zero(const unsigned char *bytes, size_t size) {
    for (size_t at = 0; at < size; at += 61) {
        if (bytes[at] != 0) return false;
    }
    return bytes[size - 1] == 0;
}

/* Of the tier that the front would ask. */
static inline void *large_alloc(size_t size, size_t align, bool *zeroed) {
    return hak_large_alloc(hak_route(size, align).owner, size, align, zeroed);
}

static inline void *take_large(size_t size, size_t align) {
    bool zeroed = false;
    void *block = large_alloc(size, align, &zeroed);
    require(block != NULL);
    require(!zeroed || large_is_zero(block, size));
    return block;
}

/* The span of a live block, as the front proves it. */
static inline struct hak_span *large_span(const void *block) {
    struct hak_span *span = hak_tagmap_span(block);
    return span != NULL ? span : hak_large_find(block);
}

static inline size_t large_usable(const void *block) {
    struct hak_span *span = large_span(block);
    require(span != NULL);
    return hak_large_usable_size(block, span);
}

static inline void give_large(void *block) {
    struct hak_span *span = large_span(block);
    require(span != NULL);
    require(hak_large_free(block, span));
}

/* A word of the block's own in every page, and its finding again. */
static inline void large_stamp(void *block, size_t size, uint64_t mark) {
    unsigned char *bytes = block;
    for (size_t at = 0; at + sizeof mark <= size; at += LARGE_STAMP_STEP) {
        const uint64_t word = mark ^ at;
        memcpy(bytes + at, &word, sizeof word);
    }
}

static inline bool large_has_stamp(const void *block, size_t size, uint64_t mark) {
    const unsigned char *bytes = block;
    for (size_t at = 0; at + sizeof mark <= size; at += LARGE_STAMP_STEP) {
        const uint64_t word = mark ^ at;
        if (memcmp(bytes + at, &word, sizeof word) != 0) return false;
    }
    return true;
}

/* Sizes of the slot that serves (over, up_to], at its edges and between; returns their number. */
static inline size_t large_sizes_of(size_t *sizes, size_t over, size_t up_to) {
    if (up_to <= over) return 0;
    sizes[0] = over + 1;
    sizes[1] = over + (up_to - over) / 16;
    sizes[2] = over + (up_to - over) / 3;
    sizes[3] = up_to - 1;
    sizes[4] = up_to;
    return 5;
}

/* Of both slots, rising; LARGE_SIZES at most. */
static inline size_t large_sizes(size_t *sizes) {
    const size_t bins = hak_bins_size_max();
    const size_t l25 = hak_l25_size_max() > bins ? hak_l25_size_max() : bins;
    const size_t count = large_sizes_of(sizes, bins, l25);
    return count + large_sizes_of(sizes + count, l25, LARGE_TOP);
}

#endif
