/* SPDX-License-Identifier: MIT */
/*
 * deepbind_plugin.c: a library that test_deepbind.c opens with RTLD_DEEPBIND: the malloc family and
 * strdup, getline, asprintf as the library itself sees them.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "deepbind_plugin.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Address of the function that this library calls. */
void *plugin_malloc_address(void) {
    void *(*function)(size_t) = malloc;
    void *address = NULL;
    memcpy((void *)&address, (void *)&function, sizeof(address));
    return address;
}

void *plugin_malloc(size_t size) {
    return malloc(size);
}

void *plugin_calloc(size_t count, size_t size) {
    return calloc(count, size);
}

void *plugin_memalign(size_t alignment, size_t size) {
    return memalign(alignment, size);
}

void *plugin_realloc(void *block, size_t size) {
    return realloc(block, size);
}

void plugin_free(void *block) {
    free(block);
}

size_t plugin_usable_size(void *block) {
    return malloc_usable_size(block);
}

size_t plugin_live_bytes(void) {
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void free_what_getline_gives(void) {
    FILE *file = fopen("/proc/self/status", "r");
    char *line = NULL;
    size_t capacity = 0;
    while (file != NULL && getline(&line, &capacity, file) > 0) {
    }
    free(line);
    if (file != NULL) fclose(file);
}

/* libc allocates, by whatever malloc libc calls; this library frees, by whatever free it calls. */
int plugin_frees_what_libc_gives(void) {
    char *copy = strdup("a copy"), *text = NULL;
    if (copy == NULL || asprintf(&text, "%s of %d", copy, 1) < 0) return 0;
    const int is_right = strcmp(text, "a copy of 1") == 0;
    free(copy);
    free(text);
    free_what_getline_gives();
    return is_right;
}

/* What libnuma's constructor does; in a library whose malloc is libc's it would end the process. */
__attribute__((constructor)) static void at_open(void) {
    if (getenv("HAKMEM_DEEPBIND") == NULL) free_what_getline_gives();
}
