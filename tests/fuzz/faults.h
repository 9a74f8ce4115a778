/* SPDX-License-Identifier: MIT */
/*
 * faults.h: broken promises to be found: what the fuzzer is proved by.
 */
#ifndef HAK_TESTS_FAULTS_H
#define HAK_TESTS_FAULTS_H

#include <stdbool.h>

/* Wraps the calls so that one of many breaks the promise of this name. False: no such fault. */
bool faults_plant(const char *name);

#endif
