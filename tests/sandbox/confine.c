/* SPDX-License-Identifier: MIT */
/*
 * confine.c LIST LIB PROGRAM [ARGUMENT...]: runs PROGRAM with LIB preloaded under a filter that
 * ends the process at each system call that the file LIST does not name: a name a line, `#` begins
 * a comment. Names that this architecture does not have are skipped.
 */
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fail(const char *what) {
    fprintf(stderr, "confine: %s\n", what);
    return 2;
}

/* False when the filter does not take a rule. */
static int allow_all(scmp_filter_ctx filter, FILE *list) {
    char name[128];
    while (fgets(name, sizeof(name), list) != NULL) {
        name[strcspn(name, "#\n")] = '\0';
        const int number = seccomp_syscall_resolve_name(name);
        if (name[0] == '\0' || number < 0) continue;
        if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0) != 0) return 0;
    }
    return 1;
}

int main(int argc, char **argv) {
    if (argc < 4) return fail("LIST LIB PROGRAM [ARGUMENT...]");
    FILE *list = fopen(argv[1], "r");
    if (list == NULL) return fail("no list");
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (filter == NULL || !allow_all(filter, list)) return fail("no filter");
    fclose(list);
    if (setenv("LD_PRELOAD", argv[2], 1) != 0) return fail("no room for LD_PRELOAD");
    if (seccomp_load(filter) != 0) return fail("the kernel takes no filter");
    execv(argv[3], argv + 3);
    return fail("no program");
}
