/* SPDX-License-Identifier: MIT */
/*
 * front.h: the verbs behind the public names that are not inlined: abi calls them.
 *
 * These set errno on failure and report misuse; nothing below them does either.
 */
#ifndef HAK_FRONT_FRONT_H
#define HAK_FRONT_FRONT_H

#include <stdbool.h>
#include <stddef.h>

void *hak_front_calloc(size_t count, size_t size);
void *hak_front_realloc(void *block, size_t size, const char *verb);

/* `align` is a power of two; errno is ENOMEM on failure, or untouched with set_errno false. */
void *hak_front_aligned(size_t align, size_t size, bool set_errno);

size_t hak_front_usable_size(const void *block, const char *verb);
size_t hak_front_good_size(size_t size);

#endif
