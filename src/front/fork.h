/* SPDX-License-Identifier: MIT */
/*
 * fork.h: the child of a fork.
 */
#ifndef HAK_FRONT_FORK_H
#define HAK_FRONT_FORK_H

/* Before the first lock is taken; then, once, the handler that runs in children: may allocate. */
void hak_fork_init(void);
void hak_fork_register(void);

#endif
