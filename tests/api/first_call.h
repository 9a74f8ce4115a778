/* SPDX-License-Identifier: MIT */
/*
 * first_call.h: for programs whose first call into the allocator is a particular one. After it, the
 * program proves that the allocator works: `works_afterwards` is their common end. Nothing before
 * that call may print, since stdio allocates.
 */
#ifndef HAK_TESTS_FIRST_CALL_H
#define HAK_TESTS_FIRST_CALL_H

#include "tests/api/names.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static inline bool works_afterwards(void) {
    void *blocks[200];
    for (size_t i = 0; i < 200; i++) {
        const size_t size = (i * i * 7) % 100000 + 1;
        blocks[i] = mem.malloc(size);
        if (blocks[i] == NULL || (uintptr_t)blocks[i] % 16 != 0) return false;
        if (mem.usable_size(blocks[i]) < size) return false;
        memset(blocks[i], (int)(i + 1), size);
    }
    for (size_t i = 0; i < 200; i++) {
        const size_t size = (i * i * 7) % 100000 + 1;
        const unsigned char *bytes = blocks[i];
        if (bytes[0] != (unsigned char)(i + 1) || bytes[size - 1] != bytes[0]) return false;
        mem.free(blocks[i]);
    }
    return true;
}

/* The exit status of a program whose first call did what it should, or did not. */
static inline int first_call_status(bool is_right) {
    if (!is_right) {
        fputs("the first call failed\n", stderr);
        return 1;
    }
    if (!works_afterwards()) {
        fputs("the allocator does not work after the first call\n", stderr);
        return 1;
    }
    return 0;
}

#endif
