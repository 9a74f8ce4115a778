/* SPDX-License-Identifier: MIT */
/*
 * reports.h: what the allocator says of itself, beside running threads and at rest.
 */
#ifndef HAK_TESTS_REPORTS_H
#define HAK_TESTS_REPORTS_H

#include "tests/fuzz/place.h"

/* One report, or one call that gives memory back; other threads run. */
void reports_step(struct place *place);

/* No other thread runs: the allocator's own check holds, and what it counts as live has room for
 * what is. */
void reports_at_rest(struct place *place);

/* hak_check alone, for the child of a fork. */
void reports_check(struct place *place);

/* No thread but this one has ever run: what is counted as live is live. */
void reports_alone(struct place *place);

#endif
