/* SPDX-License-Identifier: MIT */
/*
 * interpreter.c: run while the build is configured: prints the path of the dynamic linker that this
 * compiler's programs name (their PT_INTERP).
 */
#define _GNU_SOURCE
#include <link.h>
#include <stdio.h>

static int print_interpreter(struct dl_phdr_info *object, size_t size, void *arg) {
    (void)size;
    (void)arg;
    for (unsigned i = 0; i < object->dlpi_phnum; i++) {
        if (object->dlpi_phdr[i].p_type != PT_INTERP) continue;
        fputs((const char *)(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr), stdout);
        return 1; /* the program comes first; libc has one too */
    }
    return 1;
}

int main(void) {
    return dl_iterate_phdr(print_interpreter, NULL) == 1 ? 0 : 1;
}
