/* SPDX-License-Identifier: MIT */
/* first_call_calloc.c: the first call into the allocator is calloc. */
#include "tests/api/first_call.h"

int main(void) {
    const char *block = mem.calloc(10, 10);
    bool is_right = block != NULL;
    for (int i = 0; is_right && i < 100; i++) {
        is_right = block[i] == 0;
    }
    return first_call_status(is_right);
}
