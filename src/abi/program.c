/* SPDX-License-Identifier: MIT */
/*
 * program.c: the library started as a program: prints the build line and how it is used, and ends.
 *
 * The dynamic linker, named in the section .interp, has relocated everything and started libc when
 * it jumps here; our constructors have not run, and there is nowhere to return to.
 */
#include "hak_config.h"
#include "src/contract/slots.h"
#include "src/os/os.h"

#include <string.h>

HAK_USED static const char interpreter[] __attribute__((section(".interp"))) = HAK_INTERPRETER;

HAK_ENTRY void hak_program(void);

static void print(const char *text) {
    hak_os_write_stdout(text, strlen(text));
}

HAK_ENTRY void hak_program(void) {
    print(hak_bind_info());
    print("\nA malloc for other programs: LD_PRELOAD=<path of this file> program\n");
    hak_os_exit(0);
}
