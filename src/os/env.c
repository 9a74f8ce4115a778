/* SPDX-License-Identifier: MIT */
/*
 * env.c: see env.h.
 */
#include "src/os/env.h"

#include "src/os/os.h"

#include <string.h>

#define PREFIX_LENGTH (sizeof HAK_ENV_PREFIX - 1)

static bool has_none; /* as of the last look */

bool hak_env_look(void) {
    const char *entry;
    has_none = true;
    for (size_t i = 0; has_none && (entry = hak_os_env_entry(i)) != NULL; i++)
        has_none = strncmp(entry, HAK_ENV_PREFIX, PREFIX_LENGTH) != 0;
    return !has_none;
}

bool hak_env_next_pair(const char **conf, struct hak_env_pair *pair) {
    const char *at = *conf;
    if (*at == '\0') return false;
    size_t length = strcspn(at, ",");
    const char *colon = memchr(at, ':', length);
    size_t key_length = colon == NULL ? length : (size_t)(colon - at);
    *pair = (struct hak_env_pair){.key = {at, key_length}};
    if (colon != NULL) pair->value = (struct hak_env_text){colon + 1, length - key_length - 1};
    *conf = at + length + (at[length] == ',');
    return true;
}

static char small(char letter) {
    return letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
}

bool hak_env_begins_key(struct hak_env_text key, const char *name, size_t length) {
    if (PREFIX_LENGTH + key.length < length) return false;
    for (size_t i = PREFIX_LENGTH; i < length; i++) {
        if (key.bytes[i - PREFIX_LENGTH] != small(name[i])) return false;
    }
    return true;
}

bool hak_env_is_key(struct hak_env_text key, const char *name) {
    size_t length = strlen(name);
    return PREFIX_LENGTH + key.length == length && hak_env_begins_key(key, name, length);
}

struct hak_env_text hak_env_value(const char *name) {
    struct hak_env_text value = {NULL, 0};
    const char *own = has_none ? NULL : hak_os_getenv(name);
    if (own != NULL && *own != '\0') return (struct hak_env_text){own, strlen(own)};
    const char *conf = has_none ? NULL : hak_os_getenv(HAK_ENV_CONF);
    struct hak_env_pair pair;
    while (conf != NULL && hak_env_next_pair(&conf, &pair)) {
        if (hak_env_is_key(pair.key, name)) value = pair.value;
    }
    return value;
}

static bool is_word(struct hak_env_text text, const char *word) {
    return text.bytes != NULL && text.length == strlen(word) &&
           memcmp(text.bytes, word, text.length) == 0;
}

static bool is_no(struct hak_env_text value) {
    return is_word(value, "0") || is_word(value, "false");
}

bool hak_env_is_on(const char *name) {
    struct hak_env_text value = hak_env_value(name);
    return value.bytes != NULL && !is_no(value);
}

bool hak_env_is_off(const char *name) {
    return is_no(hak_env_value(name));
}

bool hak_env_is(const char *name, const char *word) {
    return is_word(hak_env_value(name), word);
}

/* The shift that a unit's letter stands for; 64 when it is none. */
static unsigned unit_shift(char letter) {
    switch (small(letter)) {
    case 'k':
        return 10;
    case 'm':
        return 20;
    case 'g':
        return 30;
    default:
        return 64;
    }
}

bool hak_env_parse(struct hak_env_text text, uint64_t *number) {
    uint64_t sum = 0;
    size_t i = 0;
    for (; i < text.length && text.bytes[i] >= '0' && text.bytes[i] <= '9'; i++) {
        if (__builtin_mul_overflow(sum, 10, &sum)) return false;
        if (__builtin_add_overflow(sum, (uint64_t)(text.bytes[i] - '0'), &sum)) return false;
    }
    if (i == 0) return false;
    if (i < text.length) {
        unsigned shift = unit_shift(text.bytes[i]);
        if (shift == 64 || i + 1 < text.length || sum > UINT64_MAX >> shift) return false;
        sum <<= shift;
    }
    *number = sum;
    return true;
}

uint64_t hak_env_number(const char *name, uint64_t fallback, uint64_t max) {
    uint64_t number;
    bool is_number = hak_env_parse(hak_env_value(name), &number);
    return is_number && number <= max ? number : fallback;
}
