/* SPDX-License-Identifier: MIT */
/*
 * dl.h: functions of other libraries whose names this library takes, or that may not be there.
 *
 * The dynamic linker takes its own lock, and may allocate: these are for cold paths of a thread
 * that is served already. Called by the front and abi. Errno stays as it is.
 */
#ifndef HAK_OS_DL_H
#define HAK_OS_DL_H

/* The definition that comes next after this library's own; NULL when there is none. */
void *hak_dl_next(const char *name);

/* glibc's own definition; NULL with another libc. */
void *hak_dl_glibc(const char *name);

/* Mode of a dlopen without RTLD_DEEPBIND; the same where it does not have the flag. */
int hak_dl_without_deepbind(int mode);

#endif
