/* SPDX-License-Identifier: MIT */
/*
 * contents.h: what the fuzzer writes into a block, and finds again: each word tells its place and
 * the block's own number. Small blocks whole; of large ones the first page, the last, and some of
 * those between, which the number chooses.
 */
#ifndef HAK_TESTS_CONTENTS_H
#define HAK_TESTS_CONTENTS_H

#include <stddef.h>
#include <stdint.h>

void contents_fill(unsigned char *block, size_t bytes, uint64_t number);

/* The first byte before `end` that is not as it was written, or `end`. `bytes` is the length that
 * the block was filled with. */
size_t contents_damage(const unsigned char *block, size_t bytes, size_t end, uint64_t number);

/* The first byte found that is not zero, or `bytes`: all are looked at up to 1 MiB, of more the
 * first of each page. */
size_t contents_not_zero(const unsigned char *block, size_t bytes);

#endif
