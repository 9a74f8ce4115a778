/* SPDX-License-Identifier: MIT */
/* first_call_large.c: the first call into the allocator is a request that is far over the small
 * sizes. */
#include "tests/api/first_call.h"

int main(void) {
    char *block = mem.malloc((size_t)5000000);
    const bool is_right = block != NULL;
    if (is_right) block[4999999] = 1;
    mem.free(block);
    return first_call_status(is_right);
}
