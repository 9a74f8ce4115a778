/* SPDX-License-Identifier: MIT */
/*
 * claims.c: claims.h. Two levels: a table of leaves by GiB, made when first needed and kept; of a
 * leaf only the pages that are written take memory, 1 byte for 128.
 */
#define _GNU_SOURCE
#include "tests/fuzz/claims.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define GRANULE_SHIFT 4
#define WORD_SHIFT    6
#define LEAF_SHIFT    30
#define ADDRESS_BITS  47
#define LEAVES        ((size_t)1 << (ADDRESS_BITS - LEAF_SHIFT))
#define LEAF_WORDS    ((size_t)1 << (LEAF_SHIFT - GRANULE_SHIFT - WORD_SHIFT))

static uint64_t *leaves[LEAVES]; /* atomic: set once, release; read with acquire */

static uint64_t *make_leaf(uint64_t **leaf) {
    const size_t bytes = LEAF_WORDS * sizeof(uint64_t);
    uint64_t *made = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (made == MAP_FAILED) {
        perror("fuzz: no memory for the claims");
        _Exit(2);
    }
    uint64_t *found = NULL;
    if (__atomic_compare_exchange_n(leaf, &found, made, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE)) {
        return made;
    }
    munmap(made, bytes);
    return found;
}

/* The word that holds the granule's bit. */
static uint64_t *word_of(uint64_t granule) {
    const uint64_t word = granule >> WORD_SHIFT;
    uint64_t **leaf = &leaves[(word / LEAF_WORDS) % LEAVES];
    uint64_t *words = __atomic_load_n(leaf, __ATOMIC_ACQUIRE);
    if (words == NULL) words = make_leaf(leaf);
    return &words[word % LEAF_WORDS];
}

/* Sets or clears the bits of the range; returns the first address whose bit was `wrong` before. */
static const void *change(const void *block, size_t bytes, bool to_claimed) {
    uint64_t granule = (uintptr_t)block >> GRANULE_SHIFT;
    const uint64_t end = ((uintptr_t)block + bytes + (1U << GRANULE_SHIFT) - 1) >> GRANULE_SHIFT;
    while (granule < end) {
        const unsigned first = granule & 63;
        const uint64_t count = end - granule < 64 - first ? end - granule : 64 - first;
        const uint64_t mask = (count == 64 ? ~(uint64_t)0 : ((uint64_t)1 << count) - 1) << first;
        uint64_t *word = word_of(granule);
        const uint64_t before = to_claimed ? __atomic_fetch_or(word, mask, __ATOMIC_RELAXED)
                                           : __atomic_fetch_and(word, ~mask, __ATOMIC_RELAXED);
        const uint64_t wrong = (to_claimed ? before : ~before) & mask;
        if (wrong != 0) {
            granule += (unsigned)__builtin_ctzll(wrong) - first;
            return (const char *)block + ((granule << GRANULE_SHIFT) - (uintptr_t)block);
        }
        granule += count;
    }
    return NULL;
}

const void *claims_add(const void *block, size_t bytes) {
    return change(block, bytes, true);
}

const void *claims_remove(const void *block, size_t bytes) {
    return change(block, bytes, false);
}
