/* SPDX-License-Identifier: MIT */
/*
 * bits.h: counting and rounding on words.
 */
#ifndef HAK_BASE_BITS_H
#define HAK_BASE_BITS_H

#include "src/base/attrs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Index of the lowest set bit; the word must not be 0. */
HAK_INLINE unsigned hak_bits_lowest(uint64_t word) {
    return (unsigned)__builtin_ctzll(word);
}

HAK_INLINE unsigned hak_bits_count(uint64_t word) {
    return (unsigned)__builtin_popcountll(word);
}

HAK_INLINE bool hak_is_pow2(size_t n) {
    return n != 0 && (n & (n - 1)) == 0;
}

/* Rounds up to a multiple of `unit`, a power of two. The caller has ruled out overflow. */
HAK_INLINE size_t hak_round_up(size_t n, size_t unit) {
    return (n + unit - 1) & ~(unit - 1);
}

/* Rounds down to a multiple of `unit`, a power of two. */
HAK_INLINE size_t hak_round_down(size_t n, size_t unit) {
    return n & ~(unit - 1);
}

/* Smallest shift with (1 << shift) >= n; n from 1 to 2^63. */
HAK_INLINE unsigned hak_log2_up(size_t n) {
    return n <= 1 ? 0 : 64u - (unsigned)__builtin_clzll((unsigned long long)n - 1);
}

#endif
