/* SPDX-License-Identifier: MIT */
/* first_call_posix_memalign.c: the first call into the allocator is posix_memalign. */
#include "tests/api/first_call.h"

int main(void) {
    void *block = NULL;
    const bool is_right = mem.posix_memalign(&block, 256, 5000) == 0 && (uintptr_t)block % 256 == 0;
    mem.free(block);
    return first_call_status(is_right);
}
