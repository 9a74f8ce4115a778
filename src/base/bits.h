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

/* Sums of pairs, of fours, of bytes, then all bytes by one multiplication (Warren, "Hacker's
 * Delight", 5-1): without a popcount instruction the compiler's own way is a call and a table. */
HAK_INLINE unsigned hak_bits_count(uint64_t word) {
    word -= word >> 1 & 0x5555555555555555u;
    word = (word & 0x3333333333333333u) + (word >> 2 & 0x3333333333333333u);
    word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (unsigned)(word * 0x0101010101010101u >> 56);
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
