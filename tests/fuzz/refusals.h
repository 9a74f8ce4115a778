/* SPDX-License-Identifier: MIT */
/*
 * refusals.h: one call that must be refused, or that does nothing: impossible sizes and alignments,
 * products that overflow, NULL.
 */
#ifndef HAK_TESTS_REFUSALS_H
#define HAK_TESTS_REFUSALS_H

#include "tests/fuzz/place.h"

void refusals_step(struct place *place);

#endif
