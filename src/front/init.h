/* SPDX-License-Identifier: MIT */
/*
 * init.h: the process's state, made by whichever call comes first: a constructor, a thread, an
 * ifunc resolver.
 */
#ifndef HAK_FRONT_INIT_H
#define HAK_FRONT_INIT_H

#include <stdbool.h>

/* Makes everything that threads share; false when memory is out (the next call tries again). */
bool hak_init(void);

/* The child of a fork: opens the lock; what another thread had half made is made anew. */
void hak_init_after_fork(void);

/* Once after hak_init, by a thread whose cache is live: handlers whose registration may allocate.
 */
void hak_init_handlers(void);

#endif
