/* SPDX-License-Identifier: MIT */
/*
 * objects.h: symbols of the loaded objects (the program and its libraries), found by name.
 *
 * For what arrives after hakmem, by dlopen, perhaps out of the global scope. The objects' own
 * tables are read: unlike dlsym this neither allocates nor waits for a dlopen that is running a
 * constructor, so it works when memory is out. Functions and objects are found, without regard to
 * symbol versions.
 */
#ifndef HAK_OS_OBJECTS_H
#define HAK_OS_OBJECTS_H

/* Address of the symbol `name` for code at `from`: that of its own object; else of a library that
 * its object names as needed; else the first in the order of loading. NULL: nobody has it. */
void *hak_os_symbol_for(const void *from, const char *name);

/* Address of the symbol `name` of the object that `at` lies in; NULL when it has none. */
void *hak_os_symbol_beside(const void *at, const char *name);

#endif
