/* SPDX-License-Identifier: MIT */
/* first_call_free_null.c: the first call into the allocator is free(NULL). */
#include "tests/api/first_call.h"

int main(void) {
    mem.free(NULL);
    return first_call_status(true);
}
