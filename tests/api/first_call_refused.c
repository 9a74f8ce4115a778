/* SPDX-License-Identifier: MIT */
/* first_call_refused.c: the first call into the allocator is a request that must be refused. */
#include "tests/api/first_call.h"

int main(void) {
    const bool is_right = mem.malloc(SIZE_MAX) == NULL;
    return first_call_status(is_right);
}
