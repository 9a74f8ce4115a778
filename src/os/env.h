/* SPDX-License-Identifier: MIT */
/*
 * env.h: what switches in the environment say. Read at start only, and never in AT_SECURE
 * processes.
 *
 * A switch is a variable of its own, or a pair in HAKMEM_CONF="key:value,key:value", whose key is
 * the variable's name without HAKMEM_, in small letters. The variable of its own wins, unless it is
 * empty, and of pairs the last.
 */
#ifndef HAK_OS_ENV_H
#define HAK_OS_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HAK_ENV_PREFIX "HAKMEM_"
#define HAK_ENV_CONF   HAK_ENV_PREFIX "CONF"

/* A part of a variable; NULL where there is none. */
struct hak_env_text {
    const char *bytes;
    size_t length;
};

/* Looks whether there is any switch at all, before the first is asked for; until the next look, all
 * are unset where there is none. True when there is one. */
bool hak_env_look(void);

/* What the switch is set to. */
struct hak_env_text hak_env_value(const char *name);

/* Set, and not to "0" or "false"; set to one of them. */
bool hak_env_is_on(const char *name);
bool hak_env_is_off(const char *name);

/* Set to exactly this word. */
bool hak_env_is(const char *name, const char *word);

/* A decimal number, perhaps followed by k, m or g (times 2^10, 2^20, 2^30); at most `max`.
 * `fallback` where the switch is unset or holds anything else. */
uint64_t hak_env_number(const char *name, uint64_t fallback, uint64_t max);

/* Such a number alone; false: it is none. */
bool hak_env_parse(struct hak_env_text text, uint64_t *number);

/* The next pair of HAKMEM_CONF, from *conf on, which moves; false at the end. Without a colon, the
 * value has no bytes. */
struct hak_env_pair {
    struct hak_env_text key, value;
};
bool hak_env_next_pair(const char **conf, struct hak_env_pair *pair);

/* Whether the key is that of the variable; or begins as that of its first `length` letters. */
bool hak_env_is_key(struct hak_env_text key, const char *name);
bool hak_env_begins_key(struct hak_env_text key, const char *name, size_t length);

#endif
