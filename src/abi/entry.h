/* SPDX-License-Identifier: MIT */
/*
 * entry.h: argument rules of the aligned calls, shared by both families of names.
 */
#ifndef HAK_ABI_ENTRY_H
#define HAK_ABI_ENTRY_H

#include "src/front/fast.h"
#include "src/front/front.h"

void *hak_entry_aligned_alloc(size_t alignment, size_t size);
void *hak_entry_memalign(size_t alignment, size_t size);
int hak_entry_posix_memalign(void **out, size_t alignment, size_t size);
void *hak_entry_valloc(size_t size);
void *hak_entry_pvalloc(size_t size);

#endif
