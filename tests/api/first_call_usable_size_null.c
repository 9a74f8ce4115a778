/* SPDX-License-Identifier: MIT */
/* first_call_usable_size_null.c: the first call into the allocator is malloc_usable_size(NULL). */
#include "tests/api/first_call.h"

int main(void) {
    const bool is_right = mem.usable_size(NULL) == 0;
    return first_call_status(is_right);
}
