/* SPDX-License-Identifier: MIT */
/*
 * first_call_constructor.c: the first call into the allocator comes from a constructor with the
 * earliest priority that a program may ask for, before the constructors without one.
 */
#include "tests/api/first_call.h"

static void *early;

__attribute__((constructor(101))) static void allocate_early(void) {
    mem.free(NULL);
    early = mem.malloc(100);
    if (early != NULL) memset(early, 0x42, 100);
}

int main(void) {
    const unsigned char *bytes = early;
    const bool is_right = bytes != NULL && bytes[0] == 0x42 && bytes[99] == 0x42;
    mem.free(early);
    return first_call_status(is_right);
}
