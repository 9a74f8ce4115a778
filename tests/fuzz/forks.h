/* SPDX-License-Identifier: MIT */
/*
 * forks.h: a fork while other threads call the allocator. The child finds every block as it was,
 * calls everything itself, with one thread and with more, and ends with _exit; its parent waits.
 */
#ifndef HAK_TESTS_FORKS_H
#define HAK_TESTS_FORKS_H

#include "tests/fuzz/place.h"

/* Forks, as often as the settings say. */
void forks_perhaps(struct place *place);

/* Forks once. */
void forks_once(struct place *place);

/* Forks so far, those of children not counted. */
unsigned long forks_made(void);

#endif
