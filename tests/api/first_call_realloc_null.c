/* SPDX-License-Identifier: MIT */
/* first_call_realloc_null.c: the first call into the allocator is realloc(NULL, n). */
#include "tests/api/first_call.h"

int main(void) {
    char *block = mem.realloc(NULL, 100);
    const bool is_right = block != NULL;
    if (is_right) memset(block, 1, 100);
    mem.free(block);
    return first_call_status(is_right);
}
