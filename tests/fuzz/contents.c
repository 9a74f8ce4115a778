/* SPDX-License-Identifier: MIT */
/*
 * contents.c: contents.h. What is chosen of a large block follows from its number and its length,
 * so nothing is kept of it.
 */
#include "tests/fuzz/contents.h"

#include <stdbool.h>
#include <string.h>

#define PAGE        ((size_t)4096)
#define WHOLE_BYTES ((size_t)64 * 1024)
#define ZERO_BYTES  ((size_t)1024 * 1024)
#define HEAD_BYTES  ((size_t)64)
#define ONE_IN      16U

static uint64_t word_at(uint64_t number, size_t at) {
    return (number ^ at) * 0x9e3779b97f4a7c15U;
}

static bool is_written(size_t page, size_t bytes, uint64_t number) {
    if (bytes <= WHOLE_BYTES || page == 0 || page == (bytes - 1) / PAGE) return true;
    return (word_at(number, page) >> 40) % ONE_IN == 0;
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

static void fill(unsigned char *block, size_t from, size_t to, uint64_t number) {
    for (size_t at = from; at < to; at += sizeof(uint64_t)) {
        const uint64_t word = word_at(number, at);
        memcpy(block + at, &word, smaller(sizeof(word), to - at));
    }
}

static size_t damage(const unsigned char *block, size_t from, size_t to, uint64_t number) {
    for (size_t at = from; at < to; at += sizeof(uint64_t)) {
        const uint64_t word = word_at(number, at);
        const size_t length = smaller(sizeof(word), to - at);
        if (memcmp(block + at, &word, length) == 0) continue;
        const unsigned char *bytes = (const unsigned char *)&word;
        while (block[at] == *bytes) {
            at++;
            bytes++;
        }
        return at;
    }
    return to;
}

void contents_fill(unsigned char *block, size_t bytes, uint64_t number) {
    for (size_t at = 0; at < bytes; at += PAGE) {
        if (is_written(at / PAGE, bytes, number)) {
            fill(block, at, smaller(at + PAGE, bytes), number);
        }
    }
}

size_t contents_damage(const unsigned char *block, size_t bytes, size_t end, uint64_t number) {
    for (size_t at = 0; at < end; at += PAGE) {
        if (!is_written(at / PAGE, bytes, number)) continue;
        const size_t to = smaller(at + PAGE, end);
        const size_t found = damage(block, at, to, number);
        if (found < to) return found;
    }
    return end;
}

static size_t not_zero(const unsigned char *block, size_t from, size_t to) {
    static const unsigned char zeros[PAGE];
    if (memcmp(block + from, zeros, to - from) == 0) return to;
    while (from < to && block[from] == 0) {
        from++;
    }
    return from;
}

size_t contents_not_zero(const unsigned char *block, size_t bytes) {
    for (size_t at = 0; at < bytes; at += PAGE) {
        const size_t page = smaller(at + PAGE, bytes);
        const size_t to = bytes <= ZERO_BYTES ? page : smaller(at + HEAD_BYTES, page);
        const size_t found = not_zero(block, at, to);
        if (found < to) return found;
    }
    return bytes;
}
