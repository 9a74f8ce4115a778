/* SPDX-License-Identifier: MIT */
/*
 * objects_user.c: a library that needs a copy of objects_library.c, and defines nothing of it.
 */
int objects_answer(void);
int objects_use(void);

int objects_use(void) {
    return objects_answer();
}
