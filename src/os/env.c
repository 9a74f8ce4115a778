/* SPDX-License-Identifier: MIT */
/*
 * env.c: see env.h.
 */
#include "src/os/env.h"

#include "src/os/os.h"

#include <string.h>

bool hak_env_is_on(const char *name) {
    const char *value = hak_os_getenv(name);
    return value != NULL && strcmp(value, "0") != 0;
}

bool hak_env_is(const char *name, const char *word) {
    const char *value = hak_os_getenv(name);
    return value != NULL && strcmp(value, word) == 0;
}

/* The shift that a unit's letter stands for; 64 when it is none. */
static unsigned unit_shift(char letter) {
    switch (letter) {
    case 'k':
    case 'K':
        return 10;
    case 'm':
    case 'M':
        return 20;
    case 'g':
    case 'G':
        return 30;
    default:
        return 64;
    }
}

uint64_t hak_env_number(const char *name, uint64_t fallback, uint64_t max) {
    const char *value = hak_os_getenv(name);
    if (value == NULL || *value < '0' || *value > '9') return fallback;
    uint64_t number = 0;
    for (; *value >= '0' && *value <= '9'; value++) {
        if (__builtin_mul_overflow(number, 10, &number)) return fallback;
        if (__builtin_add_overflow(number, (uint64_t)(*value - '0'), &number)) return fallback;
    }
    if (*value != '\0') {
        unsigned shift = unit_shift(*value);
        if (shift == 64 || value[1] != '\0' || number > UINT64_MAX >> shift) return fallback;
        number <<= shift;
    }
    return number <= max ? number : fallback;
}
