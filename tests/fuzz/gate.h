/* SPDX-License-Identifier: MIT */
/*
 * gate.h: keeps the fuzzer's own records still while a process forks. The memory of a child is not
 * copied at one instant, so what threads write meanwhile arrives torn. Records change between
 * gate_enter and gate_leave only, and a fork waits until nobody is between them; the allocator is
 * called outside, and goes on being called while the process forks.
 */
#ifndef HAK_TESTS_GATE_H
#define HAK_TESTS_GATE_H

#include "tests/fuzz/place.h"

/* Waits while a fork is under way, and calls the allocator meanwhile, with blocks of its own. */
void gate_enter(struct place *place);
void gate_leave(void);

/* Before a fork: false when another thread is about to fork. Afterwards, in both processes: open.
 */
bool gate_close(void);
void gate_open(void);

#endif
