/* SPDX-License-Identifier: MIT */
/*
 * dl.c: see dl.h. glibc is asked for by its file's name, not as the next after this library:
 * another allocator may stand between.
 */
#define _GNU_SOURCE
#include "src/os/dl.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#ifndef RTLD_DEEPBIND
#define RTLD_DEEPBIND 0
#endif

typedef void *dlopen_fn(const char *file, int mode);

void *hak_dl_next(const char *name) {
    int saved_errno = errno;
    void *address = dlsym(RTLD_NEXT, name);
    errno = saved_errno;
    return address;
}

void *hak_dl_glibc(const char *name) {
    void *next = hak_dl_next("dlopen");
    dlopen_fn *open;
    memcpy((void *)&open, &next, sizeof open);
    if (open == NULL) return NULL;
    int saved_errno = errno;
    void *library = open("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    void *address = library == NULL ? NULL : dlsym(library, name);
    errno = saved_errno;
    return address;
}

int hak_dl_without_deepbind(int mode) {
    return mode & ~RTLD_DEEPBIND;
}
