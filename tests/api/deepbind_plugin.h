/* SPDX-License-Identifier: MIT */
/*
 * deepbind_plugin.h: the functions of deepbind_plugin.c, which test_deepbind.c finds by dlsym.
 */
#ifndef HAK_TESTS_DEEPBIND_PLUGIN_H
#define HAK_TESTS_DEEPBIND_PLUGIN_H

#include <stddef.h>

void *plugin_malloc_address(void);
void *plugin_malloc(size_t size);
void *plugin_calloc(size_t count, size_t size);
void *plugin_memalign(size_t alignment, size_t size);
void *plugin_realloc(void *block, size_t size);
void plugin_free(void *block);
size_t plugin_usable_size(void *block);
size_t plugin_live_bytes(void);
int plugin_frees_what_libc_gives(void);

#endif
