/* SPDX-License-Identifier: MIT */
/*
 * shadow.h: what a test believes to be live: a sorted map of intervals of the address space, beside
 * the allocator and independent of it. Any thread; one lock. Its own memory comes from libc.
 */
#ifndef HAK_TESTS_SHADOW_H
#define HAK_TESTS_SHADOW_H

#include <stdbool.h>
#include <stddef.h>

/* Enters [block, block + bytes); false when it overlaps what is live already. */
bool shadow_add(const void *block, size_t bytes);

/* Takes out the interval that begins at `block`; false when none does. */
bool shadow_remove(const void *block);

/* Intervals that are live. */
size_t shadow_count(void);

/* Forgets all. */
void shadow_clear(void);

#endif
