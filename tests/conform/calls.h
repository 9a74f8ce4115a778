/* SPDX-License-Identifier: MIT */
/*
 * calls.h: how often the allocator has asked the kernel for something about memory. The linker
 * gives its calls of mmap and the like to calls.c (--wrap), which counts them and passes them on.
 */
#ifndef HAK_TESTS_CALLS_H
#define HAK_TESTS_CALLS_H

unsigned long calls_made(void);

#endif
