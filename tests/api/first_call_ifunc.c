/* SPDX-License-Identifier: MIT */
/*
 * first_call_ifunc.c: a program with an ifunc of its own, whose resolver runs while the program is
 * still being relocated. The resolver itself cannot allocate; what it chose must.
 */
#include "tests/api/first_call.h"

static bool allocate_by_choice(void) {
    void *block = mem.calloc(1, 70000);
    const bool is_right = block != NULL;
    mem.free(block);
    return is_right;
}

bool chosen(void);

/* Called by the dynamic linker; the name is in a string, so the compiler must be told. */
__attribute__((used)) static bool (*choose(void))(void) {
    return allocate_by_choice;
}

bool chosen(void) __attribute__((ifunc("choose")));

int main(void) {
    return first_call_status(chosen());
}
