/* SPDX-License-Identifier: MIT */
/*
 * claims.h: a bit for each 16 bytes of the address space: whether a live block has them. Any
 * thread; no lock, and relaxed order only, so that the fuzzer orders nothing that the allocator
 * left without order. Its memory comes from mmap.
 */
#ifndef HAK_TESTS_CLAIMS_H
#define HAK_TESTS_CLAIMS_H

#include <stddef.h>

/* Claims [block, block + bytes). Returns NULL, or an address in it that was claimed already. */
const void *claims_add(const void *block, size_t bytes);

/* Gives the range up. Returns NULL, or an address in it that was not claimed. */
const void *claims_remove(const void *block, size_t bytes);

#endif
