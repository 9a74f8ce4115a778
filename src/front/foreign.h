/* SPDX-License-Identifier: MIT */
/*
 * foreign.h: blocks of glibc's own malloc that reach this library's free, realloc or
 * malloc_usable_size, and go on to glibc's.
 *
 * For addresses that no tier knows, before they are reported as a misuse. A block that is not
 * recognised is not touched.
 */
#ifndef HAK_FRONT_FOREIGN_H
#define HAK_FRONT_FOREIGN_H

#include "src/base/attrs.h"

#include <stdbool.h>
#include <stddef.h>

HAK_COLD bool hak_foreign_is_block(const void *block);

/* False when it is no block of glibc's. */
HAK_COLD bool hak_foreign_free(void *block);

/* 0 when it is no block of glibc's. */
HAK_COLD size_t hak_foreign_usable_size(const void *block);

/* A block of this library's with the contents; NULL with errno when memory is out (then the block
 * stays), when size is 0 (it is freed), or with EINVAL when it is no block of glibc's. */
HAK_COLD void *hak_foreign_realloc(void *block, size_t size);

/* A library is being opened whose malloc will be libc's: finds glibc's functions now, while no
 * constructor runs under the dynamic linker's lock. */
void hak_foreign_expect(void);
bool hak_foreign_is_expected(void);

#endif
