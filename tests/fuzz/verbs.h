/* SPDX-License-Identifier: MIT */
/*
 * verbs.h: one random operation of a thread, whichever; and the end of all blocks.
 */
#ifndef HAK_TESTS_VERBS_H
#define HAK_TESTS_VERBS_H

#include "tests/fuzz/place.h"

void verbs_step(struct place *place);
void verbs_steps(struct place *place, unsigned long count);

/* Frees what is in the pool. No other thread runs. */
void verbs_free_all(struct place *place);

#endif
