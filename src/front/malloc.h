/* SPDX-License-Identifier: MIT */
/*
 * malloc.h: the slow paths of allocation that the front's other verbs share.
 */
#ifndef HAK_FRONT_MALLOC_H
#define HAK_FRONT_MALLOC_H

#include "src/base/sizeclass.h"
#include "src/front/init.h"

/* A block of the class; NULL when memory is out; errno untouched. */
void *hak_malloc_class(hak_class_t cls);

/* A block of at least `size` (1 or more) bytes at `align`, a power of two; NULL when memory is out
 * or the size too large; errno untouched. *zeroed: it is known to read as zeros. */
void *hak_malloc_any(size_t size, size_t align, bool *zeroed);

#endif
