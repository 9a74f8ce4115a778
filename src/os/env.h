/* SPDX-License-Identifier: MIT */
/*
 * env.h: what switches in the environment say. Read at start only, and never in AT_SECURE
 * processes.
 */
#ifndef HAK_OS_ENV_H
#define HAK_OS_ENV_H

#include <stdbool.h>
#include <stdint.h>

/* Set, and not to "0". */
bool hak_env_is_on(const char *name);

/* Set to exactly this word. */
bool hak_env_is(const char *name, const char *word);

/* A decimal number, perhaps followed by k, m or g (times 2^10, 2^20, 2^30); at most `max`.
 * `fallback` where the variable is unset or holds anything else. */
uint64_t hak_env_number(const char *name, uint64_t fallback, uint64_t max);

#endif
