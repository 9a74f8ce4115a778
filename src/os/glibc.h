/* SPDX-License-Identifier: MIT */
/*
 * glibc.h: whether an address is a live block of glibc's own malloc, which some library of the
 * process may have been bound to (RTLD_DEEPBIND, dlsym on a handle of libc).
 *
 * Told by the header before a block and what it must agree with; memory that may be unmapped is
 * asked of the kernel first, and no other memory is read. Called on the way to a misuse report.
 * What holds of every live block is asked, and nothing that other threads may be changing.
 */
#ifndef HAK_OS_GLIBC_H
#define HAK_OS_GLIBC_H

#include <stdbool.h>

/* Notes where the program break is, above which glibc's first heap begins. Once, at start. */
void hak_glibc_init(void);

/* A block in a heap of glibc's: of the program break, or of an arena of a thread. */
bool hak_glibc_is_in_heap(const void *block);

/* A block that is a mapping of its own there. Others' memory can look the same by chance. */
bool hak_glibc_is_mapped(const void *block);

#endif
