/* SPDX-License-Identifier: MIT */
/* first_call_aligned_alloc.c: the first call into the allocator is aligned_alloc. */
#include "tests/api/first_call.h"

int main(void) {
    void *block = mem.aligned_alloc(4096, 100);
    const bool is_right = block != NULL && (uintptr_t)block % 4096 == 0;
    mem.free(block);
    return first_call_status(is_right);
}
