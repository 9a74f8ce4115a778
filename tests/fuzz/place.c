/* SPDX-License-Identifier: MIT */
/*
 * place.c: place.h. A breach is written by one write, so that those of two threads do not mix.
 */
#include "tests/fuzz/place.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MOST_TEXT 1024U

/* Constant after start; `process` is the own one of each process. */
static char replay[MOST_TEXT];
static const char *process;

static uint64_t mixed(uint64_t word) {
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9U;
    word = (word ^ (word >> 27)) * 0x94d049bb133111ebU;
    return word ^ (word >> 31);
}

uint64_t place_random(uint64_t seed, uint64_t stream) {
    return mixed(mixed(seed) + stream * 0x9e3779b97f4a7c15U);
}

uint64_t place_next(struct place *place) {
    place->random += 0x9e3779b97f4a7c15U;
    return mixed(place->random);
}

size_t place_below(struct place *place, size_t end) {
    return (size_t)(place_next(place) >> 8) % end;
}

bool place_happens(struct place *place, unsigned chance) {
    return (place_next(place) & 0xffff) < chance;
}

void place_set_replay(const char *command) {
    (void)snprintf(replay, sizeof(replay), "%s", command);
}

void place_set_process(const char *name) {
    process = name;
}

_Noreturn void breach(const struct place *place, const char *format, ...) {
    char text[2 * MOST_TEXT];
    int length =
        snprintf(text, MOST_TEXT,
                 "fuzz: %sthread %u, life %u, operation %lu, %s: ", process == NULL ? "" : process,
                 place->thread, place->life, place->operation, place->verb);
    va_list words;
    va_start(words, format);
    length += vsnprintf(text + length, MOST_TEXT - (size_t)length, format, words);
    va_end(words);
    length += snprintf(text + length, sizeof(text) - (size_t)length, "\nreplay: %s\n", replay);
    const ssize_t written = write(STDERR_FILENO, text, (size_t)length);
    _exit(written < 0 ? 2 : 1);
}
